"""A strategy that is defined by series: over a history and a bar at a time."""

import pickle

import numpy as np
import pytest

from engine.model.bars import Bar, Bars
from engine.model.exit_rules import ExitRules
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds, longer_bars
from engine.series.functions import executed_when, where
from engine.series.nodes import Feed, SeriesError, always, on_deciding, series_of
from engine.series.streaming import Stream
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import FLAGS, Rules

MINUTE_NS = 60_000_000_000


class Breakaway(Strategy):
    """Long a band above the average while the hour rises, out at the average."""

    length = param(20, ge=1, le=5000, doc="bars of the average")
    band_percent = param(0.1, gt=0)
    stop = param(5.0, gt=0)
    exits = ExitRules(stop_loss_percent=stop)

    def define(self, bar: BarSeries) -> Rules:
        average = ta.ema(bar.close, self.length)
        band = average * self.band_percent / 100
        trend = ta.ema(bar.on("1h").close, 3)
        return Rules(
            enter_long=(bar.close > average + band) & (bar.close > trend),
            exit_long=bar.close < average,
            enter_short=ta.crossunder(bar.close, average - band),
            exit_short=bar.close[2] > average,
            risk_distance=2 * ta.atr(bar, 14),
            plot={"average": average, "trend": trend, "signal": ta.macd(bar.close).signal},
        )


def market(n: int, *, minutes: int = 5, first_minute: int = 20) -> Bars:
    """Bars that begin inside an hour."""
    random = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.002, n)))
    opens = np.concatenate(([close[0]], close[:-1]))
    length = minutes * MINUTE_NS
    times = 1_600_000_000 // 3600 * 3600 * 1_000_000_000 + first_minute * MINUTE_NS + np.arange(n) * length
    high, low = np.maximum(opens, close) * 1.001, np.minimum(opens, close) * 0.999
    return Bars("X", length, times.astype(np.int64), opens, high, low, close, random.uniform(1.0, 2.0, n))


def one(bars: Bars, i: int) -> Bar:
    row = (bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume_base[i])
    return Bar("X", bars.timeframe_ns, int(bars.open_time_ns[i]), *map(float, row))


def test_streaming_gives_the_bits_of_the_history_with_a_longer_timeframe_and_through_a_pickle() -> None:
    bars, strategy = market(600), Breakaway(length=12)
    hours, fed = longer_bars(bars, 60 * MINUTE_NS), 0
    strategy.bind("X", bars.timeframe_ns)
    said = []
    for i in range(len(bars)):
        bar = one(bars, i)
        while fed < len(hours) and one(hours, fed).close_time_ns <= bar.close_time_ns:
            strategy.on_bar(one(hours, fed))
            fed += 1
        said.append(strategy.on_bar(bar))
        if i % 100 == 50:
            assert strategy.reasons() == Breakaway(length=12).reasons_at(bars, i)
        if i == 300:
            strategy = pickle.loads(pickle.dumps(strategy))
    arrays = Breakaway(length=12).batch(bars)
    for flag in FLAGS:
        assert [getattr(signals, flag) for signals in said] == getattr(arrays, flag).tolist()
        assert getattr(arrays, flag).any()
    assert np.array_equal(np.array([signals.values for signals in said]).T, arrays.values, equal_nan=True)
    distances = np.array([signals.risk_distance for signals in said])
    assert np.array_equal(distances, arrays.risk_distance, equal_nan=True)


def test_a_parameter_is_its_value_on_an_object_and_stands_for_it_in_exit_rules() -> None:
    strategy = Breakaway(stop=2.5)
    assert strategy.length == 20
    assert strategy.exit_rules == ExitRules(stop_loss_percent=2.5)
    assert strategy.value_names == ("average", "trend", "signal")
    with pytest.raises(ValueError, match="Breakaway: parameter length is 0, it should be at least 1"):
        Breakaway(length=0)
    with pytest.raises(ValueError, match="lenght"):
        Breakaway(lenght=10)


class NamedByLongerBars(Strategy):
    def define(self, bar: BarSeries) -> Rules:
        hour = bar.on("1h")
        return Rules(enter_long=True, tag=[(hour.close > hour.open, "up"), (hour.close < hour.open, "down")])


def test_a_setup_of_longer_bars_has_no_name_before_the_first_of_them_has_closed() -> None:
    bars, strategy = market(30, first_minute=0), NamedByLongerBars()
    strategy.bind("X", bars.timeframe_ns)
    history = strategy.batch(bars)
    assert history.at(0).tag == strategy.on_bar(one(bars, 0)).tag == ""
    assert history.at(29).tag in {"up", "down"}


class WithHelpers(Strategy):
    """Has something of its own before `define` is called."""

    def __init__(self) -> None:
        self.levels = [100.0]
        super().__init__()

    def define(self, bar: BarSeries) -> Rules:
        return Rules(enter_long=ta.ema(bar.close, 3) > self.levels[0])


def test_define_finds_what_an_own_init_has_made_in_a_copy_too() -> None:
    bars, strategy = market(20), WithHelpers()
    for i in range(10):
        strategy.on_bar(one(bars, i))
    copy = pickle.loads(pickle.dumps(strategy))
    assert [copy.on_bar(one(bars, i)) for i in range(10, 20)] == [
        strategy.on_bar(one(bars, i)) for i in range(10, 20)
    ]


