"""Chande momentum oscillator, Pine's or Wilder's, against fixed levels."""

from typing import Literal

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.momentum import (
    cmo,
    cmo_init,
    cmo_size,
    cmo_wilder,
    cmo_wilder_init,
    cmo_wilder_size,
)
from engine.indicators.warmup import rma_warmup
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

_CMO = INDICATOR + 1


class CMOParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length: int = Field(default=24, ge=1, le=LONGEST, description="bars of the window")
    source: Source = "close"
    smoothing: Literal["sum", "wilder"] = Field(default="sum", description="of rises and falls")
    upper: float = 39.0
    lower: float = -33.0
    mid: float = -10.0
    stop_loss_percent: float | None = Field(default=4.0, gt=0)
    max_holding_bars: int | None = Field(default=10, ge=0)
    entry_bar: EntryBar = "signal_bar"


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    price = price_of(s, rows, i)
    value = cmo(s, _CMO, price) if s[INDICATOR] == 0.0 else cmo_wilder(s, _CMO, price)
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class CMOStrategy(ThresholdStrategy[CMOParams]):
    """cmo(source, length) against `upper`, `lower` and `mid` (-100 to 100)."""

    name = "cmo"
    Params = CMOParams
    value_names = ("cmo",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """The sums are full, or Wilder's averages have forgotten their seeds."""
        return (
            self.params.length + 2 if self.params.smoothing == "sum" else 2 + rma_warmup(self.params.length)
        )

    def indicator_size(self) -> int:
        """State of the cmo."""
        return 1 + max(cmo_size(self.params.length), cmo_wilder_size(self.params.length))

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the cmo."""
        if self.params.smoothing == "sum":
            cmo_init(state, _CMO, self.params.length)
        else:
            state[INDICATOR] = 1.0
            cmo_wilder_init(state, _CMO, self.params.length)
