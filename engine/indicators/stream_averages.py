"""Moving averages as objects."""

from engine.compiled.functions import Rows, State, compiled
from engine.indicators.averages import (
    dema,
    dema_init,
    dema_size,
    ema,
    ema_init,
    ema_size,
    rma,
    rma_init,
    rma_size,
    sma,
    sma_init,
    sma_size,
    tema,
    tema_init,
    tema_size,
)
from engine.indicators.stream import SingleOutput, check_lengths, prepared
from engine.indicators.warmup import ema_warmup, rma_warmup
from engine.indicators.weighted import (
    hma,
    hma_init,
    hma_size,
    vwma,
    vwma_init,
    vwma_size,
    wma,
    wma_init,
    wma_size,
)


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
    step = _sma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(sma_size(length), sma_init, length), length, length)


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
    step = _ema_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(ema_size(length), ema_init, length), length, ema_warmup(length))


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
    step = _rma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(rma_size(length), rma_init, length), length, rma_warmup(length))


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
    step = _wma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(wma_size(length), wma_init, length), length, length)


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
    step = _dema_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(dema_size(length), dema_init, length), 2 * length - 1, ema_warmup(length, 2)
        )


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
    step = _tema_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(tema_size(length), tema_init, length), 3 * length - 2, ema_warmup(length, 3)
        )


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
    step = _hma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(hma_size(length), hma_init, length),
            length + int(length**0.5) - 1,
            length + int(length**0.5) - 1,
        )


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
    step = _vwma_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(vwma_size(length), vwma_init, length), length, length)
