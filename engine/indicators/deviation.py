"""Standard deviation and what is measured in it: Bollinger bands, z-score."""

from math import isnan, nan, sqrt

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared
from engine.indicators.sums import rolling_sum, sum_init, sum_size


@shared
def stdev_size(length: int) -> int:
    """Length of the state of a standard deviation."""
    return 2 * sum_size(length)


@shared
def stdev_init(s: State, o: int, length: int) -> None:
    """Prepare a standard deviation."""
    sum_init(s, o, length)
    sum_init(s, o + sum_size(length), length)


@compiled
def mean_and_variance(s: State, o: int, x: float) -> tuple[float, float]:
    """m = sum(x) / n, and the biased max(0, sum(x * x) / n - m * m). State: that of stdev."""
    length = s[o]
    mean = rolling_sum(s, o, x) / length
    q = rolling_sum(s, o + sum_size(int(length)), x * x)
    if isnan(mean) or isnan(q):
        return mean, nan
    square = q / length - mean * mean
    return mean, max(0.0, square)


@compiled
def stdev(s: State, o: int, x: float) -> float:
    """The root of the variance."""
    return sqrt(mean_and_variance(s, o, x)[1])


@compiled
def _variance_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = mean_and_variance(s, 0, rows[i, 0])[1]
    return 0


class Variance(SingleOutput):
    """Biased variance: max(0, q / n - m * m) of rolling sums.

    Source: Pine, measured by PyneCore.
    Warm-up: `length` bars.
    Units: those of x, squared.
    """

    name = "variance"
    pine_name = "ta.variance"
    in_pine = "ta.variance(x, 5)"
    in_talib = "VAR(x, 5)"
    step = _variance_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(stdev_size(length), stdev_init, length), length, length)


@compiled
def _stdev_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = stdev(s, 0, rows[i, 0])
    return 0


class Stdev(SingleOutput):
    """Biased standard deviation: sqrt(max(0, q / n - m * m)) of rolling sums.

    Source: Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "stdev"
    pine_name = "ta.stdev"
    in_pine = "ta.stdev(x, 5)"
    in_talib = "STDDEV(x, 5)"
    step = _stdev_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(stdev_size(length), stdev_init, length), length, length)


@shared
def bollinger_size(length: int) -> int:
    """Length of the state of Bollinger bands around the sma."""
    return 1 + stdev_size(length)


@shared
def bollinger_init(s: State, o: int, length: int, multiplier: float) -> None:
    """Prepare Bollinger bands."""
    s[o] = multiplier
    stdev_init(s, o + 1, length)


@compiled
def bollinger(s: State, o: int, x: float) -> tuple[float, float, float]:
    """Middle = sma(x), upper and lower are multiplier * stdev away."""
    middle, variance = mean_and_variance(s, o + 1, x)
    width = sqrt(variance) * s[o]
    return middle, middle + width, middle - width


@compiled
def _bollinger_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1], outs[i, 2] = bollinger(s, 0, rows[i, 0])
    return 0


class Bollinger(ManyOutputs):
    """Sma, and `multiplier` standard deviations above and below.

    Source: Bollinger; Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: those of x.
    """

    name = "bollinger"
    pine_name = "ta.bb"
    outputs = ("middle", "upper", "lower")
    examples = ((6, 1.5), (1, 2.0))
    in_pine = "ta.bb(x, 6, 1.5)"
    in_talib = "[BBANDS(x, 6, 1.5, 1.5)[k] for k in (1, 0, 2)]"
    step = _bollinger_step

    def __init__(self, length: int = 20, multiplier: float = 2.0) -> None:
        check_lengths(length=length)
        super().__init__(prepared(bollinger_size(length), bollinger_init, length, multiplier), length, length)


@compiled
def zscore(s: State, o: int, x: float) -> float:
    """(x - sma(x)) / stdev(x). State: that of stdev."""
    mean, variance = mean_and_variance(s, o, x)
    return (x - mean) / sqrt(variance)


@compiled
def _zscore_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = zscore(s, 0, rows[i, 0])
    return 0


class ZScore(SingleOutput):
    """(x - sma(x)) / stdev(x): how unusual a value is; na where the window does not move.

    Source: the standard score, over a window, with the biased deviation of Pine.
    Warm-up: `length` bars.
    Units: standard deviations.
    """

    name = "zscore"
    examples = ((5,), (2,))
    in_pine = "(x - ta.sma(x, 5)) / ta.stdev(x, 5)"
    step = _zscore_step

    def __init__(self, length: int) -> None:
        check_lengths(2, length=length)
        super().__init__(prepared(stdev_size(length), stdev_init, length), length, length)
