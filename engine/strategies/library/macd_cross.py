"""The MACD line crosses its signal line."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class MACDCrossStrategy(Strategy):
    """Long where macd comes out above its signal line, short where below: always in the market.

    It pays many small losses in a market without direction for the few moves that go on.
    """

    name = "macd_cross"
    fast = param(12, ge=1, le=5000, doc="bars of the fast average")
    slow = param(26, ge=1, le=5000, doc="bars of the slow average")
    signal = param(9, ge=1, le=5000, doc="bars of the signal line")

    def define(self, bar: BarSeries) -> Rules:
        """Both lines and their crossings."""
        macd = ta.macd(bar.close, self.fast, self.slow, self.signal)
        return Rules(
            enter_long=ta.crossover(macd.macd, macd.signal),
            enter_short=ta.crossunder(macd.macd, macd.signal),
            plot={"macd": macd.macd, "signal": macd.signal, "histogram": macd.histogram},
        )
