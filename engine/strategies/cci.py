"""Commodity channel index against fixed levels."""

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.oscillators import cci, cci_init, cci_size
from engine.strategies.base import registry
from engine.strategies.thresholds import (
    INDICATOR,
    LONGEST,
    ExitMode,
    LevelParams,
    Source,
    ThresholdStrategy,
    fixed_level_flags,
    price_of,
)


class CCIParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length: int = Field(default=14, ge=1, le=LONGEST, description="bars of the window")
    source: Source = "close"
    upper: float = 205.0
    lower: float = -101.0
    mid: float = 12.0
    exit_mode: ExitMode = "midpoint"
    stop_loss_percent: float | None = Field(default=7.4, gt=0)
    max_holding_bars: int | None = Field(default=25, ge=0)


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    value = cci(s, INDICATOR, price_of(s, rows, i))
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class CCIStrategy(ThresholdStrategy[CCIParams]):
    """cci(source, length) against `upper`, `lower` and `mid`."""

    name = "cci"
    Params = CCIParams
    value_names = ("cci",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """The window is full, and so was the bar before."""
        return self.params.length + 1

    def indicator_size(self) -> int:
        """State of the cci."""
        return cci_size(self.params.length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the cci."""
        cci_init(state, INDICATOR, self.params.length)
