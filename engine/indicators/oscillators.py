"""Oscillators of one price: change, roc, rsi, cci, cmo of both kinds, trix, ppo, macd; and ultosc of bars.

As in `averages`: `x_size`, `x_init` and `x` work on a region of a flat state that begins at `o`.
"""

from math import isnan, nan

from engine.compiled.functions import State, compiled, shared
from engine.indicators.averages import (
    average,
    average_init,
    average_size,
    ema,
    ema_init,
    ema_size,
    rma,
    rma_init,
    rma_size,
    sma,
    sma_init,
    sma_size,
)
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
def change_size(length: int) -> int:
    """Length of the state of a change or roc."""
    return queue_size(length)


@shared
def change_init(s: State, o: int, length: int) -> None:
    """Prepare a change or roc."""
    queue_init(s, o, length)


@compiled
def change(s: State, o: int, x: float) -> float:
    """X - x[length]; na where either is."""
    return x - queue_push(s, o, x)


@compiled
def roc(s: State, o: int, x: float) -> float:
    """100 * (x - x[length]) / x[length]."""
    old = queue_push(s, o, x)
    return 100.0 * (x - old) / old


@shared
def rsi_size(length: int) -> int:
    """Length of the state of an rsi."""
    return 1 + 2 * rma_size(length)


@shared
def rsi_init(s: State, o: int, length: int) -> None:
    """Prepare an rsi."""
    s[o] = nan
    rma_init(s, o + 1, length)
    rma_init(s, o + 1 + rma_size(length), length)


@compiled
def rsi(s: State, o: int, x: float) -> float:
    """100 - 100 / (1 + rma(rises) / rma(falls)); a side of at most 1e-10 saturates, the falls first."""
    if isnan(x):
        return nan
    before = s[o]
    s[o] = x
    if isnan(before):
        return nan
    up = rma(s, o + 1, max(x - before, 0.0))
    down = rma(s, o + 1 + rma_size(int(s[o + 1])), max(before - x, 0.0))
    if down <= TOLERANCE:
        return 100.0
    if up <= TOLERANCE:
        return 0.0
    return 100.0 - 100.0 / (1.0 + up / down)


@shared
def cci_size(length: int) -> int:
    """Length of the state of a cci."""
    return queue_size(length) + sma_size(length)


@shared
def cci_init(s: State, o: int, length: int) -> None:
    """Prepare a cci."""
    queue_init(s, o, length)
    sma_init(s, o + queue_size(length), length)


@compiled
def cci(s: State, o: int, x: float) -> float:
    """(x - m) / (0.015 * d), m = sma, d = mean of |x[i] - m| over the window, summed newest first."""
    length = int(s[o])
    queue_push(s, o, x)
    mean = sma(s, o + queue_size(length), x)
    if isnan(mean):
        return nan
    total = 0.0
    for age in range(length):
        total += abs(queue_get(s, o, age) - mean)
    deviation = total / length if length > 1 else 0.0
    return (x - mean) / (0.015 * deviation)


@shared
def cmo_size(length: int) -> int:
    """Length of the state of Pine's cmo."""
    return 1 + 2 * sum_size(length)


@shared
def cmo_init(s: State, o: int, length: int) -> None:
    """Prepare Pine's cmo."""
    s[o] = nan
    sum_init(s, o + 1, length)
    sum_init(s, o + 1 + sum_size(length), length)


@compiled
def cmo(s: State, o: int, x: float) -> float:
    """100 * (u - d) / (u + d) of the sums of rises and falls; a change above -1e-10 is a rise; 0/0 is na."""
    move = x - s[o]
    s[o] = x
    if isnan(move):
        return nan
    rising = move >= -TOLERANCE
    up = rolling_sum(s, o + 1, move if rising else 0.0)
    down = rolling_sum(s, o + 1 + sum_size(int(s[o + 1])), 0.0 if rising else -move)
    total = up + down
    if total == 0.0:
        return nan
    return 100.0 * (up - down) / total


@shared
def cmo_wilder_size(length: int) -> int:
    """Length of the state of Wilder's cmo."""
    return 1 + 2 * rma_size(length)


@shared
def cmo_wilder_init(s: State, o: int, length: int) -> None:
    """Prepare Wilder's cmo."""
    s[o] = nan
    rma_init(s, o + 1, length)
    rma_init(s, o + 1 + rma_size(length), length)


