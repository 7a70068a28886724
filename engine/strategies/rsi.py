"""Relative strength index against fixed levels."""

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.momentum import rsi, rsi_init, rsi_size
from engine.indicators.warmup import rma_warmup
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


class RSIParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length: int = Field(default=30, ge=1, le=LONGEST, description="bars of the window")
    source: Source = "close"
    upper: float = 67.0
    lower: float = 33.0
    mid: float = 45.0
    stop_loss_percent: float | None = Field(default=10.6, gt=0)
    max_holding_bars: int | None = Field(default=15, ge=0)


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    value = rsi(s, INDICATOR, price_of(s, rows, i))
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class RSIStrategy(ThresholdStrategy[RSIParams]):
    """rsi(source, length) against `upper`, `lower` and `mid` (0 to 100)."""

    name = "rsi"
    Params = RSIParams
    value_names = ("rsi",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """Wilder's averages of the changes have forgotten their seeds."""
        return 2 + rma_warmup(self.params.length)

    def indicator_size(self) -> int:
        """State of the rsi."""
        return rsi_size(self.params.length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the rsi."""
        rsi_init(state, INDICATOR, self.params.length)
