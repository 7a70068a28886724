"""nextbar: write a strategy once, backtest it, trade it.

    import nextbar as nb

    bars = nb.load("sample-1h")
    result = nb.backtest("rsi", bars, params={"length": 20})
    result.stats; result.trades; result.equity; result.plot()

Everything in `__all__` is meant to be used and stays; the rest of the package may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.backtest.data.configuration import ConfigError
    from engine.backtest.data.loaders import DataError
    from engine.model.bars import Bar, Bars
    from engine.model.exit_rules import ExitRules, PartialExit
    from engine.strategies.base import Broker as Verbs
    from engine.strategies.base import ScriptStrategy as Script
    from engine.strategies.base import StrategyParams as Params
    from engine.strategies.calls import StrategyFault
    from nextbar.backtesting import backtest
    from nextbar.broker import Broker
    from nextbar.loading import load
    from nextbar.result import Result, compare

_HOMES = {
    "Bar": "engine.model.bars",
    "Bars": "engine.model.bars",
    "Broker": "nextbar.broker",
    "ConfigError": "engine.backtest.data.configuration",
    "DataError": "engine.backtest.data.loaders",
    "ExitRules": "engine.model.exit_rules",
    "Params": "engine.strategies.base:StrategyParams",
    "PartialExit": "engine.model.exit_rules",
    "Result": "nextbar.result",
    "Script": "engine.strategies.base:ScriptStrategy",
    "StrategyFault": "engine.strategies.calls",
    "Verbs": "engine.strategies.base:Broker",
    "backtest": "nextbar.backtesting",
    "compare": "nextbar.result",
    "load": "nextbar.loading",
}
"""Where each public name lives, `module` or `module:name there`; each is imported when it is asked for."""

_TO_COME = ("optimize", "validate")
__all__ = [
    "Bar",
    "Bars",
    "Broker",
    "ConfigError",
    "DataError",
    "ExitRules",
    "Params",
    "PartialExit",
    "Result",
    "Script",
    "StrategyFault",
    "Verbs",
    "backtest",
    "compare",
    "load",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        module, _, there = _HOMES[name].partition(":")
        found: object = getattr(import_module(module), there or name)
        globals()[name] = found
        return found
    why = "is not in this version yet" if name in _TO_COME else "does not exist"
    raise AttributeError(f"nextbar.{name} {why}; there are {', '.join(__all__)}", name=name, obj=None)


def __dir__() -> list[str]:
    return sorted(__all__)
