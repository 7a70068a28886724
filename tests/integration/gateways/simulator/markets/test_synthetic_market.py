"""The synthetic market: the same for the same seed, alive, and going on after a restart."""

import statistics
from itertools import pairwise
from pathlib import Path

import pytest

from gateways.simulator.api.venue.clock import SimClock
from gateways.simulator.markets import MarketError, MarketOptions, parse_market
from gateways.simulator.markets.synthetic import SyntheticMarket
from tests.support.market_rig import START_MS, ClientBook, MarketRig

STREAMS = ("bookTicker", "depth@100ms", "trade", "aggTrade", "kline_1m", "markPrice@1s")


def _rig(seed: int = 1, state_dir: Path | None = None, now_ms: int = START_MS) -> MarketRig:
    rig = MarketRig(("BTCUSDT",), seed, state_dir, now_ms)
    rig.start(SyntheticMarket(MarketOptions(symbols=("BTCUSDT",), seed=seed)))
    return rig


def _frames(seed: int, step_ms: int) -> list[object]:
    rig = _rig(seed)
    for stream in STREAMS:
        rig.data.subscribe(f"btcusdt@{stream}")
    rig.run(20_000, step_ms)
    return rig.take("btcusdt@bookTicker")


def test_the_same_seed_gives_the_same_frames_however_often_the_loop_looks():
    assert _frames(5, 10) == _frames(5, 1000)
    assert _frames(5, 1000) != _frames(6, 1000)


def test_trades_and_book_tell_the_same_story():
    rig = _rig()
    for stream in ("depth@0ms", "bookTicker", "trade", "aggTrade"):
        rig.data.subscribe(f"btcusdt@{stream}")
    client = ClientBook(rig.rest("depth", symbol="BTCUSDT", limit=1000))
    rig.run(30_000)
    kinds: dict[str, list[dict[str, object]]] = {}
    top = client.top()
    for _, frame in rig.frames:
        kinds.setdefault(frame["e"], []).append(frame)
        if frame["e"] == "depthUpdate":
            client.apply(frame)
            top = client.top()
        elif frame["e"] == "bookTicker":
            assert (frame["b"], frame["B"], frame["a"], frame["A"]) == top
            assert float(frame["b"]) < float(frame["a"])
    trades, aggregates = kinds["trade"], kinds["aggTrade"]
    assert len(trades) > 200
    assert all(b["t"] == a["t"] + 1 for a, b in pairwise(trades))
    assert all(b["f"] == a["l"] + 1 and b["a"] == a["a"] + 1 for a, b in pairwise(aggregates))
    # The last aggregate may still wait for its 100 ms.
    known = {int(trade["t"]): trade for trade in trades}
    for made in aggregates:
        parts = [known[number] for number in range(made["f"], made["l"] + 1)]
        assert round(sum(float(part["q"]) for part in parts), 3) == float(made["q"])
        assert {part["p"] for part in parts} == {made["p"]}


def test_closed_klines_of_the_stream_equal_the_rest_rows_and_the_trades():
    rig = _rig()
    for stream in ("kline_1m", "kline_3m", "trade"):
        rig.data.subscribe(f"btcusdt@{stream}")
    rig.run(400_000, 250)
    frames = rig.frames
    closed = [f["k"] for name, f in frames if name == "btcusdt@kline_1m" and f["k"]["x"]]
    trades = [f for name, f in frames if name == "btcusdt@trade"]
    rows = {row[0]: row for row in rig.rest("klines", symbol="BTCUSDT", interval="1m", limit=20)}
    assert len(closed) >= 6
    for bar in closed:
        row = rows[bar["t"]]
        assert [bar[key] for key in "ohlcv"] == row[1:6]
        assert [bar["T"], bar["q"], bar["n"], bar["V"], bar["Q"]] == row[6:11]
        inside = [t for t in trades if bar["t"] <= t["T"] <= bar["T"]]
        assert bar["n"] == len(inside)
        assert [bar["o"], bar["c"]] == [inside[0]["p"], inside[-1]["p"]]
    assert [f["k"]["x"] for name, f in frames if name == "btcusdt@kline_3m"].count(True) >= 2


def test_a_restart_keeps_history_and_goes_on_from_the_price(tmp_path: Path):
    first = _rig(3, tmp_path)
    first.run(150_000, 250)
    intervals = ("1m", "5m", "1h", "1d")
    before = {i: first.rest("klines", symbol="BTCUSDT", interval=i, limit=1500) for i in intervals}
    last_id = first.rest("depth", symbol="BTCUSDT", limit=5)["lastUpdateId"]
    aggregate = first.rest("aggTrades", symbol="BTCUSDT", limit=1)[-1]["a"]
    # Killed here: nothing is closed. The state is at most a second old.
    second = _rig(3, tmp_path, first.now_ms + 400)
    after = {i: second.rest("klines", symbol="BTCUSDT", interval=i, limit=1500) for i in intervals}
    for interval in intervals:
        assert after[interval][:-1] == before[interval][:-1]
        assert after[interval][-1][0] == before[interval][-1][0]
    price = float(first.rest("ticker/price", symbol="BTCUSDT")["price"])
    top = second.rest("ticker/bookTicker", symbol="BTCUSDT")
    assert abs(float(top["bidPrice"]) - price) / price < 1e-3
    assert second.rest("depth", symbol="BTCUSDT", limit=5)["lastUpdateId"] > last_id
    second.run(5_000)
    assert second.rest("aggTrades", symbol="BTCUSDT", limit=500)[0]["a"] >= aggregate - 100


