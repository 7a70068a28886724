"""The elementwise operations of the graph: how each is done over arrays, on one bar, and written.

The two forms agree to the last bit: operations that IEEE 754 rounds correctly are left to numpy and to
Python, and a choice is written as the same comparisons in both. Functions whose library versions differ
in the last bit (exp, log, pow) are indicators, with one compiled step for both.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import isinf, isnan, nan
from typing import Any

import numpy as np

Batch = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """`batch` takes arrays or scalars; `python` is the expression of one bar over {0}, {1}, ...

    `text` is how a person writes it; `binds` is its precedence there (larger binds tighter).
    """

    batch: Batch
    python: str
    text: str
    binds: int = 0
    is_condition: bool = False


def divide(a: float, b: float) -> float:
    """a / b as IEEE 754 has it: inf or nan for a division by zero."""
    if b != 0.0:
        return a / b
    if a == 0.0 or isnan(a):
        return nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def remainder(a: float, b: float) -> float:
    """a % b with the sign of b, as Python has it; nan for a division by zero."""
    return nan if b == 0.0 or isinf(a) else a % b


def root(a: float) -> float:
    """The square root; nan below zero."""
    return math.sqrt(a) if a >= 0.0 else nan


def floor(a: float) -> float:
    """The largest whole number not above a."""
    return a if isinf(a) or isnan(a) else float(math.floor(a))


def ceil(a: float) -> float:
    """The smallest whole number not below a."""
    return a if isinf(a) or isnan(a) else float(math.ceil(a))


PYTHON_NAMES = {
    "divide": divide,
    "remainder": remainder,
    "root": root,
    "floor": floor,
    "ceil": ceil,
    "nan": nan,
}
"""What the expressions of one bar may call."""


def _floor_batch(a: Any) -> Any:  # noqa: ANN401  # an array or a scalar
    return np.floor(a) + 0.0  # -0.0 becomes 0.0, as in Python


def _ceil_batch(a: Any) -> Any:  # noqa: ANN401
    return np.ceil(a) + 0.0


def _least(a: Any, b: Any) -> Any:  # noqa: ANN401
    return np.where(a <= b, a, np.where(b < a, b, nan))


def _most(a: Any, b: Any) -> Any:  # noqa: ANN401
    return np.where(a >= b, a, np.where(b > a, b, nan))


def _sign(a: Any) -> Any:  # noqa: ANN401
    return np.where(a > 0.0, 1.0, np.where(a < 0.0, -1.0, np.where(a == 0.0, 0.0, nan)))


def _differs(a: Any, b: Any) -> Any:  # noqa: ANN401
    return np.less(a, b) | np.greater(a, b)


def _or_else(a: Any, b: Any) -> Any:  # noqa: ANN401
    return np.where(np.equal(a, a), a, b)


def _is_na(a: Any) -> Any:  # noqa: ANN401
    return np.not_equal(a, a)


OPERATIONS = {
    "add": Operation(np.add, "{0} + {1}", "{0} + {1}", 6),
    "sub": Operation(np.subtract, "{0} - {1}", "{0} - {1}", 6),
    "mul": Operation(np.multiply, "{0} * {1}", "{0} * {1}", 7),
    "div": Operation(np.divide, "divide({0}, {1})", "{0} / {1}", 7),
    "mod": Operation(np.mod, "remainder({0}, {1})", "{0} % {1}", 7),
    "neg": Operation(np.negative, "-{0}", "-{0}", 8),
    "abs": Operation(np.abs, "abs({0})", "abs({0})", 10),
    "sqrt": Operation(np.sqrt, "root({0})", "sqrt({0})", 10),
    "floor": Operation(_floor_batch, "floor({0})", "floor({0})", 10),
    "ceil": Operation(_ceil_batch, "ceil({0})", "ceil({0})", 10),
    "sign": Operation(
        _sign, "(1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else 0.0 if {0} == 0.0 else nan)", "sign({0})", 10
    ),
    "min": Operation(_least, "({0} if {0} <= {1} else {1} if {1} < {0} else nan)", "min({0}, {1})", 10),
    "max": Operation(_most, "({0} if {0} >= {1} else {1} if {1} > {0} else nan)", "max({0}, {1})", 10),
    "nz": Operation(_or_else, "({0} if {0} == {0} else {1})", "nz({0}, {1})", 10),
    "where": Operation(np.where, "({1} if {0} else {2})", "where({0}, {1}, {2})", 10),
    "where_condition": Operation(np.where, "({1} if {0} else {2})", "where({0}, {1}, {2})", 10, True),
    "na": Operation(_is_na, "{0} != {0}", "na({0})", 10, True),
    "lt": Operation(np.less, "{0} < {1}", "{0} < {1}", 4, True),
    "le": Operation(np.less_equal, "{0} <= {1}", "{0} <= {1}", 4, True),
    "gt": Operation(np.greater, "{0} > {1}", "{0} > {1}", 4, True),
    "ge": Operation(np.greater_equal, "{0} >= {1}", "{0} >= {1}", 4, True),
    "eq": Operation(np.equal, "{0} == {1}", "{0} == {1}", 4, True),
    "ne": Operation(_differs, "({0} < {1} or {0} > {1})", "{0} != {1}", 4, True),
    "and": Operation(np.logical_and, "{0} and {1}", "{0} and {1}", 2, True),
    "or": Operation(np.logical_or, "{0} or {1}", "{0} or {1}", 1, True),
    "xor": Operation(np.not_equal, "{0} != {1}", "{0} != {1}", 4, True),
    "same": Operation(np.equal, "{0} == {1}", "{0} == {1}", 4, True),
    "not": Operation(np.logical_not, "not {0}", "not {0}", 3, True),
}
"""By name. np.where and Python's conditional both take the chosen value as it is."""
