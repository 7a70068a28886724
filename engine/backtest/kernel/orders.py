"""Orders of one symbol in the kernel: what waits, what price touches, what a fill does.

A symbol has at most one entry, one market close and the levels of its position. Of levels touched at one
price the entry is first, then liquidation, stop, partial exits, target.
"""

from math import inf, isnan, nan

from engine.backtest.kernel.grid import floor_qty, round_level, round_qty, slip, unslipped
from engine.backtest.kernel.layout import LIQUIDATION, Symbol, account_of, partial_of
from engine.backtest.kernel.lots import close_lots, open_lot
from engine.backtest.kernel.margin import margin_allows
from engine.compiled.functions import compiled
from engine.compiled.memory import floats_at
from engine.exits.layout import (
    R_FIRST_PARTIAL,
    R_PARTIALS,
    R_RESTING,
    S_DIRECTION,
    S_PARTIALS_DONE,
    S_R,
    STATE_SIZE,
)
from engine.exits.levels import (
    open_trade,
    partial_level,
    resting_stop,
    resting_stop_text,
    resting_target,
    resting_target_text,
    stopped,
)
from engine.model.exit_rules import PARTIAL_EXIT

_NOTHING, _ENTRY, _LIQUIDATION, _STOP, _TARGET, _FIRST_PARTIAL = -1, 0, 1, 2, 3, 4
"""What price can touch."""


@compiled
def _entry_waits_for_stop(s: Symbol) -> bool:
    return not isnan(s.entry_stop) and s.entry_armed == 0


@compiled
def _watch(s: Symbol, level: float, rising: bool) -> None:
    if rising and level < s.up:
        s.up = level
    elif not rising and level > s.down:
        s.down = level


@compiled
def watch_orders(s: Symbol) -> None:
    """Record the nearest levels above and below, so that a bar that touches neither is quick."""
    s.up = inf
    s.down = -inf
    if s.entry_rests != 0:
        if _entry_waits_for_stop(s):
            _watch(s, s.entry_stop, s.entry_direction > 0.0)
        else:
            _watch(s, s.entry_limit, s.entry_direction < 0.0)
            if isnan(s.entry_limit):
                s.up = -inf
    if s.lots > 0:
        long = s.position > 0.0
        _watch(s, s.liquidation, not long)
        _watch(s, s.stop, not long)
        _watch(s, s.target, long)
        for p in range(s.partials):
            _watch(s, partial_of(s, p).price, long)
    if s.close_qty > 0.0:
        s.up = -inf


@compiled
def drop_levels(s: Symbol) -> None:
    """Remove every resting exit of the position."""
    s.stop = s.stop_unrounded = s.target = s.target_unrounded = s.liquidation = nan
    s.partials = 0


@compiled
def rest_stop(s: Symbol) -> None:
    """Place the resting stop where the exit rules have it now."""
    rules, state = floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE)
    s.stop_unrounded = resting_stop(rules, state)
    s.stop = round_level(s, s.stop_unrounded, state[S_DIRECTION] < 0.0)
    s.stop_text = resting_stop_text(rules, state)


@compiled
def rest_target(s: Symbol) -> None:
    """Place the resting target where the exit rules have it now."""
    rules, state = floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE)
    s.target_unrounded = resting_target(rules, state)
    s.target = round_level(s, s.target_unrounded, state[S_DIRECTION] > 0.0)
    s.target_text = resting_target_text(state)


@compiled
def _rest_levels(s: Symbol) -> None:
    """Rest the levels of a trade just opened."""
    rules, state = floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE)
    rest_stop(s)
    rest_target(s)
    long = state[S_DIRECTION] > 0.0
    s.liquidation = nan
    s.partials = int(rules[R_PARTIALS]) if rules[R_RESTING] != 0.0 and state[S_R] > 0.0 else 0
    for p in range(s.partials):
        partial = partial_of(s, p)
        partial.qty = floor_qty(s, s.first_qty * rules[R_FIRST_PARTIAL + 2 * p + 1])
        level = round_level(s, partial_level(rules, state, p), long)
        partial.price = level if partial.qty > 0.0 else nan


