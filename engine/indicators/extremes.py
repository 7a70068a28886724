"""Highest and lowest of a window, and channels made of them."""

from math import isnan, nan

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared

_BAR, _KEPT, _AGE, _VALID, _AT, _RING = 1, 2, 3, 4, 5, 6


@shared
def extreme_size(length: int) -> int:
    """Length of the state of a highest or lowest."""
    return _RING + length


@shared
def extreme_init(s: State, o: int, length: int) -> None:
    """Prepare a highest or lowest."""
    s[o] = length
    s[o + _KEPT] = nan


@compiled
def highest(s: State, o: int, x: float) -> float:
    """Largest of the last `length` values; na on the first length - 1 bars.

    An na input gives na and empties the window. Of equal values the oldest counts, see `extreme_age`.
    """
    length, bar, at = s[o], s[o + _BAR], s[o + _AT]  # floats: the next bar need not wait for conversions
    s[o + _BAR] = bar + 1.0
    s[o + _AT] = 0.0 if at + 1.0 == length else at + 1.0
    newest = o + _RING + int(at)
    s[newest] = x
    if isnan(x):
        s[o + _KEPT] = nan
        s[o + _AGE] = 0.0
        s[o + _VALID] = 0.0
        return nan
    valid = min(s[o + _VALID] + 1.0, length)
    s[o + _VALID] = valid
    kept = s[o + _KEPT]
    age = s[o + _AGE] + 1.0
    if isnan(kept) or x > kept:
        kept = x
        age = 0.0
    elif age >= length:
        kept, age = _highest_anew(s, o, newest, int(valid))
    s[o + _KEPT] = kept
    s[o + _AGE] = age
    return kept if bar >= length - 1.0 else nan


@compiled
def _highest_anew(s: State, o: int, newest: int, valid: int) -> tuple[float, float]:
    """The largest of the last `valid` values and how many bars ago it was, the oldest of equals."""
    kept, age = s[newest], 0
    for i in range(1, valid):
        at = newest - i
        v = s[at if at >= o + _RING else at + int(s[o])]
        if v >= kept:
            kept, age = v, i
    return kept, float(age)


@compiled
def lowest(s: State, o: int, x: float) -> float:
    """Smallest of the last `length` values, by the rules of `highest`."""
    return -highest(s, o, -x)


@compiled
def extreme_age(s: State, o: int) -> float:
    """How many bars ago the extreme was; na on the first length - 1 bars."""
    return s[o + _AGE] if s[o + _BAR] >= s[o] else nan


@compiled
def _highest_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = highest(s, 0, rows[i, 0])
    return 0


class Highest(SingleOutput):
    """Largest of the last `length` values.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "highest"
    pine_name = "ta.highest"
    in_pine = "ta.highest(x, 5)"
    in_talib = "MAX(x, 5)"
    step = _highest_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(extreme_size(length), extreme_init, length), length, length)


@compiled
def _lowest_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = lowest(s, 0, rows[i, 0])
    return 0


class Lowest(SingleOutput):
    """Smallest of the last `length` values.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "lowest"
    pine_name = "ta.lowest"
    in_pine = "ta.lowest(x, 5)"
    in_talib = "MIN(x, 5)"
    step = _lowest_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(extreme_size(length), extreme_init, length), length, length)


@compiled
def _highestbars_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    highest(s, 0, rows[i, 0])
    outs[i, 0] = 0.0 - extreme_age(s, 0)
    return 0


class HighestBars(SingleOutput):
    """Minus the number of bars since the largest of the last `length` values; of equals the oldest counts.

    Source: Pine, measured by PyneCore; 0 where x is na.
    Warm-up: `length` bars.
    Units: bars, 0 to 1 - `length`.
    """

    name = "highestbars"
    pine_name = "ta.highestbars"
    in_pine = "ta.highestbars(x, 5)"
    step = _highestbars_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(extreme_size(length), extreme_init, length), length, length)


@compiled
def _lowestbars_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    lowest(s, 0, rows[i, 0])
    outs[i, 0] = 0.0 - extreme_age(s, 0)
    return 0


class LowestBars(SingleOutput):
    """Minus the number of bars since the smallest of the last `length` values; of equals the oldest counts.

    Source: Pine, measured by PyneCore; 0 where x is na.
    Warm-up: `length` bars.
    Units: bars, 0 to 1 - `length`.
    """

    name = "lowestbars"
    pine_name = "ta.lowestbars"
    in_pine = "ta.lowestbars(x, 5)"
    step = _lowestbars_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(extreme_size(length), extreme_init, length), length, length)


