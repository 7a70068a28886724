"""Tick and quantity step are those of the data, whatever the size of the price."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backtest.data.price_grid import common_step, grid_of, off_grid, settled
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings, Market

_RANDOM = np.random.default_rng(7)


def _bars(prices: NDArray[np.float64], volumes: NDArray[np.float64] | None = None) -> Bars:
    times = np.arange(len(prices), dtype=np.int64)
    volume = np.zeros(len(prices)) if volumes is None else volumes
    return Bars("X", 1, times, prices, prices, prices, prices, volume)


def _walk(tick: float, first: int, count: int = 400) -> NDArray[np.float64]:
    """Prices of a market in ticks, as the floats nearest to what is printed."""
    ticks = first + _RANDOM.integers(0, 300, count)
    return np.array([float(f"{units * tick:.12g}") for units in ticks.tolist()])


@pytest.mark.parametrize(
    ("tick", "first"),
    [
        (0.01, 250_000), (0.1, 640_000), (1.0, 5_000), (1000.0, 90), (0.5, 12_000), (0.25, 20_000),
        (0.05, 900), (0.0001, 41), (0.00001, 108_000), (1e-8, 4_321), (1e-10, 1_234_567),
        (0.03125, 4_000), (0.0025, 700),
    ],
)  # fmt: skip
def test_the_tick_is_found_exactly(tick: float, first: int):
    prices = _walk(tick, first)
    assert grid_of(_bars(prices)).tick == tick
    noisy = prices * (1.0 + _RANDOM.integers(-3, 4, len(prices)) * 2.0**-52)
    assert grid_of(_bars(noisy)).tick == tick


def test_one_price_with_another_decimal_makes_the_tick_finer():
    prices = _walk(0.1, 640_000, 20_000)
    prices[12_345] += 0.05
    assert grid_of(_bars(prices)).tick == 0.05
    prices[12_346] += 0.01
    assert grid_of(_bars(prices)).tick == 0.01


def test_few_prices_do_not_prove_a_coarse_tick():
    grid = grid_of(_bars(np.array([100.0, 94.0, 100.0])))
    assert (grid.tick, grid.tick_source) == (0.01, "assumed: too few prices to find their grid")
    assert grid_of(_bars(np.array([0.0040, 0.0041]))).tick == 0.0001
    assert grid_of(_bars(np.array([0.0040, 0.0042]))).tick == 0.0001


def test_prices_on_no_grid_have_a_tick_that_is_small_for_them():
    for size in (0.00003, 1.0, 70_000.0):
        grid = grid_of(_bars(size * (1.0 + _RANDOM.random(500))))
        assert size * 1e-7 < grid.tick <= size * 1e-6
        assert "no grid" in grid.tick_source


def test_the_quantity_step_is_that_of_the_volumes():
    prices = _walk(0.01, 250_000)
    assert grid_of(_bars(prices, _walk(0.001, 5_000))).qty_step == 0.001
    assert grid_of(_bars(prices / 1000, _walk(1.0, 5_000))).qty_step == 1.0
    summed = np.add.reduce([_walk(0.001, 500) for _ in range(7)])
    assert grid_of(_bars(prices, summed)).qty_step == 0.001


def test_volumes_that_prove_no_step_leave_it_assumed():
    prices = _walk(0.01, 6_400_000)
    for volumes in (np.zeros(400), np.full(400, 5.0), _RANDOM.random(400), _walk(1.0, 5_000)):
        grid = grid_of(_bars(prices, volumes))
        assert (grid.qty_step, grid.qty_step_source) == (0.0001, "assumed")


def test_what_is_given_stays_and_what_is_not_is_found():
    bars = _bars(_walk(0.1, 640))
    assert settled(BrokerSettings(market=Market(qty_step=0.5)), bars).market == Market(0.1, 0.5)
    assert settled(BrokerSettings(market=Market(tick=0.2)), bars).market == Market(0.2, 0.0001)
    given = BrokerSettings(market=Market(tick=0.2, qty_step=0.5))
    assert settled(given, bars) is given


def test_prices_off_a_tick_are_found():
    prices = np.array([0.30, 0.301, 0.31])
    assert off_grid(_bars(prices), 0.01).tolist() == [False, True, False]
    assert not off_grid(_bars(np.array([0.1 + 0.2, 1e6 / 3 * 3])), 0.1).any()
    assert common_step(np.zeros(5)) is None
