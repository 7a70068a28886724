"""Bars of a file come back from GET klines as they were, at any speed and over a restart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateways.simulator.markets import MarketError, MarketOptions
from gateways.simulator.markets.kline_files import bar_path
from gateways.simulator.markets.klines import KlinesMarket
from tests.support.market_rig import SHARED, MarketRig

COLUMNS = ["open", "high", "low", "close", "volume"]


def _write(path: Path, rows: list[tuple[float, ...]], minutes: int = 1) -> Path:
    times = pd.date_range("2024-01-01", periods=len(rows), freq=f"{minutes}min", tz="UTC")
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame.insert(0, "open_time", times)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


ROWS = [
    (100.0, 103.0, 99.5, 101.0, 5.0),
    (101.0, 101.0, 98.0, 98.5, 0.003),
    (98.5, 99.0, 98.5, 98.6, 0.0),
    (98.7, 98.7, 98.7, 98.7, 0.001),
    (98.7, 98.7, 98.7, 98.7, 0.0),
    (95.0, 110.0, 90.0, 100.0, 12.345),
]


def _start(
    path: Path, state_dir: Path | None = None, now_ms: int | None = None
) -> tuple[MarketRig, KlinesMarket]:
    rig = MarketRig(("BTCUSDT",), state_dir=state_dir)
    rig.now_ms = now_ms or rig.now_ms
    market = KlinesMarket(path, MarketOptions(symbols=("BTCUSDT",)))
    rig.start(market)
    return rig, market


def _bars(rig: MarketRig, market: KlinesMarket, interval: str, count: int) -> list[list[float]]:
    start = pd.Timestamp("2024-01-01", tz="UTC").value // 1_000_000 + market.shift_ms
    rows = rig.rest("klines", symbol="BTCUSDT", interval=interval, startTime=start, limit=count)
    return [[float(value) for value in row[1:6]] for row in rows]


@pytest.mark.parametrize("name", ["BTCUSDT.csv", "BTCUSDT.parquet"])
@pytest.mark.parametrize("step_ms", [250, 7_777, 400_000])
def test_bars_come_back_exactly_however_coarse_the_clock(tmp_path: Path, name: str, step_ms: int):
    rig, market = _start(_write(tmp_path / name, ROWS))
    rig.run(len(ROWS) * 60_000 + 60_000, step_ms)
    assert _bars(rig, market, "1m", len(ROWS)) == [list(row) for row in ROWS]
    assert market.next_time_ms() is None


def test_a_restart_in_the_middle_of_a_bar_changes_nothing(tmp_path: Path):
    path = _write(tmp_path / "BTCUSDT.csv", ROWS)
    first, _ = _start(path, tmp_path / "state")
    first.run(100_500, 250)
    second, market = _start(path, tmp_path / "state", first.now_ms + 45_000)
    second.run(len(ROWS) * 60_000, 250)
    assert _bars(second, market, "1m", len(ROWS)) == [list(row) for row in ROWS]


def test_one_odd_stamp_does_not_make_the_market_stand_still_in_the_rest(tmp_path: Path):
    frame = pd.read_csv(_write(tmp_path / "BTCUSDT.csv", ROWS))
    odd = frame.iloc[[2]].assign(open_time="2024-01-01 00:02:30+00:00")
    pd.concat((frame, odd)).sort_values("open_time").to_csv(tmp_path / "BTCUSDT.csv", index=False)
    rig, market = _start(tmp_path / "BTCUSDT.csv")
    feed = rig.data.feed("BTCUSDT")
    assert feed is not None
    times, standing = [], []
    while (at_ms := market.next_time_ms()) is not None:
        times.append(at_ms)
        standing.append(feed.is_halted)
        rig.run(max(1, at_ms - rig.now_ms), 7_777)
    assert times == sorted(times)
    assert not any(standing)
    bars = _bars(rig, market, "1m", len(ROWS))
    assert bars[:2] + bars[3:] == [list(row) for row in ROWS[:2] + ROWS[3:]]


@pytest.mark.parametrize("odd", [61, 90, 119])
def test_a_row_at_an_odd_distance_is_named_and_a_gap_of_whole_bars_is_not(tmp_path: Path, odd: int):
    path = tmp_path / "BTCUSDT.csv"
    for seconds in ([0, 300, 360, 420], [0, 60, odd, 180, 240, 300]):
        frame = pd.DataFrame([ROWS[0]] * len(seconds), columns=COLUMNS)
        frame.insert(0, "open_time", [1_704_067_200 + second for second in seconds])
        frame.to_csv(path, index=False)
        with capture_logs() as logs:
            _start(path)
        said = [line["event"] for line in logs if line["log_level"] == "warning"]
        assert bool(said) == (odd in seconds)
    assert f"row 2 opens {odd - 60} s after the previous one, but bars are 60 s long" in said[0]


def test_an_accounts_trades_do_not_change_the_bars(tmp_path: Path):
    rig, market = _start(_write(tmp_path / "BTCUSDT.csv", ROWS))
    for _ in range(len(ROWS) * 60 + 60):
        rig.run(1000, 500)
        rig.exchange.market_take("BTCUSDT", "BUY", 3, None, rig.now_ms)
        rig.exchange.after_market("BTCUSDT", rig.now_ms)
    assert _bars(rig, market, "1m", len(ROWS)) == [list(row) for row in ROWS]


@pytest.mark.parametrize(
    ("file", "interval", "count"),
    [("BTCUSDT_perp_1m_20250504_20250603", "1m", 200), ("BTCUSDT_perp_5m", "5m", 100)],
)
def test_real_bars_come_back_exactly(file: str, interval: str, count: int):
    path = SHARED / "data" / f"{file}.parquet"
    if not path.exists():
        pytest.skip(f"no {path} (set SHARED to the folder of shared data)")
    rig, market = _start(path)
    source = pd.read_parquet(path).iloc[:count]
    minutes = int(interval[:-1])
    rig.run((count + 1) * minutes * 60_000, 20_000)
    start = source["open_time"].iloc[0].value // 1_000_000 + market.shift_ms
    rows = rig.rest("klines", symbol="BTCUSDT", interval=interval, startTime=start, limit=count)
    assert [[float(value) for value in row[1:6]] for row in rows] == source[COLUMNS].round(
        8
    ).to_numpy().tolist()


bar = st.tuples(*[st.integers(1, 60)] * 4, st.integers(0, 500))


@settings(max_examples=300)
@given(values=bar, steps=st.integers(4, 60))
def test_a_path_has_the_bars_prices_and_volume_in_order(values: tuple[int, ...], steps: int):
    first, second, third, last, volume = values
    high, low = max(first, second, third, last), min(first, second, third, last)
    path = bar_path(np.array([first, high, low, last, volume]), steps)
    prices = [price for price, _ in path]
    assert prices[0] == first
    assert prices[-1] == last
    assert (max(prices), min(prices)) == (high, low)
    assert sum(lots for _, lots in path) == volume
    if low < first < high:
        high_first = high - first < first - low
        assert (prices.index(high) < prices.index(low)) == high_first


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((100.03, 101.0, 99.0, 100.0, 1.0), "open 100.03 is not a multiple of 0.1"),
        ((100.0, 99.0, 98.0, 98.5, 1.0), "inside the body"),
    ],
)
def test_bars_off_the_grid_are_refused_with_their_row(tmp_path: Path, row: tuple[float, ...], words: str):
    path = _write(tmp_path / "BTCUSDT.csv", [ROWS[0], row])
    with pytest.raises(MarketError, match="row 1: .*" + words):
        _start(path)
