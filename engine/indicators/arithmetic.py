"""Functions of one bar whose last bit depends on the library: one compiled form for history and live bars."""

from math import exp, floor, isinf, isnan, log, log10, nan
from math import pow as power

import numpy as np

from engine.compiled.functions import Rows, State, compiled
from engine.indicators.compare import TOLERANCE
from engine.indicators.stream import SingleOutput, check_counts


@compiled
def _exp_step(s: State, rows: Rows, i: int, outs: Rows) -> int:  # noqa: ARG001  # steps share one form
    outs[i, 0] = exp(rows[i, 0])
    return 0


class Exp(SingleOutput):
    """e to the power of x.

    Source: the C library.
    Warm-up: 1 bar.
    Units: none.
    """

    name = "exp"
    pine_name = "math.exp"
    examples = ((),)
    step = _exp_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)


@compiled
def _log_step(s: State, rows: Rows, i: int, outs: Rows) -> int:  # noqa: ARG001  # steps share one form
    outs[i, 0] = log(rows[i, 0])
    return 0


class Log(SingleOutput):
    """Natural logarithm; of 0 it is -inf, of less na.

    Source: the C library.
    Warm-up: 1 bar.
    Units: none.
    """

    name = "log"
    pine_name = "math.log"
    examples = ((),)
    in_talib = "LN(x)"
    step = _log_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)


@compiled
def _log10_step(s: State, rows: Rows, i: int, outs: Rows) -> int:  # noqa: ARG001  # steps share one form
    outs[i, 0] = log10(rows[i, 0])
    return 0


class Log10(SingleOutput):
    """Logarithm to base 10; of 0 it is -inf, of less na.

    Source: the C library.
    Warm-up: 1 bar.
    Units: none.
    """

    name = "log10"
    pine_name = "math.log10"
    examples = ((),)
    in_talib = "LOG10(x)"
    step = _log10_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)


@compiled
def _pow_step(s: State, rows: Rows, i: int, outs: Rows) -> int:  # noqa: ARG001  # steps share one form
    base, exponent = rows[i, 0], rows[i, 1]
    if isnan(base) or isnan(exponent):
        outs[i, 0] = nan
    else:
        outs[i, 0] = base * base if exponent == 2.0 else power(base, exponent)
    return 0


class Pow(SingleOutput):
    """base to the power of exponent; na where either is.

    Source: the C library; a square is base * base, as in Pine.
    Warm-up: 1 bar.
    Units: none.
    """

    name = "pow"
    pine_name = "math.pow"
    inputs = ("base", "exponent")
    examples = ((),)
    step = _pow_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)


_WHOLE = 2.0**52
"""From here up each float64 is a whole number."""
_SPLIT = 2.0**27 + 1.0


@compiled
def _product_rest(a: float, b: float, product: float) -> float:
    """What rounding took from a * b (Dekker, 1971): the exact product is `product` plus this."""
    c = _SPLIT * a
    a_high = c - (c - a)
    c = _SPLIT * b
    b_high = c - (c - b)
    a_low, b_low = a - a_high, b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@compiled
def rounded(x: float, scale: float) -> float:
    """Half away from zero on the grid of 1 / scale; `scale` 0 is whole numbers."""
    if isnan(x) or isinf(x):
        return x
    size = abs(x)
    if scale == 0.0:
        value = size if size >= _WHOLE else float(floor(size + 0.5))
    else:
        fraction = size - floor(size)
        scaled = fraction * scale
        units = float(floor(scaled))
        if (scaled - units - 0.5) + _product_rest(fraction, scale, scaled) >= -TOLERANCE:
            units += 1.0
        value = size - fraction + units / scale
    return 0.0 - value if x < 0.0 else value


@compiled
def _round_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = rounded(rows[i, 0], s[0])
    return 0


class Round(SingleOutput):
    """x with `digits` decimals, half away from zero.

    Source: Pine, measured by PyneCore: whole numbers exactly, decimals with a tie from 1e-10 of a unit below.
    Warm-up: 1 bar.
    Units: those of x.
    """

    name = "round"
    pine_name = "math.round"
    examples = ((1,), (0,), (8,))
    in_pine = "math.round(x, 1)"
    step = _round_step

    def __init__(self, digits: int = 0) -> None:
        check_counts(digits=digits)
        scale = 1.0 / 10.0 ** -min(digits, 16) if digits else 0.0
        super().__init__(np.array([scale]), 1, 1)
