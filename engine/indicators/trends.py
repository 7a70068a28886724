"""Parabolic stop and reverse, linear regression, and crossings."""

from math import isnan, nan

from engine.compiled.functions import State, compiled, shared
from engine.indicators.sums import queue_get, queue_init, queue_push, queue_size

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


@shared
def linreg_size(length: int) -> int:
    """Length of the state of a linear regression."""
    return 1 + queue_size(length)


@shared
def linreg_init(s: State, o: int, length: int, offset: int) -> None:
    """Prepare a linear regression."""
    s[o] = offset
    queue_init(s, o + 1, length)


@compiled
def linreg(s: State, o: int, x: float) -> float:
    """Least-squares line through the last `length` values, at the newest one minus `offset` bars.

    The whole window is summed anew each bar, oldest first with x = 1..length, so an na blanks it for
    `length` bars.
    """
    length = int(s[o + 1])
    queue_push(s, o + 1, x)
    if length == 1:
        return x
    sum_x = sum_xx = sum_y = sum_xy = 0.0
    for at in range(1, length + 1):
        y = queue_get(s, o + 1, length - at)
        sum_x += at
        sum_xx += float(at) * at
        sum_y += y
        sum_xy += y * at
    slope = (length * sum_xy - sum_x * sum_y) / (length * sum_xx - sum_x * sum_x)
    intercept = sum_y / length - slope * sum_x / length + slope
    return intercept + slope * (length - 1 - s[o])


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
def crossunder(s: State, o: int, a: float, b: float) -> bool:
    """Whether a is below b now and was at or above it on the last bar where both were defined. Exact."""
    return crossover(s, o, b, a)
