"""Highest and lowest of a window, and what is made of them."""

from math import isnan, nan

from engine.compiled.functions import State, compiled, shared
from engine.indicators.averages import sma, sma_init, sma_size

_BAR, _KEPT, _AGE, _VALID, _RING = 1, 2, 3, 4, 5


@shared
def extreme_size(length: int) -> int:
    """Length of the state of a highest or lowest."""
    return _RING + length


@shared
def extreme_init(s: State, o: int, length: int) -> None:
    """Prepare a highest or lowest."""
    s[o] = length
    s[o + _KEPT] = nan


@compiled
def highest(s: State, o: int, x: float) -> float:
    """Largest of the last `length` values; na on the first length - 1 bars.

    An na input gives na and empties the window. Of equal values the oldest counts, see `extreme_age`.
    """
    length = int(s[o])
    bar = int(s[o + _BAR])
    s[o + _BAR] = bar + 1
    at = bar % length
    s[o + _RING + at] = x
    if isnan(x):
        s[o + _KEPT] = nan
        s[o + _AGE] = 0.0
        s[o + _VALID] = 0.0
        return nan
    valid = min(int(s[o + _VALID]) + 1, length)
    s[o + _VALID] = valid
    kept = s[o + _KEPT]
    age = int(s[o + _AGE]) + 1
    if isnan(kept) or x > kept:
        kept = x
        age = 0
    elif age >= length:
        kept = x
        age = 0
        for i in range(1, valid):
            v = s[o + _RING + (at - i if at >= i else at - i + length)]
            if v >= kept:
                kept = v
                age = i
    s[o + _KEPT] = kept
    s[o + _AGE] = age
    return kept if bar >= length - 1 else nan


@compiled
def lowest(s: State, o: int, x: float) -> float:
    """Smallest of the last `length` values, by the rules of `highest`."""
    return -highest(s, o, -x)


@compiled
def extreme_age(s: State, o: int) -> float:
    """How many bars ago the extreme was; na on the first length - 1 bars."""
    return s[o + _AGE] if s[o + _BAR] >= s[o] else nan


@shared
def channel_size(length: int) -> int:
    """Length of the state of a highest high and a lowest low."""
    return 2 * extreme_size(length)


@shared
def channel_init(s: State, o: int, length: int) -> None:
    """Prepare a highest high and a lowest low."""
    extreme_init(s, o, length)
    extreme_init(s, o + extreme_size(length), length)


@compiled
def channel(s: State, o: int, high: float, low: float) -> tuple[float, float]:
    """Highest high and lowest low of the window."""
    return highest(s, o, high), lowest(s, o + extreme_size(int(s[o])), low)


@compiled
def stoch(s: State, o: int, x: float, high: float, low: float) -> float:
    """100 * (x - lowest) / (highest - lowest); not clamped."""
    top, bottom = channel(s, o, high, low)
    return 100.0 * (x - bottom) / (top - bottom)


@compiled
def wpr(s: State, o: int, high: float, low: float, close: float) -> float:
    """100 * (close - highest) / (highest - lowest); for length 1 Pine gives the close itself."""
    top, bottom = channel(s, o, high, low)
    if s[o] == 1.0:
        return close
    return 100.0 * (close - top) / (top - bottom)


@compiled
def aroon(s: State, o: int, high: float, low: float) -> tuple[float, float]:
    """Up and down: 100 * (length - bars since the extreme) / length, over length + 1 bars."""
    length = s[o] - 1.0
    at_low = o + extreme_size(int(s[o]))
    highest(s, o, high)
    lowest(s, at_low, low)
    up = 100.0 * (length - extreme_age(s, o)) / length
    down = 100.0 * (length - extreme_age(s, at_low)) / length
    return up, down


@shared
def stochastic_size(length: int, smooth_k: int, smooth_d: int) -> int:
    """Length of the state of a smoothed stochastic."""
    return channel_size(length) + sma_size(smooth_k) + sma_size(smooth_d)


@shared
def stochastic_init(s: State, o: int, length: int, smooth_k: int, smooth_d: int) -> None:
    """Prepare a smoothed stochastic."""
    channel_init(s, o, length)
    sma_init(s, o + channel_size(length), smooth_k)
    sma_init(s, o + channel_size(length) + sma_size(smooth_k), smooth_d)


@compiled
def stochastic(s: State, o: int, high: float, low: float, close: float) -> tuple[float, float]:
    """K = sma(stoch, smooth_k) and D = sma(K, smooth_d)."""
    at_k = o + channel_size(int(s[o]))
    at_d = at_k + sma_size(int(s[at_k]))
    k = sma(s, at_k, stoch(s, o, close, high, low))
    return k, sma(s, at_d, k)


@shared
def ichimoku_size(conversion: int, base: int, lead: int) -> int:
    """Length of the state of an Ichimoku cloud."""
    return channel_size(conversion) + channel_size(base) + channel_size(lead)


@shared
def ichimoku_init(s: State, o: int, conversion: int, base: int, lead: int) -> None:
    """Prepare an Ichimoku cloud."""
    channel_init(s, o, conversion)
    channel_init(s, o + channel_size(conversion), base)
    channel_init(s, o + channel_size(conversion) + channel_size(base), lead)


@compiled
def _middle(s: State, o: int, high: float, low: float) -> float:
    top, bottom = channel(s, o, high, low)
    return (bottom + top) / 2.0


@compiled
def ichimoku(s: State, o: int, high: float, low: float) -> tuple[float, float, float, float]:
    """Conversion line, base line, leading spans A and B, not displaced."""
    at_base = o + channel_size(int(s[o]))
    at_lead = at_base + channel_size(int(s[at_base]))
    conversion = _middle(s, o, high, low)
    base = _middle(s, at_base, high, low)
    return conversion, base, (conversion + base) / 2.0, _middle(s, at_lead, high, low)
