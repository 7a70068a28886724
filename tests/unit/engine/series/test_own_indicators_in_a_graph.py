"""`@ta.indicator`: one's own function or class is a node like any other."""

import pickle
from math import nan

import numpy as np
import pytest

from engine.compiled.functions import State
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds
from engine.series.nodes import BoolSeries, Series, SeriesError
from engine.series.streaming import Stream
from tests.unit.engine.series.test_graph_strategy import market, one


@ta.indicator(state=1, warmup=lambda length: 14 * length)
def smoothed(state: State, x: float, *, length: int) -> float:
    """An average that forgets by and by."""
    state[0] += (x - state[0]) / length
    return state[0]


@ta.indicator(outputs=("up", "down"), state=2, initial=nan, conditions=True, warmup=2)
def outside(state: State, high: float, low: float):
    """Whether the high is above the one before, and the low below."""
    up, down = high > state[0], low < state[1]
    state[0], state[1] = high, low
    return up, down


@ta.indicator(warmup=lambda length: length)
class Middle:
    """The median, as Python has it."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.seen: list[float] = []

    def update(self, x: float) -> float:
        self.seen = [*self.seen, x][-self.length :]
        return sorted(self.seen)[len(self.seen) // 2] if len(self.seen) == self.length else nan


def test_streaming_gives_the_bits_of_the_history() -> None:
    bar, bars = BarSeries(), market(80)
    broken = outside(bar)
    roots = [
        smoothed(bar.close, length=3),
        smoothed(Middle(bar.hl2, length=5), length=2),
        broken.up,
        broken.down & ta.crossover(bar.close, Middle(bar.close, length=5)),
    ]
    assert isinstance(roots[0], Series)
    assert isinstance(broken.up, BoolSeries)
    history, stream = History(Feeds(bars)).values(roots), Stream(roots)
    for i in range(len(bars)):
        if i == 40:
            stream = Stream(roots, pickle.loads(pickle.dumps(stream.memory)))
        values = stream.advance(one(bars, i))
        assert repr([float(value) for value in values]) == repr([float(values[i]) for values in history])
    assert roots[1].warmup_bars == 5 + 28 - 1


def test_equal_calls_are_one_node_and_two_definitions_of_one_name_are_not() -> None:
    bar = BarSeries()
    assert smoothed(bar.close, length=3).number == smoothed(bar.close, length=3).number

    def doubled(state: State, x: float) -> float:
        return 2.0 * x

    first = ta.indicator(doubled)(bar.close)

    def doubled(state: State, x: float) -> float:  # as in a notebook cell run again
        return 2.5 * x

    second = ta.indicator(doubled)(bar.close)
    values = History(Feeds(market(3))).values([first, second, bar.close])
    np.testing.assert_array_equal(values[0], 2.0 * values[2])
    np.testing.assert_array_equal(values[1], 2.5 * values[2])


def test_what_is_wrong_is_said_in_one_sentence() -> None:
    bar = BarSeries()
    with pytest.raises(SeriesError, match=r"ta\.smoothed: it takes x and the settings"):
        smoothed(bar.close, 14)
    with pytest.raises(SeriesError, match=r"ta\.smoothed: it takes x and the settings"):
        smoothed(bar.close)
    with pytest.raises(SeriesError, match=r"ta\.smoothed takes a series, such as bar.close, not the bar"):
        smoothed(bar, length=3)
    with pytest.raises(SeriesError, match="length must be a whole number"):
        smoothed(bar.close, length=2.5)
