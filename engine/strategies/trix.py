"""Rate of change of a triple exponential average against fixed levels."""

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.oscillators import trix, trix_init, trix_size
from engine.indicators.warmup import ema_warmup
from engine.strategies.base import registry
from engine.strategies.thresholds import (
    INDICATOR,
    LONGEST,
    LevelParams,
    Source,
    ThresholdStrategy,
    fixed_level_flags,
    price_of,
)


class TRIXParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length: int = Field(default=6, ge=1, le=LONGEST, description="bars of the window")
    source: Source = "close"
    upper: float = 0.0676
    lower: float = -0.0522
    mid: float = -0.0193
    stop_loss_percent: float | None = Field(default=5.0, gt=0)
    max_holding_bars: int | None = Field(default=10, ge=0)


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    value = trix(s, INDICATOR, price_of(s, rows, i))
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class TRIXStrategy(ThresholdStrategy[TRIXParams]):
    """trix(source, length) in percent against `upper`, `lower` and `mid`."""

    name = "trix"
    Params = TRIXParams
    value_names = ("trix",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """The three nested averages have forgotten their seeds."""
        return 2 + ema_warmup(self.params.length, 3)

    def indicator_size(self) -> int:
        """State of the trix."""
        return trix_size(self.params.length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the trix."""
        trix_init(state, INDICATOR, self.params.length)
