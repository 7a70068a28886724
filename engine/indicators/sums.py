"""Windows: the compensated rolling sum and the plain queue that other indicators stand on.

Every function works on a region of a flat float64 state that begins at `o`; `*_size` says how long the
region is and `*_init` prepares it (the state begins as zeros).
"""

from math import isnan, nan

import numpy as np

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.stream import SingleOutput, check_lengths, prepared

NA = nan


@shared
def queue_size(length: int) -> int:
    """Length of the state of a queue of `length` values."""
    return length + 3


@shared
def queue_init(s: State, o: int, length: int) -> None:
    """Prepare a queue of the last `length` values."""
    s[o] = length


@compiled
def queue_push(s: State, o: int, x: float) -> float:
    """Append `x`; return the value that leaves, na while the queue fills."""
    length, place = s[o], s[o + 1]  # floats: the next push need not wait for conversions
    at = o + 3 + int(place)
    gone = NA
    if s[o + 2] == length:
        gone = s[at]
    else:
        s[o + 2] += 1.0
    s[at] = x
    s[o + 1] = 0.0 if place + 1.0 == length else place + 1.0
    return gone


@compiled
def queue_full(s: State, o: int) -> bool:
    """Whether `length` values are stored."""
    return s[o + 2] == s[o]


@compiled
def queue_get(s: State, o: int, age: int) -> float:
    """The value pushed `age` pushes ago (0 is the newest); na where there is none yet."""
    length = int(s[o])
    if age >= int(s[o + 2]):
        return NA
    at = int(s[o + 1]) - 1 - age
    if at < 0:
        at += length
    return s[o + 3 + at]


@shared
def sum_size(length: int) -> int:
    """Length of the state of a rolling sum."""
    return 5 + 2 * length


@shared
def sum_init(s: State, o: int, length: int) -> None:
    """Prepare a rolling sum over `length` values."""
    s[o] = length


@compiled
def _rebased(s: State, o: int, at: int, count: int) -> float:
    newest, end = o + 5 + at, o + 5 + int(s[o])
    total = s[newest]
    for k in range(1, min(count, at + 1)):
        total = s[newest - k] + total
    for k in range(1, count - at):
        total = s[end - k] + total
    return total


@compiled
def rolling_sum(s: State, o: int, x: float) -> float:
    """Sum of the last `length` non-na values as Pine keeps it (pine_semantics 2); na until there are so many.

    A compensated running sum: total and compensation, a ring of raw values and a ring of the entries as
    they were really added. Where adding the compensation to the new value rounds down, the total is
    rebuilt from the raw window, newest first. An na input changes nothing and repeats the standing sum.
    """
    length, count, place = s[o], s[o + 1], s[o + 2]  # floats: the next value need not wait for conversions
    total = s[o + 3]
    if isnan(x):
        return total if count == length else NA
    at = int(place)
    c = s[o + 4]
    stored = o + 5 + int(length) + at
    leaving = s[stored]
    full = count == length
    if not full:
        count += 1.0
        s[o + 1] = count
    s[o + 5 + at] = x
    b = abs(c)
    r = x + b
    if c != 0.0 and x != 0.0 and r != 0.0 and r - r == 0.0 and b - (r - x) > 0.0:
        total = _rebased(s, o, at, int(count))
        c = 0.0
        s[stored] = x
    elif full:
        y = -leaving - c
        t = total + y
        y2 = x - ((t - total) - y)
        total = t + y2
        c = (total - t) - y2
        s[stored] = y2
    else:
        y = x - c
        t = total + y
        c = (t - total) - y
        total = t
        s[stored] = y
    s[o + 3] = total
    s[o + 4] = c
    s[o + 2] = 0.0 if place + 1.0 == length else place + 1.0
    return total if count == length else NA


@compiled
def _sum_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = rolling_sum(s, 0, rows[i, 0])
    return 0


class Sum(SingleOutput):
    """Sum of the last `length` values, from a compensated rolling sum.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "sum"
    pine_name = "math.sum"
    in_pine = "math.sum(x, 5)"
    in_talib = "SUM(x, 5)"
    step = _sum_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(sum_size(length), sum_init, length), length, length)


@compiled
def _cum_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    x = rows[i, 0]
    if not isnan(x):
        s[0] += x
    outs[i, 0] = NA if isnan(x) else s[0]
    return 0


class Cum(SingleOutput):
    """Sum of all values so far; an na is left out and gives na.

    Source: Pine.
    Warm-up: 1 bar; cumulative, counted from the first.
    Units: those of x.
    """

    name = "cum"
    pine_name = "ta.cum"
    cumulative = True
    examples = ((),)
    in_pine = "ta.cum(x)"
    step = _cum_step

    def __init__(self) -> None:
        super().__init__(np.zeros(1), 1, 1)
