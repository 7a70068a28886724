"""The exit rules compiled: one `plan` for the numba engine and for the live TradeExecutor.

`exit_rules.py` says what the rules are, step by step. Here they work on flat float64 arrays (`exit_layout`),
so that a kernel can hold one for each symbol, and the live engine can journal and restore them.

`plan` is called once for each closed bar and says what to do at market: it returns `CLOSE`, `ENTER` and
`PARTIAL` bits and fills `actions`. Resting orders are not actions: their levels are in the state, ask
`resting_stop`, `resting_stop_text`, `resting_target` and `partial_level`. A caller that has resting orders
calls `open_trade` when an entry fills (levels then exist for the rest of that bar), `partial_filled` and
`stopped` when one of them does. Without resting orders `plan` alone is enough: it sees a new position by
its side.
"""

from math import isnan, nan
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.compiled.functions import State, compiled, shared
from engine.exits.layout import (
    ACTIONS_SIZE,
    CLOSE,
    CLOSE_TEXT,
    ENTER,
    ENTRY_DIRECTION,
    ENTRY_TEXT,
    FILL_BAR,
    PARTIAL,
    PARTIAL_FRACTION,
    PENDING,
    R_BREAK_EVEN_R,
    R_COOLDOWN,
    R_DEDUPE,
    R_ENTRY_BAR,
    R_FIRST_PARTIAL,
    R_FLIP,
    R_FLIP_COOLDOWN,
    R_MAX_HOLD,
    R_PARTIALS,
    R_PROTECTIVE,
    R_RESTING,
    R_SIGNAL_EXITS,
    R_STOP,
    R_STOP_R,
    R_STRICT,
    R_TARGET,
    R_TARGET_R,
    R_TRAILING,
    S_BEST,
    S_COOLDOWN,
    S_DIRECTION,
    S_ENTRY_BAR,
    S_ENTRY_PRICE,
    S_LAST_SIZE,
    S_NEXT_R,
    S_PARTIALS_DONE,
    S_PENDING_BAR,
    S_PROTECTIVE,
    S_R,
    S_STOP,
    S_TARGET,
    SIGNAL_BAR,
    STATE_SIZE,
    encode,
    new_state,
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
    NO_TEXT,
    PROTECTIVE_STOP,
    SHORT_ENTRY,
    SIGNAL_TEXTS,
    STOP_LOSS,
    TAKE_PROFIT,
    ExitRules,
)

if TYPE_CHECKING:
    from engine.model.signals import Signals

_TOLERANCE = 1e-10


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
    trail = price * (1.0 - direction * rules[R_TRAILING] / 100.0)
    state[S_STOP] = _tighter(direction, _tighter(direction, by_percent, by_r), trail)
    by_percent = price * (1.0 + direction * rules[R_TARGET] / 100.0)
    by_r = price + direction * rules[R_TARGET_R] * r
    state[S_TARGET] = _tighter(-direction, by_percent, by_r)
    state[S_PROTECTIVE] = price * (1.0 - direction * rules[R_PROTECTIVE] / 100.0)


@compiled
def _close_trade(state: State) -> None:
    state[S_DIRECTION] = 0.0
    state[S_PARTIALS_DONE] = 0.0
    for i in range(S_ENTRY_PRICE, S_PROTECTIVE + 1):
        if i != S_NEXT_R:
            state[i] = nan


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
    return state[S_TARGET] if rules[R_RESTING] != 0.0 else nan


@compiled
def partial_level(rules: State, state: State, k: int) -> float:
    """Price of the k-th partial exit (0 is the nearest), nan where there is none."""
    if k >= int(rules[R_PARTIALS]):
        return nan
    return state[S_ENTRY_PRICE] + state[S_DIRECTION] * rules[R_FIRST_PARTIAL + 2 * k] * state[S_R]


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
            if abs(change) > _TOLERANCE:
                state[S_ENTRY_BAR] = bar
    elif isnan(state[S_ENTRY_BAR]):
        state[S_ENTRY_BAR] = bar


