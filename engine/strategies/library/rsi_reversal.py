"""The relative strength index comes back from an extreme."""

from engine.model.exit_rules import ExitRules
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class RSIReversalStrategy(Strategy):
    """Long where the rsi rises through `oversold`, short where it falls through `overbought`, out at 50.

    It wins often and little, and a trend against it costs what the stop allows.
    """

    name = "rsi_reversal"
    length = param(14, ge=1, le=5000, doc="bars of the rsi")
    oversold = param(30.0, gt=0, lt=100, doc="level from which it comes back up")
    overbought = param(70.0, gt=0, lt=100, doc="level from which it comes back down")
    stop_percent = param(3.0, gt=0, doc="distance of the stop from the entry in percent")
    exits = ExitRules(stop_loss_percent=stop_percent)

    def define(self, bar: BarSeries) -> Rules:
        """The rsi and its way back."""
        rsi = ta.rsi(bar.close, self.length)
        return Rules(
            enter_long=ta.crossover(rsi, self.oversold),
            exit_long=rsi > 50.0,
            enter_short=ta.crossunder(rsi, self.overbought),
            exit_short=rsi < 50.0,
            plot={"rsi": rsi},
        )
