"""When one series crosses another."""

from math import isnan, nan

import numpy as np

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.compare import TOLERANCE
from engine.indicators.stream import SingleOutput, prepared


@shared
def cross_init(s: State, o: int) -> None:
    """Prepare a crossover or crossunder; its state is one number, the last defined difference's side."""
    s[o] = nan


@compiled
def crossover(s: State, o: int, a: float, b: float) -> bool:
    """Whether a is above b now and was at or below it on the last bar where both were defined. Exact."""
    if isnan(a) or isnan(b):
        return False
    before = s[o]
    s[o] = 1.0 if a <= b else 0.0
    return before == 1.0 and a > b


@compiled
def _crossover_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if crossover(s, 0, rows[i, 0], rows[i, 1]) else 0.0
    return 0


class Crossover(SingleOutput):
    """1 where a is above b and was not on the last bar where both were defined, else 0. Exact.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: 2 bars on which both are defined.
    Units: 1 or 0.
    """

    name = "crossover"
    pine_name = "ta.crossover"
    inputs = ("a", "b")
    outputs = ("crossed",)
    conditions = True
    examples = ((),)
    in_pine = "1.0 if ta.crossover(a, b) else 0.0"
    step = _crossover_step

    def __init__(self) -> None:
        super().__init__(prepared(1, cross_init), 1, 2)


@compiled
def crossunder(s: State, o: int, a: float, b: float) -> bool:
    """Whether a is below b now and was at or above it on the last bar where both were defined. Exact."""
    return crossover(s, o, b, a)


@compiled
def _crossunder_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if crossunder(s, 0, rows[i, 0], rows[i, 1]) else 0.0
    return 0


class Crossunder(SingleOutput):
    """1 where a is below b and was not on the last bar where both were defined, else 0. Exact.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: 2 bars on which both are defined.
    Units: 1 or 0.
    """

    name = "crossunder"
    pine_name = "ta.crossunder"
    inputs = ("a", "b")
    outputs = ("crossed",)
    conditions = True
    examples = ((),)
    in_pine = "1.0 if ta.crossunder(a, b) else 0.0"
    step = _crossunder_step

    def __init__(self) -> None:
        super().__init__(prepared(1, cross_init), 1, 2)


@compiled
def cross(s: State, o: int, a: float, b: float) -> bool:
    """Whether a is now on the other side of b than when they last differed by more than 1e-10."""
    if isnan(a) or isnan(b):
        return False
    side = s[o]
    difference = a - b
    if difference > TOLERANCE:
        s[o] = 1.0
    elif difference < -TOLERANCE:
        s[o] = -1.0
    return (side < 0.0 and a > b) or (side > 0.0 and a < b)


@compiled
def _cross_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if cross(s, 0, rows[i, 0], rows[i, 1]) else 0.0
    return 0


class Cross(SingleOutput):
    """1 where a is on the other side of b than when they last differed by more than 1e-10, else 0.

    Not the same as crossover or crossunder: where both were equal from the beginning there was no side.

    Source: Pine, measured by PyneCore.
    Warm-up: 2 bars on which both are defined and differ.
    Units: 1 or 0.
    """

    name = "cross"
    pine_name = "ta.cross"
    inputs = ("a", "b")
    outputs = ("crossed",)
    conditions = True
    examples = ((),)
    in_pine = "1.0 if ta.cross(a, b) else 0.0"
    step = _cross_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 2)
