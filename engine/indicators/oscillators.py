"""Oscillators made of averages: cci, trix, ppo, macd; and ultosc of bars.

As in `averages`: `x_size`, `x_init` and `x` work on a region of a flat state that begins at `o`.
"""

from math import isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.averages import (
    AVERAGE_KINDS,
    AverageKind,
    average,
    average_init,
    average_size,
    ema,
    ema_init,
    ema_size,
    sma,
    sma_init,
    sma_size,
)
from engine.indicators.compare import TOLERANCE
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared
from engine.indicators.sums import queue_get, queue_init, queue_push, queue_size
from engine.indicators.warmup import average_warmup, ema_warmup


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
def mean_and_deviation(s: State, o: int, x: float) -> tuple[float, float]:
    """Sma, and the mean of |x[i] - sma| over the window, summed newest first. State: that of cci."""
    length = int(s[o])
    queue_push(s, o, x)
    mean = sma(s, o + queue_size(length), x)
    if isnan(mean) or length == 1:
        return mean, 0.0 * mean
    total = 0.0
    for age in range(length):
        total += abs(queue_get(s, o, age) - mean)
    return mean, total / length


@compiled
def cci(s: State, o: int, x: float) -> float:
    """(x - m) / (0.015 * d), m = sma, d = mean of |x[i] - m| over the window."""
    mean, deviation = mean_and_deviation(s, o, x)
    return (x - mean) / (0.015 * deviation)


@compiled
def _dev_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = mean_and_deviation(s, 0, rows[i, 0])[1]
    return 0


class Dev(SingleOutput):
    """Mean absolute deviation: the mean of |x[i] - sma| over `length` bars.

    Source: Pine, measured by PyneCore.
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "dev"
    pine_name = "ta.dev"
    in_pine = "ta.dev(x, 5)"
    step = _dev_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(cci_size(length), cci_init, length), length, length)


@compiled
def _cci_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = cci(s, 0, rows[i, 0])
    return 0


class Cci(SingleOutput):
    """(x - sma) / (0.015 * mean absolute deviation from it).

    Source: Lambert, 1980; Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: dimensionless, most within -100 to 100.
    """

    name = "cci"
    pine_name = "ta.cci"
    examples = ((5,), (2,))
    in_pine = "ta.cci(x, 5)"
    in_talib = "CCI(x, x, x, 5)"
    step = _cci_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(cci_size(length), cci_init, length), length, length)


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


@compiled
def _trix_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = trix(s, 0, rows[i, 0])
    return 0


class Trix(SingleOutput):
    """100 * (e3 / e3[1] - 1), e3 = ema of ema of ema.

    Source: Hutson, 1983; scripted in Pine (pine_semantics 2).
    Warm-up: first value after 3 * `length` - 1 bars; seeds weigh under 1e-12 after about 19 * `length`.
    Units: percent a bar.
    """

    name = "trix"
    in_pine = """
        e3: Series[float] = ta.ema(ta.ema(ta.ema(x, 5), 5), 5)
        na(float) if na(e3[1]) or e3[1] == 0 else 100 * (e3 / e3[1] - 1)
    """
    in_talib = "TRIX(x, 5)"
    step = _trix_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(trix_size(length), trix_init, length), 3 * length - 1, 1 + ema_warmup(length, 3)
        )


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


def _first_average(kind: int, length: int) -> int:
    return length if kind == 0 else kind * (length - 1) + 1


@compiled
def _ppo_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = ppo(s, 0, rows[i, 0])
    return 0


class Ppo(SingleOutput):
    """(fast - slow) / slow of two averages of one kind.

    Source: Appel; scripted in Pine (pine_semantics 2).
    Warm-up: that of the slower average.
    Units: percent.
    """

    name = "ppo"
    examples = ((5, 9, "ema"), (3, 5, "sma"), (3, 5, "dema"), (4, 2, "tema"))
    in_pine = """
        slow = ta.ema(x, 9)
        ((ta.ema(x, 5) - slow) / slow) * 100
    """
    in_talib = "PPO(x, 5, 9, 1)"
    step = _ppo_step

    def __init__(self, fast: int = 12, slow: int = 26, kind: AverageKind = "ema") -> None:
        check_lengths(fast=fast, slow=slow)
        super().__init__(
            prepared(ppo_size(fast, slow), ppo_init, AVERAGE_KINDS[kind], fast, slow),
            _first_average(AVERAGE_KINDS[kind], max(fast, slow)),
            average_warmup(AVERAGE_KINDS[kind], max(fast, slow)),
        )


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


@compiled
def _macd_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = macd(s, 0, rows[i, 0])
    return 0


class Macd(ManyOutputs):
    """Ema(fast) - ema(slow), its ema over `signal` bars, and their difference.

    Source: Appel, 1979; Pine, measured (pine_semantics 2).
    Warm-up: first macd after the slower length, first signal `signal` - 1 bars later; that of both averages.
    Units: those of x.
    """

    name = "macd"
    pine_name = "ta.macd"
    outputs = ("macd", "signal", "histogram")
    examples = ((4, 7, 3), (5, 3, 2))
    in_pine = "ta.macd(x, 4, 7, 3)"
    in_talib = "MACD(x, 4, 7, 3)"
    step = _macd_step

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        check_lengths(fast=fast, slow=slow, signal=signal)
        super().__init__(
            prepared(macd_size(fast, slow, signal), macd_init, fast, slow, signal),
            max(fast, slow),
            ema_warmup(max(fast, slow)) + ema_warmup(signal),
        )


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


@compiled
def _ultosc_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = ultosc(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class Ultosc(SingleOutput):
    """100 * (4 * a1 + 2 * a2 + a3) / 7 of buying pressure over true range in three windows.

    Source: Williams, 1976; scripted in Pine (pine_semantics 2).
    Warm-up: `length3` + 1 bars (the longest window if another is longer).
    Units: 0 to 100.
    """

    name = "ultosc"
    inputs = ("high", "low", "close")
    examples = ((3, 5, 9), (5, 3, 1))
    in_pine = """
        c: Series[float] = close
        before = nz(c[1], c)
        bought = c - math.min(low, before)
        spread = math.max(high, before) - math.min(low, before)
        b3, r3 = ta.sma(bought, 3), ta.sma(spread, 3)
        b5, r5 = ta.sma(bought, 5), ta.sma(spread, 5)
        b9, r9 = ta.sma(bought, 9), ta.sma(spread, 9)
        a3 = 0.0 if r3 * 3 == 0 else (b3 * 3) / (r3 * 3)
        a5 = 0.0 if r5 * 5 == 0 else (b5 * 5) / (r5 * 5)
        a9 = 0.0 if r9 * 9 == 0 else (b9 * 9) / (r9 * 9)
        na(float) if bar_index < 9 else 100 * ((4 * a3) + (2 * a5) + a9) / 7
    """
    in_talib = "ULTOSC(high, low, close, 3, 5, 9)"
    step = _ultosc_step

    def __init__(self, length1: int = 7, length2: int = 14, length3: int = 28) -> None:
        check_lengths(length1=length1, length2=length2, length3=length3)
        super().__init__(
            prepared(ultosc_size(length1, length2, length3), ultosc_init, length1, length2, length3),
            max(length1, length2, length3 + 1),
            max(length1, length2, length3) + 1,
        )
