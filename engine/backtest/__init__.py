"""Backtesting: `backtest` runs a strategy over bars and returns a `Result`.

Folders from the ground up: `data` (bars, grids, settings), `emulator` and `kernel` (the two engines), `runs`
(what to run), `report` (metrics, result, pages), `parity` (against TradingView's trade lists).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.backtest.data.loaders import read_bars
    from engine.backtest.data.sources import bars_of
    from engine.backtest.report.result import Result
    from engine.backtest.run import backtest

_HOME = {
    "Result": "report.result",
    "backtest": "run",
    "bars_of": "data.sources",
    "read_bars": "data.loaders",
}
__all__ = ["Result", "backtest", "bars_of", "read_bars"]


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for: a small module of the package does not load all of it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
