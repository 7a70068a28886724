"""The price against Bollinger bands."""

from math import nan

from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.averages import AVERAGE_KINDS, AverageKind, average, average_init, average_size
from engine.indicators.deviation import stdev, stdev_init, stdev_size
from engine.indicators.warmup import average_warmup
from engine.model.exit_rules import EntryBar
from engine.strategies.base import registry
from engine.strategies.thresholds import (
    INDICATOR,
    LONGEST,
    CommonParams,
    Source,
    ThresholdStrategy,
    level_flags,
    price_of,
)

_LAST, _UP, _DOWN, _AVERAGE_AT = INDICATOR, INDICATOR + 4, INDICATOR + 5, INDICATOR + 6
_STDEV = INDICATOR + 7


class BBANDParams(CommonParams):
    """Defaults are the inputs of the TradingView chart whose list of trades it is tested against."""

    length: int = Field(default=16, ge=1, le=LONGEST, description="bars of the window")
    source: Source = "close"
    upper_deviation: float = Field(
        default=1.41, gt=0, description="deviations from the average to the upper band"
    )
    lower_deviation: float = Field(
        default=2.15, gt=0, description="deviations from the average to the lower band"
    )
    ma_type: AverageKind = Field(default="dema", description="kind of average")
    stop_loss_percent: float | None = Field(default=12.0, gt=0)
    max_holding_bars: int | None = Field(default=61, ge=0)
    entry_bar: EntryBar = "signal_bar"


@compiled
def step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    """One closed bar."""
    price = price_of(s, rows, i)
    deviation = stdev(s, _STDEV, price)
    mid = average(s, _STDEV + int(s[_AVERAGE_AT]), price)
    upper = mid + s[_UP] * deviation
    lower = mid - s[_DOWN] * deviation
    before, upper_before, mid_before, lower_before = s[_LAST], s[_LAST + 1], s[_LAST + 2], s[_LAST + 3]
    s[_LAST], s[_LAST + 1], s[_LAST + 2], s[_LAST + 3] = price, upper, mid, lower
    outs[i, 0] = upper
    outs[i, 1] = mid
    outs[i, 2] = lower
    return level_flags(s, before, price, (upper_before, upper), (lower_before, lower), (mid_before, mid))


@registry.register
class BBANDStrategy(ThresholdStrategy[BBANDParams]):
    """The source against bands: an average, and standard deviations around the sma above and below it."""

    name = "bband"
    Params = BBANDParams
    value_names = ("upper", "mid", "lower")
    step = step

    @property
    def warmup_bars(self) -> int:
        """The middle average has forgotten its seed, and did so a bar before."""
        return 2 + average_warmup(AVERAGE_KINDS[self.params.ma_type], self.params.length)

    def indicator_size(self) -> int:
        """Last bar's price and bands, the deviations, and the averages."""
        return _STDEV - INDICATOR + stdev_size(self.params.length) + average_size(self.params.length)

    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the bands."""
        p = self.params
        for k in range(4):
            state[_LAST + k] = nan
        state[_UP], state[_DOWN] = p.upper_deviation, p.lower_deviation
        state[_AVERAGE_AT] = stdev_size(p.length)
        stdev_init(state, _STDEV, p.length)
        average_init(state, _STDEV + stdev_size(p.length), AVERAGE_KINDS[p.ma_type], p.length)
