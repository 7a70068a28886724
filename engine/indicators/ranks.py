"""Values of a window in the order of their size: percentiles, percent rank, median."""

from math import ceil, floor, isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.compare import TOLERANCE
from engine.indicators.stream import SingleOutput, check_lengths, check_percent, prepared
from engine.indicators.sums import queue_full, queue_init, queue_push, queue_size


@compiled
def _place(s: State, at: int, count: int, x: float, tolerance: float) -> int:
    """Where x goes among `count` sorted values: before its equals; na goes last, and is stepped over."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        other = s[at + middle]
        if isnan(x) or isnan(other) or other - x < -tolerance:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _insert(s: State, at: int, count: int, x: float, tolerance: float) -> None:
    place = _place(s, at, count, x, tolerance)
    for k in range(count, place, -1):
        s[at + k] = s[at + k - 1]
    s[at + place] = x


@compiled
def _remove(s: State, at: int, count: int, x: float, tolerance: float) -> None:
    """Take out the last of those equal to x, for na the first na."""
    place = 0
    if isnan(x):
        while not isnan(s[at + place]):
            place += 1
    elif tolerance == 0.0:
        place = _place(s, at, count, x, 0.0)
    else:
        place = count - 1
        while not (s[at + place] == x or abs(s[at + place] - x) <= tolerance):
            place -= 1
    for k in range(place, count - 1):
        s[at + k] = s[at + k + 1]


@shared
def ranks_size(length: int) -> int:
    """Length of the state of a window in order."""
    return 1 + queue_size(length) + length + 1


@shared
def ranks_init(s: State, o: int, length: int, percentage: float) -> None:
    """Prepare a window in order, all of it na."""
    s[o] = percentage
    queue_init(s, o + 1, length)
    for k in range(length):
        s[o + 1 + queue_size(length) + k] = nan


@compiled
def ranks_push(s: State, o: int, x: float) -> int:
    """Take in x, let the oldest go, and say where the ordered values begin.

    Values within 1e-10 are equal, the newest first; an na holds the place it got when it came. So Pine's
    percentiles depend on the order in which values came, not only on what they are.
    """
    length = int(s[o + 1])
    at = o + 1 + queue_size(length)
    gone = queue_push(s, o + 1, x)
    _insert(s, at, length, x, TOLERANCE)
    _remove(s, at, length + 1, gone, TOLERANCE)
    return at


@compiled
def percentile_nearest_rank(s: State, o: int, x: float) -> float:
    """The value at rank ceil(percentage * length / 100), at least 1."""
    at = ranks_push(s, o, x)
    if not queue_full(s, o + 1):
        return nan
    rank = ceil(s[o] * s[o + 1] / 100.0)
    return s[at + max(rank, 1) - 1]


@compiled
def percentile_linear_interpolation(s: State, o: int, x: float) -> float:
    """The weighted mean of the two values around rank length * percentage / 100 + 0.5."""
    at = ranks_push(s, o, x)
    if not queue_full(s, o + 1):
        return nan
    length = s[o + 1]
    rank = length * s[o] / 100.0 + 0.5
    nearest = floor(rank + 0.5)
    if abs(rank - nearest) < 1e-9:
        rank = float(nearest)
    if rank <= 1.0:
        return s[at]
    if rank >= length:
        return s[at + int(length) - 1]
    lower = floor(rank)
    share = rank - lower
    return s[at + lower - 1] * (1.0 - share) + s[at + lower] * share


@compiled
def _nearest_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = percentile_nearest_rank(s, 0, rows[i, 0])
    return 0


class PercentileNearestRank(SingleOutput):
    """The value of the window below or at which `percentage` percent of it are; always one of its values.

    Source: Pine, measured by PyneCore: values within 1e-10 are equal, na keep a place in the window.
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "percentile_nearest_rank"
    pine_name = "ta.percentile_nearest_rank"
    examples = ((7, 30.0), (1, 0.0), (4, 100.0))
    in_pine = "ta.percentile_nearest_rank(x, 7, 30)"
    step = _nearest_step

    def __init__(self, length: int, percentage: float) -> None:
        check_lengths(length=length)
        check_percent("percentage", percentage)
        super().__init__(prepared(ranks_size(length), ranks_init, length, percentage), length, length)


