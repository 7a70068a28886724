"""Least squares: the line through a window and its slope; correlation of two series."""

from math import isnan, nan, sqrt

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.compare import TOLERANCE
from engine.indicators.stream import SingleOutput, check_lengths, prepared
from engine.indicators.sums import (
    queue_full,
    queue_init,
    queue_push,
    queue_size,
    rolling_sum,
    sum_init,
    sum_size,
)


@shared
def linreg_size(length: int) -> int:
    """Length of the state of a linear regression."""
    return 1 + queue_size(length)


@shared
def linreg_init(s: State, o: int, length: int, offset: int) -> None:
    """Prepare a linear regression."""
    s[o] = offset
    queue_init(s, o + 1, length)


@compiled
def line(s: State, o: int, x: float) -> tuple[float, float]:
    """Slope and first value of the least-squares line through the last `length` values, at least 2.

    The whole window is summed anew each bar, oldest first with x = 1..length, so an na blanks it for
    `length` bars.
    """
    length = int(s[o + 1])
    queue_push(s, o + 1, x)
    if not queue_full(s, o + 1):
        return nan, nan
    first = o + 4
    oldest = first + int(s[o + 2])
    sum_y = sum_xy = at = 0.0
    for k in range(oldest, first + length):
        at += 1.0
        sum_y += s[k]
        sum_xy += s[k] * at
    for k in range(first, oldest):
        at += 1.0
        sum_y += s[k]
        sum_xy += s[k] * at
    sum_x = length * (length + 1.0) / 2.0  # whole numbers, so exact
    sum_xx = sum_x * (2.0 * length + 1.0) / 3.0
    slope = (length * sum_xy - sum_x * sum_y) / (length * sum_xx - sum_x * sum_x)
    return slope, sum_y / length - slope * sum_x / length + slope


@compiled
def linreg(s: State, o: int, x: float) -> float:
    """The least-squares line at the newest value minus `offset` bars."""
    length = int(s[o + 1])
    if length == 1:
        return x
    slope, first = line(s, o, x)
    return first + slope * (length - 1 - s[o])


@compiled
def _linreg_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = linreg(s, 0, rows[i, 0])
    return 0


class Linreg(SingleOutput):
    """Least-squares line through the last `length` values, at the newest minus `offset` bars.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "linreg"
    pine_name = "ta.linreg"
    examples = ((6, 1), (4, 0), (1, 0))
    in_pine = "ta.linreg(x, 6, 1)"
    in_talib = "LINEARREG(x, 6) - LINEARREG_SLOPE(x, 6)"
    step = _linreg_step

    def __init__(self, length: int, offset: int = 0) -> None:
        check_lengths(length=length)
        super().__init__(prepared(linreg_size(length), linreg_init, length, offset), length, length)


@compiled
def _linreg_slope_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = line(s, 0, rows[i, 0])[0]
    return 0


class LinregSlope(SingleOutput):
    """Slope of the least-squares line through the last `length` values, from 2 up.

    Source: Pine's ta.linreg, whose line it is.
    Warm-up: `length` bars.
    Units: those of x, a bar.
    """

    name = "linreg_slope"
    examples = ((6,), (2,))
    in_talib = "LINEARREG_SLOPE(x, 6)"
    step = _linreg_slope_step

    def __init__(self, length: int) -> None:
        check_lengths(2, length=length)
        super().__init__(prepared(linreg_size(length), linreg_init, length, 0), length, length)


@shared
def correlation_size(length: int) -> int:
    """Length of the state of a correlation."""
    return 5 * sum_size(length)


@shared
def correlation_init(s: State, o: int, length: int) -> None:
    """Prepare a correlation."""
    for k in range(5):
        sum_init(s, o + k * sum_size(length), length)


@compiled
def correlation(s: State, o: int, a: float, b: float) -> float:
    """Covariance over the root of both variances, of rolling sums; 0 where the covariance is within 1e-10."""
    length = s[o]
    size = sum_size(int(length))
    mean_a = rolling_sum(s, o, a) / length
    mean_b = rolling_sum(s, o + size, b) / length
    both = rolling_sum(s, o + 2 * size, a * b)
    square_a = rolling_sum(s, o + 3 * size, a * a)
    square_b = rolling_sum(s, o + 4 * size, b * b)
    covariance = both / length - mean_a * mean_b
    if isnan(covariance) or isnan(square_a) or isnan(square_b):
        return nan
    if abs(covariance) <= TOLERANCE:
        return 0.0
    variances = max(0.0, square_a / length - mean_a * mean_a) * max(0.0, square_b / length - mean_b * mean_b)
    return nan if variances == 0.0 else covariance / sqrt(variances)


@compiled
def _correlation_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = correlation(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Correlation(SingleOutput):
    """Pearson's correlation of two series over `length` bars; 0 where the covariance is within 1e-10.

    Source: Pine, measured by PyneCore.
    Warm-up: `length` bars.
    Units: -1 to 1.
    """

    name = "correlation"
    pine_name = "ta.correlation"
    inputs = ("a", "b")
    in_pine = "ta.correlation(a, b, 5)"
    in_talib = "CORREL(a, b, 5)"
    step = _correlation_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(correlation_size(length), correlation_init, length), length, length)
