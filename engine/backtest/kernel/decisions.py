"""Step 6 of a bar in the kernel: ask the exit plan, then order."""

from math import isnan, nan

from engine.backtest.kernel.grid import floor_qty, round_level, snap
from engine.backtest.kernel.layout import (
    CASH,
    FIXED,
    LIMIT,
    MARKET,
    RISK_PERCENT,
    STOP_LIMIT,
    Symbol,
    account_of,
)
from engine.backtest.kernel.margin import equity
from engine.backtest.kernel.orders import drop_levels, rest_stop, watch_orders
from engine.compiled.functions import compiled
from engine.compiled.memory import byte_at, float_at, floats_at, int_at
from engine.exits.layout import (
    ACTIONS_SIZE,
    CLOSE,
    CLOSE_TEXT,
    ENTER,
    ENTRY_DIRECTION,
    ENTRY_TEXT,
    PARTIAL,
    PARTIAL_FRACTION,
    S_COOLDOWN,
    STATE_SIZE,
)
from engine.exits.plan import plan, resting_stop
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT, PARTIAL_EXIT


@compiled
def _quantity(s: Symbol, price: float, risk_distance: float) -> float:
    """Default-sized quantity of an entry at its sizing price."""
    per_unit = price * s.point_value
    if s.sizing == FIXED:
        return floor_qty(s, s.sizing_value)
    if s.sizing == CASH:
        return floor_qty(s, s.sizing_value / per_unit)
    budget = equity(account_of(s)) * s.sizing_value / 100.0
    if s.sizing == RISK_PERCENT:
        if not risk_distance > 0.0:
            return 0.0
        return floor_qty(s, budget / (risk_distance * s.point_value))
    return floor_qty(s, budget / (per_unit * (1.0 + s.taker_percent / 100.0)))


@compiled
def _place_entry(s: Symbol, direction: float, text: int, risk_distance: float) -> None:
    """Place the entry, instead of any that rests."""
    s.entry_rests = 0
    limit = stop = nan
    price = snap(s, s.mark) + direction * s.slippage_ticks * s.tick
    if s.entry_kind == LIMIT:
        level = s.mark * (1.0 - direction * s.entry_offset / 100.0)
        price = limit = round_level(s, level, direction < 0.0)
    elif s.entry_kind != MARKET:
        level = s.mark * (1.0 + direction * s.entry_offset / 100.0)
        price = stop = round_level(s, level, direction > 0.0)
        if s.entry_kind == STOP_LIMIT:
            level = stop * (1.0 + direction * s.entry_limit_offset / 100.0)
            price = limit = round_level(s, level, direction < 0.0)
    qty = _quantity(s, price, risk_distance) if price > 0.0 else 0.0
    if qty <= 0.0 or qty < s.min_qty or qty * price * s.point_value < s.min_notional:
        return
    s.entry_rests = 1
    s.entry_direction = direction
    s.entry_qty = qty
    s.entry_limit = limit
    s.entry_stop = stop
    s.entry_armed = 0
    s.entry_text = text
    s.entry_dies_after = s.bar + s.entry_valid_bars


@compiled
def _tag_was_seen(s: Symbol) -> bool:
    """Whether this bar's tag was entered before; false without tags."""
    return s.tags > 0 and floats_at(s.tags_seen_at, s.tags)[int_at(s.tag_at, s.bar)] != 0.0


@compiled
def _note_tag(s: Symbol) -> None:
    if s.tags > 0:
        tag = int_at(s.tag_at, s.bar)
        if tag > 0:
            floats_at(s.tags_seen_at, s.tags)[tag] = 1.0


@compiled
def _order(s: Symbol, wanted: int) -> None:
    """Carry out what the plan wants: a close, then an entry; or a partial exit."""
    actions = floats_at(s.actions_at, ACTIONS_SIZE)
    if wanted & CLOSE:
        drop_levels(s)
        s.close_qty = abs(s.position)
        s.close_text = int(actions[CLOSE_TEXT])
    elif wanted & PARTIAL:
        qty = floor_qty(s, s.first_qty * actions[PARTIAL_FRACTION])
        s.close_qty = min(qty, abs(s.position))
        s.close_text = PARTIAL_EXIT
    if wanted & ENTER:
        _note_tag(s)
        _place_entry(s, actions[ENTRY_DIRECTION], int(actions[ENTRY_TEXT]), float_at(s.risk_at, s.bar))


@compiled
def decide(s: Symbol) -> None:
    """Decide once on the closed bar, with the position as it now stands."""
    flags = byte_at(s.flags_at, s.bar)
    if s.is_idle != 0 and s.entry_rests == 0 and flags & (ENTER_LONG | ENTER_SHORT) == 0:
        return
    changed = False
    if s.entry_rests != 0 and s.entry_dies_after == s.bar:
        s.entry_rests = 0
        changed = True
    rules, state = floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE)
    if s.lots > 0 and not isnan(s.liquidation):
        s.liquidation = nan
        changed = True
    wanted = plan(
        rules,
        state,
        floats_at(s.actions_at, ACTIONS_SIZE),
        s.bar,
        s.lived_high,
        s.lived_low,
        flags,
        _tag_was_seen(s),
        float_at(s.risk_at, s.bar),
        s.position,
        nan,
        s.lots < s.pyramiding,
    )
    s.is_idle = int(s.lots == 0 and state[S_COOLDOWN] == 0.0)
    if wanted != 0:
        _order(s, wanted)
        changed = True
    if s.lots > 0 and wanted & CLOSE == 0 and resting_stop(rules, state) != s.stop_unrounded:
        rest_stop(s)
        changed = True
    if changed:
        watch_orders(s)
