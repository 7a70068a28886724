"""Momentum against fixed levels."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy, Sourced
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class MOMStrategy(Sourced, LevelStrategy):
    """mom(source, length) in the price unit against `upper`, `lower` and `mid`.

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "mom"
    length = param(40, ge=1, le=LONGEST, doc="bars of the window")
    upper, lower, mid = 130.0, -138.0, 27.0
    stop_loss_percent = 6.7
    max_holding_bars = 16
    max_holding_strict = True
    entry_bar = "pending"

    def define(self, bar: BarSeries) -> Rules:
        """The momentum and its levels."""
        return self.level_rules(ta.mom(self.price(bar), self.length))
