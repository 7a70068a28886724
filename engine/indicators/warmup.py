"""How many bars it takes until a value no longer depends on where history began.

Windows forget all at once; a recursive average never quite, so it counts as warm when its seed weighs
less than 1e-12.
"""

from math import ceil, log

_SEED_WEIGHT = 1e-12


def _forgetting(decay: float, times: int) -> int:
    """Bars until a seed that keeps `decay` of its weight each bar, `times` nested, weighs under 1e-12.

    The weight of a nested seed after k bars is at most decay**k * C(k + times - 1, times - 1).
    """
    if decay <= 0.0:
        return 0
    bars = ceil(log(_SEED_WEIGHT) / log(decay))
    while times > 1 and _nested_weight(decay, times, bars) >= _SEED_WEIGHT:
        bars += max(1, bars // 64)
    return bars


def _nested_weight(decay: float, times: int, bars: int) -> float:
    ways = 1.0
    for i in range(1, times):
        ways *= (bars + i) / i
    return float(decay**bars * ways)


def ema_warmup(length: int, times: int = 1) -> int:
    """Bars of an ema that is nested `times` times (dema 2, tema 3)."""
    return times * (length - 1) + 1 + _forgetting(1.0 - 2.0 / (length + 1.0), times)


def rma_warmup(length: int, times: int = 1) -> int:
    """Bars of Wilder's average, nested `times` times."""
    return times * (length - 1) + 1 + _forgetting(1.0 - 1.0 / length, times)


def average_warmup(kind: int, length: int) -> int:
    """Bars of `averages.average` of that kind: 0 sma, 1 ema, 2 dema, 3 tema."""
    return length if kind == 0 else ema_warmup(length, kind)
