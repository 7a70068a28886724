"""Turning points of price: pivots, fractals, swings, market structure.

A turning point is known only some bars after it happened; it is given on the bar that confirms it.
"""

from math import isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.stream import ManyOutputs, SingleOutput, check_counts, check_lengths, prepared
from engine.indicators.sums import queue_get, queue_init, queue_push, queue_size


@shared
def pivot_size(left: int, right: int) -> int:
    """Length of the state of a pivot."""
    return 1 + queue_size(left + right + 1)


@shared
def pivot_init(s: State, o: int, left: int, right: int) -> None:
    """Prepare a pivot."""
    s[o] = right
    queue_init(s, o + 1, left + right + 1)


@compiled
def pivot_high(s: State, o: int, x: float) -> float:
    """X of `right` bars ago if all after it are less and none of `left` before it is more, else na."""
    right = int(s[o])
    queue_push(s, o + 1, x)
    top = queue_get(s, o + 1, right)
    for age in range(right):
        if not queue_get(s, o + 1, age) < top:
            return nan
    for age in range(right + 1, int(s[o + 1])):
        if not queue_get(s, o + 1, age) <= top:
            return nan
    return top


@compiled
def pivot_low(s: State, o: int, x: float) -> float:
    """As `pivot_high`, downwards."""
    return -pivot_high(s, o, -x)


@compiled
def _pivot_high_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = pivot_high(s, 0, rows[i, 0])
    return 0


class PivotHigh(SingleOutput):
    """The value `right` bars ago, on the bar that confirms it as a high; na on all others.

    All `right` values after it are less and none of the `left` before it is more. An na confirms nothing.

    Source: Pine, measured by PyneCore.
    Warm-up: `left` + `right` + 1 bars.
    Units: those of x.
    """

    name = "pivot_high"
    pine_name = "ta.pivothigh"
    sparse = True
    examples = ((2, 1), (0, 0), (0, 2), (3, 0), (1, 3))
    in_pine = "ta.pivothigh(close, 2, 1)"
    step = _pivot_high_step

    def __init__(self, left: int, right: int) -> None:
        check_counts(left=left, right=right)
        bars = left + right + 1
        super().__init__(prepared(pivot_size(left, right), pivot_init, left, right), bars, bars)


@compiled
def _pivot_low_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = pivot_low(s, 0, rows[i, 0])
    return 0


class PivotLow(SingleOutput):
    """The value `right` bars ago, on the bar that confirms it as a low; na on all others.

    All `right` values after it are more and none of the `left` before it is less. An na confirms nothing.

    Source: Pine, measured by PyneCore.
    Warm-up: `left` + `right` + 1 bars.
    Units: those of x.
    """

    name = "pivot_low"
    pine_name = "ta.pivotlow"
    sparse = True
    examples = ((2, 1), (0, 0), (0, 2), (3, 0), (1, 3))
    in_pine = "ta.pivotlow(close, 2, 1)"
    step = _pivot_low_step

    def __init__(self, left: int, right: int) -> None:
        check_counts(left=left, right=right)
        bars = left + right + 1
        super().__init__(prepared(pivot_size(left, right), pivot_init, left, right), bars, bars)


@shared
def fractals_size(wing: int) -> int:
    """Length of the state of fractals."""
    return 2 * queue_size(2 * wing + 1)


@shared
def fractals_init(s: State, o: int, wing: int) -> None:
    """Prepare fractals."""
    queue_init(s, o, 2 * wing + 1)
    queue_init(s, o + queue_size(2 * wing + 1), 2 * wing + 1)


