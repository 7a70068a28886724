"""The exit rules compiled: one `plan` for the numba engine and for the live TradeExecutor.

`engine/model/exit_rules.py` says what the rules are, step by step. Here they work on flat float64 arrays
(`layout`), so that a kernel can hold one for each symbol, and the live engine can journal and restore them.

`plan` is called once for each closed bar and says what to do at market: it returns `CLOSE`, `ENTER` and
`PARTIAL` bits and fills `call`. Where resting orders are, `levels` says. A caller that has them calls
`open_trade` when an entry fills (levels then exist for the rest of that bar), `partial_filled` and `stopped`
when one of them does. Without resting orders `plan` alone is enough: it sees a new position by its side.
"""

from math import isnan, nan

from engine.compiled.functions import State, compiled
from engine.exits.layout import (
    B_STOP_LONG,
    B_STOP_SHORT,
    B_TARGET_LONG,
    B_TARGET_SHORT,
    CLOSE,
    CLOSE_TEXT,
    ENTER,
    ENTRY_DIRECTION,
    ENTRY_TEXT,
    FILL_BAR,
    PARTIAL,
    PARTIAL_FRACTION,
    PENDING,
    R_COOLDOWN,
    R_DEDUPE,
    R_ENTRY_BAR,
    R_FLIP,
    R_FLIP_COOLDOWN,
    R_MAX_HOLD,
    R_RESTING,
    R_SIGNAL_EXITS,
    R_STRICT,
    R_TIMES,
    S_COOLDOWN,
    S_DIRECTION,
    S_ENTRY_BAR,
    S_LAST_SIZE,
    S_NEXT_R,
    S_NEXT_STOP,
    S_NEXT_TARGET,
    S_PENDING_BAR,
    S_ROI,
    S_STOP,
    S_TARGET,
    SIGNAL_BAR,
)
from engine.exits.levels import (
    TOLERANCE,
    close_trade,
    grow_old,
    may_tighten,
    open_trade,
    partials_reached,
    tighten,
)
from engine.model.exit_rules import (
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    FLIP,
    FLIP_TO_LONG,
    FLIP_TO_SHORT,
    LONG_ENTRY,
    MAX_HOLD,
    MID_EXIT,
    MINIMAL_ROI,
    NO_TEXT,
    SHORT_ENTRY,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_EXIT,
)


@compiled
def _count_holding(rules: State, state: State, bar: int, size: float) -> None:
    """Step 2: keep the bar that holding is counted from."""
    if size == 0.0:
        state[S_ENTRY_BAR] = nan
    elif rules[R_ENTRY_BAR] == PENDING:
        if not isnan(state[S_PENDING_BAR]):
            state[S_ENTRY_BAR] = state[S_PENDING_BAR]
            state[S_PENDING_BAR] = nan
        elif isnan(state[S_ENTRY_BAR]):
            state[S_ENTRY_BAR] = bar
        else:
            change = size - state[S_LAST_SIZE]
            state[S_LAST_SIZE] = size
            if abs(change) > TOLERANCE:
                state[S_ENTRY_BAR] = bar
    elif isnan(state[S_ENTRY_BAR]):
        state[S_ENTRY_BAR] = bar


@compiled
def _enter(rules: State, state: State, call: State, bar: int, direction: float, text: int, r: float) -> None:
    call[ENTRY_DIRECTION] = direction
    call[ENTRY_TEXT] = text
    state[S_NEXT_R] = r
    state[S_NEXT_STOP] = call[B_STOP_LONG if direction > 0.0 else B_STOP_SHORT]
    state[S_NEXT_TARGET] = call[B_TARGET_LONG if direction > 0.0 else B_TARGET_SHORT]
    if rules[R_ENTRY_BAR] == PENDING:
        state[S_PENDING_BAR] = bar + 1


@compiled
def _reason(
    rules: State,
    state: State,
    bar: int,
    high: float,
    low: float,
    exit_flag: bool,
    opposite: bool,
    is_time: bool,
) -> int:
    """Step 5, a to f: the text code of the first reason to leave, 0 for none."""
    direction = state[S_DIRECTION]
    adverse, favourable = (low, high) if direction > 0.0 else (high, low)
    if rules[R_RESTING] == 0.0:
        if direction * (adverse - state[S_STOP]) <= TOLERANCE:
            return STOP_LOSS
        if direction * (favourable - state[S_TARGET]) >= -TOLERANCE:
            return TAKE_PROFIT
        if direction * (favourable - state[S_ROI]) >= -TOLERANCE:
            return MINIMAL_ROI
    if exit_flag and rules[R_SIGNAL_EXITS] != 0.0:
        return MID_EXIT
    if opposite and rules[R_FLIP] != 0.0 and (rules[R_FLIP_COOLDOWN] == 0.0 or state[S_COOLDOWN] == 0.0):
        return FLIP
    held = bar - state[S_ENTRY_BAR]
    limit = rules[R_MAX_HOLD]
    if held > limit or (held == limit and rules[R_STRICT] == 0.0):
        return MAX_HOLD
    return TIME_EXIT if is_time else NO_TEXT