def test_the_hour_seen_by_a_bar_is_the_last_one_that_has_closed() -> None:
    class SeesHour(Strategy):
        def define(self, bar: BarSeries) -> Rules:
            return Rules(plot={"close": bar.on("1h").close})

    bars = market(40, minutes=15, first_minute=30)
    seen = SeesHour().batch(bars).values[0]
    assert np.isnan(seen[:5]).all()  # the hour that history begins in is not whole
    assert seen[5:9].tolist() == [bars.close[5]] * 4
    assert seen[9:13].tolist() == [bars.close[9]] * 4


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (lambda bar: bar.close[-1], "would look into the future"),
        (lambda bar: bar.close.shift(-1), "no way to the future"),
        (lambda bar: bar.close > 1 and bar.open > 1, "cannot decide an if"),
        (lambda bar: np.log(bar.close), "ta.log"),
        (lambda bar: np.array([1.0, 2.0]) * bar.close, "a series is no array"),
        (lambda bar: (bar.close > 1) + 1, "a condition is no number"),
        (lambda bar: bar.close & bar.open, "not numbers"),
        (lambda bar: ta.emaa(bar.close, 3), "did you mean ema"),
        (lambda bar: ta.ema(bar.close, 0), "length must be a whole number"),
        (lambda bar: ta.ema(bar, 3), "such as bar.close"),
        (lambda bar: bar.on("7x").close, "timeframe '7x'"),
    ],
)
def test_what_cannot_be_a_series_is_refused_in_one_sentence(expression: object, sentence: str) -> None:
    with pytest.raises((SeriesError, TypeError), match=sentence):
        expression(BarSeries())  # type: ignore[operator]


def test_the_first_true_condition_names_the_setup_and_levels_travel_with_the_signal() -> None:
    class Tagged(Strategy):
        def define(self, bar: BarSeries) -> Rules:
            rises, falls = bar.close > bar.close[1], bar.close < bar.close[1]
            return Rules(
                enter_long=True,
                tag=[(rises, "up"), (falls, "down")],
                stop_long=bar.low,
                limit_long=bar.close[1],
            )

    bars, strategy = market(50), Tagged()
    arrays = strategy.batch(bars)
    for i in range(len(bars)):
        assert repr(strategy.on_bar(one(bars, i))) == repr(arrays.at(i))
    assert arrays.at(0).tag == ""
    assert {arrays.at(i).tag for i in range(1, 50)} == {"up", "down"}
    assert arrays.at(7).stop_long == bars.low[7]
    assert arrays.target_long is None


def test_a_number_of_numpy_is_a_number() -> None:
    bar = BarSeries()
    assert np.float64(2.0) * bar.close is 2.0 * bar.close


def test_operations_on_constants_are_constants_on_every_timeframe() -> None:
    bar = BarSeries()
    two = where(bar.hour > 100, 1.0, 2.0)
    assert (series_of(6.0) / 2.0) is series_of(3.0)
    assert np.isnan((series_of(0.0) / 0.0).data[0])
    hour = bar.on("1h").close * (series_of(1.0) + 1.0)
    stream = Stream([on_deciding(hour), two])
    bars = market(13, minutes=5, first_minute=0)
    stream.advance(one(longer_bars(bars, 60 * MINUTE_NS), 0), Feed("", "1h"))
    assert stream.advance(one(bars, 12))[0] == 2.0 * bars.close[11]


def test_a_call_that_is_executed_on_two_conditions_advances_where_both_are_true() -> None:
    bar = BarSeries()
    rises, late = bar.close > bar.close[1], bar.index > 20
    twice = executed_when(late, executed_when(rises, ta.change(bar.close)))
    assert twice is executed_when(rises & late, ta.change(bar.close))
    assert executed_when(late, executed_when(rises, bar.close[1])) is executed_when(
        rises & late, bar.close[1]
    )


def test_bars_of_the_past_that_it_asks_for_are_fetched_though_the_graph_needs_fewer() -> None:
    class Remembers(Strategy):
        memory_bars = 500

        def define(self, bar: BarSeries) -> Rules:
            hour = bar.on("1h")
            return Rules(enter_long=ta.latch(bar.close > hour.high, bar.close < hour.low))

    strategy = Remembers()
    strategy.bind("X", 5 * MINUTE_NS)
    assert strategy.warmup_bars == strategy.history_bars("X", 5 * MINUTE_NS) == 500
    assert strategy.history_bars("X", 60 * MINUTE_NS) == 44


def test_a_call_of_constants_that_is_executed_always_is_of_the_deciding_bars() -> None:
    node = executed_when(always(True), ta.sma(series_of(3.0), 2))
    bars = market(3)
    assert repr(History(Feeds(bars)).values([node])[0].tolist()) == "[nan, 3.0, 3.0]"
    stream = Stream([node])
    assert repr([stream.advance(one(bars, i))[0] for i in range(3)]) == "[nan, 3.0, 3.0]"
