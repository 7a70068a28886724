"""Percentage price oscillator against fixed levels."""

from engine.indicators.averages import AverageKind
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy, Sourced
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class PPOStrategy(Sourced, LevelStrategy):
    """(fast - slow) / slow of two averages, in percent, against `upper`, `lower` and `mid`.

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "ppo"
    fast_length = param(38, ge=1, le=LONGEST, doc="bars of the fast average")
    slow_length = param(205, ge=1, le=LONGEST, doc="bars of the slow average")
    ma_type: AverageKind = param("dema", doc="kind of average")
    upper, lower, mid = 1.4, -0.8, 0.0
    stop_loss_percent = 10.4
    max_holding_bars = 93
    flip_needs_cooldown = True

    def define(self, bar: BarSeries) -> Rules:
        """The ppo and its levels."""
        return self.level_rules(ta.ppo(self.price(bar), self.fast_length, self.slow_length, self.ma_type))