@compiled
def _linear_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = percentile_linear_interpolation(s, 0, rows[i, 0])
    return 0


class PercentileLinearInterpolation(SingleOutput):
    """The percentile of the window, between two of its values in proportion to their ranks.

    Source: Pine, measured by PyneCore: values within 1e-10 are equal, na keep a place in the window.
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "percentile_linear_interpolation"
    pine_name = "ta.percentile_linear_interpolation"
    examples = ((7, 30.0), (1, 0.0), (4, 50.0))
    in_pine = "ta.percentile_linear_interpolation(x, 7, 30)"
    step = _linear_step

    def __init__(self, length: int, percentage: float) -> None:
        check_lengths(length=length)
        check_percent("percentage", percentage)
        super().__init__(prepared(ranks_size(length), ranks_init, length, percentage), length, length)


@shared
def sorted_size(length: int) -> int:
    """Length of the state of a window sorted without its na."""
    return 1 + queue_size(length) + length + 1


@shared
def sorted_init(s: State, o: int, length: int) -> None:
    """Prepare a sorted window."""
    queue_init(s, o + 1, length)


@compiled
def sorted_push(s: State, o: int, x: float) -> None:
    """Take in x, which may be na, and let the oldest go; `s[o]` counts the values behind the queue."""
    at = o + 1 + queue_size(int(s[o + 1]))
    gone = queue_push(s, o + 1, x)
    if not isnan(x):
        _insert(s, at, int(s[o]), x, 0.0)
        s[o] += 1.0
    if not isnan(gone):
        _remove(s, at, int(s[o]), gone, 0.0)
        s[o] -= 1.0


@compiled
def percent_rank(s: State, o: int, x: float) -> float:
    """How many percent of the `length` values before are at most x; na among them are not."""
    length = int(s[o + 1])
    full = queue_full(s, o + 1)
    at = o + 1 + queue_size(length)
    low, high = 0, int(s[o])
    while low < high:
        middle = (low + high) // 2
        before = s[at + middle]
        if before <= x or before - x <= TOLERANCE:
            low = middle + 1
        else:
            high = middle
    sorted_push(s, o, x)
    return nan if isnan(x) or not full else low * 100.0 / length


@compiled
def _percent_rank_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = percent_rank(s, 0, rows[i, 0])
    return 0


class PercentRank(SingleOutput):
    """How many percent of the `length` values before are less than or equal to x.

    Source: Pine, measured by PyneCore; values within 1e-10 are equal.
    Warm-up: `length` + 1 bars.
    Units: 0 to 100.
    """

    name = "percentrank"
    pine_name = "ta.percentrank"
    in_pine = "ta.percentrank(x, 5)"
    step = _percent_rank_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(sorted_size(length), sorted_init, length), length + 1, length + 1)


@compiled
def median(s: State, o: int, x: float) -> float:
    """The middle of the last `length` values that are not na, or the mean of the two; na repeats it."""
    length = int(s[o + 1])
    if length == 1:
        return x
    if not isnan(x):
        sorted_push(s, o, x)
    if s[o] < length:
        return nan
    at = o + 1 + queue_size(length) + length // 2
    return s[at] if length % 2 else (s[at - 1] + s[at]) / 2.0


@compiled
def _median_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = median(s, 0, rows[i, 0])
    return 0


class Median(SingleOutput):
    """The middle one of the last `length` values, or the mean of the two in the middle.

    Source: Pine, measured by PyneCore.
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "median"
    pine_name = "ta.median"
    examples = ((5,), (1,), (4,))
    in_pine = "ta.median(x, 5)"
    step = _median_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(sorted_size(length), sorted_init, length), length, length)
