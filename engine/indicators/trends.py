"""Which way a market goes: supertrend and directional movement."""

from math import isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.averages import rma, rma_init, rma_size
from engine.indicators.compare import TOLERANCE
from engine.indicators.ranges import atr, atr_init, atr_size, true_range
from engine.indicators.stream import ManyOutputs, check_lengths, prepared
from engine.indicators.warmup import rma_warmup

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


@compiled
def _supertrend_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1] = supertrend(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class Supertrend(ManyOutputs):
    """The band in force, hl2 -/+ `factor` * atr ratcheted, and 1 falling or -1 rising.

    Source: Seban; Pine, measured (pine_semantics 2).
    Warm-up: first band after `length` bars; cumulative, a band is carried until price closes beyond it.
    Units: those of price; 1 or -1.
    """

    name = "supertrend"
    pine_name = "ta.supertrend"
    inputs = ("high", "low", "close")
    outputs = ("value", "direction")
    cumulative = True
    examples = ((2.0, 5), (1.5, 1))
    in_pine = "ta.supertrend(2.0, 5)"
    step = _supertrend_step

    def __init__(self, factor: float = 3.0, length: int = 10) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(supertrend_size(length), supertrend_init, factor, length), 1, 1 + rma_warmup(length)
        )


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


@compiled
def _dmi_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = dmi(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class Dmi(ManyOutputs):
    """+DI, -DI and ADX.

    Source: Wilder, 1978; Pine, measured (pine_semantics 2).
    Warm-up: first DI after `length` + 1 bars, first ADX `smoothing` - 1 later; that of both averages.
    Units: 0 to 100.
    """

    name = "dmi"
    pine_name = "ta.dmi"
    inputs = ("high", "low", "close")
    outputs = ("plus", "minus", "adx")
    examples = ((5, 5), (3, 2), (1, 1))
    in_pine = "ta.dmi(5, 5)"
    in_talib = "PLUS_DI(high, low, close, 5), MINUS_DI(high, low, close, 5), ADX(high, low, close, 5)"
    step = _dmi_step

    def __init__(self, length: int = 14, smoothing: int = 14) -> None:
        check_lengths(length=length, smoothing=smoothing)
        super().__init__(
            prepared(dmi_size(length, smoothing), dmi_init, length, smoothing),
            length + 1,
            1 + rma_warmup(length) + rma_warmup(smoothing),
        )