@shared
def channel_size(length: int) -> int:
    """Length of the state of a highest high and a lowest low."""
    return 2 * extreme_size(length)


@shared
def channel_init(s: State, o: int, length: int) -> None:
    """Prepare a highest high and a lowest low."""
    extreme_init(s, o, length)
    extreme_init(s, o + extreme_size(length), length)


@compiled
def channel(s: State, o: int, high: float, low: float) -> tuple[float, float]:
    """Highest high and lowest low of the window."""
    return highest(s, o, high), lowest(s, o + extreme_size(int(s[o])), low)


@compiled
def _range_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    top, bottom = channel(s, 0, rows[i, 0], rows[i, 0])
    outs[i, 0] = top - bottom
    return 0


class Range(SingleOutput):
    """Largest minus smallest of the last `length` values.

    Source: Pine.
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "range"
    pine_name = "ta.range"
    in_pine = "ta.range(close, 5)"
    step = _range_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(channel_size(length), channel_init, length), length, length)


@compiled
def _donchian(s: State, o: int, high: float, low: float) -> tuple[float, float, float]:
    top, bottom = channel(s, o, high, low)
    return top, (top + bottom) / 2.0, bottom


@compiled
def _donchian_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = _donchian(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Donchian(ManyOutputs):
    """Highest high, lowest low, and their mean between them.

    Source: Donchian; ta.highest and ta.lowest.
    Warm-up: `length` bars.
    Units: those of price.
    """

    name = "donchian"
    inputs = ("high", "low")
    outputs = ("upper", "middle", "lower")
    in_pine = """
        top, bottom = ta.highest(high, 5), ta.lowest(low, 5)
        top, (top + bottom) / 2, bottom
    """
    step = _donchian_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(channel_size(length), channel_init, length), length, length)


@shared
def ichimoku_size(conversion: int, base: int, lead: int) -> int:
    """Length of the state of an Ichimoku cloud."""
    return channel_size(conversion) + channel_size(base) + channel_size(lead)


@shared
def ichimoku_init(s: State, o: int, conversion: int, base: int, lead: int) -> None:
    """Prepare an Ichimoku cloud."""
    channel_init(s, o, conversion)
    channel_init(s, o + channel_size(conversion), base)
    channel_init(s, o + channel_size(conversion) + channel_size(base), lead)


@compiled
def _middle(s: State, o: int, high: float, low: float) -> float:
    top, bottom = channel(s, o, high, low)
    return (bottom + top) / 2.0


@compiled
def ichimoku(s: State, o: int, high: float, low: float) -> tuple[float, float, float, float]:
    """Conversion line, base line, leading spans A and B, not displaced."""
    at_base = o + channel_size(int(s[o]))
    at_lead = at_base + channel_size(int(s[at_base]))
    conversion = _middle(s, o, high, low)
    base = _middle(s, at_base, high, low)
    return conversion, base, (conversion + base) / 2.0, _middle(s, at_lead, high, low)


@compiled
def _ichimoku_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2], outs[i, 3] = ichimoku(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Ichimoku(ManyOutputs):
    """Middles of three channels, and lead A, the mean of the first two; none is displaced.

    Source: Hosoda; Pine's built-in indicator. The chart shows the leads `base` - 1 bars later.
    Warm-up: the longest of the three.
    Units: those of price.
    """

    name = "ichimoku"
    inputs = ("high", "low")
    outputs = ("conversion", "base", "lead_a", "lead_b")
    examples = ((3, 5, 9), (5, 2, 1))
    in_pine = """
        conversion = (ta.lowest(low, 3) + ta.highest(high, 3)) / 2
        base = (ta.lowest(low, 5) + ta.highest(high, 5)) / 2
        conversion, base, (conversion + base) / 2, (ta.lowest(low, 9) + ta.highest(high, 9)) / 2
    """
    step = _ichimoku_step

    def __init__(self, conversion: int = 9, base: int = 26, lead: int = 52) -> None:
        check_lengths(conversion=conversion, base=base, lead=lead)
        super().__init__(
            prepared(ichimoku_size(conversion, base, lead), ichimoku_init, conversion, base, lead),
            min(conversion, base, lead),
            max(conversion, base, lead),
        )
