"""What a strategy does wrong, in one sentence with its own file and line; live and in backtests."""

import sys
import traceback
from pathlib import Path

from engine.market_data.bars import Bar, Bars
from engine.market_data.timeframes import utc_text
from engine.strategies.base import Broker, ScriptStrategy, SignalArrays, SignalStrategy
from engine.strategies.calls import LONGEST_TEXT, SentenceError, StrategyFault

LONGEST_TRACE = 8_000


def fault_of(error: BaseException, strategy: object, bar: Bar | None = None) -> StrategyFault:
    """The sentence about an exception of a strategy, with its own file and line."""
    if isinstance(error, StrategyFault):
        return error
    name, said = type(error).__name__, _printable(str(error))
    said = said if len(said) <= LONGEST_TEXT else said[:LONGEST_TEXT] + " ..."
    at = "" if bar is None else f"bar {utc_text(bar.open_time_ns)}"
    where = ", ".join(filter(None, (_line_of(error, strategy), at)))
    trace = _printable("".join(traceback.format_exception(error, limit=-20, chain=False)).rstrip())
    text = said if isinstance(error, SentenceError) else f"{name}: {said}" if said else name
    return StrategyFault(f"{text} ({where})" if where else text, trace[-LONGEST_TRACE:])


def decide(strategy: ScriptStrategy, bar: Bar, broker: Broker) -> None:
    """Let a script see a bar in a backtest; `StrategyFault` for its exceptions. Ctrl+C stays Ctrl+C."""
    try:
        strategy.on_bar(bar, broker)
    except (Exception, SystemExit) as error:
        raise fault_of(error, strategy, bar) from error


def signals_of(strategy: SignalStrategy, bars: Bars) -> SignalArrays:
    """What a strategy says about a whole history; `StrategyFault` for its exceptions."""
    try:
        return strategy.batch(bars)
    except (Exception, SystemExit) as error:
        raise fault_of(error, strategy) from error


def _line_of(error: BaseException, strategy: object) -> str:
    """File and line in the strategy's own file where it failed, else the last line of all."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the call of the strategy
    if not frames:
        return ""
    module = sys.modules.get(type(strategy).__module__)
    own = [one for one in frames if one.filename == getattr(module, "__file__", None)]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name} line {last.lineno}"


def _printable(text: str) -> str:
    """Without halves of characters, which no file takes."""
    return text.encode("utf-8", "replace").decode()
