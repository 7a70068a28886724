"""What the period before was: yesterday's high, last week's close. A condition says where one begins."""

from math import isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.compare import is_true
from engine.indicators.stream import ManyOutputs, prepared

_BEGUN, _HIGH, _LOW, _CLOSE, _LAST_HIGH, _LAST_LOW, _LAST_CLOSE = 0, 1, 2, 3, 4, 5, 6
PRIOR_SIZE = 7


@shared
def prior_init(s: State, o: int) -> None:
    """Prepare the prices of the period before."""
    for k in range(_HIGH, PRIOR_SIZE):
        s[o + k] = nan


@compiled
def prior(s: State, o: int, bar: tuple[float, float, float], new_period: float) -> None:
    """Take in high, low and close of a bar; `s[o + 4]` to `s[o + 6]` are those of the period before."""
    high, low, close = bar
    if is_true(new_period):
        for k in range(3):
            s[o + _LAST_HIGH + k] = s[o + _HIGH + k] if s[o + _BEGUN] != 0.0 else nan
            s[o + _HIGH + k] = nan
        s[o + _BEGUN] = 1.0
    if isnan(s[o + _HIGH]) or high > s[o + _HIGH]:
        s[o + _HIGH] = high
    if isnan(s[o + _LOW]) or low < s[o + _LOW]:
        s[o + _LOW] = low
    if not isnan(close):
        s[o + _CLOSE] = close


@compiled
def _prior_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    prior(s, 0, (rows[i, 0], rows[i, 1], rows[i, 2]), rows[i, 3])
    outs[i, 0], outs[i, 1], outs[i, 2] = s[_LAST_HIGH], s[_LAST_LOW], s[_LAST_CLOSE]
    return 0


class PriorPeriod(ManyOutputs):
    """High, low and close of the last whole period; a period begins on a bar where `new_period` holds.

    The bars before the first beginning are no whole period, since history may begin in the middle of one.

    Source: the prior day's and week's levels of a chart, from bars that have closed.
    Warm-up: the first bar of the second whole period; cumulative within it.
    Units: those of price.
    """

    name = "prior_period"
    inputs = ("high", "low", "close", "new_period")
    outputs = ("high", "low", "close")
    cumulative = True
    sparse = True
    examples = ((),)
    step = _prior_step

    def __init__(self) -> None:
        super().__init__(prepared(PRIOR_SIZE, prior_init), 2, 2)
