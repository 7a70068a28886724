"""The difference of two triple exponential averages."""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.base import registry
from engine.strategies.library.thresholds import LONGEST, Sourced, ThresholdStrategy, above, below
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class TEMAStrategy(Sourced, ThresholdStrategy):
    """Long where tema(source, fast_length) - tema(source, slow_length) turns positive, short where negative.

    It leaves by the opposite entry alone: `signal_mode` and `exit_mode` do nothing here.

    The defaults are the inputs of the TradingView chart whose list of trades it is tested against.
    """

    name = "tema"
    fast_length = param(14, ge=1, le=LONGEST, doc="bars of the fast average")
    slow_length = param(51, ge=1, le=LONGEST, doc="bars of the slow average")
    stop_loss_percent = 9.054410998184013
    max_holding_bars = 21

    def define(self, bar: BarSeries) -> Rules:
        """Both averages, and where their difference changes its sign: strictly, on both sides."""
        price = self.price(bar)
        fast, slow = ta.tema(price, self.fast_length), ta.tema(price, self.slow_length)
        difference = fast - slow
        before = difference[1]
        return Rules(
            enter_long=below(before, 0.0) & above(difference, 0.0),
            enter_short=above(before, 0.0) & below(difference, 0.0),
            plot={"tema_fast": fast, "tema_slow": slow},
        )
