"""Moving averages as compiled updates over a flat state: sma, ema, rma, dema, tema.

`x_size(length)` is the length of the state region, `x_init(s, o, length)` prepares it, `x(s, o, value)`
advances it. Seeding and na rules are Pine's (pine_semantics 2): an na input is skipped whole.
"""

from math import isnan, nan
from typing import Literal

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.stream import SingleOutput, check_lengths, prepared
from engine.indicators.sums import rolling_sum, sum_init, sum_size
from engine.indicators.warmup import ema_warmup, rma_warmup

SMA, EMA, DEMA, TEMA = 0, 1, 2, 3
"""Kinds for `average`; the numbers are those of the reference scripts' `matype` input."""


AverageKind = Literal["sma", "ema", "dema", "tema"]


AVERAGE_KINDS: dict[AverageKind, int] = {"sma": SMA, "ema": EMA, "dema": DEMA, "tema": TEMA}
"""The kinds by name."""


@shared
def sma_size(length: int) -> int:
    """Length of the state of an sma."""
    return sum_size(length)


@shared
def sma_init(s: State, o: int, length: int) -> None:
    """Prepare an sma."""
    sum_init(s, o, length)


@compiled
def sma(s: State, o: int, x: float) -> float:
    """Rolling sum over `length`."""
    return rolling_sum(s, o, x) / s[o]


@compiled
def _sma_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = sma(s, 0, rows[i, 0])
    return 0


class Sma(SingleOutput):
    """Mean of the last `length` values, from a compensated rolling sum.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "sma"
    pine_name = "ta.sma"
    in_pine = "ta.sma(x, 5)"
    in_talib = "SMA(x, 5)"
    step = _sma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(sma_size(length), sma_init, length), length, length)


@shared
def ema_size(length: int) -> int:
    """Length of the state of an ema."""
    return 2 + sum_size(length)


@shared
def ema_init(s: State, o: int, length: int) -> None:
    """Prepare an ema."""
    s[o] = length
    s[o + 1] = nan
    sum_init(s, o + 2, length)


@compiled
def ema(s: State, o: int, x: float) -> float:
    """First the sma on the bar where it exists, then e + 2 / (length + 1) * (x - e)."""
    length = s[o]
    if length == 1.0 or isnan(x):
        return x
    e = s[o + 1]
    e = sma(s, o + 2, x) if isnan(e) else e + 2.0 / (length + 1.0) * (x - e)
    s[o + 1] = e
    return e


@compiled
def _ema_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = ema(s, 0, rows[i, 0])
    return 0


class Ema(SingleOutput):
    """First the sma, then e + 2 / (length + 1) * (x - e).

    Source: Pine, measured (pine_semantics 2).
    Warm-up: first value after `length` bars; the seed weighs under 1e-12 after about 14 * `length`.
    Units: those of x.
    """

    name = "ema"
    pine_name = "ta.ema"
    in_pine = "ta.ema(x, 5)"
    in_talib = "EMA(x, 5)"
    step = _ema_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(ema_size(length), ema_init, length), length, ema_warmup(length))


@shared
def rma_size(length: int) -> int:
    """Length of the state of an rma."""
    return ema_size(length)


@shared
def rma_init(s: State, o: int, length: int) -> None:
    """Prepare an rma."""
    ema_init(s, o, length)


@compiled
def rma(s: State, o: int, x: float) -> float:
    """First the sma on the bar where it exists, then (r * (length - 1) + x) / length."""
    length = s[o]
    if length == 1.0 or isnan(x):
        return x
    r = s[o + 1]
    r = sma(s, o + 2, x) if isnan(r) else (r * (length - 1.0) + x) / length
    s[o + 1] = r
    return r


@compiled
def _rma_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = rma(s, 0, rows[i, 0])
    return 0


class Rma(SingleOutput):
    """Wilder's average: first the sma, then (r * (length - 1) + x) / length.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: first value after `length` bars; the seed weighs under 1e-12 after about 28 * `length`.
    Units: those of x.
    """

    name = "rma"
    pine_name = "ta.rma"
    in_pine = "ta.rma(x, 5)"
    step = _rma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(rma_size(length), rma_init, length), length, rma_warmup(length))


@shared
def dema_size(length: int) -> int:
    """Length of the state of a dema."""
    return 2 * ema_size(length)


@shared
def dema_init(s: State, o: int, length: int) -> None:
    """Prepare a dema."""
    ema_init(s, o, length)
    ema_init(s, o + ema_size(length), length)


@compiled
def dema(s: State, o: int, x: float) -> float:
    """2 * ema - ema of ema."""
    e1 = ema(s, o, x)
    e2 = ema(s, o + ema_size(int(s[o])), e1)
    return 2.0 * e1 - e2


@compiled
def _dema_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = dema(s, 0, rows[i, 0])
    return 0


class Dema(SingleOutput):
    """2 * ema - ema of ema.

    Source: Mulloy, 1994, on Pine's ema.
    Warm-up: first value after 2 * `length` - 1 bars; seeds weigh under 1e-12 after about 16 * `length`.
    Units: those of x.
    """

    name = "dema"
    in_pine = """
        e1 = ta.ema(x, 5)
        2 * e1 - ta.ema(e1, 5)
    """
    in_talib = "DEMA(x, 5)"
    step = _dema_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(dema_size(length), dema_init, length), 2 * length - 1, ema_warmup(length, 2)
        )


@shared
def tema_size(length: int) -> int:
    """Length of the state of a tema, and of `average` of any kind."""
    return 3 * ema_size(length)


@shared
def tema_init(s: State, o: int, length: int) -> None:
    """Prepare a tema."""
    size = ema_size(length)
    ema_init(s, o, length)
    ema_init(s, o + size, length)
    ema_init(s, o + 2 * size, length)


@compiled
def tema(s: State, o: int, x: float) -> float:
    """3 * (ema1 - ema2) + ema3, each the ema of the one before."""
    size = ema_size(int(s[o]))
    e1 = ema(s, o, x)
    e2 = ema(s, o + size, e1)
    e3 = ema(s, o + 2 * size, e2)
    return 3.0 * (e1 - e2) + e3


@compiled
def _tema_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = tema(s, 0, rows[i, 0])
    return 0


class Tema(SingleOutput):
    """3 * (ema1 - ema2) + ema3, each the ema of the one before.

    Source: Mulloy, 1994, on Pine's ema.
    Warm-up: first value after 3 * `length` - 2 bars; seeds weigh under 1e-12 after about 19 * `length`.
    Units: those of x.
    """

    name = "tema"
    in_pine = """
        e1 = ta.ema(x, 5)
        e2 = ta.ema(e1, 5)
        3 * (e1 - e2) + ta.ema(e2, 5)
    """
    in_talib = "TEMA(x, 5)"
    step = _tema_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(tema_size(length), tema_init, length), 3 * length - 2, ema_warmup(length, 3)
        )


@shared
def average_size(length: int) -> int:
    """Length of the state of an `average` of any kind."""
    return 1 + tema_size(length)


@shared
def average_init(s: State, o: int, kind: int, length: int) -> None:
    """Prepare a moving average whose kind is chosen when it is made."""
    s[o] = kind
    if kind == SMA:
        sma_init(s, o + 1, length)
    else:
        tema_init(s, o + 1, length)


@compiled
def average(s: State, o: int, x: float) -> float:
    """The average of the kind the state was prepared for."""
    kind = int(s[o])
    if kind == SMA:
        return sma(s, o + 1, x)
    if kind == EMA:
        return ema(s, o + 1, x)
    if kind == DEMA:
        return dema(s, o + 1, x)
    return tema(s, o + 1, x)
