"""Commodity channel index against fixed levels."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy, Sourced
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class CCIStrategy(Sourced, LevelStrategy):
    """cci(source, length) against `upper`, `lower` and `mid`.

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "cci"
    length = param(14, ge=1, le=LONGEST, doc="bars of the window")
    upper, lower, mid = 205.0, -101.0, 12.0
    exit_mode = "midpoint"
    stop_loss_percent = 7.4
    max_holding_bars = 25

    def define(self, bar: BarSeries) -> Rules:
        """The cci and its levels."""
        return self.level_rules(ta.cci(self.price(bar), self.length))
