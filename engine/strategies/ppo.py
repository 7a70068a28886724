"""Percentage price oscillator against fixed levels."""

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.averages import AVERAGE_KINDS, AverageKind
from engine.indicators.oscillators import ppo, ppo_init, ppo_size
from engine.indicators.warmup import average_warmup
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


class PPOParams(LevelParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    fast_length: int = Field(default=38, ge=1, le=LONGEST, description="bars of the fast average")
    slow_length: int = Field(default=205, ge=1, le=LONGEST, description="bars of the slow average")
    ma_type: AverageKind = Field(default="dema", description="kind of average")
    source: Source = "close"
    upper: float = 1.4
    lower: float = -0.8
    mid: float = 0.0
    stop_loss_percent: float | None = Field(default=10.4, gt=0)
    max_holding_bars: int | None = Field(default=93, ge=0)
    flip_needs_cooldown: bool = True


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    value = ppo(s, INDICATOR, price_of(s, rows, i))
    outs[i, 0] = value
    return fixed_level_flags(s, value)


@registry.register
class PPOStrategy(ThresholdStrategy[PPOParams]):
    """(fast - slow) / slow of two averages, in percent, against `upper`, `lower` and `mid`."""

    name = "ppo"
    Params = PPOParams
    value_names = ("ppo",)
    step = step

    @property
    def warmup_bars(self) -> int:
        """Both averages have forgotten their seeds."""
        p = self.params
        return 2 + average_warmup(AVERAGE_KINDS[p.ma_type], max(p.fast_length, p.slow_length))

    def indicator_size(self) -> int:
        """State of the ppo."""
        return ppo_size(self.params.fast_length, self.params.slow_length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the ppo."""
        p = self.params
        ppo_init(state, INDICATOR, AVERAGE_KINDS[p.ma_type], p.fast_length, p.slow_length)
