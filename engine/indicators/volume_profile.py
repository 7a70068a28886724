"""Volume by price instead of by time."""

from math import nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.stream import ManyOutputs, check_lengths, prepared
from engine.indicators.sums import queue_get, queue_init, queue_push, queue_size


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


@compiled
def _volume_profile_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = profile(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class VolumeProfile(ManyOutputs):
    """Fullest of `rows` equal price rows over `length` bars, and the value area around it.

    Source: Steidlmayer's market profile; a bar's volume is spread evenly over its range.
    Warm-up: `length` bars.
    Units: those of price.
    """

    name = "volume_profile"
    inputs = ("high", "low", "volume")
    outputs = ("poc", "area_high", "area_low")
    examples = ((4, 6, 70.0), (1, 1, 50.0))
    step = _volume_profile_step

    def __init__(self, length: int = 100, rows: int = 24, area_percent: float = 70.0) -> None:
        check_lengths(length=length, rows=rows)
        super().__init__(
            prepared(profile_size(length, rows), profile_init, length, rows, area_percent), length, length
        )