@compiled
def _enter(
    rules: State, state: State, actions: State, bar: int, direction: float, text: int, r: float
) -> None:
    actions[ENTRY_DIRECTION] = direction
    actions[ENTRY_TEXT] = text
    state[S_NEXT_R] = r
    if rules[R_ENTRY_BAR] == PENDING:
        state[S_PENDING_BAR] = bar + 1


@compiled
def _reason(
    rules: State, state: State, bar: int, high: float, low: float, exit_flag: bool, opposite: bool
) -> int:
    """Step 5, a to e: the text code of the first reason to leave, 0 for none."""
    direction = state[S_DIRECTION]
    adverse, favourable = (low, high) if direction > 0.0 else (high, low)
    if rules[R_RESTING] == 0.0:
        if direction * (adverse - state[S_STOP]) <= _TOLERANCE:
            return STOP_LOSS
        if direction * (favourable - state[S_TARGET]) >= -_TOLERANCE:
            return TAKE_PROFIT
    if exit_flag and rules[R_SIGNAL_EXITS] != 0.0:
        return MID_EXIT
    if opposite and rules[R_FLIP] != 0.0 and (rules[R_FLIP_COOLDOWN] == 0.0 or state[S_COOLDOWN] == 0.0):
        return FLIP
    held = bar - state[S_ENTRY_BAR]
    limit = rules[R_MAX_HOLD]
    if held > limit or (held == limit and rules[R_STRICT] == 0.0):
        return MAX_HOLD
    return NO_TEXT


@compiled
def _partials_reached(rules: State, state: State, high: float, low: float) -> float:
    """Step 5 f: the fraction to leave; counts the partial exits as done."""
    direction = state[S_DIRECTION]
    favourable = high if direction > 0.0 else low
    fraction = 0.0
    k = int(state[S_PARTIALS_DONE])
    while k < int(rules[R_PARTIALS]):
        if not direction * (favourable - partial_level(rules, state, k)) >= -_TOLERANCE:
            break
        fraction += rules[R_FIRST_PARTIAL + 2 * k + 1]
        k += 1
    state[S_PARTIALS_DONE] = k
    return fraction


@compiled
def _tighten(rules: State, state: State, high: float, low: float) -> None:
    """Step 6: take in this bar, then move the stop level for the next."""
    direction = state[S_DIRECTION]
    entry = state[S_ENTRY_PRICE]
    best = max(state[S_BEST], high) if direction > 0.0 else min(state[S_BEST], low)
    state[S_BEST] = best
    trail = best * (1.0 - direction * rules[R_TRAILING] / 100.0)
    state[S_STOP] = _tighter(direction, state[S_STOP], trail)
    if direction * (best - entry) - rules[R_BREAK_EVEN_R] * state[S_R] >= -_TOLERANCE:
        state[S_STOP] = _tighter(direction, state[S_STOP], entry)


