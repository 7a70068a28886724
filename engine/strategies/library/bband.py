"""The price against Bollinger bands."""

from engine.indicators.averages import AverageKind
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, Sourced, ThresholdStrategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class BBANDStrategy(Sourced, ThresholdStrategy):
    """The source against bands: an average, and standard deviations around the sma above and below it.

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "bband"
    length = param(16, ge=1, le=LONGEST, doc="bars of the window")
    upper_deviation = param(1.41, gt=0, doc="deviations from the average to the upper band")
    lower_deviation = param(2.15, gt=0, doc="deviations from the average to the lower band")
    ma_type: AverageKind = param("dema", doc="kind of average")
    stop_loss_percent = 12.0
    max_holding_bars = 61
    entry_bar = "signal_bar"

    def define(self, bar: BarSeries) -> Rules:
        """The bands and what the price does at them."""
        price = self.price(bar)
        deviation = ta.stdev(price, self.length)
        mid = getattr(ta, self.ma_type)(price, self.length)
        upper, lower = mid + self.upper_deviation * deviation, mid - self.lower_deviation * deviation
        return self.rules(price, upper, lower, mid, {"upper": upper, "mid": mid, "lower": lower})
