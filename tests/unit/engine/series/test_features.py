"""Features over a history, from the store and a bar at a time; what the set to begin with says."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from engine.compiled.functions import State
from engine.model.bars import Bar, Bars
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feature_set import standard_features
from engine.series.features import FeatureStream, feature_values
from engine.series.feeds import longer_bars
from engine.series.nodes import SeriesError
from engine.series.store import Store
from tests.support.random_graphs import history, same_bits
from tests.unit.engine.series.test_graph_strategy import one

HOUR_NS = 3_600_000_000_000
BAR = BarSeries()


def two_timeframes(bar: BarSeries) -> dict[str, object]:
    return {"trend": ta.ema(bar.on("1h").close, 3) / bar.close, "up": bar.close > bar.close[1]}


def never(*_: object) -> None:
    raise AssertionError("computed again")


def test_a_bar_at_a_time_gives_the_bits_of_the_history_also_after_a_pickle() -> None:
    bars = history(3, 700, strange=False)
    values, stream = feature_values(bars, standard_features), FeatureStream(standard_features)
    rows = []
    for i in range(len(bars)):
        if i == 300:
            stream = pickle.loads(pickle.dumps(stream))
        rows.append(stream.update(one(bars, i)))
    for name, column in values.items():
        assert same_bits([row[name] for row in rows], column), name
        assert "week_" in name or not np.isnan(column[-1])


def test_series_and_what_is_made_of_them_can_be_pickled_and_copied() -> None:
    node = ta.crossover(ta.ema(BAR.on("1h").close, 3), BAR.close) & (BAR.hour > 3.0)
    assert pickle.loads(pickle.dumps(node)) is node
    assert copy.deepcopy(node) is node
    stream = pickle.loads(pickle.dumps(FeatureStream({"average": ta.sma(BAR.close, 1)})))
    assert (
        stream.update(one(history(1, 1, strange=False), 0))["average"]
        == history(1, 1, strange=False).close[0]
    )


def test_a_pickled_stream_goes_on_where_other_graphs_were_made_first() -> None:
    def averages(bar: BarSeries) -> dict[str, object]:
        return {"short": ta.sma(bar.close, 37), "long": ta.sma(bar.close, 41)}

    bars = history(6, 60, strange=False)
    stream = FeatureStream(averages(BAR))
    before = [stream.update(one(bars, i)) for i in range(50)]
    pickled = pickle.dumps(stream)
    del stream
    made_first = ta.sma(BAR.close, 41)
    again = pickle.loads(pickled)
    rows = before + [again.update(one(bars, i)) for i in range(50, 60)]
    for name, column in feature_values(bars, averages).items():
        assert same_bits([row[name] for row in rows], column), name
    assert any(node is made_first for node in again._stream.roots)


def test_the_bars_that_decide_may_be_asked_for_by_their_symbol_and_timeframe_too() -> None:
    def thrice(bar: BarSeries) -> dict[str, object]:
        own = bar.of("X")
        return {"plain": bar.close, "of": own.close, "on": own.on("15m").close}

    stream = FeatureStream(thrice, "X", "15m")
    row = stream.update(one(history(1, 1, strange=False), 0))
    assert row["of"] == row["on"] == row["plain"]


def test_closed_bars_of_a_longer_timeframe_are_given_before_the_bar_that_closes_with_them() -> None:
    bars = history(4, 100, strange=False)
    hours = longer_bars(bars, HOUR_NS)
    by_close: dict[int, list[Bar]] = {}
    for given in (hours, bars):
        for i in range(len(given)):
            bar = one(given, i)
            by_close.setdefault(bar.close_time_ns, []).append(bar)
    stream = FeatureStream(two_timeframes, "X", "15m")
    rows = [row for close in sorted(by_close) for bar in by_close[close] if (row := stream.update(bar))]
    for name, column in feature_values(bars, two_timeframes).items():
        assert same_bits([row[name] for row in rows], column), name
    with pytest.raises(SeriesError, match="features of 1h need symbol and timeframe of the deciding bars"):
        FeatureStream(two_timeframes)


def test_none_of_the_set_knows_a_later_bar() -> None:
    bars = history(5, 700, strange=False)
    whole = feature_values(bars, standard_features)
    for cut in (1, 100, 650):
        for name, column in feature_values(bars.part(0, cut), standard_features).items():
            assert same_bits(whole[name][:cut], column), name


def test_prior_levels_and_swings_are_of_days_that_are_over_and_fractals_that_are_confirmed() -> None:
    n = 24 * 16
    opens = 1_704_067_200_000_000_000 + np.arange(n) * HOUR_NS  # a Monday
    hour, day = np.arange(n) % 24, np.arange(n) // 24
    close = 100.0 + day + hour / 100.0
    bars = Bars("X", HOUR_NS, opens, close, close + 5.0, close - 5.0, close, close)
    found = feature_values(bars, standard_features)
    at = 24 * 15 + 3
    for name, level in (
        ("day_high", close[at - 4] + 5.0),
        ("day_low", 100.0 + 14 - 5.0),
        ("day_close", close[at - 4]),
        ("week_high", 100.0 + 13 + 0.23 + 5.0),
        ("week_low", 100.0 + 7 - 5.0),
        ("week_close", 100.0 + 13 + 0.23),
    ):
        assert found[f"to_prior_{name}_percent"][at] == (close[at] - level) / close[at] * 100.0, name
    assert np.isnan(found["to_prior_week_high_percent"][: 24 * 14]).all()  # the first week may not be whole
    swings = found["to_swing_high_percent"]
    assert np.isnan(swings).all()  # highs only rise
    assert found["hour"][at] == 3.0
    assert found["weekday"][at] == 1.0


def test_values_are_read_from_the_store_for_the_same_meaning_and_the_same_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars, store = history(6, 50, strange=True), Store(tmp_path)
    features = {"average": ta.ema(BAR.close, 3), "up": BAR.close > 1.0}
    first = feature_values(bars, features, store=store)
    with monkeypatch.context() as patched:
        patched.setattr(History, "values", lambda *_: [])
        again = feature_values(bars, {"b": BAR.close > 1.0, "a": ta.ema(BAR.close, 3)}, store=store)
        assert list(again) == ["b", "a"]
        assert same_bits(again["a"], first["average"])
        assert same_bits(again["b"], first["up"])
        assert again["b"].dtype == np.bool_
    longer, others = {"average": ta.ema(BAR.close, 4)}, history(7, 50, strange=False)
    for given, wanted in ((others, features), (bars, longer)):
        stored, plain = feature_values(given, wanted, store=store), feature_values(given, wanted)
        assert same_bits(stored["average"], plain["average"])


def test_an_own_indicator_that_was_changed_is_computed_anew(tmp_path: Path) -> None:
    bars, store = history(8, 10, strange=False), Store(tmp_path)

    def scaled(state: State, x: float) -> float:
        return 2.0 * x

    feature_values(bars, {"x": ta.indicator(scaled)(BAR.close)}, store=store)

    def scaled(state: State, x: float) -> float:
        return 3.0 * x

    found = feature_values(bars, {"x": ta.indicator(scaled)(BAR.close)}, store=store)
    np.testing.assert_array_equal(found["x"], 3.0 * bars.close)


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({"trend": 3.0}, "feature 'trend' is a float, a series such as"),
        ({"m": ta.macd(BAR.close)}, "feature 'm' is a Macd, a series such as"),
        ([BAR.close], "features are a mapping such as"),
        (lambda bar: None, "features are a mapping such as"),
    ],
)
def test_what_is_no_feature_is_refused_in_one_sentence(features: object, sentence: str) -> None:
    with pytest.raises(SeriesError, match=sentence):
        feature_values(history(1, 3, strange=False), features)  # type: ignore[arg-type]  # what is tried
