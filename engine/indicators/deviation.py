"""Standard deviation and Bollinger bands."""

from math import isnan, nan, sqrt

from engine.compiled.functions import State, compiled, shared
from engine.indicators.averages import sma, sma_init, sma_size
from engine.indicators.sums import rolling_sum, sum_init, sum_size


@shared
def stdev_size(length: int) -> int:
    """Length of the state of a standard deviation."""
    return 2 * sum_size(length)


@shared
def stdev_init(s: State, o: int, length: int) -> None:
    """Prepare a standard deviation."""
    sum_init(s, o, length)
    sum_init(s, o + sum_size(length), length)


@compiled
def stdev(s: State, o: int, x: float) -> float:
    """Biased: sqrt(max(0, q / n - m * m)) with m = sum(x) / n and q = sum(x * x)."""
    length = s[o]
    p = rolling_sum(s, o, x)
    q = rolling_sum(s, o + sum_size(int(length)), x * x)
    if isnan(p) or isnan(q):
        return nan
    mean = p / length
    variance = q / length - mean * mean
    return sqrt(variance) if variance > 0.0 else 0.0


@shared
def bollinger_size(length: int) -> int:
    """Length of the state of Bollinger bands around the sma."""
    return 1 + sma_size(length) + stdev_size(length)


@shared
def bollinger_init(s: State, o: int, length: int, multiplier: float) -> None:
    """Prepare Bollinger bands."""
    s[o] = multiplier
    sma_init(s, o + 1, length)
    stdev_init(s, o + 1 + sma_size(length), length)


@compiled
def bollinger(s: State, o: int, x: float) -> tuple[float, float, float]:
    """Middle = sma(x), upper and lower are multiplier * stdev away."""
    middle = sma(s, o + 1, x)
    width = stdev(s, o + 1 + sma_size(int(s[o + 1])), x) * s[o]
    return middle, middle + width, middle - width
