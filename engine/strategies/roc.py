"""Rate of change against fixed levels."""

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.momentum import change_init, change_size, roc
from engine.strategies.base import registry
from engine.strategies.thresholds import (
    INDICATOR,
    LONGEST,
    ExitMode,
    LevelParams,
    SignalMode,
    Source,
    ThresholdStrategy,
    fixed_level_flags,
    price_of,
)


class ROCParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length: int = Field(default=10, ge=1, le=LONGEST, description="bars of the window")
    source: Source = "close"
    upper: float = 1.0
    lower: float = -1.0
    mid: float = 0.0
    signal_mode: SignalMode = "mean_reversion"
    exit_mode: ExitMode = "midpoint"
    stop_loss_percent: float | None = Field(default=50.0, gt=0)
    max_holding_bars: int | None = Field(default=100, ge=0)
    allow_flip: bool = False


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    value = roc(s, INDICATOR, price_of(s, rows, i))
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class ROCStrategy(ThresholdStrategy[ROCParams]):
    """roc(source, length) in percent against `upper`, `lower` and `mid`; its script does not flip."""

    name = "roc"
    Params = ROCParams
    value_names = ("roc",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """The window is full, and so was the bar before."""
        return self.params.length + 2

    def indicator_size(self) -> int:
        """State of the roc."""
        return change_size(self.params.length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the roc."""
        change_init(state, INDICATOR, self.params.length)
