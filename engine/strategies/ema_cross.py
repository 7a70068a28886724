"""Two exponential averages cross: long when the fast one comes out above, short when below."""

from math import isnan, nan

import numpy as np
from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.averages import ema, ema_init, ema_size
from engine.indicators.warmup import ema_warmup
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT
from engine.strategies.base import StrategyParams, registry
from engine.strategies.kernel import CLOSE, KernelStrategy

_PREVIOUS, _FAST = 0, 1


class EMACrossParams(StrategyParams):
    """Windows in bars."""

    fast: int = Field(default=10, ge=1, le=5000, description="bars of the fast average")
    slow: int = Field(default=20, ge=1, le=5000, description="bars of the slow average")


def _initial_state(s: State, fast: int, slow: int) -> None:
    s[_PREVIOUS] = nan
    ema_init(s, _FAST, fast)
    ema_init(s, _FAST + ema_size(fast), slow)


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar; crossings are exact, as Pine's `ta.crossover` is."""
    close = rows[i, CLOSE]
    fast = ema(s, _FAST, close)
    slow = ema(s, _FAST + ema_size(int(s[_FAST])), close)
    outs[i, 0] = fast
    outs[i, 1] = slow
    difference = fast - slow
    before = s[_PREVIOUS]
    if not isnan(difference):
        s[_PREVIOUS] = difference
    if before <= 0.0 < difference:
        return ENTER_LONG
    if before >= 0.0 > difference:
        return ENTER_SHORT
    return 0


@registry.register
class EMACrossStrategy(KernelStrategy[EMACrossParams]):
    """Always in the market after the first crossing of ema(close, fast) and ema(close, slow)."""

    name = "ema_cross"
    Params = EMACrossParams
    value_names = ("fast_ema", "slow_ema")
    step = step

    @property
    def warmup_bars(self) -> int:
        """Both averages have forgotten their seeds."""
        return ema_warmup(max(self.params.fast, self.params.slow))

    def initial_state(self) -> FloatArray:
        """Two averages behind the previous difference."""
        p = self.params
        state = np.zeros(_FAST + ema_size(p.fast) + ema_size(p.slow))
        _initial_state(state, p.fast, p.slow)
        return state
