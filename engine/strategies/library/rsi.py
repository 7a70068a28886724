"""Relative strength index against fixed levels."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy, Sourced
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class RSIStrategy(Sourced, LevelStrategy):
    """rsi(source, length) against `upper`, `lower` and `mid` (0 to 100).

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "rsi"
    length = param(30, ge=1, le=LONGEST, doc="bars of the window")
    upper, lower, mid = 67.0, 33.0, 45.0
    stop_loss_percent = 10.6
    max_holding_bars = 15

    def define(self, bar: BarSeries) -> Rules:
        """The rsi and its levels."""
        return self.level_rules(ta.rsi(self.price(bar), self.length))