def test_minutes_without_the_exchange_are_invented_between_the_prices_around_them(tmp_path: Path):
    first = _rig(3, tmp_path)
    first.run(70_000, 250)
    price = first.rest("ticker/price", symbol="BTCUSDT")["price"]
    second = _rig(3, tmp_path, first.now_ms + 600_000)
    rows = second.rest("klines", symbol="BTCUSDT", interval="1m", limit=11)
    assert all(row[4] == after[1] for row, after in pairwise(rows))
    assert rows[-1][1] == price
    assert all(row[3] < row[2] and float(row[5]) > 0 for row in rows[:-1])
    third = _rig(3, tmp_path, second.now_ms)
    assert third.rest("klines", symbol="BTCUSDT", interval="1m", limit=11) == rows


def test_a_time_in_which_the_process_slept_has_no_flat_minutes():
    rig = _rig(3)
    rig.run(70_000, 250)
    price = rig.rest("ticker/price", symbol="BTCUSDT")["price"]
    rig.run(600_000, 600_000)
    rows = rig.rest("klines", symbol="BTCUSDT", interval="1m", limit=11)
    assert all(row[4] == after[1] for row, after in pairwise(rows))
    assert all(row[3] < row[2] and float(row[5]) > 0 for row in rows[:-1])
    assert rows[-1][1] == price


def _signals(mids: list[float]) -> list[int]:
    """Seconds at which the mean change of the 10 s average turns: what the demo's strategy sees."""
    average = [statistics.fmean(mids[i - 9 : i + 1]) for i in range(9, len(mids))]
    changes = [b - a for a, b in pairwise(average)]
    smooth = [a + b for a, b in pairwise(changes)]
    last, turns = 0, []
    for second, value in enumerate(smooth, start=11):
        sign = (value > 1e-9) - (value < -1e-9)
        if sign and last and sign != last:
            turns.append(second)
        last = sign or last
    return turns


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_second_strategy_trades_soon_after_the_start(seed: int):
    rig = _rig(seed)
    rig.data.subscribe("btcusdt@bookTicker")
    mids = []
    for _ in range(30):
        rig.run(1000, 250)
        frame = rig.take("btcusdt@bookTicker")[-1]
        mids.append((float(frame["b"]) + float(frame["a"])) / 2)
    assert _signals(mids)


def test_what_an_account_sweeps_away_is_refilled():
    rig = _rig()
    rig.run(2_000)
    book = rig.exchange.book("BTCUSDT")
    rig.exchange.market_take("BTCUSDT", "BUY", 10**9, (book.best_ask() or 0) + 300, rig.now_ms)
    rig.exchange.after_market("BTCUSDT", rig.now_ms)
    rig.run(3_000)
    assert (book.best_ask() or 0) - (book.best_bid() or 0) <= 3


def test_the_book_stays_bounded_while_the_price_wanders():
    rig = _rig(2)
    rig.run(600_000, 500)
    book = rig.exchange.book("BTCUSDT")
    assert 200 < len(list(book.levels("BUY"))) < 4000
    assert 200 < len(list(book.levels("SELL"))) < 4000


def test_speed_stretches_the_clock_and_nothing_else():
    wall = [1_795_000_000_000.0]
    frames = []
    for speed in (1.0, 20.0):
        clock = SimClock(speed, int(wall[0]), wall=lambda: wall[0])
        rig = _rig(4, now_ms=clock.now_ms())
        rig.data.subscribe("btcusdt@bookTicker")
        started, wall_started = clock.now_ms(), wall[0]
        while clock.now_ms() - started < 8_000:
            wall[0] += 5.0
            rig.run(clock.now_ms() - rig.now_ms)
        assert wall[0] - wall_started == 8_000 / speed
        wall[0] = wall_started
        frames.append(rig.take())
    assert frames[0] == frames[1]


def test_a_long_stop_of_the_clock_leaves_orders_out_instead_of_catching_up():
    rig = _rig()
    rig.data.subscribe("btcusdt@bookTicker")
    rig.now_ms += 3_600_000
    rig.run(1_000)
    assert 0 < len(rig.take()) < 1_000


def test_an_unknown_market_is_one_sentence():
    with pytest.raises(MarketError, match="expected synthetic, recording:PATH"):
        parse_market("random", MarketOptions())
    for text in ("synthetic:", "synthetic:wild"):
        with pytest.raises(MarketError, match=r"synthetic:REGIME \(calm, trending, violent\)"):
            parse_market(text, MarketOptions())
    with pytest.raises(MarketError, match="no such recording"):
        parse_market("recording:/nowhere/at/all.txt", MarketOptions())
