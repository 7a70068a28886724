"""Chande momentum oscillator against fixed levels."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy, Sourced
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class CMOStrategy(Sourced, LevelStrategy):
    """cmo(source, length) against `upper`, `lower` and `mid` (-100 to 100).

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "cmo"
    length = param(24, ge=1, le=LONGEST, doc="bars of the window")
    smoothing = param("sum", choices=("sum", "wilder"), doc="of rises and falls")
    upper, lower, mid = 39.0, -33.0, -10.0
    stop_loss_percent = 4.0
    max_holding_bars = 10
    entry_bar = "signal_bar"

    def define(self, bar: BarSeries) -> Rules:
        """The cmo and its levels."""
        cmo = ta.cmo if self.smoothing == "sum" else ta.cmo_wilder
        return self.level_rules(cmo(self.price(bar), self.length))
