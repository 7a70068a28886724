"""A strategy as one compiled step, whose text tests change."""

import numpy as np
from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.averages import ema, ema_init, ema_size
from engine.indicators.warmup import ema_warmup
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, ExitRules
from engine.strategies.base import StrategyParams
from engine.strategies.kernel import CLOSE, KernelStrategy

_BAND, _EMA = 0, 1  # places in the state: the band, then the average's own region


class BreakawayParams(StrategyParams):
    """Windows in bars, percents of the price."""

    length: int = Field(default=20, ge=1, le=5000, description="bars of the average")
    band_percent: float = Field(default=1.0, gt=0, description="distance from the average that counts")
    stop_loss_percent: float | None = Field(default=5.0, gt=0, description="null is off")


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    close = rows[i, CLOSE]
    average = ema(s, _EMA, close)
    outs[i, 0] = average
    band = average * s[_BAND] / 100.0
    flags = 0
    if close > average + band:
        flags |= ENTER_LONG
    if close < average - band:
        flags |= ENTER_SHORT
    if close < average:
        flags |= EXIT_LONG
    if close > average:
        flags |= EXIT_SHORT
    return flags


class BreakawayStrategy(KernelStrategy[BreakawayParams]):
    """Long a band above ema(close, length), short a band below it, out at the average."""

    name = "breakaway"
    Params = BreakawayParams
    value_names = ("ema",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """The average has forgotten its seed."""
        return ema_warmup(self.params.length)

    @property
    def exit_rules(self) -> ExitRules:
        """The stop of the parameters; leaving on the exit flags is on by default."""
        return ExitRules(stop_loss_percent=self.params.stop_loss_percent)

    def initial_state(self) -> FloatArray:
        """The band in front, the average behind it."""
        state = np.zeros(_EMA + ema_size(self.params.length))
        state[_BAND] = self.params.band_percent
        ema_init(state, _EMA, self.params.length)
        return state
