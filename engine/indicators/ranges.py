"""True range and what stands on it: atr, Keltner channels, supertrend, directional movement."""

from math import isnan, nan

from engine.compiled.functions import State, compiled, shared
from engine.indicators.averages import ema, ema_init, ema_size, rma, rma_init, rma_size
from engine.indicators.compare import TOLERANCE


@shared
def true_range_init(s: State, o: int) -> None:
    """Prepare a true range; its state is one number, the previous close."""
    s[o] = nan


@compiled
def true_range(s: State, o: int, high: float, low: float, close: float, handle_na: bool) -> float:
    """Largest of high - low, |high - close[1]|, |low - close[1]|.

    On the first bar high - low with `handle_na`, na without.
    """
    before = s[o]
    s[o] = close
    if isnan(before):
        return high - low if handle_na else nan
    return max(high - low, abs(high - before), abs(low - before))


@shared
def atr_size(length: int) -> int:
    """Length of the state of an atr."""
    return 1 + rma_size(length)


@shared
def atr_init(s: State, o: int, length: int) -> None:
    """Prepare an atr."""
    true_range_init(s, o)
    rma_init(s, o + 1, length)


@compiled
def atr(s: State, o: int, high: float, low: float, close: float) -> float:
    """Rma of the true range, whose first value is high - low."""
    return rma(s, o + 1, true_range(s, o, high, low, close, True))


@shared
def keltner_size(length: int) -> int:
    """Length of the state of Keltner channels."""
    return 2 + 2 * ema_size(length)


@shared
def keltner_init(s: State, o: int, length: int, multiplier: float) -> None:
    """Prepare Keltner channels."""
    s[o] = multiplier
    true_range_init(s, o + 1)
    ema_init(s, o + 2, length)
    ema_init(s, o + 2 + ema_size(length), length)


@compiled
def keltner(s: State, o: int, x: float, high: float, low: float, close: float) -> tuple[float, float, float]:
    """Middle = ema(x); upper and lower are multiplier * ema(true range) away, na on the first bar."""
    middle = ema(s, o + 2, x)
    span = ema(s, o + 2 + ema_size(int(s[o + 2])), true_range(s, o + 1, high, low, close, False))
    if isnan(middle):
        return nan, nan, nan
    width = span * s[o]
    return middle, middle + width, middle - width


_FACTOR, _LOWER, _UPPER, _CLOSE, _DIRECTION, _VALUE, _BAR, _ATR = 0, 1, 2, 3, 4, 5, 6, 7


@shared
def supertrend_size(length: int) -> int:
    """Length of the state of a supertrend."""
    return _ATR + atr_size(length)


@shared
def supertrend_init(s: State, o: int, factor: float, length: int) -> None:
    """Prepare a supertrend."""
    s[o + _FACTOR] = factor
    s[o + _DIRECTION] = nan
    atr_init(s, o + _ATR, length)


@compiled
def supertrend(s: State, o: int, high: float, low: float, close: float) -> tuple[float, float]:
    """Band in force and direction: 1 falling (the upper band), -1 rising (the lower band).

    Bands are hl2 -/+ factor * atr and move only towards price until price has closed beyond them. Pine gives
    (0, 1) on the first bar, and (na, 1) until there is an atr.
    """
    middle = (high + low) / 2.0
    spread = s[o + _FACTOR] * atr(s, o + _ATR, high, low, close)
    first_bar = s[o + _BAR] == 0.0
    s[o + _BAR] = 1.0
    if first_bar:
        return 0.0, 1.0
    before = s[o + _DIRECTION]
    if isnan(middle) or isnan(spread):
        return nan, 1.0 if isnan(before) else before
    upper, lower = middle + spread, middle - spread
    direction = 1.0
    if not isnan(before):
        old_upper, old_lower, old_close = s[o + _UPPER], s[o + _LOWER], s[o + _CLOSE]
        if not (lower > old_lower or old_close < old_lower):
            lower = old_lower
        if not (upper < old_upper or old_close > old_upper):
            upper = old_upper
        if s[o + _VALUE] == old_upper:
            direction = -1.0 if close > upper else 1.0
        else:
            direction = 1.0 if close < lower else -1.0
    value = upper if direction == 1.0 else lower
    s[o + _LOWER] = lower
    s[o + _UPPER] = upper
    s[o + _CLOSE] = close
    s[o + _DIRECTION] = direction
    s[o + _VALUE] = value
    return value, direction


@shared
def dmi_size(length: int, smoothing: int) -> int:
    """Length of the state of a directional movement."""
    return 3 + 3 * rma_size(length) + rma_size(smoothing)


@shared
def dmi_init(s: State, o: int, length: int, smoothing: int) -> None:
    """Prepare a directional movement."""
    size = rma_size(length)
    for k in range(3):
        s[o + k] = nan
        rma_init(s, o + 3 + k * size, length)
    rma_init(s, o + 3 + 3 * size, smoothing)


@compiled
def dmi(s: State, o: int, high: float, low: float, close: float) -> tuple[float, float, float]:
    """+DI, -DI and ADX: rma of the larger of the moves up and down, in percent of rma of the true range."""
    up = high - s[o + 1]
    down = s[o + 2] - low
    s[o + 1] = high
    s[o + 2] = low
    size = rma_size(int(s[o + 3]))
    spread = rma(s, o + 3, true_range(s, o, high, low, close, False))
    plus = minus = nan
    if not (isnan(up) or isnan(down)):
        plus = up if up - down > TOLERANCE and up > TOLERANCE else 0.0
        minus = down if down - up > TOLERANCE and down > TOLERANCE else 0.0
    plus = rma(s, o + 3 + size, plus)
    minus = rma(s, o + 3 + 2 * size, minus)
    if isnan(spread) or isnan(plus) or isnan(minus) or spread == 0.0:
        return nan, nan, nan
    plus = 100.0 * plus / spread
    minus = 100.0 * minus / spread
    total = plus + minus
    index = rma(s, o + 3 + 3 * size, abs(plus - minus) / (total if total != 0.0 else 1.0)) * 100.0
    return plus, minus, index
