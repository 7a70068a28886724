"""The inflection strategy turns with the slope of its long average."""

import numpy as np
import pytest

from engine.model.bars import Bar, Bars
from engine.strategies.base import registry
from engine.strategies.library.sma_crossover_inflection import SMACrossoverInflectionStrategy


def _bars(close: list[float] | np.ndarray) -> Bars:
    x = np.asarray(close, dtype=np.float64)
    return Bars("X", 60, np.arange(len(x), dtype=np.int64) * 60, x, x, x, x, np.zeros(len(x)))


def _by_hand(close: np.ndarray, long: int, smoothing: int) -> list[int]:
    """Sign turns of the smoothed slope, straight from the definition."""
    x = np.asarray(close)
    enter = [0] * len(x)
    sign = 0.0
    for i in range(long + smoothing - 1, len(x)):
        slope = (
            x[i - long + 1 : i + 1].mean() - x[i - long - smoothing + 1 : i - smoothing + 1].mean()
        ) / smoothing
        now = float(np.sign(slope)) if abs(slope) > 1e-10 else sign
        if sign * now < 0:
            enter[i] = int(now)
        sign = now
    return enter


def test_a_rise_after_a_fall_is_long_and_a_fall_after_a_rise_short():
    close = np.concatenate([np.arange(40, 0, -1), np.arange(1, 60), np.arange(60, 20, -1)]).astype(float)
    arrays = SMACrossoverInflectionStrategy(short=3, long=10, smoothing=2).batch(_bars(close))
    assert [int(a) - int(b) for a, b in zip(arrays.enter_long, arrays.enter_short, strict=True)] == _by_hand(
        close, 10, 2
    )
    assert arrays.enter_long.sum() == 1
    assert arrays.enter_short.sum() == 1
    assert not arrays.exit_long.any()  # a turn is a flip, which ExitRules make of the opposite entry
    assert not arrays.exit_short.any()


@pytest.mark.parametrize("seed", range(5))
def test_signals_follow_the_definition_on_a_random_walk(seed: int):
    close = 100 + np.cumsum(np.random.default_rng(seed).normal(size=600))
    arrays = SMACrossoverInflectionStrategy(short=4, long=17, smoothing=5).batch(_bars(close))
    assert (arrays.enter_long.astype(int) - arrays.enter_short).tolist() == _by_hand(close, 17, 5)


def test_a_constant_price_gives_no_signal():
    arrays = SMACrossoverInflectionStrategy(short=2, long=5, smoothing=3).batch(_bars([0.1] * 200))
    assert not arrays.enter_long.any()
    assert not arrays.enter_short.any()


def test_streaming_gives_what_batch_gives_and_reset_forgets():
    close = 100 + np.cumsum(np.random.default_rng(9).normal(size=300))
    strategy = SMACrossoverInflectionStrategy(short=3, long=10, smoothing=2)
    arrays = strategy.batch(_bars(close))
    for _ in range(2):
        for i, x in enumerate(close):
            signals = strategy.on_bar(Bar("X", 60, i * 60, x, x, x, x))
            assert signals.enter_long == arrays.enter_long[i]
            assert signals.enter_short == arrays.enter_short[i]
            assert np.array_equal(signals.values, arrays.values[:, i], equal_nan=True)
        strategy.reset()


def test_values_carry_the_averages_and_the_state_of_their_crossing():
    arrays = SMACrossoverInflectionStrategy(short=1, long=2, smoothing=1).batch(_bars([1.0, 3.0, 2.0, 2.0]))
    assert arrays.values[0].tolist() == [1.0, 3.0, 2.0, 2.0]
    assert arrays.values[1, 1:].tolist() == [2.0, 2.5, 2.0]
    assert arrays.values[3, 1:].tolist() == [1.0, -1.0, 0.0]


def test_it_is_registered_and_refuses_unknown_or_impossible_parameters():
    made = registry.get("sma_crossover_inflection").from_params({"long": 50})
    assert made.params.long == 50
    assert made.warmup_bars == 60
    with pytest.raises(ValueError, match="longs"):
        SMACrossoverInflectionStrategy(longs=3)
    with pytest.raises(ValueError, match="short"):
        SMACrossoverInflectionStrategy(short=0)