@compiled
def plan(
    rules: State,
    state: State,
    call: State,
    bar: int,
    high: float,
    low: float,
    flags: int,
    tag_seen: bool,
    risk_distance: float,
    size: float,
    entry_price: float,
    may_add: bool,
) -> int:
    """Decide on one closed bar; returns CLOSE, ENTER and PARTIAL bits and fills `call` where they are set.

    `call` has the bar's numbers; `bar` counts bars without holes. `high` and `low` are those the position
    lived through. `flags` are the strategy's; `tag_seen` says that its tag was entered before (the caller
    remembers tags, and notes this one when ENTER comes back). `size` is signed, `entry_price` its average
    price, nan while flat. `may_add` says that pyramiding leaves room for one more entry on the position's
    side.
    """
    if size == 0.0:
        return _plan_flat(rules, state, call, bar, flags, tag_seen, risk_distance)
    direction = 1.0 if size > 0.0 else -1.0
    if state[S_DIRECTION] != direction:
        open_trade(rules, state, direction, entry_price)
    _count_holding(rules, state, bar, size)
    is_time = rules[R_TIMES] != 0.0 and grow_old(rules, state, call)
    can_enter = not (tag_seen and rules[R_DEDUPE] != 0.0)
    if direction > 0.0:
        exit_flag, opposite = flags & EXIT_LONG != 0, can_enter and flags & ENTER_SHORT != 0
    else:
        exit_flag, opposite = flags & EXIT_SHORT != 0, can_enter and flags & ENTER_LONG != 0
    text = _reason(rules, state, bar, high, low, exit_flag, opposite, is_time)
    if text != NO_TEXT:
        call[CLOSE_TEXT] = text
        if text == STOP_LOSS:
            state[S_COOLDOWN] = rules[R_COOLDOWN]
        elif text == FLIP and state[S_COOLDOWN] == 0.0:
            text = FLIP_TO_SHORT if size > 0.0 else FLIP_TO_LONG
            _enter(rules, state, call, bar, -direction, text, risk_distance)
            if rules[R_ENTRY_BAR] == SIGNAL_BAR:
                state[S_ENTRY_BAR] = bar
            elif rules[R_ENTRY_BAR] == FILL_BAR:
                state[S_ENTRY_BAR] = nan
            return CLOSE | ENTER
        return CLOSE
    fraction = partials_reached(rules, state, high, low) if rules[R_RESTING] == 0.0 else 0.0
    if may_tighten(rules, state, high, low):
        tighten(rules, state, call, high, low, risk_distance)
    if fraction > 0.0:
        call[PARTIAL_FRACTION] = fraction
        return PARTIAL
    same = flags & (ENTER_LONG if direction > 0.0 else ENTER_SHORT) != 0
    if may_add and can_enter and same and state[S_COOLDOWN] == 0.0:
        text = LONG_ENTRY if direction > 0.0 else SHORT_ENTRY
        _enter(rules, state, call, bar, direction, text, risk_distance)
        return ENTER
    return 0


@compiled
def _plan_flat(
    rules: State,
    state: State,
    call: State,
    bar: int,
    flags: int,
    tag_seen: bool,
    risk_distance: float,
) -> int:
    """Steps 1 to 4 while flat."""
    if state[S_DIRECTION] != 0.0:
        close_trade(state)
    state[S_ENTRY_BAR] = nan
    if state[S_COOLDOWN] > 0.0:
        state[S_COOLDOWN] -= 1.0
    if flags & (ENTER_LONG | ENTER_SHORT) == 0 or state[S_COOLDOWN] > 0.0:
        return 0
    if tag_seen and rules[R_DEDUPE] != 0.0:
        return 0
    is_long = flags & ENTER_LONG != 0
    direction, text = (1.0, LONG_ENTRY) if is_long else (-1.0, SHORT_ENTRY)
    _enter(rules, state, call, bar, direction, text, risk_distance)
    return ENTER