@compiled
def cmo_wilder(s: State, o: int, x: float) -> float:
    """100 * (g - l) / (g + l) of rma of rises and falls.

    The first bar's change is 0 and counts as a sample; the value is 0, not na, until there are `length`
    samples and where g + l is 0.
    """
    before = s[o]
    s[o] = x
    move = x - (x if isnan(before) else before)
    gain = rma(s, o + 1, move if move > 0.0 else move * 0.0)
    loss = rma(s, o + 1 + rma_size(int(s[o + 1])), -move if move < 0.0 else move * 0.0)
    total = gain + loss
    if not total > TOLERANCE:
        return 0.0
    return 100.0 * (gain - loss) / total


@shared
def trix_size(length: int) -> int:
    """Length of the state of a trix."""
    return 1 + 3 * ema_size(length)


@shared
def trix_init(s: State, o: int, length: int) -> None:
    """Prepare a trix."""
    s[o] = nan
    for k in range(3):
        ema_init(s, o + 1 + k * ema_size(length), length)


@compiled
def trix(s: State, o: int, x: float) -> float:
    """100 * (e3 / e3[1] - 1), e3 = ema of ema of ema; na while e3[1] is na or 0."""
    size = ema_size(int(s[o + 1]))
    e = ema(s, o + 1 + 2 * size, ema(s, o + 1 + size, ema(s, o + 1, x)))
    before = s[o]
    s[o] = e
    if before == 0.0:
        return nan
    return 100.0 * (e / before - 1.0)


@shared
def ppo_size(fast: int, slow: int) -> int:
    """Length of the state of a ppo."""
    return 1 + average_size(fast) + average_size(slow)


@shared
def ppo_init(s: State, o: int, kind: int, fast: int, slow: int) -> None:
    """Prepare a ppo of averages of one kind."""
    s[o] = average_size(fast)
    average_init(s, o + 1, kind, fast)
    average_init(s, o + 1 + average_size(fast), kind, slow)


@compiled
def ppo(s: State, o: int, x: float) -> float:
    """((fast - slow) / slow) * 100 of two moving averages."""
    fast = average(s, o + 1, x)
    slow = average(s, o + 1 + int(s[o]), x)
    return ((fast - slow) / slow) * 100.0


@shared
def ultosc_size(length1: int, length2: int, length3: int) -> int:
    """Length of the state of an ultimate oscillator."""
    return 2 + 2 * (sma_size(length1) + sma_size(length2) + sma_size(length3))


@shared
def ultosc_init(s: State, o: int, length1: int, length2: int, length3: int) -> None:
    """Prepare an ultimate oscillator."""
    s[o] = nan
    at = o + 2
    for length in (length1, length2, length3):
        sma_init(s, at, length)
        sma_init(s, at + sma_size(length), length)
        at += 2 * sma_size(length)


@compiled
def _pressure(s: State, o: int, bought: float, true_range: float) -> float:
    length = s[o]
    above = sma(s, o, bought) * length
    under = sma(s, o + sma_size(int(length)), true_range) * length
    return 0.0 if abs(under) <= TOLERANCE else above / under


@compiled
def ultosc(s: State, o: int, high: float, low: float, close: float) -> float:
    """100 * (4 * a1 + 2 * a2 + a3) / 7 of buying pressure over true range in three windows.

    The first bar's previous close is its own. na for the first `length3` bars.
    """
    before = close if isnan(s[o]) else s[o]
    s[o] = close
    bar = s[o + 1]
    s[o + 1] = bar + 1.0
    bottom = min(low, before)
    bought = close - bottom
    true_range = max(high, before) - bottom
    at1 = o + 2
    at2 = at1 + 2 * sma_size(int(s[at1]))
    at3 = at2 + 2 * sma_size(int(s[at2]))
    a1 = _pressure(s, at1, bought, true_range)
    a2 = _pressure(s, at2, bought, true_range)
    a3 = _pressure(s, at3, bought, true_range)
    if bar < s[at3]:
        return nan
    return 100.0 * ((4.0 * a1) + (2.0 * a2) + a3) / 7.0


@shared
def macd_size(fast: int, slow: int, signal: int) -> int:
    """Length of the state of a macd."""
    return ema_size(fast) + ema_size(slow) + ema_size(signal)


@shared
def macd_init(s: State, o: int, fast: int, slow: int, signal: int) -> None:
    """Prepare a macd."""
    ema_init(s, o, fast)
    ema_init(s, o + ema_size(fast), slow)
    ema_init(s, o + ema_size(fast) + ema_size(slow), signal)


@compiled
def macd(s: State, o: int, x: float) -> tuple[float, float, float]:
    """Ema(x, fast) - ema(x, slow), its ema, and the difference of the two."""
    at_slow = o + ema_size(int(s[o]))
    line = ema(s, o, x) - ema(s, at_slow, x)
    signal = ema(s, at_slow + ema_size(int(s[at_slow])), line)
    return line, signal, line - signal
