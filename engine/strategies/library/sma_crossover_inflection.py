"""Turns of a long average's slope."""

from engine.indicators.compare import TOLERANCE
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.functions import na, where
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


@registry.register
class SMACrossoverInflectionStrategy(Strategy):
    """Trades the turns of the long average's slope, always in the market after the first.

    The slope is the mean over `smoothing` bars of the one-bar change of sma(close, long). When its last
    non-zero sign goes from negative to positive that is long, the reverse short; the other side flips. The
    short average and the state of the crossover (1 short above long, -1 below, 0 equal) travel in the
    values. Comparisons have Pine's tolerance of 1e-10.
    """

    name = "sma_crossover_inflection"
    short = param(5, ge=1, le=5000, doc="bars of the short average")
    long = param(200, ge=1, le=5000, doc="bars of the long average")
    smoothing = param(10, ge=1, le=5000, doc="bars over which the slope is averaged")

    def define(self, bar: BarSeries) -> Rules:
        """The long average's slope, and where its last sign changes."""
        short, long = ta.sma(bar.close, self.short), ta.sma(bar.close, self.long)
        slope = ta.sma(long - long[1], self.smoothing)
        up, down = slope > TOLERANCE, slope < -TOLERANCE
        rises, falls = ta.latch(up, down), ta.latch(down, up)
        apart = short - long
        beside = where(na(apart), apart, where(apart > TOLERANCE, 1.0, where(apart < -TOLERANCE, -1.0, 0.0)))
        return Rules(
            enter_long=rises & falls[1],
            enter_short=falls & rises[1],
            plot={"short_sma": short, "long_sma": long, "slope": slope, "crossover": beside},
        )
