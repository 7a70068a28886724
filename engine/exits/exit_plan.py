"""The compiled plan of one strategy on one symbol, for callers that live one bar at a time."""

from math import isnan, nan
from operator import attrgetter

import msgspec
import numpy as np

from engine.exits.calls import write_times
from engine.exits.layout import (
    B_STOP_LONG,
    B_STOP_SHORT,
    B_TARGET_LONG,
    B_TARGET_SHORT,
    CLOSE,
    CLOSE_TEXT,
    EARLIER_STATE_SIZE,
    ENTER,
    ENTRY_DIRECTION,
    ENTRY_TEXT,
    PARTIAL,
    PARTIAL_FRACTION,
    R_FIRST_PARTIAL,
    R_PARTIALS,
    S_PARTIALS_DONE,
    S_R,
    STATE_SIZE,
    encode,
    needs_times,
    new_call,
    new_state,
)
from engine.exits.levels import (
    open_trade,
    partial_filled,
    partial_level,
    resting_stop,
    resting_stop_text,
    resting_target,
    resting_target_text,
    stopped,
)
from engine.exits.plan import plan
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, SIGNAL_TEXTS, ExitRules
from engine.model.signals import Signals


class ExitPlanState(msgspec.Struct, frozen=True, tag=True):
    """All an `ExitPlan` remembers, for the journal. nan does not survive JSON: use msgpack.

    `waiting_tag` is that of an entry that waits at its signal's price.
    """

    values: tuple[float, ...]
    tags: tuple[str, ...] = ()
    waiting_tag: str = ""


class Planned(msgspec.Struct, frozen=True):
    """What to do after a closed bar: at most a close, then an entry; or a partial exit.

    `close` and `enter_text` are signal texts, "" for none; `enter_direction` is 1, -1 or 0;
    `partial_fraction` is of the trade's first quantity. `enter_limit` is where the entry waits, None for at
    market.
    """

    close: str = ""
    enter_direction: int = 0
    enter_text: str = ""
    partial_fraction: float = 0.0
    enter_limit: float | None = None


class RestingLevels(msgspec.Struct, frozen=True):
    """Prices, unrounded, at which orders should rest in the market now; None for none."""

    stop: float | None
    stop_text: str
    target: float | None
    partial_exits: tuple[tuple[float, float], ...]
    """(price, fraction of the trade's first quantity) of those not done, nearest first."""
    target_text: str = ""


_NOTHING = Planned()
_LEVELS = attrgetter("stop_long", "stop_short", "target_long", "target_short")
_MOST_TAGS = 10_000


def _level(value: float) -> float | None:
    return None if isnan(value) else float(value)


