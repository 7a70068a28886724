"""What a strategy does wrong, in one sentence with its own file and line; live and in backtests."""

import inspect
import traceback
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np

from engine.model.bars import Bar, Bars
from engine.model.sentences import file_of, place, printable, what
from engine.model.signals import SIGNAL_LEVELS, SIGNAL_NUMBERS, SignalArrays, gathered
from engine.model.timeframes import utc_text
from engine.strategies.base import Broker, ScriptStrategy, SignalStrategy
from engine.strategies.calls import StrategyFault
from engine.strategies.inputs import Informative, bar_at, informative_of

LONGEST_TRACE = 8_000
MOST_FRAMES = 20


def fault_of(error: BaseException, strategy: object, bar: Bar | None = None) -> StrategyFault:
    """The sentence about an exception of a strategy, with its own file and line."""
    if isinstance(error, StrategyFault):
        return error
    file = file_of(type(strategy))
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the call of the strategy
    at = "" if bar is None else f"bar {utc_text(bar.open_time_ns)}"
    where = ", ".join(filter(None, (place(error, file, frames), at)))
    text = what(error)
    return StrategyFault(f"{text} ({where})" if where else text, _trace(error, file))


def decide(strategy: ScriptStrategy, bar: Bar, broker: Broker) -> None:
    """Let a script see a bar in a backtest; `StrategyFault` for its exceptions. Ctrl+C stays Ctrl+C."""
    try:
        strategy.on_bar(bar, broker)
    except (Exception, SystemExit) as error:
        raise fault_of(error, strategy, bar) from error


def signals_of(strategy: SignalStrategy, bars: Bars, beside: Sequence[Bars] = ()) -> SignalArrays:
    """What a strategy says about a whole history; `StrategyFault` where it raises or says something else.

    `beside` are bars that it may look at. One with several inputs and only a `batch` of the deciding bars is
    fed bar by bar, as live. `SentenceError` where there are no bars of what it looks at.
    """
    informative = informative_of(strategy, bars, beside)
    own = type(strategy)
    is_fed = bool(informative) and own.batch_beside is SignalStrategy.batch_beside
    try:
        found: object = _fed(strategy, bars, informative) if is_fed else strategy.batch_beside(bars, beside)
    except (Exception, SystemExit) as error:
        raise fault_of(error, strategy) from error
    if not isinstance(found, SignalArrays):
        what = f"{type(strategy).__name__}.batch returned {type(found).__name__}"
        raise StrategyFault(f"{what}, SignalArrays was expected ({_place_of(type(strategy).batch)})")
    wrong = _wrong_in(found, len(bars))
    if wrong:
        what = f"{type(strategy).__name__}.batch returned {wrong}"
        raise StrategyFault(f"{what} ({_place_of(type(strategy).batch)})")
    return found


def _fed(strategy: SignalStrategy, bars: Bars, informative: Sequence[Bars]) -> SignalArrays:
    """What a copy of the strategy says, fed with all its bars in the order in which they close."""
    fresh, waiting, said = deepcopy(strategy), Informative(informative), []
    fresh.reset()
    for row in range(len(bars)):
        bar = bar_at(bars, row)
        for other in waiting.until(bar.close_time_ns):
            fresh.on_bar(other)
        said.append(fresh.on_bar(bar))
    return gathered(said)


def _wrong_in(found: SignalArrays, count: int) -> str:
    """What is wrong with the arrays of that many bars; both engines trust their lengths."""
    for name in ("enter_long", "enter_short", "exit_long", "exit_short", "tag", "risk_distance"):
        shape = np.shape(getattr(found, name))
        if shape != (count,):
            return f"{name} of the shape {shape}, one element for each of the {count} bars was expected"
    for name in SIGNAL_NUMBERS:
        array = getattr(found, name)
        if array is not None and np.shape(array) != (count,):
            return f"{name} of the shape {np.shape(array)}, ({count},) or None was expected"
        if array is not None and name in SIGNAL_LEVELS and np.isinf(array).any():
            return f"a {name} that is no price, at bar {int(np.argmax(np.isinf(array)))}"
    return ""


def _trace(error: BaseException, file: str | None) -> str:
    """From the strategy's own code on, without the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next(
        (k for k, one in enumerate(frames) if one.filename == file), max(0, len(frames) - MOST_FRAMES)
    )
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames[first:][:MOST_FRAMES])]
    text = "".join([*lines, *traceback.format_exception_only(error)]).rstrip()
    return printable(text)[-LONGEST_TRACE:]


def _place_of(function: Callable[..., object]) -> str:
    code = inspect.unwrap(function).__code__
    return f"{Path(code.co_filename).name} line {code.co_firstlineno}"
