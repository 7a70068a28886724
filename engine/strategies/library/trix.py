"""Triple smoothed rate of change against fixed levels."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy, Sourced
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class TRIXStrategy(Sourced, LevelStrategy):
    """trix(source, length) in percent against `upper`, `lower` and `mid`.

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "trix"
    length = param(6, ge=1, le=LONGEST, doc="bars of the window")
    upper, lower, mid = 0.0676, -0.0522, -0.0193
    stop_loss_percent = 5.0
    max_holding_bars = 10

    def define(self, bar: BarSeries) -> Rules:
        """The trix and its levels."""
        return self.level_rules(ta.trix(self.price(bar), self.length))