@compiled
def _fractal(s: State, o: int, x: float) -> float:
    """The middle of the window if it is more than all others."""
    length = int(s[o])
    queue_push(s, o, x)
    top = queue_get(s, o, length // 2)
    for age in range(length):
        if age != length // 2 and not queue_get(s, o, age) < top:
            return nan
    return top


@compiled
def _fractals_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = _fractal(s, 0, rows[i, 0])
    outs[i, 1] = -_fractal(s, queue_size(int(s[0])), -rows[i, 1])
    return 0


class Fractals(ManyOutputs):
    """A high above the `wing` highs on either side, a low below the lows, on the bar that confirms it.

    That is `wing` bars after it; na on all other bars. Equals on either side are no fractal.

    Source: Williams, Trading Chaos, 1995, with `wing` 2.
    Warm-up: 2 * `wing` + 1 bars.
    Units: those of price.
    """

    name = "fractals"
    inputs = ("high", "low")
    outputs = ("high", "low")
    sparse = True
    examples = ((2,), (1,))
    step = _fractals_step

    def __init__(self, wing: int = 2) -> None:
        check_lengths(wing=wing)
        bars = 2 * wing + 1
        super().__init__(prepared(fractals_size(wing), fractals_init, wing), bars, bars)


@shared
def swings_size(left: int, right: int) -> int:
    """Length of the state of swings."""
    return 2 + 2 * pivot_size(left, right)


@shared
def swings_init(s: State, o: int, left: int, right: int) -> None:
    """Prepare swings."""
    s[o] = s[o + 1] = nan
    pivot_init(s, o + 2, left, right)
    pivot_init(s, o + 2 + pivot_size(left, right), left, right)


@compiled
def swings(s: State, o: int, high: float, low: float) -> tuple[float, float]:
    """The pivots just confirmed, na where none is; `s[o]` and `s[o + 1]` keep the last ones."""
    at_low = o + 3 + queue_size(int(s[o + 3]))
    top, bottom = pivot_high(s, o + 2, high), pivot_low(s, at_low, low)
    if not isnan(top):
        s[o] = top
    if not isnan(bottom):
        s[o + 1] = bottom
    return top, bottom


@compiled
def _swings_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    swings(s, 0, rows[i, 0], rows[i, 1])
    outs[i, 0], outs[i, 1] = s[0], s[1]
    return 0


class Swings(ManyOutputs):
    """The last pivot high and the last pivot low that are confirmed, carried until the next.

    Source: ta.pivothigh and ta.pivotlow, with ta.valuewhen.
    Warm-up: `left` + `right` + 1 bars at least; cumulative, carried from any past.
    Units: those of price.
    """

    name = "swings"
    inputs = ("high", "low")
    outputs = ("high", "low")
    cumulative = True
    sparse = True
    examples = ((2, 1), (0, 0), (3, 2))
    in_pine = """
        top = ta.pivothigh(high, 2, 1)
        bottom = ta.pivotlow(low, 2, 1)
        ta.valuewhen(not na(top), top, 0), ta.valuewhen(not na(bottom), bottom, 0)
    """
    step = _swings_step

    def __init__(self, left: int = 2, right: int = 2) -> None:
        check_counts(left=left, right=right)
        bars = left + right + 1
        super().__init__(prepared(swings_size(left, right), swings_init, left, right), bars, bars)


_BROKE_UP, _BROKE_DOWN, _SWINGS = 0, 1, 2


@shared
def structure_init(s: State, o: int, left: int, right: int) -> None:
    """Prepare a market structure."""
    swings_init(s, o + _SWINGS, left, right)


@compiled
def _structure_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    last_top, last_bottom = s[_SWINGS], s[_SWINGS + 1]
    top, bottom = swings(s, _SWINGS, rows[i, 0], rows[i, 1])
    outs[i, 0] = 1.0 if top > last_top else 0.0
    outs[i, 1] = 1.0 if top < last_top else 0.0
    outs[i, 2] = 1.0 if bottom > last_bottom else 0.0
    outs[i, 3] = 1.0 if bottom < last_bottom else 0.0
    if not isnan(top):
        s[_BROKE_UP] = 0.0
    if not isnan(bottom):
        s[_BROKE_DOWN] = 0.0
    up = s[_BROKE_UP] == 0.0 and rows[i, 2] > s[_SWINGS]
    down = s[_BROKE_DOWN] == 0.0 and rows[i, 2] < s[_SWINGS + 1]
    if up:
        s[_BROKE_UP] = 1.0
    if down:
        s[_BROKE_DOWN] = 1.0
    outs[i, 4] = 1.0 if up else 0.0
    outs[i, 5] = 1.0 if down else 0.0
    return 0


class MarketStructure(ManyOutputs):
    """How swings stand to the ones before, and when price closes beyond the last: 1 on that bar, else 0.

    A higher or lower high or low is told on the bar that confirms the pivot. `break_up` is the first close
    above the last confirmed swing high (a break of structure), `break_down` the first below the last low;
    each swing is broken once. `latch(break_up, break_down)` is the trend that follows from them.

    Source: Dow's theory of higher highs and lower lows, on ta.pivothigh and ta.pivotlow.
    Warm-up: `left` + `right` + 1 bars at least; cumulative, swings are carried from any past.
    Units: 1 or 0.
    """

    name = "market_structure"
    inputs = ("high", "low", "close")
    outputs = ("higher_high", "lower_high", "higher_low", "lower_low", "break_up", "break_down")
    cumulative = True
    conditions = True
    examples = ((2, 1), (0, 0), (3, 2))
    step = _structure_step

    def __init__(self, left: int = 2, right: int = 2) -> None:
        check_counts(left=left, right=right)
        size = _SWINGS + swings_size(left, right)
        super().__init__(prepared(size, structure_init, left, right), 1, left + right + 1)
