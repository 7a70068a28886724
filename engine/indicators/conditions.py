"""What rules remember: how long ago, which value then, for how many bars, whether since, once a period.

An input that is a condition is yes where it is a number other than 0; na is no.
"""

from math import isnan, nan

import numpy as np

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.compare import TOLERANCE, is_true
from engine.indicators.stream import SingleOutput, check_counts, check_lengths, prepared
from engine.indicators.sums import queue_get, queue_init, queue_push, queue_size


@shared
def bars_since_init(s: State, o: int) -> None:
    """Prepare a count of bars; its state is one number."""
    s[o] = nan


@compiled
def bars_since(s: State, o: int, condition: float) -> float:
    """0 where the condition holds, one more on each bar after; na before the first."""
    s[o] = 0.0 if is_true(condition) else s[o] + 1.0
    return s[o]


@compiled
def _bars_since_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = bars_since(s, 0, rows[i, 0])
    return 0


class BarsSince(SingleOutput):
    """How many bars ago the condition held last: 0 on a bar where it does, na before the first.

    Source: Pine.
    Warm-up: the first bar where the condition holds; cumulative.
    Units: bars.
    """

    name = "barssince"
    pine_name = "ta.barssince"
    inputs = ("condition",)
    cumulative = True
    examples = ((),)
    in_pine = "ta.barssince(condition)"
    step = _bars_since_step

    def __init__(self) -> None:
        super().__init__(prepared(1, bars_since_init), 1, 1)


@compiled
def value_when(s: State, o: int, condition: float, x: float) -> float:
    """X on the bar where the condition held last, or some times before; its state is a queue."""
    if is_true(condition):
        queue_push(s, o, x)
    return queue_get(s, o, int(s[o]) - 1)


@compiled
def _value_when_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = value_when(s, 0, rows[i, 0], rows[i, 1])
    return 0


class ValueWhen(SingleOutput):
    """x on the bar where the condition held last; `occurrence` 1 is the time before that, and so on.

    Source: Pine; an x that is na on such a bar is remembered as na.
    Warm-up: the first bar where the condition has held `occurrence` + 1 times; cumulative.
    Units: those of x.
    """

    name = "valuewhen"
    pine_name = "ta.valuewhen"
    inputs = ("condition", "x")
    cumulative = True
    examples = ((1,), (0,))
    in_pine = "ta.valuewhen(condition, x, 1)"
    step = _value_when_step

    def __init__(self, occurrence: int = 0) -> None:
        check_counts(occurrence=occurrence)
        times = occurrence + 1
        super().__init__(prepared(queue_size(times), queue_init, times), times, times)


_LENGTH, _LAST, _STEPS = 0, 1, 2
RISING_SIZE = 3


@shared
def rising_init(s: State, o: int, length: int) -> None:
    """Prepare a rising or falling."""
    s[o + _LENGTH] = length
    s[o + _LAST] = nan


@compiled
def rising(s: State, o: int, x: float) -> bool:
    """Whether each of the last `length` steps went up by more than 1e-10.

    An na is no step up and ends the count; the bar after it begins anew.
    """
    last = s[o + _LAST]
    s[o + _LAST] = x
    if isnan(last):
        return False
    s[o + _STEPS] = s[o + _STEPS] + 1.0 if x - last > TOLERANCE else 0.0
    return s[o + _STEPS] >= s[o + _LENGTH]


@compiled
def _rising_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if rising(s, 0, rows[i, 0]) else 0.0
    return 0


class Rising(SingleOutput):
    """1 where x has risen on each of the last `length` bars, else 0; steps within 1e-10 are none.

    Source: Pine, measured by PyneCore.
    Warm-up: `length` + 1 bars.
    Units: 1 or 0.
    """

    name = "rising"
    pine_name = "ta.rising"
    outputs = ("holds",)
    conditions = True
    examples = ((2,), (1,))
    in_pine = "1.0 if ta.rising(x, 2) else 0.0"
    step = _rising_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(RISING_SIZE, rising_init, length), 1, length + 1)


@compiled
def _falling_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if rising(s, 0, -rows[i, 0]) else 0.0
    return 0


class Falling(SingleOutput):
    """1 where x has fallen on each of the last `length` bars, else 0; steps within 1e-10 are none.

    Source: Pine, measured by PyneCore.
    Warm-up: `length` + 1 bars.
    Units: 1 or 0.
    """

    name = "falling"
    pine_name = "ta.falling"
    outputs = ("holds",)
    conditions = True
    examples = ((2,), (1,))
    in_pine = "1.0 if ta.falling(x, 2) else 0.0"
    step = _falling_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(RISING_SIZE, rising_init, length), 1, length + 1)


@compiled
def latch(s: State, o: int, begin: float, end: float) -> bool:
    """Whether `begin` has held since `end` did last; where both hold it is off. Its state is one number."""
    if is_true(end):
        s[o] = 0.0
    elif is_true(begin):
        s[o] = 1.0
    return s[o] != 0.0


@compiled
def _latch_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if latch(s, 0, rows[i, 0], rows[i, 1]) else 0.0
    return 0


class Latch(SingleOutput):
    """1 from the bar where `set` holds until the bar where `reset` does; where both hold it is 0.

    Source: the set-reset latch of electronics, reset first.
    Warm-up: 1 bar; cumulative, off until `set` has held.
    Units: 1 or 0.
    """

    name = "latch"
    inputs = ("set", "reset")
    outputs = ("holds",)
    cumulative = True
    conditions = True
    examples = ((),)
    in_pine = """
        on: Persistent[float] = 0.0
        on = 0.0 if reset else 1.0 if set else on
        on
    """
    step = _latch_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)


_ARMED, _SPENT = 1.0, 2.0


@compiled
def once_per(s: State, o: int, condition: float, new_period: float) -> bool:
    """Whether the condition holds for the first time since the period began. Its state is one number."""
    if is_true(new_period):
        s[o] = _ARMED
    if s[o] != _ARMED or not is_true(condition):
        return False
    s[o] = _SPENT
    return True


@compiled
def _once_per_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = 1.0 if once_per(s, 0, rows[i, 0], rows[i, 1]) else 0.0
    return 0


class OncePer(SingleOutput):
    """1 on the first bar of each period where the condition holds, else 0.

    A period begins on a bar where `new_period` holds. Before the first one it is 0, since nobody knows
    whether the condition held earlier in that period.

    Source: an edge that is armed again by each period.
    Warm-up: the first bar of a period; cumulative within it.
    Units: 1 or 0.
    """

    name = "once_per"
    inputs = ("condition", "new_period")
    outputs = ("holds",)
    cumulative = True
    conditions = True
    examples = ((),)
    step = _once_per_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)