class ExitPlan:
    """The exit rules of one strategy on one symbol, with all they remember.

    `engine/exits/layout.py` says what is where in `state`. `waiting_tag` is as in `ExitPlanState`.
    """

    __slots__ = ("_call", "_levels", "_rules", "_tags", "needs_times", "rules", "state", "waiting_tag")

    def __init__(self, rules: ExitRules) -> None:
        self.rules = rules
        self._rules = encode(rules)
        self.state = new_state()
        self._call = new_call()
        self.needs_times = needs_times(rules)
        self._levels: tuple[float, ...] = ()
        self._tags: dict[str, None] = {}
        self.waiting_tag = ""
        self._compile()

    def _compile(self) -> None:
        """Run everything once on a state that is thrown away, so that no bar waits for a compiler."""
        state = new_state()
        for size, price in ((0.0, nan), (1.0, 100.0)):
            plan(self._rules, state, self._call, 0, 1.0, 1.0, 0, False, nan, size, price, False)
        open_trade(self._rules, state, 1.0, 100.0)
        resting_stop(self._rules, state)
        resting_stop_text(self._rules, state)
        resting_target(self._rules, state)
        resting_target_text(state)
        partial_level(self._rules, state, 0)
        partial_filled(state)
        stopped(self._rules, state)

    def snapshot(self) -> ExitPlanState:
        """What must be journalled after each call that changed something."""
        return ExitPlanState(
            values=tuple(self.state.tolist()), tags=tuple(self._tags), waiting_tag=self.waiting_tag
        )

    def restore(self, saved: ExitPlanState) -> None:
        """Go on from a snapshot, also one of an earlier version; ValueError if it is of a later one."""
        count = len(saved.values)
        if count not in (EARLIER_STATE_SIZE, STATE_SIZE):
            raise ValueError(f"an exit plan's state has {STATE_SIZE} values, the saved one {count}")
        self.state = new_state()
        self.state[:count] = saved.values
        self._tags = dict.fromkeys(saved.tags)
        self.waiting_tag = saved.waiting_tag

    def on_bar(
        self,
        bar_index: int,
        high: float,
        low: float,
        signals: Signals,
        size: float,
        entry_price: float,
        may_add: bool = False,
        times_ns: tuple[int, int] | None = None,
    ) -> Planned:
        """Decide on one closed bar; see `plan`. `size` is signed, `entry_price` ignored while flat.

        `times_ns` are when the bar opened and closed; rules that ask for times do nothing without them.
        """
        flags = (
            ENTER_LONG * signals.enter_long
            | ENTER_SHORT * signals.enter_short
            | EXIT_LONG * signals.exit_long
            | EXIT_SHORT * signals.exit_short
        )
        if self.waiting_tag:
            if not size:  # the entry has not filled: its tag was not entered
                self._tags.pop(self.waiting_tag, None)
            self.waiting_tag = ""
        if times_ns is not None or _LEVELS(signals) != self._levels:  # on most bars nothing is said
            self._write(signals, times_ns)
        seen = signals.tag != "" and signals.tag in self._tags
        done = plan(
            self._rules,
            self.state,
            self._call,
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
        limit = self._limit(signals) if done & ENTER else None
        if done & ENTER and signals.tag:
            self._remember(signals.tag)
            self.waiting_tag = "" if limit is None else signals.tag
        return self._planned(done, limit)

    def _write(self, signals: Signals, times_ns: tuple[int, int] | None) -> None:
        """Write the bar's numbers into the call."""
        call, self._levels = self._call, _LEVELS(signals)
        call[B_STOP_LONG], call[B_STOP_SHORT], call[B_TARGET_LONG], call[B_TARGET_SHORT] = self._levels
        if times_ns is not None and self.needs_times:
            write_times(self.rules, np.array(times_ns[:1]), np.array(times_ns[1:]), call[np.newaxis])

    def _limit(self, signals: Signals) -> float | None:
        """Where the entry just decided waits; None for at market."""
        return _level(signals.limit_long if self._call[ENTRY_DIRECTION] > 0.0 else signals.limit_short)

    def _planned(self, done: int, limit: float | None) -> Planned:
        call = self._call
        return Planned(
            close=SIGNAL_TEXTS[int(call[CLOSE_TEXT])] if done & CLOSE else "",
            enter_direction=int(call[ENTRY_DIRECTION]) if done & ENTER else 0,
            enter_text=SIGNAL_TEXTS[int(call[ENTRY_TEXT])] if done & ENTER else "",
            partial_fraction=float(call[PARTIAL_FRACTION]) if done & PARTIAL else 0.0,
            enter_limit=limit,
        )

    def _remember(self, tag: str) -> None:
        self._tags.pop(tag, None)
        self._tags[tag] = None
        if len(self._tags) > _MOST_TAGS:
            del self._tags[next(iter(self._tags))]

    def opened(self, direction: int, price: float) -> None:
        """An entry has filled at the average `price`: `levels` are valid from now on."""
        self.waiting_tag = ""
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
        stop, target = _level(resting_stop(rules, state)), _level(resting_target(rules, state))
        return RestingLevels(
            stop=stop,
            stop_text="" if stop is None else SIGNAL_TEXTS[resting_stop_text(rules, state)],
            target=target,
            target_text="" if target is None else SIGNAL_TEXTS[resting_target_text(state)],
            partial_exits=tuple(partials),
        )
