"""The order flow of the synthetic market has the statistics of recorded flow, in simulated time.

The recorded values are those of BTCUSDT and ETHUSDT, 480 s over midnight of 2024-07-18/19;
benchmarks/market_calibration.py measures both beside each other.
"""

import statistics
import sys
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.markets import MarketOptions, parse_market
from gateways.simulator.markets.flow.profiles import REGIMES
from tests.support.market_rig import TICKS, MarketRig
from tests.support.places import ROOT

sys.path.append(str(ROOT / "benchmarks"))

from market_calibration import recorded
from market_statistics import (
    BOOK_EVERY_MS,
    BOOK_LEVELS,
    Observed,
    autocorrelation,
    largest_share,
)

SECONDS = 480
SEEDS = (21, 22)
SYMBOLS = ("BTCUSDT", "ETHUSDT")
RECORDED = {
    "trade sign, lag 1": (0.741, 0.807),
    "trade sign, lag 10": (0.541, 0.611),
    "market order sign, lag 1": (0.248, 0.297),
    "imbalance and next second": (0.362, 0.306),
    "imbalance and next second, at each frame": (0.494, 0.396),
    "imbalance, standard deviation": (0.762, 0.744),
    "largest 1 % of trades, % of volume": (25.2, 26.3),
    "level sizes, deviation over mean": (1.80, 1.45),
    "level sizes, deviation of logarithm": (2.12, 2.36),
    "trades a second": (22.3, 28.5),
    "frames a second": (109.0, 98.7),
    "seconds without change, %": (76.5, 73.1),
    "1 s volatility, bp": (0.481, 0.568),
}
"""BTCUSDT and ETHUSDT; the synthetic market is held within 30 % of the middle of the two."""


def observe(market: str, symbol: str, seed: int, seconds: int = SECONDS) -> Observed:
    rig = MarketRig((symbol,), seed)
    spec = default_symbols()[symbol]
    tick, step = float(spec.tick_size), float(spec.step_size)
    observed = Observed(tick)
    rig.start(parse_market(market, MarketOptions(symbols=(symbol,), seed=seed)))
    for stream in ("bookTicker", "trade"):
        rig.data.subscribe(f"{symbol.lower()}@{stream}")
    for _ in range(0, seconds * 1000, BOOK_EVERY_MS):
        rig.run(BOOK_EVERY_MS, 500)
        for side in rig.exchange.book(symbol).depth(BOOK_LEVELS):
            observed.sides.append([(ticks * tick, lots * step) for ticks, lots in side])
        for frame in rig.take():
            observed.see(frame)
    return observed


@cache
def measured(symbol: str) -> dict[str, float]:
    runs = [observe("synthetic", symbol, seed).measure() for seed in SEEDS]
    return {name: statistics.fmean(run[name] for run in runs) for name in RECORDED}


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("name", RECORDED)
def test_each_statistic_is_within_30_percent_of_the_middle_of_the_recordings(name: str, symbol: str):
    assert measured(symbol)[name] == pytest.approx(statistics.fmean(RECORDED[name]), rel=0.3)


def test_the_recorded_values_are_what_the_recordings_give():
    if not TICKS.is_dir():
        pytest.skip(f"no recordings in {TICKS}")
    for index, symbol in enumerate(SYMBOLS):
        found = recorded(TICKS, symbol).measure()
        for name, values in RECORDED.items():
            assert found[name] == pytest.approx(values[index], rel=0.01), name


def test_regimes_differ_in_movement_and_activity():
    found = {name: observe(f"synthetic:{name}", "BTCUSDT", 3, 240).measure() for name in ("calm", "violent")}
    usual = observe("synthetic", "BTCUSDT", 3, 240).measure()
    for name in ("1 s volatility, bp", "trades a second", "frames a second"):
        assert found["calm"][name] < 0.7 * usual[name]
        assert found["violent"][name] > 1.2 * usual[name]
    assert found["violent"]["1 s volatility, bp"] > 2 * usual["1 s volatility, bp"]
    assert found["violent"]["best size, base"] < 0.6 * usual["best size, base"]


class _WatchedRig(MarketRig):
    """Looks at the book whenever the exchange says it has changed."""

    looks = 0

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        self.looks += 1
        bid, ask = self.exchange.book(symbol).best_bid(), self.exchange.book(symbol).best_ask()
        assert bid is not None
        assert ask is not None
        assert 0 < bid < ask
        super().on_book_changed(symbol, now_ms)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("symbol", ["BTCUSDT", "XRPUSDT"])
def test_the_book_is_never_crossed_or_empty_and_prices_stay_on_tick(symbol: str, regime: str):
    rig = _WatchedRig((symbol,), 5)
    market = f"synthetic:{regime}" if regime else "synthetic"
    rig.start(parse_market(market, MarketOptions(symbols=(symbol,), seed=5)))
    rig.data.subscribe(f"{symbol.lower()}@trade")
    rig.run(120_000, 250)
    tick = default_symbols()[symbol].tick_size
    assert rig.looks > 2000
    assert not any(Decimal(frame["p"]) % tick for frame in rig.take())
    for side in ("BUY", "SELL"):
        assert 20 < len(list(rig.exchange.book(symbol).levels(side))) < 4000


def test_statistics_of_known_series():
    alternating = Observed(0.1)
    for number in range(400):
        sizes = {"B": "3", "A": "1"} if number % 2 else {"B": "1", "A": "3"}
        mid = 100 + 0.1 * (number // 2)
        ticker = {"e": "bookTicker", "T": 1000 * number, "b": f"{mid}", "a": f"{mid + 0.1}", **sizes}
        trade = {"e": "trade", "T": 1000 * number, "p": f"{mid}", "q": "1", "m": bool(number % 2)}
        alternating.see(ticker)
        alternating.see(trade)
    alternating.sides.append([(100.0 - 0.1 * level, 2.0) for level in range(100)])
    found = alternating.measure()
    assert found["trade sign, lag 1"] == pytest.approx(-1.0)
    assert found["imbalance and next second"] == pytest.approx(1.0, abs=0.02)
    assert found["imbalance, standard deviation"] == pytest.approx(0.5)
    assert found["seconds without change, %"] == pytest.approx(50.0, abs=0.5)
    assert found["level sizes, deviation over mean"] == 0.0
    assert found["20th level, ticks from the best"] == pytest.approx(20.0)


def test_no_trade_of_one_size_has_more_than_its_share():
    assert largest_share(np.ones(200), 0.01) == pytest.approx(0.01)
    assert largest_share(np.r_[np.ones(99), 99.0], 0.01) == pytest.approx(0.5)
    assert autocorrelation(np.tile([1.0, 1.0, -1.0, -1.0], 100), 2) == pytest.approx(-1.0)
