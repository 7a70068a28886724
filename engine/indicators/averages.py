"""Moving averages as compiled updates over a flat state: sma, ema, rma, dema, tema.

`x_size(length)` is the length of the state region, `x_init(s, o, length)` prepares it, `x(s, o, value)`
advances it. Seeding and na rules are Pine's (pine_semantics 2): an na input is skipped whole.
"""

from math import isnan, nan
from typing import Literal

from engine.compiled.functions import State, compiled, shared
from engine.indicators.sums import rolling_sum, sum_init, sum_size

NA = nan
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


@shared
def ema_size(length: int) -> int:
    """Length of the state of an ema."""
    return 2 + sum_size(length)


@shared
def ema_init(s: State, o: int, length: int) -> None:
    """Prepare an ema."""
    s[o] = length
    s[o + 1] = NA
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
