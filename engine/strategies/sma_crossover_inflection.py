"""The long moving average turns: long when it starts to rise, short when it starts to fall."""

from math import isnan, nan

import numpy as np
from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.averages import sma, sma_init, sma_size
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT
from engine.strategies.base import StrategyParams, registry
from engine.strategies.kernel import CLOSE, KernelStrategy

_TOLERANCE = 1e-10
_PREVIOUS, _SIGN, _SHORT = 0, 1, 2


class SMACrossoverInflectionParams(StrategyParams):
    """Windows in bars."""

    short: int = Field(default=5, ge=1, le=5000, description="bars of the short average")
    long: int = Field(default=200, ge=1, le=5000, description="bars of the long average")
    smoothing: int = Field(default=10, ge=1, le=5000, description="bars over which the slope is averaged")


def _initial_state(s: State, short: int, long: int, smoothing: int) -> None:
    s[_PREVIOUS] = nan
    sma_init(s, _SHORT, short)
    sma_init(s, _SHORT + sma_size(short), long)
    sma_init(s, _SHORT + sma_size(short) + sma_size(long), smoothing)


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar. Comparisons have Pine's tolerance of 1e-10."""
    close = rows[i, CLOSE]
    at_long = _SHORT + sma_size(int(s[_SHORT]))
    at_slope = at_long + sma_size(int(s[at_long]))
    short = sma(s, _SHORT, close)
    long = sma(s, at_long, close)
    change = long - s[_PREVIOUS]
    s[_PREVIOUS] = long
    slope = nan if isnan(change) else sma(s, at_slope, change)
    before = s[_SIGN]
    if slope > _TOLERANCE:
        s[_SIGN] = 1.0
    elif slope < -_TOLERANCE:
        s[_SIGN] = -1.0
    outs[i, 0] = short
    outs[i, 1] = long
    outs[i, 2] = slope
    outs[i, 3] = nan
    if short - long > _TOLERANCE:
        outs[i, 3] = 1.0
    elif short - long < -_TOLERANCE:
        outs[i, 3] = -1.0
    elif not isnan(short + long):
        outs[i, 3] = 0.0
    if before < 0.0 < s[_SIGN]:
        return ENTER_LONG
    if before > 0.0 > s[_SIGN]:
        return ENTER_SHORT
    return 0


@registry.register
class SMACrossoverInflectionStrategy(KernelStrategy[SMACrossoverInflectionParams]):
    """Trades the turns of the long average's slope, always in the market after the first.

    The slope is the mean over `smoothing` bars of the one-bar change of sma(close, long). When its last
    non-zero sign goes from negative to positive that is long, the reverse short; the other side flips. The
    short average and the state of the crossover (1 short above long, -1 below, 0 equal) travel in the
    values.
    """

    name = "sma_crossover_inflection"
    Params = SMACrossoverInflectionParams
    value_names = ("short_sma", "long_sma", "slope", "crossover")
    step = step

    @property
    def warmup_bars(self) -> int:
        """All three windows are full, and one change is behind them."""
        return max(self.params.long + self.params.smoothing, self.params.short)

    def initial_state(self) -> FloatArray:
        """Three averages behind the previous long average and the last sign."""
        p = self.params
        state = np.zeros(_SHORT + sma_size(p.short) + sma_size(p.long) + sma_size(p.smoothing))
        _initial_state(state, p.short, p.long, p.smoothing)
        return state
