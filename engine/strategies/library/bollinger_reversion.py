"""The price comes back into the Bollinger bands."""

from engine.model.exit_rules import ExitRules
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class BollingerReversionStrategy(Strategy):
    """Long where the close comes back above the lower band, short below the upper one, out at the middle.

    Made for markets that go sideways; in a trend it is on the wrong side until the stop.
    """

    name = "bollinger_reversion"
    length = param(20, ge=2, le=5000, doc="bars of the bands")
    deviations = param(2.0, gt=0, doc="standard deviations from the middle to a band")
    stop_deviations = param(2.0, gt=0, doc="standard deviations from the entry to the stop")
    exits = ExitRules(stop_r=stop_deviations, allow_flip=False)

    def define(self, bar: BarSeries) -> Rules:
        """The bands; one R is a standard deviation."""
        bands = ta.bollinger(bar.close, self.length, self.deviations)
        return Rules(
            enter_long=ta.crossover(bar.close, bands.lower),
            exit_long=bar.close >= bands.middle,
            enter_short=ta.crossunder(bar.close, bands.upper),
            exit_short=bar.close <= bands.middle,
            risk_distance=ta.stdev(bar.close, self.length),
            plot={"upper": bands.upper, "middle": bands.middle, "lower": bands.lower},
        )
