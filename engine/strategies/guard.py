"""The one place where somebody's own strategy is called, so that its faults stay its own.

Whatever it raises, sys.exit and KeyboardInterrupt among them, and whatever it returns that is no `Signals`
becomes a `StrategyFault`: one sentence with file and line, and the traceback for the log. `Watch` is told
what is at work, for a strategy that never returns.
"""

from math import isinf
from operator import attrgetter
from typing import Protocol, cast

import numpy as np

from engine.model.bars import Bar
from engine.model.signals import SIGNAL_LEVELS, SIGNAL_NUMBERS, Signals
from engine.model.timeframes import utc_text
from engine.strategies.base import Broker, ScriptStrategy, SignalStrategy
from engine.strategies.calls import LONGEST_TEXT, MOST_VALUES, StrategyFault, is_number, is_text
from engine.strategies.faults import fault_of
from engine.strategies.slot import StrategySlot

_FLOAT = {float}
_FLAGS = ("enter_long", "enter_short", "exit_long", "exit_short")
_NOTHING_MORE = (Signals(False, False, False, False).strength,) * len(SIGNAL_NUMBERS)
_MORE = attrgetter(*SIGNAL_NUMBERS)


class Watch(Protocol):
    """Knows which strategy is running."""

    def begin(self, slot: StrategySlot, bar: Bar) -> None:
        """Just before a strategy is given a bar."""

    def end(self) -> None:
        """It has returned, or raised."""


class NobodyWatches:
    """Where no process has to survive the strategy."""

    def begin(self, slot: StrategySlot, bar: Bar) -> None:
        """Nothing to note."""

    def end(self) -> None:
        """Nothing to note."""


class Guard:
    """Calls strategies; `StrategyFault` where that fails."""

    def __init__(self) -> None:
        self.watch: Watch = NobodyWatches()

    def signals(self, slot: StrategySlot, strategy: SignalStrategy, bar: Bar) -> Signals:
        """What a `SignalStrategy` says about a bar."""
        self.watch.begin(slot, bar)
        try:
            said: object = strategy.on_bar(bar)
        except BaseException as error:
            raise fault_of(error, strategy, bar) from error
        finally:
            self.watch.end()
        return said if type(said) is Signals and _is_usual(said) else _checked(said, strategy, bar)

    def script(self, slot: StrategySlot, strategy: ScriptStrategy, bar: Bar, broker: Broker) -> None:
        """Let a `ScriptStrategy` see a bar and call its broker."""
        self.watch.begin(slot, bar)
        try:
            strategy.on_bar(bar, broker)
        except BaseException as error:
            raise fault_of(error, strategy, bar) from error
        finally:
            self.watch.end()


def _checked(said: object, strategy: SignalStrategy, bar: Bar) -> Signals:
    """`Signals` with what their fields promise, or `StrategyFault`."""
    wrong = _wrong_in(said)
    if wrong:
        what = f"{type(strategy).__name__}.on_bar returned {wrong}"
        raise StrategyFault(f"{what} (bar {utc_text(bar.open_time_ns)})")
    return _plain(cast("Signals", said))


def _is_usual(said: Signals) -> bool:
    """Python's own types, no tag, no price: nothing to look at more closely. Each bar of each strategy passes
    here."""
    return (
        type(said.enter_long)
        is type(said.enter_short)
        is type(said.exit_long)
        is type(said.exit_short)
        is bool
        and type(said.risk_distance) is float
        and type(said.values) is tuple
        and len(said.values) <= MOST_VALUES
        and type(said.tag) is str
        and not said.tag
        and set(map(type, said.values)) <= _FLOAT
        and _MORE(said) == _NOTHING_MORE  # equal where each is the very nan it is by default
    )


def _wrong_in(said: object) -> str:
    if not isinstance(said, Signals):
        return f"{type(said).__name__}, Signals was expected"
    for name in _FLAGS:
        flag = getattr(said, name)
        if not isinstance(flag, (bool, np.bool_)):
            return f"{name} of type {type(flag).__name__}, bool was expected"
    values: object = said.values
    if not is_text(said.tag):
        return f"a tag that is no text of at most {LONGEST_TEXT} characters"
    if not is_number(said.risk_distance):
        return "a risk_distance that is no number"
    for name in SIGNAL_NUMBERS:
        number: object = getattr(said, name)
        if not is_number(number) or (name in SIGNAL_LEVELS and isinf(cast("float", number))):
            return f"a {name} that is no {'price' if name in SIGNAL_LEVELS else 'number'}"
    if not isinstance(values, tuple) or len(values) > MOST_VALUES or not all(map(is_number, values)):
        return f"values that are no tuple of at most {MOST_VALUES} numbers"
    return ""


def _plain(said: Signals) -> Signals:
    """The same without numpy's own types, which the journal cannot hold."""
    flags = (said.enter_long, said.enter_short, said.exit_long, said.exit_short)
    numbers = (said.risk_distance, *_MORE(said), *said.values)
    is_plain = all(type(one) is bool for one in flags) and all(type(one) is float for one in numbers)
    if is_plain and type(said.tag) is str:
        return said
    distance, *more = map(float, numbers[: 1 + len(SIGNAL_NUMBERS)])
    enter_long, enter_short, exit_long, exit_short = map(bool, flags)
    values = tuple(map(float, said.values))
    return Signals(enter_long, enter_short, exit_long, exit_short, str(said.tag), distance, values, *more)
