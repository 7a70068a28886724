"""The one place where somebody's own strategy is called, so that its faults stay its own.

Whatever it raises, sys.exit and KeyboardInterrupt among them, and whatever it returns that is no `Signals`
becomes a `StrategyFault`: one sentence with file and line, and the traceback for the log. `Watch` is told
what is at work, for a strategy that never returns.
"""

import sys
import traceback
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from engine.market_data.bars import Bar
from engine.market_data.timeframes import utc_text
from engine.strategies.base import Broker, ScriptStrategy, Signals, SignalStrategy
from engine.strategies.slot import StrategyRefused, StrategySlot

LONGEST_TEXT = 200
"""Characters of a tag, and of what an exception says of itself."""
MOST_VALUES = 100
LONGEST_TRACE = 8_000
_FLAGS = ("enter_long", "enter_short", "exit_long", "exit_short")


class StrategyFault(Exception):
    """A strategy's own fault, in one sentence; `trace` is where it happened, line by line."""

    def __init__(self, sentence: str, trace: str = "") -> None:
        super().__init__(sentence)
        self.trace = trace


class Watch(Protocol):
    """Knows which strategy is at work."""

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
        return checked(said, strategy, bar)

    def script(self, slot: StrategySlot, strategy: ScriptStrategy, bar: Bar, broker: Broker) -> None:
        """Let a `ScriptStrategy` see a bar and call its broker."""
        self.watch.begin(slot, bar)
        try:
            strategy.on_bar(bar, broker)
        except BaseException as error:
            raise fault_of(error, strategy, bar) from error
        finally:
            self.watch.end()


def fault_of(error: BaseException, strategy: object, bar: Bar) -> StrategyFault:
    """The sentence about an exception of a strategy, with its own file and line."""
    if isinstance(error, StrategyFault):
        return error
    name, said = type(error).__name__, str(error)
    said = said if len(said) <= LONGEST_TEXT else said[:LONGEST_TEXT] + " ..."
    where = ", ".join(filter(None, (_line_of(error, strategy), f"bar {utc_text(bar.open_time_ns)}")))
    trace = "".join(traceback.format_exception(error, limit=-20, chain=False)).rstrip()
    text = said if isinstance(error, StrategyRefused) else f"{name}: {said}" if said else name
    return StrategyFault(f"{text} ({where})", trace[-LONGEST_TRACE:])


def checked(said: object, strategy: SignalStrategy, bar: Bar) -> Signals:
    """`Signals` with what their fields promise, or `StrategyFault`."""
    wrong = _wrong_in(said)
    if wrong:
        what = f"{type(strategy).__name__}.on_bar returned {wrong}"
        raise StrategyFault(f"{what} (bar {utc_text(bar.open_time_ns)})")
    return cast("Signals", said)


def _wrong_in(said: object) -> str:
    if not isinstance(said, Signals):
        return f"{type(said).__name__}, Signals was expected"
    for name in _FLAGS:
        flag = getattr(said, name)
        if not isinstance(flag, (bool, np.bool_)):
            return f"{name} of type {type(flag).__name__}, bool was expected"
    tag, distance, values = (cast("object", one) for one in (said.tag, said.risk_distance, said.values))
    if not isinstance(tag, str) or len(tag) > LONGEST_TEXT:
        return f"a tag that is no text of at most {LONGEST_TEXT} characters"
    if not isinstance(distance, (float, int)):
        return "a risk_distance that is no number"
    if not isinstance(values, tuple) or len(values) > MOST_VALUES:
        return f"values that are no tuple of at most {MOST_VALUES} numbers"
    return ""


def _line_of(error: BaseException, strategy: object) -> str:
    """File and line in the strategy's own file where it failed, else the last line of all."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the call in this file
    if not frames:
        return ""
    module = sys.modules.get(type(strategy).__module__)
    own = [one for one in frames if one.filename == getattr(module, "__file__", None)]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name} line {last.lineno}"
