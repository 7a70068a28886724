"""The close leaves the Donchian channel."""

from engine.model.exit_rules import ExitRules
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class DonchianBreakoutStrategy(Strategy):
    """Long above the highest high of the bars before, short below the lowest low.

    The stop is average true ranges away; a chandelier that hangs from the latest extreme takes profits. Most
    breakouts fail; it lives on the few that run.
    """

    name = "donchian_breakout"
    length = param(20, ge=1, le=5000, doc="bars of the channel")
    atr_length = param(14, ge=1, le=5000, doc="bars of the average true range")
    stop_atr = param(2.0, gt=0, doc="average true ranges from the entry to the stop")
    chandelier_length = param(22, ge=1, le=5000, doc="bars in which the chandelier looks for the extreme")
    chandelier_atr = param(3.0, gt=0, doc="average true ranges from the extreme to the chandelier")
    exits = ExitRules(stop_r=1.0)

    def define(self, bar: BarSeries) -> Rules:
        """The channel of the bars before, and both chandeliers."""
        channel, atr = ta.donchian(bar, self.length), ta.atr(bar, self.atr_length)
        upper, lower = channel.upper[1], channel.lower[1]
        long_chandelier = ta.highest(bar.high, self.chandelier_length) - self.chandelier_atr * atr
        short_chandelier = ta.lowest(bar.low, self.chandelier_length) + self.chandelier_atr * atr
        return Rules(
            enter_long=bar.close > upper,
            exit_long=bar.close < long_chandelier,
            enter_short=bar.close < lower,
            exit_short=bar.close > short_chandelier,
            risk_distance=self.stop_atr * atr,
            plot={"upper": upper, "lower": lower, "chandelier": long_chandelier},
        )