@compiled
def plan(
    rules: State,
    state: State,
    actions: State,
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
    """Decide on one closed bar; returns CLOSE, ENTER and PARTIAL bits and fills `actions` where they are set.

    `bar` counts bars without holes. `high` and `low` are those the position lived through. `flags` are
    the strategy's; `tag_seen` says that its tag was entered before (the caller remembers tags, and notes
    this one when ENTER comes back). `size` is signed, `entry_price` its average price, nan while flat.
    `may_add` says that pyramiding leaves room for another entry on the position's side.
    """
    if size == 0.0:
        return _plan_flat(rules, state, actions, bar, flags, tag_seen, risk_distance)
    direction = 1.0 if size > 0.0 else -1.0
    if state[S_DIRECTION] != direction:
        open_trade(rules, state, direction, entry_price)
    _count_holding(rules, state, bar, size)
    can_enter = not (tag_seen and rules[R_DEDUPE] != 0.0)
    if direction > 0.0:
        exit_flag, opposite = flags & EXIT_LONG != 0, can_enter and flags & ENTER_SHORT != 0
    else:
        exit_flag, opposite = flags & EXIT_SHORT != 0, can_enter and flags & ENTER_LONG != 0
    text = _reason(rules, state, bar, high, low, exit_flag, opposite)
    if text != NO_TEXT:
        actions[CLOSE_TEXT] = text
        if text == STOP_LOSS:
            state[S_COOLDOWN] = rules[R_COOLDOWN]
        elif text == FLIP and state[S_COOLDOWN] == 0.0:
            _enter(
                rules,
                state,
                actions,
                bar,
                -direction,
                FLIP_TO_SHORT if size > 0.0 else FLIP_TO_LONG,
                risk_distance,
            )
            if rules[R_ENTRY_BAR] == SIGNAL_BAR:
                state[S_ENTRY_BAR] = bar
            elif rules[R_ENTRY_BAR] == FILL_BAR:
                state[S_ENTRY_BAR] = nan
            return CLOSE | ENTER
        return CLOSE
    fraction = _partials_reached(rules, state, high, low) if rules[R_RESTING] == 0.0 else 0.0
    _tighten(rules, state, high, low)
    if fraction > 0.0:
        actions[PARTIAL_FRACTION] = fraction
        return PARTIAL
    same = flags & (ENTER_LONG if direction > 0.0 else ENTER_SHORT) != 0
    if may_add and can_enter and same and state[S_COOLDOWN] == 0.0:
        text = LONG_ENTRY if direction > 0.0 else SHORT_ENTRY
        _enter(rules, state, actions, bar, direction, text, risk_distance)
        return ENTER
    return 0


@compiled
def _plan_flat(
    rules: State, state: State, actions: State, bar: int, flags: int, tag_seen: bool, risk_distance: float
) -> int:
    """Steps 1 to 4 while flat."""
    if state[S_DIRECTION] != 0.0:
        _close_trade(state)
    state[S_ENTRY_BAR] = nan
    if state[S_COOLDOWN] > 0.0:
        state[S_COOLDOWN] -= 1.0
    if flags & (ENTER_LONG | ENTER_SHORT) == 0 or state[S_COOLDOWN] > 0.0:
        return 0
    if tag_seen and rules[R_DEDUPE] != 0.0:
        return 0
    if flags & ENTER_LONG != 0:
        _enter(rules, state, actions, bar, 1.0, LONG_ENTRY, risk_distance)
    else:
        _enter(rules, state, actions, bar, -1.0, SHORT_ENTRY, risk_distance)
    return ENTER


class ExitPlanState(msgspec.Struct, frozen=True, tag=True):
    """All an `ExitPlan` remembers, for the journal. nan does not survive JSON: use msgpack."""

    values: tuple[float, ...]
    tags: tuple[str, ...] = ()


class Planned(msgspec.Struct, frozen=True):
    """What to do after a closed bar: at most a close, then an entry; or a partial exit.

    `close` and `enter_text` are signal texts, "" for none; `enter_direction` is 1, -1 or 0;
    `partial_fraction` is of the trade's first quantity.
    """

    close: str = ""
    enter_direction: int = 0
    enter_text: str = ""
    partial_fraction: float = 0.0


class RestingLevels(msgspec.Struct, frozen=True):
    """Prices, unrounded, at which orders should rest in the market now; None for none."""

    stop: float | None
    stop_text: str
    target: float | None
    partial_exits: tuple[tuple[float, float], ...]
    """(price, fraction of the trade's first quantity) of those not done, nearest first."""


_NOTHING = Planned()
_MOST_TAGS = 10_000


def _level(value: float) -> float | None:
    return None if isnan(value) else float(value)


class ExitPlan:
    """The compiled plan of one strategy on one symbol, for callers that live one bar at a time.
    `engine/exits/layout.py` says what is where in `state`."""

    __slots__ = ("_actions", "_rules", "_tags", "rules", "state")

    def __init__(self, rules: ExitRules) -> None:
        self.rules = rules
        self._rules = encode(rules)
        self.state = new_state()
        self._actions = np.zeros(ACTIONS_SIZE)
        self._tags: dict[str, None] = {}
        self._compile()

    def _compile(self) -> None:
        """Run everything once on a state that is thrown away, so that no bar waits for a compiler."""
        state = new_state()
        for size, price in ((0.0, nan), (1.0, 100.0)):
            plan(self._rules, state, self._actions, 0, 1.0, 1.0, 0, False, nan, size, price, False)
        open_trade(self._rules, state, 1.0, 100.0)
        resting_stop(self._rules, state)
        resting_stop_text(self._rules, state)
        resting_target(self._rules, state)
        partial_level(self._rules, state, 0)
        partial_filled(state)
        stopped(self._rules, state)

    def snapshot(self) -> ExitPlanState:
        """What must be journalled after each call that changed something."""
        return ExitPlanState(values=tuple(self.state.tolist()), tags=tuple(self._tags))

    def restore(self, saved: ExitPlanState) -> None:
        """Go on from a snapshot; ValueError if it is not one of this version."""
        if len(saved.values) != STATE_SIZE:
            raise ValueError(
                f"an exit plan's state has {STATE_SIZE} values, the saved one {len(saved.values)}"
            )
        self.state = np.array(saved.values, dtype=np.float64)
        self._tags = dict.fromkeys(saved.tags)

    def on_bar(
        self,
        bar_index: int,
        high: float,
        low: float,
        signals: "Signals",
        size: float,
        entry_price: float,
        may_add: bool = False,
    ) -> Planned:
        """Decide on one closed bar; see `plan`. `size` is signed, `entry_price` ignored while flat."""
        flags = (
            ENTER_LONG * signals.enter_long
            | ENTER_SHORT * signals.enter_short
            | EXIT_LONG * signals.exit_long
            | EXIT_SHORT * signals.exit_short
        )
        seen = signals.tag != "" and signals.tag in self._tags
        done = plan(
            self._rules,
            self.state,
            self._actions,
            bar_index,
            float(high),
            float(low),
            int(flags),
            seen,
            float(signals.risk_distance),
            float(size),
            float(entry_price),
            bool(may_add),
        )
        if done == 0:
            return _NOTHING
        if done & ENTER and signals.tag:
            self._remember(signals.tag)
        actions = self._actions
        return Planned(
            close=SIGNAL_TEXTS[int(actions[CLOSE_TEXT])] if done & CLOSE else "",
            enter_direction=int(actions[ENTRY_DIRECTION]) if done & ENTER else 0,
            enter_text=SIGNAL_TEXTS[int(actions[ENTRY_TEXT])] if done & ENTER else "",
            partial_fraction=float(actions[PARTIAL_FRACTION]) if done & PARTIAL else 0.0,
        )

    def _remember(self, tag: str) -> None:
        self._tags.pop(tag, None)
        self._tags[tag] = None
        if len(self._tags) > _MOST_TAGS:
            del self._tags[next(iter(self._tags))]

    def opened(self, direction: int, price: float) -> None:
        """An entry has filled at the average `price`: `levels` are valid from now on."""
        open_trade(self._rules, self.state, float(direction), float(price))

    def stopped(self) -> None:
        """A resting stop has filled."""
        stopped(self._rules, self.state)

    def partial_filled(self) -> None:
        """The nearest resting partial exit has filled."""
        partial_filled(self.state)

    def levels(self) -> RestingLevels:
        """What should rest in the market for the open trade; nothing while flat."""
        rules, state = self._rules, self.state
        partials = []
        if self.rules.stop_kind == "resting":
            for k in range(int(state[S_PARTIALS_DONE]), int(rules[R_PARTIALS])):
                price = partial_level(rules, state, k)
                if not isnan(price) and state[S_R] > 0.0:
                    partials.append((float(price), float(rules[R_FIRST_PARTIAL + 2 * k + 1])))
        stop = _level(resting_stop(rules, state))
        return RestingLevels(
            stop=stop,
            stop_text="" if stop is None else SIGNAL_TEXTS[resting_stop_text(rules, state)],
            target=_level(resting_target(rules, state)),
            partial_exits=tuple(partials),
        )
