"""True range and what stands on it: atr, Keltner channels."""

from math import isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.averages import ema, ema_init, ema_size, rma, rma_init, rma_size
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared
from engine.indicators.warmup import ema_warmup, rma_warmup


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


def _true_range_init(s: State, o: int, handle_na: float) -> None:
    s[o] = handle_na
    true_range_init(s, o + 1)


@compiled
def _true_range_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = true_range(s, 1, rows[i, 0], rows[i, 1], rows[i, 2], s[0] != 0.0)
    return 0


class TrueRange(SingleOutput):
    """Largest of high - low, |high - close[1]|, |low - close[1]|.

    Source: Wilder, 1978; Pine, measured (pine_semantics 2).
    Warm-up: 2 bars; with `handle_na` the first is high - low.
    Units: those of price.
    """

    name = "true_range"
    pine_name = "ta.tr"
    inputs = ("high", "low", "close")
    examples = ((False,), (True,))
    in_pine = "ta.tr"
    in_talib = "TRANGE(high, low, close)"
    step = _true_range_step

    def __init__(self, handle_na: bool = False) -> None:
        super().__init__(prepared(2, _true_range_init, float(handle_na)), 1 if handle_na else 2, 2)


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


@compiled
def _atr_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = atr(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class Atr(SingleOutput):
    """Rma of the true range, whose first value is high - low.

    Source: Wilder, 1978; Pine, measured (pine_semantics 2).
    Warm-up: first value after `length` bars; the seed weighs under 1e-12 after about 28 * `length`.
    Units: those of price.
    """

    name = "atr"
    pine_name = "ta.atr"
    inputs = ("high", "low", "close")
    in_pine = "ta.atr(5)"
    in_talib = "ATR(high, low, close, 5)"
    step = _atr_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(atr_size(length), atr_init, length), length, 1 + rma_warmup(length))


@compiled
def _atr_percent_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 100.0 * atr(s, 0, rows[i, 0], rows[i, 1], rows[i, 2]) / rows[i, 2]
    return 0


class AtrPercent(SingleOutput):
    """Atr in percent of the close, comparable between markets and years.

    Source: atr, Wilder, 1978, over the close.
    Warm-up: first value after `length` bars; the seed weighs under 1e-12 after about 28 * `length`.
    Units: percent of price.
    """

    name = "atr_percent"
    inputs = ("high", "low", "close")
    in_pine = "100 * ta.atr(5) / close"
    in_talib = "NATR(high, low, close, 5)"
    step = _atr_percent_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(atr_size(length), atr_init, length), length, 1 + rma_warmup(length))


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


@compiled
def _keltner_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = keltner(s, 0, rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3])
    return 0


class Keltner(ManyOutputs):
    """Ema of x, and `multiplier` times the ema of the true range above and below.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: first bands after `length` + 1 bars; the seeds weigh under 1e-12 after about 14 * `length`.
    Units: those of price.
    """

    name = "keltner"
    pine_name = "ta.kc"
    inputs = ("x", "high", "low", "close")
    outputs = ("middle", "upper", "lower")
    examples = ((6, 1.5), (1, 2.0))
    in_pine = "ta.kc(close, 6, 1.5)"
    step = _keltner_step

    def __init__(self, length: int = 20, multiplier: float = 2.0) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(keltner_size(length), keltner_init, length, multiplier), length, 1 + ema_warmup(length)
        )
