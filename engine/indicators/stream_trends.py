"""Trend lines, crossings and volume as objects."""

import numpy as np

from engine.compiled.functions import Rows, State, compiled
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared
from engine.indicators.trends import (
    SAR_SIZE,
    cross_init,
    crossover,
    crossunder,
    linreg,
    linreg_init,
    linreg_size,
    sar,
    sar_init,
)
from engine.indicators.volumes import VWAP_SIZE, obv, obv_init, profile, profile_init, profile_size, vwap


@compiled
def _sar_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = sar(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Sar(SingleOutput):
    """Parabolic stop and reverse: sar + speed * (extreme - sar).

    Source: Wilder, 1978; Pine, measured (pine_semantics 2).
    Warm-up: 2 bars; cumulative until its first reversal.
    Units: those of price.
    """

    name = "sar"
    pine_name = "ta.sar"
    inputs = ("high", "low")
    cumulative = True
    step = _sar_step

    def __init__(self, start: float = 0.02, increment: float = 0.02, maximum: float = 0.2) -> None:
        super().__init__(prepared(SAR_SIZE, sar_init, start, increment, maximum), 2, 2)


@compiled
def _linreg_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = linreg(s, 0, rows[i, 0])
    return 0


class Linreg(SingleOutput):
    """Least-squares line through the last `length` values, at the newest minus `offset` bars.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "linreg"
    pine_name = "ta.linreg"
    step = _linreg_step

    def __init__(self, length: int, offset: int = 0) -> None:
        check_lengths(length=length)
        super().__init__(prepared(linreg_size(length), linreg_init, length, offset), length, length)


@compiled
def _crossover_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if crossover(s, 0, rows[i, 0], rows[i, 1]) else 0.0
    return 0


class Crossover(SingleOutput):
    """1 where a is above b and was not on the last bar where both were defined, else 0. Exact.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: 2 bars.
    Units: 1 or 0.
    """

    name = "crossover"
    pine_name = "ta.crossover"
    inputs = ("a", "b")
    outputs = ("crossed",)
    conditions = True
    step = _crossover_step

    def __init__(self) -> None:
        super().__init__(prepared(1, cross_init), 1, 2)


@compiled
def _crossunder_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if crossunder(s, 0, rows[i, 0], rows[i, 1]) else 0.0
    return 0


class Crossunder(SingleOutput):
    """1 where a is below b and was not on the last bar where both were defined, else 0. Exact.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: 2 bars.
    Units: 1 or 0.
    """

    name = "crossunder"
    pine_name = "ta.crossunder"
    inputs = ("a", "b")
    outputs = ("crossed",)
    conditions = True
    step = _crossunder_step

    def __init__(self) -> None:
        super().__init__(prepared(1, cross_init), 1, 2)


@compiled
def _obv_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = obv(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Obv(SingleOutput):
    """Running total of volume, added where the close rises, taken off where it falls.

    Source: Granville, 1963; Pine, measured (pine_semantics 2).
    Warm-up: 2 bars; cumulative, counted from the first.
    Units: those of volume.
    """

    name = "obv"
    pine_name = "ta.obv"
    inputs = ("close", "volume")
    cumulative = True
    step = _obv_step

    def __init__(self) -> None:
        super().__init__(prepared(2, obv_init), 2, 2)


@compiled
def _vwap_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = vwap(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class Vwap(SingleOutput):
    """Sum of x * volume over sum of volume since the last bar where `new_session` is not 0.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: the first bar of a session; cumulative within it.
    Units: those of x.
    """

    name = "vwap"
    pine_name = "ta.vwap"
    inputs = ("x", "volume", "new_session")
    cumulative = True
    step = _vwap_step

    def __init__(self) -> None:
        super().__init__(np.zeros(VWAP_SIZE), 1, 1)


@compiled
def _volume_profile_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = profile(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class VolumeProfile(ManyOutputs):
    """Fullest of `rows` equal price rows over `length` bars, and the value area around it.

    Source: Steidlmayer's market profile; a bar's volume is spread evenly over its range.
    Warm-up: `length` bars.
    Units: those of price.
    """

    name = "volume_profile"
    inputs = ("high", "low", "volume")
    outputs = ("poc", "area_high", "area_low")
    step = _volume_profile_step

    def __init__(self, length: int = 100, rows: int = 24, area_percent: float = 70.0) -> None:
        check_lengths(length=length, rows=rows)
        super().__init__(
            prepared(profile_size(length, rows), profile_init, length, rows, area_percent), length, length
        )
