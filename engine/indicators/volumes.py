"""Indicators of volume: obv, mfi, vwap."""

from math import isnan, nan

import numpy as np

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.compare import TOLERANCE, is_true
from engine.indicators.stream import SingleOutput, check_lengths, prepared
from engine.indicators.sums import rolling_sum, sum_init, sum_size


@shared
def obv_init(s: State, o: int) -> None:
    """Prepare an on-balance volume; its state is the previous close and the total."""
    s[o] = nan


@compiled
def obv(s: State, o: int, close: float, volume: float) -> float:
    """Running total of volume, added where the close rises, taken off where it falls; na on the first bar."""
    change = close - s[o]
    s[o] = close
    if isnan(change):
        return nan
    s[o + 1] += volume if change > 0.0 else -volume if change < 0.0 else 0.0
    return s[o + 1]


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
    examples = ((),)
    in_pine = "ta.obv"
    step = _obv_step

    def __init__(self) -> None:
        super().__init__(prepared(2, obv_init), 2, 2)


@shared
def mfi_size(length: int) -> int:
    """Length of the state of a money flow index."""
    return 1 + 2 * sum_size(length)


@shared
def mfi_init(s: State, o: int, length: int) -> None:
    """Prepare a money flow index."""
    s[o] = nan
    sum_init(s, o + 1, length)
    sum_init(s, o + 1 + sum_size(length), length)


@compiled
def mfi(s: State, o: int, x: float, volume: float) -> float:
    """100 - 100 / (1 + inflow / outflow) of volume * x on bars where x rose and fell.

    Moves within 1e-10 count as neither; the first bar counts as both; no outflow gives 100.
    """
    if isnan(x):
        return nan
    change = x - s[o]
    s[o] = x
    up = rolling_sum(s, o + 1, volume * (0.0 if change <= TOLERANCE else x))
    down = rolling_sum(s, o + 1 + sum_size(int(s[o + 1])), volume * (0.0 if change >= -TOLERANCE else x))
    if isnan(up) or isnan(down):
        return nan
    if abs(down) <= TOLERANCE:
        return 100.0
    if abs(up) <= TOLERANCE:
        up = 0.0
    return 100.0 - 100.0 / (1.0 + up / down)


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
    in_pine = "ta.mfi(close, 5)"
    in_talib = "MFI(x, x, x, volume, 5)"
    step = _mfi_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(mfi_size(length), mfi_init, length), length, length + 1)


VWAP_SIZE = 3


@compiled
def vwap(s: State, o: int, x: float, volume: float, new_session: float) -> float:
    """Sum of x * volume over sum of volume since the last bar with `new_session` not 0; na before one."""
    if isnan(x):
        return nan
    if is_true(new_session):
        s[o] = 1.0
        s[o + 1] = x * volume
        s[o + 2] = volume
    elif s[o] != 0.0:
        s[o + 1] += x * volume
        s[o + 2] += volume
    else:
        return nan
    return s[o + 1] / s[o + 2]


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
    examples = ((),)
    in_pine = "ta.vwap(close, new_session)"
    step = _vwap_step

    def __init__(self) -> None:
        super().__init__(np.zeros(VWAP_SIZE), 1, 1)


@compiled
def _accdist_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    high, low, close, volume = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
    flow = ((close - low) - (high - close)) / (high - low) * volume
    if not isnan(flow):
        s[0] += flow
    outs[i, 0] = s[0]
    return 0


class AccDist(SingleOutput):
    """Accumulation and distribution: the running total of volume by where in its range a bar closed.

    Source: Chaikin; Pine. A bar without a range adds nothing.
    Warm-up: 1 bar; cumulative, counted from the first.
    Units: those of volume.
    """

    name = "accdist"
    pine_name = "ta.accdist"
    inputs = ("high", "low", "close", "volume")
    cumulative = True
    examples = ((),)
    in_pine = "ta.accdist"
    step = _accdist_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)


@compiled
def _pvt_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    move = ((rows[i, 0] - s[0]) / s[0]) * rows[i, 1]
    s[0] = rows[i, 0]
    if not isnan(move):
        s[1] += move
    outs[i, 0] = nan if isnan(move) else s[1]
    return 0


class Pvt(SingleOutput):
    """Price volume trend: the running total of volume times the relative change of the close.

    Source: Pine.
    Warm-up: 2 bars; cumulative, counted from the first.
    Units: those of volume.
    """

    name = "pvt"
    pine_name = "ta.pvt"
    inputs = ("close", "volume")
    cumulative = True
    examples = ((),)
    in_pine = "ta.pvt"
    step = _pvt_step

    def __init__(self) -> None:
        super().__init__(np.array([nan, 0.0]), 2, 2)
