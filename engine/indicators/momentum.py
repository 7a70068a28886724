"""How far one price has moved: change, mom, roc, rsi, cmo of both kinds, tsi.

As in `averages`: `x_size`, `x_init` and `x` work on a region of a flat state that begins at `o`.
"""

from math import isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.averages import ema, ema_init, ema_size, rma, rma_init, rma_size
from engine.indicators.compare import TOLERANCE
from engine.indicators.stream import SingleOutput, check_lengths, prepared
from engine.indicators.sums import queue_init, queue_push, queue_size, rolling_sum, sum_init, sum_size
from engine.indicators.warmup import ema_warmup, rma_warmup


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
def _change_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = change(s, 0, rows[i, 0])
    return 0


class Change(SingleOutput):
    """x - x[length], by default since the bar before.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` + 1 bars.
    Units: those of x.
    """

    name = "change"
    pine_name = "ta.change"
    examples = ((2,), (1,))
    in_pine = "ta.change(x, 2)"
    step = _change_step

    def __init__(self, length: int = 1) -> None:
        check_lengths(length=length)
        super().__init__(prepared(change_size(length), change_init, length), length + 1, length + 1)


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
    in_pine = "ta.mom(x, 5)"
    in_talib = "MOM(x, 5)"
    step = _mom_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(change_size(length), change_init, length), length + 1, length + 1)


@compiled
def roc(s: State, o: int, x: float) -> float:
    """100 * (x - x[length]) / x[length]."""
    old = queue_push(s, o, x)
    return 100.0 * (x - old) / old


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
    in_pine = "ta.roc(close, 5)"
    in_talib = "ROC(x, 5)"
    step = _roc_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(change_size(length), change_init, length), length + 1, length + 1)


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
    in_pine = "ta.rsi(x, 5)"
    in_talib = "RSI(x, 5)"
    step = _rsi_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(rsi_size(length), rsi_init, length), length + 1, 1 + rma_warmup(length))


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
    in_pine = "ta.cmo(close, 5)"
    step = _cmo_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(cmo_size(length), cmo_init, length), length + 1, length + 1)


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
    in_pine = """
        c: Series[float] = close
        change = c - nz(c[1], c)
        gain = ta.rma(math.max(change, 0), 5)
        loss = ta.rma(math.max(-change, 0), 5)
        total = gain + loss
        100 * (gain - loss) / total if total != 0 else 0.0
    """
    in_talib = "CMO(x, 5)"
    step = _cmo_wilder_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(
            prepared(cmo_wilder_size(length), cmo_wilder_init, length), 1, 1 + rma_warmup(length)
        )


@shared
def tsi_size(short: int, long: int) -> int:
    """Length of the state of a true strength index."""
    return 1 + 2 * (ema_size(long) + ema_size(short))


@shared
def tsi_init(s: State, o: int, short: int, long: int) -> None:
    """Prepare a true strength index."""
    s[o] = nan
    half = ema_size(long) + ema_size(short)
    for at in (o + 1, o + 1 + half):
        ema_init(s, at, long)
        ema_init(s, at + ema_size(long), short)


@compiled
def tsi(s: State, o: int, x: float) -> float:
    """Ema of ema of the change over ema of ema of its size; the first ema is the long one."""
    move = x - s[o]
    s[o] = x
    if isnan(move):
        return nan
    at_short = ema_size(int(s[o + 1]))
    half = at_short + ema_size(int(s[o + 1 + at_short]))
    change_of, size_of = ema(s, o + 1, move), ema(s, o + 1 + half, abs(move))
    return ema(s, o + 1 + at_short, change_of) / ema(s, o + 1 + half + at_short, size_of)


@compiled
def _tsi_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = tsi(s, 0, rows[i, 0])
    return 0


class Tsi(SingleOutput):
    """True strength index: the twice smoothed change over the twice smoothed size of the change.

    Source: Blau, 1991; Pine, measured by PyneCore.
    Warm-up: first value after `short` + `long` bars; that of both averages.
    Units: -1 to 1.
    """

    name = "tsi"
    pine_name = "ta.tsi"
    examples = ((4, 7), (1, 1))
    in_pine = "ta.tsi(close, 4, 7)"
    step = _tsi_step

    def __init__(self, short: int = 13, long: int = 25) -> None:
        check_lengths(short=short, long=long)
        super().__init__(
            prepared(tsi_size(short, long), tsi_init, short, long),
            short + long,
            1 + ema_warmup(long) + ema_warmup(short),
        )
