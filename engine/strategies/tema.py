"""Two triple exponential averages cross."""

from math import nan

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.averages import tema, tema_init, tema_size
from engine.indicators.compare import above, below
from engine.indicators.warmup import ema_warmup
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT
from engine.strategies.base import registry
from engine.strategies.thresholds import (
    INDICATOR,
    LONGEST,
    CommonParams,
    Source,
    ThresholdStrategy,
    price_of,
)

_FAST = INDICATOR + 1


class TEMAParams(CommonParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    fast_length: int = Field(default=14, ge=1, le=LONGEST, description="bars of the fast average")
    slow_length: int = Field(default=51, ge=1, le=LONGEST, description="bars of the slow average")
    source: Source = "close"
    stop_loss_percent: float | None = Field(default=9.054410998184013, gt=0)
    max_holding_bars: int | None = Field(default=21, ge=0)


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar; strict on both sides."""
    price = price_of(s, rows, i)
    fast = tema(s, _FAST, price)
    slow = tema(s, _FAST + tema_size(int(s[_FAST])), price)
    outs[i, 0] = fast
    outs[i, 1] = slow
    before, now = s[INDICATOR], fast - slow
    s[INDICATOR] = now
    if below(before, 0.0) and above(now, 0.0):
        return ENTER_LONG
    if above(before, 0.0) and below(now, 0.0):
        return ENTER_SHORT
    return 0


@registry.register
class TEMAStrategy(ThresholdStrategy[TEMAParams]):
    """Long where tema(source, fast_length) - tema(source, slow_length) turns positive, short where negative.

    It leaves by the opposite entry alone: `signal_mode` and `exit_mode` do nothing here.
    """

    name = "tema"
    Params = TEMAParams
    value_names = ("tema_fast", "tema_slow")
    step = step

    @property
    def warmup_bars(self) -> int:
        """The nested averages have forgotten their seeds."""
        return 2 + ema_warmup(max(self.params.fast_length, self.params.slow_length), 3)

    def indicator_size(self) -> int:
        """Previous difference and two averages."""
        return 1 + tema_size(self.params.fast_length) + tema_size(self.params.slow_length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the averages."""
        p = self.params
        state[INDICATOR] = nan
        tema_init(state, _FAST, p.fast_length)
        tema_init(state, _FAST + tema_size(p.fast_length), p.slow_length)
