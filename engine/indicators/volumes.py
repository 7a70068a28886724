"""Indicators of volume: obv, mfi, vwap, volume profile."""

from math import isnan, nan

from engine.compiled.functions import State, compiled, shared
from engine.indicators.compare import TOLERANCE
from engine.indicators.sums import (
    queue_get,
    queue_init,
    queue_push,
    queue_size,
    rolling_sum,
    sum_init,
    sum_size,
)


@shared
def obv_init(s: State, o: int) -> None:
    """Prepare an on-balance volume; its state is the previous close and the total."""
    s[o] = nan


@compiled
def obv(s: State, o: int, close: float, volume: float) -> float:
    """Running total of volume, added where the close rises, taken off where it falls; na on the first bar."""
    change = close - s[o]
    s[o] = close
    if isnan(change):
        return nan
    s[o + 1] += volume if change > 0.0 else -volume if change < 0.0 else 0.0
    return s[o + 1]


@shared
def mfi_size(length: int) -> int:
    """Length of the state of a money flow index."""
    return 1 + 2 * sum_size(length)


@shared
def mfi_init(s: State, o: int, length: int) -> None:
    """Prepare a money flow index."""
    s[o] = nan
    sum_init(s, o + 1, length)
    sum_init(s, o + 1 + sum_size(length), length)


@compiled
def mfi(s: State, o: int, x: float, volume: float) -> float:
    """100 - 100 / (1 + inflow / outflow) of volume * x on bars where x rose and fell.

    Moves within 1e-10 count as neither; the first bar counts as both; no outflow gives 100.
    """
    if isnan(x):
        return nan
    change = x - s[o]
    s[o] = x
    up = rolling_sum(s, o + 1, volume * (0.0 if change <= TOLERANCE else x))
    down = rolling_sum(s, o + 1 + sum_size(int(s[o + 1])), volume * (0.0 if change >= -TOLERANCE else x))
    if isnan(up) or isnan(down):
        return nan
    if abs(down) <= TOLERANCE:
        return 100.0
    if abs(up) <= TOLERANCE:
        up = 0.0
    return 100.0 - 100.0 / (1.0 + up / down)


VWAP_SIZE = 3


@compiled
def vwap(s: State, o: int, x: float, volume: float, new_session: float) -> float:
    """Sum of x * volume over sum of volume since the last bar with `new_session` not 0; na before one."""
    if isnan(x):
        return nan
    if new_session != 0.0:
        s[o] = 1.0
        s[o + 1] = x * volume
        s[o + 2] = volume
    elif s[o] != 0.0:
        s[o + 1] += x * volume
        s[o + 2] += volume
    else:
        return nan
    return s[o + 1] / s[o + 2]


@shared
def profile_size(length: int, rows: int) -> int:
    """Length of the state of a volume profile."""
    return 2 + 3 * queue_size(length) + rows


@shared
def profile_init(s: State, o: int, length: int, rows: int, area_percent: float) -> None:
    """Prepare a volume profile of `rows` price rows over `length` bars."""
    s[o] = rows
    s[o + 1] = area_percent
    for k in range(3):
        queue_init(s, o + 2 + k * queue_size(length), length)


@compiled
def _spread(s: State, at: int, rows: int, bottom: float, row: float, bar: tuple[float, float, float]) -> None:
    """Add one bar's volume to the rows it overlaps, in proportion to the overlap."""
    high, low, volume = bar
    if row <= 0.0 or high <= low:
        k = 0 if row <= 0.0 else min(int((low - bottom) / row), rows - 1)
        s[at + k] += volume
        return
    first = min(int((low - bottom) / row), rows - 1)
    last = min(int((high - bottom) / row), rows - 1)
    for k in range(first, last + 1):
        top_of_row = high if k == last else bottom + (k + 1) * row
        bottom_of_row = low if k == first else bottom + k * row
        s[at + k] += volume * (top_of_row - bottom_of_row) / (high - low)


@compiled
def _value_area(s: State, at: int, rows: int, needed: float, peak: int) -> tuple[int, int]:
    """Widen from the fullest row to the fuller neighbour until `needed` volume is inside."""
    first = last = peak
    inside = s[at + peak]
    while inside < needed and (first > 0 or last < rows - 1):
        under = s[at + first - 1] if first > 0 else -1.0
        over = s[at + last + 1] if last < rows - 1 else -1.0
        if over >= under:
            last += 1
            inside += over
        else:
            first -= 1
            inside += under
    return first, last


@compiled
def profile(s: State, o: int, high: float, low: float, volume: float) -> tuple[float, float, float]:
    """Price of the fullest row's middle, and top and bottom of the value area, over the last `length` bars.

    The range from lowest low to highest high is cut into equal rows; each bar's volume is spread evenly
    over its own range. na until there are `length` bars, while one of them is na, and without volume.
    """
    rows = int(s[o])
    length = int(s[o + 2])
    size = queue_size(length)
    highs, lows, volumes = o + 2, o + 2 + size, o + 2 + 2 * size
    queue_push(s, highs, high)
    queue_push(s, lows, low)
    queue_push(s, volumes, volume)
    top, bottom, total = -1e308, 1e308, 0.0
    for age in range(length):
        total += queue_get(s, volumes, age) + 0.0 * (queue_get(s, highs, age) + queue_get(s, lows, age))
        top = max(top, queue_get(s, highs, age))
        bottom = min(bottom, queue_get(s, lows, age))
    if not total > 0.0:
        return nan, nan, nan
    at = o + 2 + 3 * size
    for k in range(rows):
        s[at + k] = 0.0
    row = (top - bottom) / rows
    for age in range(length):
        bar = (queue_get(s, highs, age), queue_get(s, lows, age), queue_get(s, volumes, age))
        _spread(s, at, rows, bottom, row, bar)
    peak = 0
    for k in range(1, rows):
        if s[at + k] > s[at + peak]:
            peak = k
    first, last = _value_area(s, at, rows, total * s[o + 1] / 100.0, peak)
    return bottom + (peak + 0.5) * row, bottom + (last + 1) * row, bottom + first * row
