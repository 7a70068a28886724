"""The levels of a position, compiled: where it leaves, and how that moves.

`engine/model/exit_rules.py` says what the rules are. Arrays are those of `layout`. Resting orders are no
actions of `plan`: their levels are in the state, ask `resting_stop`, `resting_stop_text`, `resting_target`,
`resting_target_text` and `partial_level`.
"""

from math import isnan, nan

from engine.compiled.functions import State, compiled, shared
from engine.exits.layout import (
    B_CLOSE_DAY,
    B_CLOSE_SECOND,
    B_OPEN_DAY,
    B_OPEN_SECOND,
    B_STOP_LONG,
    B_STOP_SHORT,
    B_TARGET_LONG,
    B_TARGET_SHORT,
    R_BREAK_EVEN,
    R_BREAK_EVEN_OFFSET,
    R_BREAK_EVEN_R,
    R_BREAKS_EVEN,
    R_COOLDOWN,
    R_FIRST_PARTIAL,
    R_FIRST_ROI,
    R_LEVELS_OF_BAR,
    R_MOVES_BY_BAR,
    R_PARTIALS,
    R_PROTECTIVE,
    R_RESTING,
    R_ROI_STEPS,
    R_STOP,
    R_STOP_R,
    R_TARGET,
    R_TARGET_R,
    R_TRAILING,
    R_TRAILING_AFTER,
    R_TRAILING_AFTER_R,
    R_TRAILING_OF_BAR,
    R_TRAILING_R,
    R_TRAILS,
    S_BEST,
    S_COOLDOWN,
    S_DIRECTION,
    S_ENTRY_PRICE,
    S_NEXT_R,
    S_NEXT_STOP,
    S_NEXT_TARGET,
    S_OPENED,
    S_OPENED_DAY,
    S_PARTIALS_DONE,
    S_PROTECTIVE,
    S_R,
    S_ROI,
    S_STOP,
    S_TARGET,
)
from engine.model.exit_rules import MINIMAL_ROI, PROTECTIVE_STOP, STOP_LOSS, TAKE_PROFIT

TOLERANCE = 1e-10


@shared
def _tighter(direction: float, a: float, b: float) -> float:
    """Of two stop levels the one price reaches first; nan is none."""
    if isnan(a):
        return b
    if isnan(b):
        return a
    return max(a, b) if direction > 0.0 else min(a, b)


@compiled
def open_trade(rules: State, state: State, direction: float, price: float) -> None:
    """An entry filled at `price`: forget the old trade and set the levels of the new one."""
    r = state[S_NEXT_R]
    state[S_DIRECTION] = direction
    state[S_ENTRY_PRICE] = price
    state[S_R] = r
    state[S_BEST] = price
    state[S_PARTIALS_DONE] = 0.0
    by_percent = price * (1.0 - direction * rules[R_STOP] / 100.0)
    by_r = price - direction * rules[R_STOP_R] * r
    stop = _tighter(direction, _tighter(direction, by_percent, by_r), state[S_NEXT_STOP])
    if rules[R_TRAILS] != 0.0:
        stop = _tighter(direction, stop, _trail(rules, state, r))
    state[S_STOP] = stop
    state[S_TARGET] = _target(rules, state, state[S_NEXT_TARGET])
    state[S_PROTECTIVE] = price * (1.0 - direction * rules[R_PROTECTIVE] / 100.0)
    state[S_OPENED] = state[S_OPENED_DAY] = nan
    state[S_ROI] = _roi_level(rules, state, 0.0) if rules[R_ROI_STEPS] > 0.0 else nan


@compiled
def _target(rules: State, state: State, of_signal: float) -> float:
    """The nearest target by percent, R and signal, nan for none."""
    direction, price = state[S_DIRECTION], state[S_ENTRY_PRICE]
    by_percent = price * (1.0 + direction * rules[R_TARGET] / 100.0)
    by_r = price + direction * rules[R_TARGET_R] * state[S_R]
    return _tighter(-direction, _tighter(-direction, by_percent, by_r), of_signal)


@compiled
def close_trade(state: State) -> None:
    """There is no position any more: forget its levels."""
    state[S_DIRECTION] = 0.0
    state[S_PARTIALS_DONE] = 0.0
    for i in range(S_ENTRY_PRICE, S_PROTECTIVE + 1):
        if i != S_NEXT_R:
            state[i] = nan
    state[S_ROI] = state[S_OPENED] = state[S_OPENED_DAY] = nan


@compiled
def stopped(rules: State, state: State) -> None:
    """A resting stop, protective or not, has filled: the cooldown begins."""
    state[S_COOLDOWN] = rules[R_COOLDOWN]


@compiled
def partial_filled(state: State) -> None:
    """The nearest resting partial exit has filled."""
    state[S_PARTIALS_DONE] += 1.0


@compiled
def resting_stop(rules: State, state: State) -> float:
    """Level of the stop order that should rest, nan for none."""
    if rules[R_RESTING] != 0.0:
        return _tighter(state[S_DIRECTION], state[S_STOP], state[S_PROTECTIVE])
    return state[S_PROTECTIVE]


@compiled
def resting_stop_text(rules: State, state: State) -> int:
    """Text code of that order: SL, or Protective Stop where that is the tighter one."""
    if rules[R_RESTING] != 0.0 and resting_stop(rules, state) == state[S_STOP]:
        return STOP_LOSS
    return PROTECTIVE_STOP


