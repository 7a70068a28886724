"""Parabolic stop and reverse."""

from math import nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.stream import SingleOutput, prepared

_START, _STEP, _MOST, _BAR, _LONG, _SPEED, _VALUE, _EXTREME = 0, 1, 2, 3, 4, 5, 6, 7


_HIGH1, _LOW1, _HIGH2, _LOW2 = 8, 9, 10, 11


SAR_SIZE = 12


@shared
def sar_init(s: State, o: int, start: float, increment: float, maximum: float) -> None:
    """Prepare a parabolic sar."""
    s[o + _START] = start
    s[o + _STEP] = increment
    s[o + _MOST] = maximum
    s[o + _SPEED] = start


@compiled
def _sar_turn(s: State, o: int, long: bool, high: float, low: float) -> float:
    """Reverse: the stop starts from the old extreme, beyond this and the last two bars."""
    value = s[o + _EXTREME]
    s[o + _SPEED] = s[o + _START]
    if long:
        s[o + _LONG] = 0.0
        s[o + _EXTREME] = low
        return max(value, high, s[o + _HIGH1], s[o + _HIGH2])
    s[o + _LONG] = 1.0
    s[o + _EXTREME] = high
    return min(value, low, s[o + _LOW1], s[o + _LOW2])


@compiled
def _sar_advance(s: State, o: int, high: float, low: float) -> float:
    long = s[o + _LONG] != 0.0
    value = s[o + _VALUE] + s[o + _SPEED] * (s[o + _EXTREME] - s[o + _VALUE])
    if (long and low < value) or (not long and high > value):
        return _sar_turn(s, o, long, high, low)
    better = high > s[o + _EXTREME] if long else low < s[o + _EXTREME]
    if better:
        s[o + _EXTREME] = high if long else low
        s[o + _SPEED] = min(s[o + _SPEED] + s[o + _STEP], s[o + _MOST])
    if long:
        return min(value, s[o + _LOW1], s[o + _LOW2])
    return max(value, s[o + _HIGH1], s[o + _HIGH2])


@compiled
def sar(s: State, o: int, high: float, low: float) -> float:
    """Wilder's stop and reverse; na on the first bar, begun on the second from the side it moved to.

    The next stop is sar + speed * (extreme - sar), kept outside the last two bars; touching it does not
    reverse, passing it does.
    """
    bar = s[o + _BAR]
    s[o + _BAR] = bar + 1.0
    value = nan
    if bar == 1.0:
        falling = s[o + _HIGH1] > high
        s[o + _LONG] = 0.0 if falling else 1.0
        value = s[o + _HIGH1] if falling else s[o + _LOW1]
        s[o + _EXTREME] = low if falling else high
    elif bar > 1.0:
        value = _sar_advance(s, o, high, low)
    s[o + _VALUE] = value
    s[o + _HIGH2] = s[o + _HIGH1]
    s[o + _LOW2] = s[o + _LOW1]
    s[o + _HIGH1] = high
    s[o + _LOW1] = low
    return value


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
    examples = ((0.02, 0.02, 0.2), (0.3, 0.1, 0.1))
    in_pine = "ta.sar(0.02, 0.02, 0.2)"
    step = _sar_step

    def __init__(self, start: float = 0.02, increment: float = 0.02, maximum: float = 0.2) -> None:
        super().__init__(prepared(SAR_SIZE, sar_init, start, increment, maximum), 2, 2)
