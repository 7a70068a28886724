"""Momentum against fixed levels."""

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.momentum import change, change_init, change_size
from engine.model.exit_rules import EntryBar
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


class MOMParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length: int = Field(default=40, ge=1, le=LONGEST, description="bars of the window")
    source: Source = "close"
    upper: float = 130.0
    lower: float = -138.0
    mid: float = 27.0
    stop_loss_percent: float | None = Field(default=6.7, gt=0)
    max_holding_bars: int | None = Field(default=16, ge=0)
    max_holding_strict: bool = True
    entry_bar: EntryBar = "pending"


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    value = change(s, INDICATOR, price_of(s, rows, i))
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class MOMStrategy(ThresholdStrategy[MOMParams]):
    """mom(source, length) in the price unit against `upper`, `lower` and `mid`."""

    name = "mom"
    Params = MOMParams
    value_names = ("mom",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """The window is full, and so was the bar before."""
        return self.params.length + 2

    def indicator_size(self) -> int:
        """State of the mom."""
        return change_size(self.params.length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the mom."""
        change_init(state, INDICATOR, self.params.length)
