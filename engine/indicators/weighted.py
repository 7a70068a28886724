"""Averages with weights: wma, hma, vwma."""

from math import exp, isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.averages import sma, sma_init, sma_size
from engine.indicators.stream import SingleOutput, check_lengths, prepared
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


@compiled
def _wma_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = wma(s, 0, rows[i, 0])
    return 0


class Wma(SingleOutput):
    """Linearly weighted: sum of (length - i) * x[i] over length * (length + 1) / 2.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "wma"
    pine_name = "ta.wma"
    in_pine = "ta.wma(x, 5)"
    in_talib = "WMA(x, 5)"
    step = _wma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(wma_size(length), wma_init, length), length, length)


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


@compiled
def _hma_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = hma(s, 0, rows[i, 0])
    return 0


class Hma(SingleOutput):
    """Hull: wma(2 * wma(x, length // 2) - wma(x, length), floor(sqrt(length))); `length` from 2 up.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` + floor(sqrt(`length`)) - 1 bars.
    Units: those of x.
    """

    name = "hma"
    pine_name = "ta.hma"
    examples = ((9,), (2,))
    in_pine = "ta.hma(x, 9)"
    step = _hma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(hma_size(length), hma_init, length),
            length + int(length**0.5) - 1,
            length + int(length**0.5) - 1,
        )


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


@compiled
def _vwma_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = vwma(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Vwma(SingleOutput):
    """Sma(x * volume) / sma(volume).

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "vwma"
    pine_name = "ta.vwma"
    inputs = ("x", "volume")
    in_pine = "ta.vwma(x, 5)"
    step = _vwma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(vwma_size(length), vwma_init, length), length, length)


@compiled
def swma(s: State, o: int, x: float) -> float:
    """(x + 2 * x[1] + 2 * x[2] + x[3]) / 6; its state is a queue of four."""
    queue_push(s, o, x)
    return (x + 2.0 * queue_get(s, o, 1) + 2.0 * queue_get(s, o, 2) + queue_get(s, o, 3)) / 6.0


@compiled
def _swma_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = swma(s, 0, rows[i, 0])
    return 0


class Swma(SingleOutput):
    """Symmetrically weighted mean of four bars: 1, 2, 2 and 1 sixths.

    Source: Pine.
    Warm-up: 4 bars.
    Units: those of x.
    """

    name = "swma"
    pine_name = "ta.swma"
    examples = ((),)
    in_pine = "ta.swma(x)"
    step = _swma_step

    def __init__(self) -> None:
        super().__init__(prepared(queue_size(4), queue_init, 4), 4, 4)


@shared
def alma_size(length: int) -> int:
    """Length of the state of an alma."""
    return queue_size(length) + length


@shared
def alma_init(s: State, o: int, length: int, offset: float, sigma: float) -> None:
    """Prepare an alma: weights are a bell around `offset` of the window, oldest first, and sum to 1."""
    queue_init(s, o, length)
    at = o + queue_size(length)
    middle, width = offset * (length - 1), length / sigma
    total = 0.0
    for k in range(length):
        s[at + k] = exp(-((k - middle) * (k - middle)) / (2.0 * (width * width)))
        total += s[at + k]
    for k in range(length):
        s[at + k] = s[at + k] / total


@compiled
def alma(s: State, o: int, x: float) -> float:
    """Weighted sum of the window, oldest first; na where one in it is."""
    length = int(s[o])
    at = o + queue_size(length)
    queue_push(s, o, x)
    total = 0.0
    for k in range(length):
        total += queue_get(s, o, length - 1 - k) * s[at + k]
    return total


@compiled
def _alma_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = alma(s, 0, rows[i, 0])
    return 0


class Alma(SingleOutput):
    """Arnaud Legoux's average: weights are a bell around `offset` of the window, `length` / `sigma` wide.

    Source: Legoux and Kouzis-Loukas, 2009; Pine, measured by PyneCore.
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "alma"
    pine_name = "ta.alma"
    examples = ((5, 0.85, 6.0), (1, 0.85, 6.0))
    in_pine = "ta.alma(x, 5, 0.85, 6.0)"
    step = _alma_step

    def __init__(self, length: int, offset: float = 0.85, sigma: float = 6.0) -> None:
        check_lengths(length=length)
        super().__init__(prepared(alma_size(length), alma_init, length, offset, sigma), length, length)
