"""Oscillators as objects."""

from engine.compiled.functions import Rows, State, compiled
from engine.indicators.averages import AVERAGE_KINDS, AverageKind
from engine.indicators.extremes import (
    aroon,
    channel_init,
    channel_size,
    stochastic,
    stochastic_init,
    stochastic_size,
    wpr,
)
from engine.indicators.oscillators import (
    cci,
    cci_init,
    cci_size,
    change,
    change_init,
    change_size,
    cmo,
    cmo_init,
    cmo_size,
    cmo_wilder,
    cmo_wilder_init,
    cmo_wilder_size,
    macd,
    macd_init,
    macd_size,
    ppo,
    ppo_init,
    ppo_size,
    roc,
    rsi,
    rsi_init,
    rsi_size,
    trix,
    trix_init,
    trix_size,
    ultosc,
    ultosc_init,
    ultosc_size,
)
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared
from engine.indicators.volumes import mfi, mfi_init, mfi_size
from engine.indicators.warmup import average_warmup, ema_warmup, rma_warmup


def _first_average(kind: int, length: int) -> int:
    return length if kind == 0 else kind * (length - 1) + 1


@compiled
def _mom_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = change(s, 0, rows[i, 0])
    return 0


class Mom(SingleOutput):
    """x - x[length].

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` + 1 bars.
    Units: those of x.
    """

    name = "mom"
    pine_name = "ta.mom"
    step = _mom_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(change_size(length), change_init, length), length + 1, length + 1)


@compiled
def _roc_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = roc(s, 0, rows[i, 0])
    return 0


class Roc(SingleOutput):
    """100 * (x - x[length]) / x[length].

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` + 1 bars.
    Units: percent.
    """

    name = "roc"
    pine_name = "ta.roc"
    step = _roc_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(change_size(length), change_init, length), length + 1, length + 1)


@compiled
def _rsi_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = rsi(s, 0, rows[i, 0])
    return 0


class Rsi(SingleOutput):
    """100 - 100 / (1 + rma(rises) / rma(falls)).

    Source: Wilder, 1978; Pine, measured (pine_semantics 2).
    Warm-up: first value after `length` + 1 bars; the seed weighs under 1e-12 after about 28 * `length`.
    Units: 0 to 100.
    """

    name = "rsi"
    pine_name = "ta.rsi"
    step = _rsi_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(rsi_size(length), rsi_init, length), length + 1, 1 + rma_warmup(length))


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
    step = _cci_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(cci_size(length), cci_init, length), length, length)


@compiled
def _cmo_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = cmo(s, 0, rows[i, 0])
    return 0


class Cmo(SingleOutput):
    """100 * (u - d) / (u + d) of the sums of rises and falls.

    Source: Chande, 1994; Pine, measured (pine_semantics 2).
    Warm-up: `length` + 1 bars.
    Units: -100 to 100.
    """

    name = "cmo"
    pine_name = "ta.cmo"
    step = _cmo_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(cmo_size(length), cmo_init, length), length + 1, length + 1)


@compiled
def _cmo_wilder_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = cmo_wilder(s, 0, rows[i, 0])
    return 0


class CmoWilder(SingleOutput):
    """100 * (g - l) / (g + l) of rma of rises and falls; 0 until there are `length` samples.

    Source: TA-Lib's form as scripted in Pine (pine_semantics 2).
    Warm-up: first real value after `length` bars; the seed weighs under 1e-12 after about 28 * `length`.
    Units: -100 to 100.
    """

    name = "cmo_wilder"
    step = _cmo_wilder_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(cmo_wilder_size(length), cmo_wilder_init, length), 1, 1 + rma_warmup(length)
        )


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
    step = _trix_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(trix_size(length), trix_init, length), 3 * length - 1, 1 + ema_warmup(length, 3)
        )


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
    step = _ppo_step

    def __init__(self, fast: int = 12, slow: int = 26, kind: AverageKind = "ema") -> None:
        check_lengths(fast=fast, slow=slow)
        super().__init__(
            prepared(ppo_size(fast, slow), ppo_init, AVERAGE_KINDS[kind], fast, slow),
            _first_average(AVERAGE_KINDS[kind], max(fast, slow)),
            average_warmup(AVERAGE_KINDS[kind], max(fast, slow)),
        )


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
    step = _macd_step

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        check_lengths(fast=fast, slow=slow, signal=signal)
        super().__init__(
            prepared(macd_size(fast, slow, signal), macd_init, fast, slow, signal),
            max(fast, slow),
            ema_warmup(max(fast, slow)) + ema_warmup(signal),
        )


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
    step = _ultosc_step

    def __init__(self, length1: int = 7, length2: int = 14, length3: int = 28) -> None:
        check_lengths(length1=length1, length2=length2, length3=length3)
        super().__init__(
            prepared(ultosc_size(length1, length2, length3), ultosc_init, length1, length2, length3),
            max(length1, length2, length3 + 1),
            max(length1, length2, length3) + 1,
        )


@compiled
def _stochastic_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1] = stochastic(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class Stochastic(ManyOutputs):
    """K = sma of 100 * (close - lowest) / (highest - lowest), D = sma of K.

    Source: Lane; Pine, measured (pine_semantics 2).
    Warm-up: `length` + `smooth_k` + `smooth_d` - 2 bars.
    Units: 0 to 100.
    """

    name = "stochastic"
    pine_name = "ta.stoch"
    inputs = ("high", "low", "close")
    outputs = ("k", "d")
    step = _stochastic_step

    def __init__(self, length: int = 14, smooth_k: int = 1, smooth_d: int = 3) -> None:
        check_lengths(length=length, smooth_k=smooth_k, smooth_d=smooth_d)
        super().__init__(
            prepared(
                stochastic_size(length, smooth_k, smooth_d), stochastic_init, length, smooth_k, smooth_d
            ),
            length + smooth_k - 1,
            length + smooth_k + smooth_d - 2,
        )


@compiled
def _williams_r_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = wpr(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class WilliamsR(SingleOutput):
    """100 * (close - highest) / (highest - lowest).

    Source: Williams; Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: -100 to 0.
    """

    name = "williams_r"
    pine_name = "ta.wpr"
    inputs = ("high", "low", "close")
    step = _williams_r_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(channel_size(length), channel_init, length), length, length)


@compiled
def _aroon_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1] = aroon(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Aroon(ManyOutputs):
    """100 * (length - bars since the extreme) / length, over `length` + 1 bars.

    Source: Chande, 1995; Pine's built-in indicator on ta.highestbars and ta.lowestbars.
    Warm-up: `length` + 1 bars.
    Units: 0 to 100.
    """

    name = "aroon"
    inputs = ("high", "low")
    outputs = ("up", "down")
    step = _aroon_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(channel_size(length + 1), channel_init, length + 1), length + 1, length + 1)


@compiled
def _mfi_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = mfi(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Mfi(SingleOutput):
    """100 - 100 / (1 + inflow / outflow) of volume * x on rising and falling bars.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: first value after `length` bars; the first bar counts as both, so `length` + 1.
    Units: 0 to 100.
    """

    name = "mfi"
    pine_name = "ta.mfi"
    inputs = ("x", "volume")
    step = _mfi_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(mfi_size(length), mfi_init, length), length, length + 1)