@compiled
def resting_target(rules: State, state: State) -> float:
    """Level of the target order that should rest, nan for none."""
    if rules[R_RESTING] == 0.0:
        return nan
    return _tighter(-state[S_DIRECTION], state[S_TARGET], state[S_ROI])


@compiled
def resting_target_text(state: State) -> int:
    """Text code of that order: TP, or ROI where the price of `minimal_roi` is nearer."""
    if isnan(state[S_ROI]) or state[S_DIRECTION] * (state[S_ROI] - state[S_TARGET]) >= 0.0:
        return TAKE_PROFIT
    return MINIMAL_ROI


@compiled
def partial_level(rules: State, state: State, k: int) -> float:
    """Price of the k-th partial exit (0 is the nearest), nan where there is none."""
    if k >= int(rules[R_PARTIALS]):
        return nan
    return state[S_ENTRY_PRICE] + state[S_DIRECTION] * rules[R_FIRST_PARTIAL + 2 * k] * state[S_R]


@compiled
def partials_reached(rules: State, state: State, high: float, low: float) -> float:
    """Step 5 g: the fraction to leave; counts the partial exits as done."""
    direction = state[S_DIRECTION]
    favourable = high if direction > 0.0 else low
    fraction = 0.0
    k = int(state[S_PARTIALS_DONE])
    while k < int(rules[R_PARTIALS]):
        if not direction * (favourable - partial_level(rules, state, k)) >= -TOLERANCE:
            break
        fraction += rules[R_FIRST_PARTIAL + 2 * k + 1]
        k += 1
    state[S_PARTIALS_DONE] = k
    return fraction


@compiled
def _roi_level(rules: State, state: State, held_minutes: float) -> float:
    """Price that is enough to leave with after that time; nan where no row is reached yet."""
    at = int(rules[R_FIRST_ROI])
    percent = nan
    for k in range(int(rules[R_ROI_STEPS])):
        if rules[at + 2 * k] <= held_minutes:
            percent = rules[at + 2 * k + 1]
    return state[S_ENTRY_PRICE] * (1.0 + state[S_DIRECTION] * percent / 100.0)


@compiled
def grow_old(rules: State, state: State, call: State) -> bool:
    """The trade is seen at the close of a bar: note the first one's times, and how long it is held.

    Returns whether `exit_time` has come.
    """
    if isnan(state[S_OPENED]):
        state[S_OPENED] = call[B_OPEN_SECOND]
        state[S_OPENED_DAY] = call[B_OPEN_DAY]
    if rules[R_ROI_STEPS] > 0.0:
        state[S_ROI] = _roi_level(rules, state, (call[B_CLOSE_SECOND] - state[S_OPENED]) / 60.0)
    return call[B_CLOSE_DAY] > state[S_OPENED_DAY]


@compiled
def _trail(rules: State, state: State, r: float) -> float:
    """Level of the trailing stop behind the best price, nan while there is none."""
    direction, entry, best = state[S_DIRECTION], state[S_ENTRY_PRICE], state[S_BEST]
    gain = direction * (best - entry)
    after, after_r = rules[R_TRAILING_AFTER], rules[R_TRAILING_AFTER_R]
    if not isnan(after) and not gain - entry * after / 100.0 >= -TOLERANCE:
        return nan
    if not isnan(after_r) and not gain - after_r * state[S_R] >= -TOLERANCE:
        return nan
    by_percent = best * (1.0 - direction * rules[R_TRAILING] / 100.0)
    return _tighter(direction, by_percent, best - direction * rules[R_TRAILING_R] * r)


@compiled
def may_tighten(rules: State, state: State, high: float, low: float) -> bool:
    """Whether step 6 can change anything: only a better best price can, unless levels move by each bar.

    Where R is no distance, break-even is reached without one.
    """
    is_better = high > state[S_BEST] if state[S_DIRECTION] > 0.0 else low < state[S_BEST]
    return is_better or rules[R_MOVES_BY_BAR] != 0.0 or state[S_R] <= 0.0


@compiled
def tighten(rules: State, state: State, call: State, high: float, low: float, risk_distance: float) -> None:
    """Step 6: take in this bar, then move the levels for the next."""
    direction = state[S_DIRECTION]
    entry = state[S_ENTRY_PRICE]
    best = max(state[S_BEST], high) if direction > 0.0 else min(state[S_BEST], low)
    state[S_BEST] = best
    if rules[R_TRAILS] != 0.0:
        r = risk_distance if rules[R_TRAILING_OF_BAR] != 0.0 else state[S_R]
        state[S_STOP] = _tighter(direction, state[S_STOP], _trail(rules, state, r))
    if rules[R_BREAKS_EVEN] != 0.0:
        gain = direction * (best - entry)
        by_r = gain - rules[R_BREAK_EVEN_R] * state[S_R] >= -TOLERANCE
        if by_r or gain - entry * rules[R_BREAK_EVEN] / 100.0 >= -TOLERANCE:
            level = entry * (1.0 + direction * rules[R_BREAK_EVEN_OFFSET] / 100.0)
            state[S_STOP] = _tighter(direction, state[S_STOP], level)
    if rules[R_LEVELS_OF_BAR] != 0.0:
        level = call[B_STOP_LONG if direction > 0.0 else B_STOP_SHORT]
        state[S_STOP] = _tighter(direction, state[S_STOP], level)
        target = call[B_TARGET_LONG if direction > 0.0 else B_TARGET_SHORT]
        if not isnan(target):
            state[S_TARGET] = _target(rules, state, target)
