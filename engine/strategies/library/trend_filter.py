"""Pullbacks in the direction of a longer timeframe."""

from engine.model.exit_rules import ExitRules
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class TrendFilterStrategy(Strategy):
    """With the trend of a longer timeframe: long where a pullback ends above its average, short below.

    The filter keeps it out of half the market; what it trades still depends on the turn of a pullback.
    """

    name = "trend_filter"
    timeframe = param("4h", doc="timeframe of the trend, a multiple of the bars it decides on")
    trend_length = param(50, ge=1, le=5000, doc="bars of the trend's average, in the longer timeframe")
    length = param(20, ge=1, le=5000, doc="bars of the average that a pullback comes back over")
    stop_atr = param(2.0, gt=0, doc="average true ranges from the entry to the stop")
    target_r = param(2.0, gt=0, doc="target as a multiple of the distance of the stop")
    exits = ExitRules(stop_r=1.0, take_profit_r=target_r, allow_flip=False)

    def define(self, bar: BarSeries) -> Rules:
        """The trend as of the last closed bar of the longer timeframe, and the end of a pullback."""
        longer = bar.on(self.timeframe)
        trend = ta.ema(longer.close, self.trend_length)
        rising, falling = longer.close > trend, longer.close < trend
        average = ta.ema(bar.close, self.length)
        return Rules(
            enter_long=rising & ta.crossover(bar.close, average),
            exit_long=falling,
            enter_short=falling & ta.crossunder(bar.close, average),
            exit_short=rising,
            risk_distance=self.stop_atr * ta.atr(bar, 14),
            plot={"trend": trend, "average": average},
        )