@compiled
def _fill_entry(s: Symbol, price: float) -> None:
    """Fill the entry at `price`; a position on the other side is closed first by the same order."""
    s.entry_rests = 0
    direction = s.entry_direction
    if s.position * direction > 0.0 and s.lots >= s.pyramiding:
        return
    slipped = isnan(s.entry_limit)
    fill_price = slip(s, price, direction) if slipped else unslipped(s, price)
    s.filling_text = s.entry_text
    s.filling_maker = int(not slipped)
    s.filling_newest_first = 0
    closed = 0.0
    qty = s.entry_qty
    if s.position * direction < 0.0:
        qty = round_qty(s, qty + abs(s.position))
        closed = close_lots(s, qty, fill_price)
        drop_levels(s)
    opened = round_qty(s, qty - closed)
    if not margin_allows(s, opened, fill_price):
        account_of(s).margin_rejects += 1
        return
    was_flat = s.lots == 0
    s.is_idle = 0
    open_lot(s, direction, opened, fill_price, opened / qty)
    if was_flat:
        if s.is_inside != 0:
            s.lived_high = s.lived_low = fill_price
        s.first_qty = opened
        rules, state = floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE)
        open_trade(rules, state, direction, fill_price)
        _rest_levels(s)


@compiled
def fill_market_orders(s: Symbol, price: float) -> None:
    """Market orders fill at `price`, the close before the entry."""
    qty = s.close_qty
    if qty > 0.0:
        s.close_qty = 0.0
        if s.lots > 0:
            qty = min(qty, abs(s.position))
            fill_price = slip(s, price, -1.0 if s.position > 0.0 else 1.0)
            s.filling_text = s.close_text
            s.filling_maker = 0
            s.filling_newest_first = 0
            if s.close_text == PARTIAL_EXIT:
                s.filling_newest_first = s.newest_first
            close_lots(s, qty, fill_price)
            if s.lots == 0:
                drop_levels(s)
    if s.entry_rests != 0 and isnan(s.entry_limit) and isnan(s.entry_stop):
        _fill_entry(s, price)


@compiled
def _fill_level(s: Symbol, touched: int, price: float) -> None:
    """An exit level fills; a liquidation has no slippage."""
    qty = abs(s.position)
    fill_price = unslipped(s, price)
    s.filling_maker = int(touched >= _TARGET)
    s.filling_newest_first = 0
    if touched == _LIQUIDATION:
        s.filling_text = LIQUIDATION
    elif touched == _STOP:
        s.filling_text = s.stop_text
        fill_price = slip(s, price, -1.0 if s.position > 0.0 else 1.0)
        stopped(floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE))
    elif touched == _TARGET:
        s.filling_text = s.target_text
    else:
        s.filling_text = PARTIAL_EXIT
        s.filling_newest_first = s.newest_first
        partial = partial_of(s, touched - _FIRST_PARTIAL)
        partial.price = nan
        qty = min(partial.qty, qty)
        floats_at(s.state_at, STATE_SIZE)[S_PARTIALS_DONE] = touched - _FIRST_PARTIAL + 1
    close_lots(s, qty, fill_price)
    if s.lots == 0:
        drop_levels(s)


@compiled
def _distance(level: float, rises: bool, price: float, end: float) -> float:
    """How far price must go from `price` towards `end` to touch a level, nan where it does not.

    `rises` says that the level is touched by a rising price; one that is passed already is at distance 0.
    """
    if (price >= level) if rises else (price <= level):
        return 0.0
    if rises != (end >= price) or not (level <= end if rises else level >= end):
        return nan
    return abs(level - price)


@compiled
def _first_touched(s: Symbol, price: float, end: float) -> tuple[int, float]:
    """The level that price touches first on its way to `end`, and its price."""
    found, where, least = _NOTHING, price, inf
    if s.entry_rests != 0:
        stop = _entry_waits_for_stop(s)
        level = s.entry_stop if stop else s.entry_limit
        distance = _distance(level, stop == (s.entry_direction > 0.0), price, end)
        if distance < least:
            found, where, least = _ENTRY, level, distance
    if s.lots > 0:
        long = s.position > 0.0
        distance = _distance(s.liquidation, not long, price, end)
        if distance < least:
            found, where, least = _LIQUIDATION, s.liquidation, distance
        distance = _distance(s.stop, not long, price, end)
        if distance < least:
            found, where, least = _STOP, s.stop, distance
        for p in range(s.partials):
            level = partial_of(s, p).price
            distance = _distance(level, long, price, end)
            if distance < least:
                found, where, least = _FIRST_PARTIAL + p, level, distance
        distance = _distance(s.target, long, price, end)
        if distance < least:
            found, where, least = _TARGET, s.target, distance
    return found, (price if least == 0.0 else where)


@compiled
def meet(s: Symbol, price: float, end: float) -> None:
    """Move price from `price` to `end` (may be equal) and fill what it touches."""
    while True:
        touched, where = _first_touched(s, price, end)
        if touched == _NOTHING:
            return
        price = where
        if touched != _ENTRY:
            _fill_level(s, touched, price)
        elif _entry_waits_for_stop(s) and not isnan(s.entry_limit):
            s.entry_armed = 1
        else:
            _fill_entry(s, price)
