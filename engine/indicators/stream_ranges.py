"""Ranges, bands and channels as objects."""

from engine.compiled.functions import Rows, State, compiled
from engine.indicators.deviation import (
    bollinger,
    bollinger_init,
    bollinger_size,
    stdev,
    stdev_init,
    stdev_size,
)
from engine.indicators.extremes import (
    channel,
    channel_init,
    channel_size,
    extreme_init,
    extreme_size,
    highest,
    ichimoku,
    ichimoku_init,
    ichimoku_size,
    lowest,
)
from engine.indicators.ranges import (
    atr,
    atr_init,
    atr_size,
    dmi,
    dmi_init,
    dmi_size,
    keltner,
    keltner_init,
    keltner_size,
    supertrend,
    supertrend_init,
    supertrend_size,
    true_range,
    true_range_init,
)
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared
from engine.indicators.warmup import ema_warmup, rma_warmup


@compiled
def _donchian(s: State, o: int, high: float, low: float) -> tuple[float, float, float]:
    top, bottom = channel(s, o, high, low)
    return top, (top + bottom) / 2.0, bottom


def _true_range_init(s: State, o: int, handle_na: float) -> None:
    s[o] = handle_na
    true_range_init(s, o + 1)


@compiled
def _highest_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = highest(s, 0, rows[i, 0])
    return 0


class Highest(SingleOutput):
    """Largest of the last `length` values.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "highest"
    pine_name = "ta.highest"
    step = _highest_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(extreme_size(length), extreme_init, length), length, length)


@compiled
def _lowest_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = lowest(s, 0, rows[i, 0])
    return 0


class Lowest(SingleOutput):
    """Smallest of the last `length` values.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "lowest"
    pine_name = "ta.lowest"
    step = _lowest_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(extreme_size(length), extreme_init, length), length, length)


@compiled
def _donchian_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = _donchian(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Donchian(ManyOutputs):
    """Highest high, lowest low, and their mean between them.

    Source: Donchian; ta.highest and ta.lowest.
    Warm-up: `length` bars.
    Units: those of price.
    """

    name = "donchian"
    inputs = ("high", "low")
    outputs = ("upper", "middle", "lower")
    step = _donchian_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(channel_size(length), channel_init, length), length, length)


@compiled
def _ichimoku_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2], outs[i, 3] = ichimoku(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Ichimoku(ManyOutputs):
    """Middles of three channels, and lead A, the mean of the first two; none is displaced.

    Source: Hosoda; Pine's built-in indicator. The chart shows the leads `base` - 1 bars later.
    Warm-up: the longest of the three.
    Units: those of price.
    """

    name = "ichimoku"
    inputs = ("high", "low")
    outputs = ("conversion", "base", "lead_a", "lead_b")
    step = _ichimoku_step

    def __init__(self, conversion: int = 9, base: int = 26, lead: int = 52) -> None:
        check_lengths(conversion=conversion, base=base, lead=lead)
        super().__init__(
            prepared(ichimoku_size(conversion, base, lead), ichimoku_init, conversion, base, lead),
            min(conversion, base),
            max(conversion, base, lead),
        )


@compiled
def _stdev_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = stdev(s, 0, rows[i, 0])
    return 0


class Stdev(SingleOutput):
    """Biased standard deviation: sqrt(max(0, q / n - m * m)) of rolling sums.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "stdev"
    pine_name = "ta.stdev"
    step = _stdev_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(stdev_size(length), stdev_init, length), length, length)


@compiled
def _bollinger_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = bollinger(s, 0, rows[i, 0])
    return 0


class Bollinger(ManyOutputs):
    """Sma, and `multiplier` standard deviations above and below.

    Source: Bollinger; Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "bollinger"
    pine_name = "ta.bb"
    outputs = ("middle", "upper", "lower")
    step = _bollinger_step

    def __init__(self, length: int = 20, multiplier: float = 2.0) -> None:
        check_lengths(length=length)
        super().__init__(prepared(bollinger_size(length), bollinger_init, length, multiplier), length, length)


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
    step = _true_range_step

    def __init__(self, handle_na: bool = False) -> None:
        super().__init__(prepared(2, _true_range_init, float(handle_na)), 1 if handle_na else 2, 2)


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
    step = _atr_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(atr_size(length), atr_init, length), length, 1 + rma_warmup(length))


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
    step = _keltner_step

    def __init__(self, length: int = 20, multiplier: float = 2.0) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(keltner_size(length), keltner_init, length, multiplier), length, 1 + ema_warmup(length)
        )


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
    step = _supertrend_step

    def __init__(self, factor: float = 3.0, length: int = 10) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(supertrend_size(length), supertrend_init, factor, length), 1, 1 + rma_warmup(length)
        )


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
    step = _dmi_step

    def __init__(self, length: int = 14, smoothing: int = 14) -> None:
        check_lengths(length=length, smoothing=smoothing)
        super().__init__(
            prepared(dmi_size(length, smoothing), dmi_init, length, smoothing),
            length + 1,
            1 + rma_warmup(length) + rma_warmup(smoothing),
        )
