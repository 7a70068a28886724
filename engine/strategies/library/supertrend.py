"""The Supertrend turns."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class SupertrendStrategy(Strategy):
    """Long where the Supertrend turns up, short where it turns down: always in the market after a turn.

    Its line is a trailing stop of average true ranges; in a narrow range it turns back and forth at a loss.
    """

    name = "supertrend"
    factor = param(3.0, gt=0, doc="average true ranges from the middle of the bar to the line")
    length = param(10, ge=1, le=5000, doc="bars of the average true range")

    def define(self, bar: BarSeries) -> Rules:
        """The line and its direction, which is -1 while it rises, as in Pine."""
        trend = ta.supertrend(bar, self.factor, self.length)
        return Rules(
            enter_long=ta.crossunder(trend.direction, 0.0),
            enter_short=ta.crossover(trend.direction, 0.0),
            plot={"supertrend": trend.value},
        )
