"""What a strategy does wrong, in one sentence with its own file and line; live and in backtests."""

import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.compiled.faults import CompileError
from engine.model.bars import Bar, Bars
from engine.model.sentences import SentenceError
from engine.model.signals import SIGNAL_LEVELS, SIGNAL_NUMBERS, SignalArrays
from engine.model.timeframes import utc_text
from engine.strategies.base import Broker, ScriptStrategy, SignalStrategy
from engine.strategies.calls import LONGEST_TEXT, StrategyFault

LONGEST_TRACE = 8_000
MOST_FRAMES = 20
_IN_TEXT = re.compile(r'File "([^"]+)", line (\d+)')
"""As compilers name a place in their messages."""


def fault_of(error: BaseException, strategy: object, bar: Bar | None = None) -> StrategyFault:
    """The sentence about an exception of a strategy, with its own file and line."""
    if isinstance(error, StrategyFault):
        return error
    file = _file_of(type(strategy))
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the call of the strategy
    at = "" if bar is None else f"bar {utc_text(bar.open_time_ns)}"
    where = ", ".join(filter(None, (_place(error, file, frames), at)))
    text = _what(error)
    return StrategyFault(f"{text} ({where})" if where else text, _trace(error, file))


def what_and_where(error: BaseException, cls: type | None = None) -> str:
    """What was raised in one line, with the file and line where: for a strategy that cannot be made.

    `cls` is the strategy's class, where it could be loaded.
    """
    if isinstance(error, SyntaxError):
        return _what(error)  # it names the place itself
    file = None if cls is None else _file_of(cls)
    where = _place(error, file, traceback.extract_tb(error.__traceback__))
    return f"{_what(error)} ({where})" if where else _what(error)


def decide(strategy: ScriptStrategy, bar: Bar, broker: Broker) -> None:
    """Let a script see a bar in a backtest; `StrategyFault` for its exceptions. Ctrl+C stays Ctrl+C."""
    try:
        strategy.on_bar(bar, broker)
    except (Exception, SystemExit) as error:
        raise fault_of(error, strategy, bar) from error


def signals_of(
    strategy: SignalStrategy, bars: Bars, others: Mapping[str, Bars] | None = None
) -> SignalArrays:
    """What a strategy says about a whole history; `StrategyFault` where it raises or says something else.

    `others` are bars of other symbols that it may look at.
    """
    try:
        found: object = strategy.batch_beside(bars, others or {})
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


def _what(error: BaseException) -> str:
    name, said = type(error).__name__, " ".join(_printable(str(error)).split())
    said = said if len(said) <= LONGEST_TEXT else said[:LONGEST_TEXT] + " ..."
    return said if isinstance(error, SentenceError | CompileError) else f"{name}: {said}" if said else name


def _trace(error: BaseException, file: str | None) -> str:
    """From the strategy's own code on, without the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next(
        (k for k, one in enumerate(frames) if one.filename == file), max(0, len(frames) - MOST_FRAMES)
    )
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames[first:][:MOST_FRAMES])]
    text = "".join([*lines, *traceback.format_exception_only(error)]).rstrip()
    return _printable(text)[-LONGEST_TRACE:]


def _file_of(cls: type) -> str | None:
    return getattr(sys.modules.get(cls.__module__), "__file__", None)


def _place(error: BaseException, file: str | None, frames: Sequence[traceback.FrameSummary]) -> str:
    """File and line in the strategy's own file where it failed, else the last line of all."""
    if isinstance(error, CompileError):
        return error.place
    own = [(one.filename, one.lineno) for one in frames if one.filename == file]
    own = own or [(name, int(line)) for name, line in _IN_TEXT.findall(str(error)) if _is_same(name, file)]
    if not own and not frames:
        return ""
    name, line = own[-1] if own else (frames[-1].filename, frames[-1].lineno)
    return f"{Path(name).name} line {line}"


def _place_of(function: Callable[..., object]) -> str:
    code = inspect.unwrap(function).__code__
    return f"{Path(code.co_filename).name} line {code.co_firstlineno}"


def _is_same(name: str, file: str | None) -> bool:
    return file is not None and Path(name).name == Path(file).name


def _printable(text: str) -> str:
    """Without halves of characters, which no file takes."""
    return text.encode("utf-8", "replace").decode()
