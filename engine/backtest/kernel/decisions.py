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
from engine.backtest.kernel.orders import drop_levels, rest_stop, rest_target, watch_orders
from engine.compiled.functions import compiled
from engine.compiled.memory import byte_at, float_at, floats_at, int_at
from engine.exits.layout import (
    B_LIMIT_LONG,
    B_LIMIT_SHORT,
    CALL_SIZE,
    CLOSE,
    CLOSE_TEXT,
    ENTER,
    ENTRY_DIRECTION,
    ENTRY_TEXT,
    PARTIAL,
    PARTIAL_FRACTION,
    R_TARGET_MOVES,
    S_COOLDOWN,
    STATE_SIZE,
)
from engine.exits.levels import resting_stop, resting_target
from engine.exits.plan import plan
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT, PARTIAL_EXIT


@compiled
def _quantity(s: Symbol, price: float, risk_distance: float) -> float:
    """Default-sized quantity of an entry at its sizing price."""
    per_unit = price * s.point_value
    if s.sizing == FIXED:
        wanted = s.sizing_value
    elif s.sizing == CASH:
        wanted = s.sizing_value / per_unit
    elif s.sizing == RISK_PERCENT:
        if not risk_distance > 0.0:
            return 0.0
        wanted = equity(account_of(s)) * s.sizing_value / 100.0 / (risk_distance * s.point_value)
    else:
        wanted = equity(account_of(s)) * s.sizing_value / 100.0 / (per_unit * (1.0 + s.taker_percent / 100.0))
    if s.strength_at != 0:
        strength = float_at(s.strength_at, s.bar)
        wanted *= 1.0 if isnan(strength) else min(max(strength, 0.0), 1.0)
    return floor_qty(s, wanted)


@compiled
def _call_at(s: Symbol) -> int:
    """Where the plan's call of this bar is."""
    return s.call_at + s.bar * s.call_step


@compiled
def _place_entry(s: Symbol, direction: float, text: int, risk_distance: float) -> None:
    """Place the entry, instead of any that rests."""
    s.entry_rests = 0
    limit = stop = nan
    price = snap(s, s.mark) + direction * s.slippage_ticks * s.tick
    valid_bars = s.entry_valid_bars
    said = float_at(_call_at(s), B_LIMIT_LONG if direction > 0.0 else B_LIMIT_SHORT)
    if not isnan(said):
        price = limit = round_level(s, said, direction < 0.0)
        valid_bars = 1
    elif s.entry_kind == LIMIT:
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
    s.entry_dies_after = s.bar + valid_bars
    s.entry_tag = 0 if isnan(said) or s.tags == 0 else int_at(s.tag_at, s.bar)


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
def _drop_entry(s: Symbol) -> None:
    """Remove an entry that has not filled. Its tag was not entered, if it waited at its signal's price."""
    s.entry_rests = 0
    if s.entry_tag > 0:
        floats_at(s.tags_seen_at, s.tags)[s.entry_tag] = 0.0


@compiled
def _order(s: Symbol, wanted: int) -> None:
    """Carry out what the plan wants: a close, then an entry; or a partial exit."""
    call = floats_at(_call_at(s), CALL_SIZE)
    if wanted & CLOSE:
        drop_levels(s)
        s.close_qty = abs(s.position)
        s.close_text = int(call[CLOSE_TEXT])
    elif wanted & PARTIAL:
        qty = floor_qty(s, s.first_qty * call[PARTIAL_FRACTION])
        s.close_qty = min(qty, abs(s.position))
        s.close_text = PARTIAL_EXIT
    if wanted & ENTER:
        _note_tag(s)
        _place_entry(s, call[ENTRY_DIRECTION], int(call[ENTRY_TEXT]), float_at(s.risk_at, s.bar))


@compiled
def _differ(a: float, b: float) -> bool:
    """Whether two levels are not the same; no level is the same as no level."""
    return a != b and not (isnan(a) and isnan(b))


@compiled
def _move_target(s: Symbol) -> bool:
    """Let the target rest where the plan has moved it; whether it has."""
    rules, state = floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE)
    moved = _differ(resting_target(rules, state), s.target_unrounded)
    if moved:
        rest_target(s)
    return moved


@compiled
def decide(s: Symbol) -> None:
    """Decide once on the closed bar, with the position as it now stands."""
    flags = byte_at(s.flags_at, s.bar)
    if s.is_idle != 0 and s.entry_rests == 0 and flags & (ENTER_LONG | ENTER_SHORT) == 0:
        return
    changed = False
    if s.entry_rests != 0 and s.entry_dies_after == s.bar:
        _drop_entry(s)
        changed = True
    rules, state = floats_at(s.rules_at, s.rules_size), floats_at(s.state_at, STATE_SIZE)
    if s.lots > 0 and not isnan(s.liquidation):
        s.liquidation = nan
        changed = True
    wanted = plan(
        rules,
        state,
        floats_at(_call_at(s), CALL_SIZE),
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
    if s.lots > 0 and wanted & CLOSE == 0:
        if _differ(resting_stop(rules, state), s.stop_unrounded):
            rest_stop(s)
            changed = True
        if rules[R_TARGET_MOVES] != 0.0 and _move_target(s):
            changed = True
    if changed:
        watch_orders(s)
