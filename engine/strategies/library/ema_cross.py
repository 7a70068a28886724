"""Two exponential averages cross: long when the fast one comes out above, short when below."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class EMACrossStrategy(Strategy):
    """Always in the market after the first crossing of ema(close, fast) and ema(close, slow)."""

    name = "ema_cross"
    fast = param(10, ge=1, le=5000, doc="bars of the fast average")
    slow = param(20, ge=1, le=5000, doc="bars of the slow average")

    def define(self, bar: BarSeries) -> Rules:
        """Both averages and their crossings."""
        fast, slow = ta.ema(bar.close, self.fast), ta.ema(bar.close, self.slow)
        return Rules(
            enter_long=ta.crossover(fast, slow),
            enter_short=ta.crossunder(fast, slow),
            plot={"fast_ema": fast, "slow_ema": slow},
        )
