"""Rate of change against fixed levels."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy, Sourced
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class ROCStrategy(Sourced, LevelStrategy):
    """roc(source, length) in percent against `upper`, `lower` and `mid`; its script does not flip.

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "roc"
    length = param(10, ge=1, le=LONGEST, doc="bars of the window")
    upper, lower, mid = 1.0, -1.0, 0.0
    signal_mode = "mean_reversion"
    exit_mode = "midpoint"
    stop_loss_percent = 50.0
    max_holding_bars = 100
    allow_flip = False

    def define(self, bar: BarSeries) -> Rules:
        """The rate of change and its levels."""
        return self.level_rules(ta.roc(self.price(bar), self.length))
