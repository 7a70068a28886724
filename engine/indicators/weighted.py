"""Averages with weights: wma, hma, vwma."""

from math import isnan, nan

from engine.compiled.functions import State, compiled, shared
from engine.indicators.averages import sma, sma_init, sma_size
from engine.indicators.sums import queue_get, queue_init, queue_push, queue_size


@shared
def wma_size(length: int) -> int:
    """Length of the state of a wma."""
    return 2 + queue_size(length)


@shared
def wma_init(s: State, o: int, length: int) -> None:
    """Prepare a wma."""
    s[o] = nan
    queue_init(s, o + 2, length)


@compiled
def wma(s: State, o: int, x: float) -> float:
    """Sum of (length - i) * x[i] over length * (length + 1) / 2, summed oldest first.

    An na input repeats the last value in the window, gives na, and does not count as one of the `length`
    values the first output waits for.
    """
    length = int(s[o + 2])
    if isnan(x):
        queue_push(s, o + 2, s[o])
        return nan
    s[o] = x
    s[o + 1] += 1.0
    queue_push(s, o + 2, x)
    if s[o + 1] < length:
        return nan
    total = 0.0
    for weight in range(1, length + 1):
        total += queue_get(s, o + 2, length - weight) * weight
    return total / (0.5 * length * (length + 1))


@shared
def hma_size(length: int) -> int:
    """Length of the state of an hma."""
    return 2 + wma_size(length // 2) + wma_size(length) + wma_size(int(length**0.5))


@shared
def hma_init(s: State, o: int, length: int) -> None:
    """Prepare an hma; `length` is at least 2."""
    s[o] = wma_size(length // 2)
    s[o + 1] = s[o] + wma_size(length)
    wma_init(s, o + 2, length // 2)
    wma_init(s, o + 2 + int(s[o]), length)
    wma_init(s, o + 2 + int(s[o + 1]), int(length**0.5))


@compiled
def hma(s: State, o: int, x: float) -> float:
    """Wma(2 * wma(x, length // 2) - wma(x, length), floor(sqrt(length))); an na input is skipped."""
    if isnan(x):
        return nan
    half = wma(s, o + 2, x)
    full = wma(s, o + 2 + int(s[o]), x)
    if isnan(half) or isnan(full):
        return nan
    return wma(s, o + 2 + int(s[o + 1]), 2.0 * half - full)


@shared
def vwma_size(length: int) -> int:
    """Length of the state of a vwma."""
    return 2 * sma_size(length)


@shared
def vwma_init(s: State, o: int, length: int) -> None:
    """Prepare a vwma."""
    sma_init(s, o, length)
    sma_init(s, o + sma_size(length), length)


@compiled
def vwma(s: State, o: int, x: float, volume: float) -> float:
    """Sma(x * volume) / sma(volume)."""
    size = sma_size(int(s[o]))
    return sma(s, o, x * volume) / sma(s, o + size, volume)
