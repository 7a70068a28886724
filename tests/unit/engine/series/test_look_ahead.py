"""The ways in which strategies of other systems come to know the future are refused, with what to write."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from engine.model.bars import Bars
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds, longer_bars
from engine.series.functions import where
from engine.series.nodes import SeriesError
from engine.strategies.graph import Strategy
from engine.strategies.rules import Rules

ARRAY = np.arange(50.0)
"""Some result over a whole history, such as that of a backtest or a notebook."""
COLUMN = pd.Series(ARRAY)
NO_FUTURE, NO_ARRAY = "no way to the future", "it is no array or frame"
HOLDS_LATER = "which holds later bars too, is neither a series nor a number"

LEAKS: list[tuple[str, Callable[[BarSeries], object], str]] = [
    ("a negative shift", lambda bar: bar.close.shift(-1), NO_FUTURE),
    ("a negative shift of a condition", lambda bar: (bar.close > 1).shift(-1), NO_FUTURE),
    ("a negative index", lambda bar: bar.close[-1], r"x\[-1\] would look into the future"),
    ("a negative index of numpy", lambda bar: bar.close[np.int64(-1)], r"x\[-1\] would look into the future"),
    ("a negative index of an hour", lambda bar: bar.on("1h").close[-1], "would look into the future"),
    ("the last row", lambda bar: bar.close.iloc[-1], NO_FUTURE),
    ("a slice", lambda bar: bar.close[-5:], "takes a number of bars back, such as x.1., not a slice"),
    ("an index that is found out", lambda bar: bar.close[bar.index], "takes a number of bars back"),
    ("the next bar", lambda bar: bar.next.open, "there is no way to the future"),
    ("a bar by its number", lambda bar: bar[10], r"bar.close\[1\] is the close one bar ago"),
    ("a centred window", lambda bar: bar.close.rolling(20, center=True).mean(), "ta has the functions"),
    ("a smoothing filter of scipy", lambda bar: np.asarray(bar.close), "a series is no array"),
    ("a convolution", lambda bar: np.convolve(bar.close, np.ones(3), "same"), "a series is no array"),
    ("normalising by the whole", lambda bar: (bar.close - bar.close.mean()) / 2, "would know the future"),
    ("deviation of the whole", lambda bar: bar.close / bar.close.std(), "would know the future"),
    ("numpy's mean of the whole", lambda bar: np.mean(bar.close), "would know the future"),
    ("the highest of the whole", lambda bar: bar.close / bar.close.max(), r"ta.highest\(x, length\)"),
    ("Python's max of the whole", lambda bar: max(bar.close), "has no length while"),
    ("a rank in the whole", lambda bar: bar.close.rank(pct=True), "ta.percentrank"),
    ("a quantile of the whole", lambda bar: bar.close.quantile(0.9), "ta.percentile_linear_interpolation"),
    ("the high of a day that goes on", lambda bar: bar.high.groupby(bar.weekday), "know its later bars"),
    ("the place of the top", lambda bar: bar.high.idxmax(), "would know the future"),
    ("a bar that has not closed", lambda bar: bar.on("1h", closed=False), "keyword argument 'closed'"),
    ("Pine's lookahead_on", lambda bar: bar.on("1h", lookahead=True), "keyword argument 'lookahead'"),
    ("resampling", lambda bar: bar.close.resample("1h").last(), r'bar.on\("1h"\) has the bars'),
    ("a join by open time", lambda bar: bar.close.reindex(bar.time), "joined as of their close"),
    ("a join of pandas", lambda bar: pd.merge_asof(COLUMN.to_frame("x"), bar.close), NO_ARRAY),
    ("filling from the future", lambda bar: bar.close.bfill(), "cannot be filled from the future"),
    ("interpolation", lambda bar: bar.close.interpolate(), "cannot be filled from the future"),
    ("rolling an array round", lambda bar: np.roll(bar.close, -1), "a series is no array"),
    ("a central difference", lambda bar: np.gradient(bar.close), "a series is no array"),
    ("a function of numpy", lambda bar: np.maximum.accumulate(bar.close), "a series is no array"),
    ("numpy's where", lambda bar: np.where(bar.close > 1, 1.0, 0.0), "a series is no array"),
    ("values", lambda bar: bar.close.values[-1], "none while it is defined"),
    ("a list", lambda bar: list(bar.close), "has no length while"),
    ("a column of pandas", lambda bar: pd.Series(bar.close), NO_ARRAY),
    ("a frame of pandas", lambda bar: pd.DataFrame({"close": bar.close}), NO_ARRAY),
    ("an array of results", lambda bar: bar.close > ARRAY, HOLDS_LATER),
    ("an array of results first", lambda bar: ARRAY - bar.close, "a series is no array"),
    ("a column that was shifted", lambda bar: bar.close > COLUMN.shift(-1), HOLDS_LATER),
    ("a column that was shifted first", lambda bar: COLUMN.shift(-1) > bar.close, HOLDS_LATER),
    ("an indicator of results", lambda bar: ta.ema(COLUMN, 3), HOLDS_LATER),
    ("a choice among results", lambda bar: where(bar.close > 1, ARRAY, 0.0), HOLDS_LATER),
    ("a window that lies ahead", lambda bar: ta.highest(bar.high, -5), "from 1 up, not -5"),
    ("a change to a later bar", lambda bar: ta.change(bar.close, -1), "from 1 up, not -1"),
    ("a pivot before it is confirmed", lambda bar: ta.pivot_high(bar.high, 2, -2), "from 0 up, not -2"),
    ("a later occurrence", lambda bar: ta.valuewhen(bar.close > 1, bar.close, -1), "from 0 up, not -1"),
    (
        "a length known afterwards",
        lambda bar: ta.ema(bar.close, bar.index),
        "its settings, which are numbers",
    ),
    ("a branch on a value", lambda bar: 1.0 if bar.close > 1 else 0.0, "cannot decide an if"),
    ("a function over values", lambda bar: bar.close.apply(float), "one bar at a time"),
]


@pytest.mark.parametrize(
    ("expression", "sentence"), [leak[1:] for leak in LEAKS], ids=[leak[0] for leak in LEAKS]
)
def test_what_would_know_the_future_is_refused(
    expression: Callable[[BarSeries], object], sentence: str
) -> None:
    with pytest.raises((SeriesError, TypeError), match=sentence) as refused:
        expression(BarSeries())
    assert "\n" not in str(refused.value)


def test_an_array_is_no_rule() -> None:
    class FromAnArray(Strategy):
        def define(self, bar: BarSeries) -> Rules:
            return Rules(enter_long=ARRAY > 3)  # type: ignore[arg-type]  # what is tried

    with pytest.raises(
        SeriesError, match=r"nb\.Rules, enter_long: a numpy ndarray, which holds later bars too"
    ):
        FromAnArray()


def test_another_symbol_and_a_longer_bar_are_known_when_they_have_closed_and_not_filled_from_later() -> None:
    minute_ns = 60_000_000_000
    numbers = np.arange(6.0)

    def bars(symbol: str, minutes: list[int]) -> Bars:
        x = numbers[: len(minutes)]
        return Bars(symbol, minute_ns, np.array(minutes) * minute_ns, x, x, x, x, x)

    bar = BarSeries()
    own, other = bars("OWN", [0, 1, 2, 3, 4, 5]), bars("OTHER", [1, 4])
    roots = [bar.of("OTHER").close + 0 * bar.close, bar.on("2m").high + 0 * bar.close]
    joined, longer = History(Feeds(own, {"OTHER": other})).values(roots)
    assert repr(joined.tolist()) == "[nan, 0.0, 0.0, 0.0, 1.0, 1.0]"
    assert repr(longer.tolist()) == "[nan, 1.0, 1.0, 3.0, 3.0, 5.0]"


def test_a_history_inside_one_longer_bar_has_none_of_them() -> None:
    x = np.ones(2)
    bars = Bars("OWN", 60_000_000_000, np.array([61, 62]) * 60_000_000_000, x, x, x, x, x)
    hours = longer_bars(bars, 3600_000_000_000)
    assert [len(column) for column in (hours.open_time_ns, hours.open, hours.close)] == [0, 0, 0]
