"""nextbar: write a strategy once, backtest it, trade it.

    import nextbar as nb
    from nextbar import ta

    class Breakaway(nb.Strategy):
        length = nb.param(20, ge=1, doc="bars of the average")

        def define(self, bar):
            average = ta.ema(bar.close, self.length)
            return nb.Rules(enter_long=bar.close > average, exit_long=bar.close < average)

    result = nb.backtest(Breakaway(length=40), nb.load("sample-1h"))
    result.stats; result.trades; result.equity; result.plot()

Everything in `__all__` is meant to be used and stays; the rest of the package may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.backtest.data.configuration import ConfigError
    from engine.backtest.data.loaders import DataError
    from engine.backtest.data.sources import bars_of as load
    from engine.model.bars import Bar, Bars
    from engine.model.exit_rules import ExitRules, PartialExit, RoiStep
    from engine.model.sentences import NextbarError
    from engine.series import ta
    from engine.series.bar import BarSeries
    from engine.series.feature_set import standard_features
    from engine.series.features import FeatureStream
    from engine.series.functions import absolute as abs
    from engine.series.functions import ceil, executed_when, floor, na, nz, sign, sqrt, where
    from engine.series.functions import maximum as max
    from engine.series.functions import minimum as min
    from engine.series.nodes import BoolSeries, Series
    from engine.strategies.base import Broker as Verbs
    from engine.strategies.base import ScriptStrategy as Script
    from engine.strategies.base import StrategyParams as Params
    from engine.strategies.calls import StrategyFault
    from engine.strategies.graph import Strategy
    from engine.strategies.param import param
    from engine.strategies.rules import Rules
    from nextbar.backtesting import backtest
    from nextbar.broker import Broker
    from nextbar.features import features
    from nextbar.result import Result, compare

_HOMES = {
    "Bar": "engine.model.bars",
    "BarSeries": "engine.series.bar",
    "Bars": "engine.model.bars",
    "BoolSeries": "engine.series.nodes",
    "Broker": "nextbar.broker",
    "ConfigError": "engine.backtest.data.configuration",
    "DataError": "engine.backtest.data.loaders",
    "ExitRules": "engine.model.exit_rules",
    "FeatureStream": "engine.series.features",
    "NextbarError": "engine.model.sentences",
    "Params": "engine.strategies.base:StrategyParams",
    "PartialExit": "engine.model.exit_rules",
    "Result": "nextbar.result",
    "RoiStep": "engine.model.exit_rules",
    "Rules": "engine.strategies.rules",
    "Script": "engine.strategies.base:ScriptStrategy",
    "Series": "engine.series.nodes",
    "Strategy": "engine.strategies.graph",
    "StrategyFault": "engine.strategies.calls",
    "Verbs": "engine.strategies.base:Broker",
    "abs": "engine.series.functions:absolute",
    "backtest": "nextbar.backtesting",
    "ceil": "engine.series.functions",
    "compare": "nextbar.result",
    "executed_when": "engine.series.functions",
    "features": "nextbar.features",
    "floor": "engine.series.functions",
    "load": "engine.backtest.data.sources:bars_of",
    "max": "engine.series.functions:maximum",
    "min": "engine.series.functions:minimum",
    "na": "engine.series.functions",
    "nz": "engine.series.functions",
    "param": "engine.strategies.param",
    "sign": "engine.series.functions",
    "sqrt": "engine.series.functions",
    "standard_features": "engine.series.feature_set",
    "ta": "engine.series.ta:",
    "where": "engine.series.functions",
}
"""Where each public name lives: `module`, `module:name there`, or `module:` for the module itself."""

_TO_COME = ("optimize", "validate")
__all__ = [
    "Bar",
    "BarSeries",
    "Bars",
    "BoolSeries",
    "Broker",
    "ConfigError",
    "DataError",
    "ExitRules",
    "FeatureStream",
    "NextbarError",
    "Params",
    "PartialExit",
    "Result",
    "RoiStep",
    "Rules",
    "Script",
    "Series",
    "Strategy",
    "StrategyFault",
    "Verbs",
    "abs",
    "backtest",
    "ceil",
    "compare",
    "executed_when",
    "features",
    "floor",
    "load",
    "max",
    "min",
    "na",
    "nz",
    "param",
    "sign",
    "sqrt",
    "standard_features",
    "ta",
    "where",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        module, colon, there = _HOMES[name].partition(":")
        home: object = import_module(module)
        found = home if colon and not there else getattr(home, there or name)
        globals()[name] = found
        return found
    why = "is not in this version yet" if name in _TO_COME else f"does not exist{_in_ta(name)}"
    raise AttributeError(f"nextbar.{name} {why}; there are {', '.join(__all__)}", name=name, obj=None)


def _in_ta(name: str) -> str:
    """Where an indicator is, such as `log`."""
    if name.startswith("_"):
        return ""
    indicators = import_module("engine.indicators.catalog").INDICATORS
    return f", ta.{name} does" if name in indicators else ""


def __dir__() -> list[str]:
    return sorted(__all__)
