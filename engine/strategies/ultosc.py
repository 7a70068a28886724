"""Ultimate oscillator against fixed levels."""

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.oscillators import ultosc, ultosc_init, ultosc_size
from engine.strategies.base import registry
from engine.strategies.kernel import CLOSE, HIGH, LOW
from engine.strategies.thresholds import (
    INDICATOR,
    LONGEST,
    LevelParams,
    ThresholdStrategy,
    fixed_level_flags,
)


class ULTOSCParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length1: int = Field(default=14, ge=1, le=LONGEST, description="bars of the shortest window")
    length2: int = Field(default=28, ge=1, le=LONGEST, description="bars of the middle window")
    length3: int = Field(default=36, ge=1, le=LONGEST, description="bars of the longest window")
    upper: float = 60.0
    lower: float = 40.0
    mid: float = 50.0
    stop_loss_percent: float | None = Field(default=3.0, gt=0)
    max_holding_bars: int | None = Field(default=100, ge=0)
    flip_needs_cooldown: bool = True


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    value = ultosc(s, INDICATOR, rows[i, HIGH], rows[i, LOW], rows[i, CLOSE])
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class ULTOSCStrategy(ThresholdStrategy[ULTOSCParams]):
    """ultosc(length1, length2, length3) of whole bars against `upper`, `lower` and `mid` (0 to 100)."""

    name = "ultosc"
    Params = ULTOSCParams
    value_names = ("ultosc",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """The longest window is full, and so was the bar before."""
        return max(self.params.length1, self.params.length2, self.params.length3) + 2

    def indicator_size(self) -> int:
        """State of the ultosc."""
        return ultosc_size(self.params.length1, self.params.length2, self.params.length3)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the ultosc."""
        p = self.params
        ultosc_init(state, INDICATOR, p.length1, p.length2, p.length3)
