"""Strategies and their independent vectorised twins say the same, signal for signal, in batch and live."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from engine.backtest.data.samples import Dataset, dataset, generate
from engine.model.bars import Bars
from engine.strategies.base import SignalStrategy, StrategyParams, registry
from model_integration.frame import bar_at
from model_integration.twins import TWINS
from model_integration.validation import ValidationTestingSuite
from model_integration.vectorized import VectorizedStrategy, build_twin

MARKET = generate(Dataset("test", "TESTUSDT", 3_600_000_000_000, 1500, 77, 120_000, 1500))
VARIANTS: dict[str, list[dict[str, object]]] = {
    "bband": [
        {"length": 10, "ma_type": kind, "signal_mode": mode, "exit_mode": "midpoint", "source": "hlc3"}
        for kind, mode in (("sma", "momentum"), ("ema", "mean_reversion"), ("tema", "momentum"))
    ],
    "cci": [{"source": "hlc3", "length": 9, "upper": 90, "lower": -90, "signal_mode": "mean_reversion"}],
    "cmo": [
        {"smoothing": "wilder", "length": 9, "upper": 10, "lower": -10, "exit_mode": "midpoint"},
        {"smoothing": "sum", "length": 7, "signal_mode": "mean_reversion", "exit_mode": "midpoint"},
    ],
    "ema_cross": [{"fast": 3, "slow": 8}],
    "mom": [{"length": 12, "upper": 15, "lower": -15, "mid": 2, "exit_mode": "midpoint"}],
    "ppo": [
        {"fast_length": 5, "slow_length": 14, "ma_type": kind, "upper": 0.3, "lower": -0.3}
        for kind in ("sma", "ema", "dema", "tema")
    ],
    "roc": [{"length": 5, "signal_mode": "mean_reversion", "exit_mode": "midpoint"}],
    "rsi": [{"length": 7, "upper": 65, "lower": 35, "mid": 50, "exit_mode": "midpoint"}],
    "sma_crossover_inflection": [{"short": 3, "long": 30, "smoothing": 4}],
    "tema": [{"fast_length": 5, "slow_length": 12}],
    "trix": [{"length": 4, "signal_mode": "mean_reversion", "exit_mode": "midpoint"}],
    "ultosc": [{"length1": 4, "length2": 8, "length3": 12, "exit_mode": "midpoint"}],
}
CASES = [(name, params) for name, variants in VARIANTS.items() for params in variants]


def _built(name: str, params: dict[str, object]) -> SignalStrategy:
    cls = registry.get(name)
    assert issubclass(cls, SignalStrategy)
    return cls.from_params(params)


def test_every_signal_strategy_has_a_twin_and_a_variant_here():
    compiled = {name for name in registry.names() if issubclass(registry.get(name), SignalStrategy)}
    assert compiled >= set(TWINS) == set(VARIANTS)
    assert {"cci", "roc", "ultosc", "trix", "bband", "cmo", "rsi", "ppo", "mom", "tema"} <= set(TWINS)


@pytest.mark.parametrize(("name", "params"), CASES, ids=[name for name, _ in CASES])
def test_variants_agree_in_batch_and_live(name: str, params: dict[str, object]):
    found = ValidationTestingSuite(_built(name, params)).run([("test", MARKET)], live_bars=60)
    assert [one.check for one in found] == ["batch", "streaming", "live", "no look-ahead"]
    assert all(one.passed for one in found), [one.sentence for one in found if not one.passed]
    assert found[0].signals > 20


@pytest.mark.parametrize("name", sorted(TWINS))
def test_defaults_agree_over_a_years_market(name: str):
    strategy = _built(name, {})
    found = ValidationTestingSuite(strategy).run([("other-1h", dataset("other-1h"))], live_bars=20)
    assert all(one.passed for one in found), [one.sentence for one in found if not one.passed]


def test_histories_shorter_than_the_windows_give_no_signals():
    short = Bars("X", 1, *(np.arange(1, 6, dtype=kind) for kind in (np.int64, *[np.float64] * 5)))
    for name in TWINS:
        strategy = _built(name, {})
        found = ValidationTestingSuite(strategy).run([("short", short)], live_bars=3)
        assert all(one.passed for one in found), name
        assert not found[0].signals, name


def _above_before(bars: pd.DataFrame, _: StrategyParams) -> pd.DataFrame:
    return pd.DataFrame({"enter_long": bars["close"] > bars["close"].shift(), "tag": "up"})


def test_a_function_of_a_notebook_runs_live():
    strategy = VectorizedStrategy(_above_before, 2)
    batch = strategy.batch(MARKET)
    for i in range(50):
        said = strategy.on_bar(bar_at(MARKET, i))
        assert said.enter_long == batch.enter_long[i]
        assert (said.enter_short, said.exit_long, said.exit_short) == (False, False, False)
        assert said.tag == "up"
    assert strategy.warmup_bars == 2


def _other_threshold(bars: pd.DataFrame, p: StrategyParams) -> pd.DataFrame:
    return TWINS["rsi"](bars, p.model_copy(update={"upper": p.model_dump()["upper"] + 0.5}))


def _looks_ahead(bars: pd.DataFrame, p: StrategyParams) -> pd.DataFrame:
    found = TWINS["rsi"](bars, p)
    return found.assign(enter_long=found["enter_long"] & (bars["close"].shift(-1) > bars["close"]))


@pytest.mark.parametrize(
    ("function", "checks"),
    [(_other_threshold, {"batch"}), (_looks_ahead, {"batch", "no look-ahead"})],
)
def test_the_suite_bites(function: Callable[..., pd.DataFrame], checks: set[str]):
    rsi = _built("rsi", {"length": 7})
    suite = ValidationTestingSuite(rsi, VectorizedStrategy(function, 250, rsi.params, value_names=("rsi",)))
    found = {one.check for one in suite.run([("test", MARKET)], live_bars=200) if not one.passed}
    assert found - {"live"} == checks
    with pytest.raises(AssertionError, match=r"rsi: batch on test: differs at bar"):
        suite.assert_equal([("test", MARKET)], live_bars=5)


def test_a_function_that_looks_ahead_is_found_without_a_strategy_to_compare_it_with():
    def next_close(bars: pd.DataFrame, _: StrategyParams) -> pd.DataFrame:
        return pd.DataFrame({"enter_long": bars["close"].shift(-1) > bars["close"]})

    cheat = VectorizedStrategy(next_close, 50)
    found = ValidationTestingSuite(cheat, cheat).run([("test", MARKET)], live_bars=100)
    assert {one.check for one in found if not one.passed} >= {"live", "no look-ahead"}


def test_a_lookback_that_is_too_short_is_found():
    ema = _built("ema_cross", {"fast": 3, "slow": 40})
    short = build_twin("ema_cross", {"fast": 3, "slow": 40}, lookback_bars=41)
    found = ValidationTestingSuite(ema, short).run([("test", MARKET)], live_bars=1200)
    assert {one.check for one in found if not one.passed} == {"live"}


def test_parameters_alone_make_no_vectorised_strategy():
    with pytest.raises(TypeError, match="made from a function"):
        VectorizedStrategy.from_params({})
    with pytest.raises(ValueError, match="lookback of 0 bars"):
        VectorizedStrategy(_above_before, 0, StrategyParams())
