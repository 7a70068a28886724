"""Ultimate oscillator against fixed levels."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, LevelStrategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class ULTOSCStrategy(LevelStrategy):
    """ultosc(length1, length2, length3) of whole bars against `upper`, `lower` and `mid` (0 to 100).

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "ultosc"
    length1 = param(14, ge=1, le=LONGEST, doc="bars of the shortest window")
    length2 = param(28, ge=1, le=LONGEST, doc="bars of the middle window")
    length3 = param(36, ge=1, le=LONGEST, doc="bars of the longest window")
    upper, lower, mid = 60.0, 40.0, 50.0
    stop_loss_percent = 3.0
    max_holding_bars = 100
    flip_needs_cooldown = True

    def define(self, bar: BarSeries) -> Rules:
        """The oscillator and its levels."""
        return self.level_rules(ta.ultosc(bar, self.length1, self.length2, self.length3))
