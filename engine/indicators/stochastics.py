"""Where price stands between the highest and the lowest of a window, and when those were."""

from engine.compiled.functions import Rows, State, compiled, shared
from engine.indicators.averages import sma, sma_init, sma_size
from engine.indicators.extremes import (
    channel,
    channel_init,
    channel_size,
    extreme_age,
    extreme_size,
    highest,
    lowest,
)
from engine.indicators.stream import ManyOutputs, SingleOutput, check_lengths, prepared


@compiled
def stoch(s: State, o: int, x: float, high: float, low: float) -> float:
    """100 * (x - lowest) / (highest - lowest); not clamped."""
    top, bottom = channel(s, o, high, low)
    return 100.0 * (x - bottom) / (top - bottom)


@compiled
def wpr(s: State, o: int, high: float, low: float, close: float) -> float:
    """100 * (close - highest) / (highest - lowest); for length 1 Pine gives the close itself."""
    top, bottom = channel(s, o, high, low)
    if s[o] == 1.0:
        return close
    return 100.0 * (close - top) / (top - bottom)


@compiled
def _williams_r_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = wpr(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class WilliamsR(SingleOutput):
    """100 * (close - highest) / (highest - lowest).

    Source: Williams; Pine, measured (pine_semantics 2).
    Warm-up: `length` bars.
    Units: -100 to 0.
    """

    name = "williams_r"
    pine_name = "ta.wpr"
    inputs = ("high", "low", "close")
    examples = ((6,), (1,))
    in_pine = "ta.wpr(6)"
    in_talib = "WILLR(high, low, close, 6)"
    step = _williams_r_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(channel_size(length), channel_init, length), length, length)


@shared
def stochastic_size(length: int, smooth_k: int, smooth_d: int) -> int:
    """Length of the state of a smoothed stochastic."""
    return channel_size(length) + sma_size(smooth_k) + sma_size(smooth_d)


@shared
def stochastic_init(s: State, o: int, length: int, smooth_k: int, smooth_d: int) -> None:
    """Prepare a smoothed stochastic."""
    channel_init(s, o, length)
    sma_init(s, o + channel_size(length), smooth_k)
    sma_init(s, o + channel_size(length) + sma_size(smooth_k), smooth_d)


@compiled
def stochastic(s: State, o: int, high: float, low: float, close: float) -> tuple[float, float]:
    """K = sma(stoch, smooth_k) and D = sma(K, smooth_d)."""
    at_k = o + channel_size(int(s[o]))
    at_d = at_k + sma_size(int(s[at_k]))
    k = sma(s, at_k, stoch(s, o, close, high, low))
    return k, sma(s, at_d, k)


@compiled
def _stochastic_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1] = stochastic(s, 0, rows[i, 0], rows[i, 1], rows[i, 2])
    return 0


class Stochastic(ManyOutputs):
    """K = sma of 100 * (close - lowest) / (highest - lowest), D = sma of K.

    Source: Lane; Pine, measured (pine_semantics 2).
    Warm-up: `length` + `smooth_k` + `smooth_d` - 2 bars.
    Units: 0 to 100.
    """

    name = "stochastic"
    pine_name = "ta.stoch"
    inputs = ("high", "low", "close")
    outputs = ("k", "d")
    examples = ((6, 2, 3), (1, 1, 1))
    in_pine = """
        k = ta.sma(ta.stoch(close, high, low, 6), 2)
        k, ta.sma(k, 3)
    """
    in_talib = "STOCH(high, low, close, 6, 2, 0, 3, 0)"
    step = _stochastic_step

    def __init__(self, length: int = 14, smooth_k: int = 1, smooth_d: int = 3) -> None:
        check_lengths(length=length, smooth_k=smooth_k, smooth_d=smooth_d)
        super().__init__(
            prepared(
                stochastic_size(length, smooth_k, smooth_d), stochastic_init, length, smooth_k, smooth_d
            ),
            length + smooth_k - 1,
            length + smooth_k + smooth_d - 2,
        )


@compiled
def aroon(s: State, o: int, high: float, low: float) -> tuple[float, float]:
    """Up and down: 100 * (length - bars since the extreme) / length, over length + 1 bars."""
    length = s[o] - 1.0
    at_low = o + extreme_size(int(s[o]))
    highest(s, o, high)
    lowest(s, at_low, low)
    up = 100.0 * (length - extreme_age(s, o)) / length
    down = 100.0 * (length - extreme_age(s, at_low)) / length
    return up, down


@compiled
def _aroon_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0], outs[i, 1] = aroon(s, 0, rows[i, 0], rows[i, 1])
    return 0


class Aroon(ManyOutputs):
    """100 * (length - bars since the extreme) / length, over `length` + 1 bars.

    Source: Chande, 1995; Pine's built-in indicator on ta.highestbars and ta.lowestbars.
    Warm-up: `length` + 1 bars.
    Units: 0 to 100.
    """

    name = "aroon"
    inputs = ("high", "low")
    outputs = ("up", "down")
    in_pine = "100 * (ta.highestbars(high, 6) + 5) / 5, 100 * (ta.lowestbars(low, 6) + 5) / 5"
    in_talib = "AROON(high, low, 5)[::-1]"
    step = _aroon_step

    def __init__(self, length: int) -> None:
        check_lengths(length=length)
        super().__init__(prepared(channel_size(length + 1), channel_init, length + 1), length + 1, length + 1)
