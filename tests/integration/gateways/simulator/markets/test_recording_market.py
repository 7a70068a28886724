"""A recording goes out as it came in, and a client's book is the recorded one."""

import gzip
import json
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateways.simulator.markets import MarketError, MarketOptions, parse_market
from tests.support.market_rig import START_MS, TICKS, ClientBook, MarketRig

STREAMS = {"depthUpdate": "depth@0ms", "bookTicker": "bookTicker", "trade": "trade"}


def _files(symbol: str) -> list[Path]:
    if not TICKS.is_dir():
        pytest.skip(f"no recordings in {TICKS} (set SHARED to their folder)")
    return sorted(path for path in TICKS.iterdir() if symbol in path.name)


@cache
def _recorded(symbol: str) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    for path in _files(symbol):
        with gzip.open(path, "rt") as file:
            for line in file:
                receive, _, text = line.partition(" ")
                frame = json.loads(text)
                if "data" in frame:
                    rows.append((int(receive), frame["data"]))
    return rows


def _rig(symbol: str, *, keep_times: bool, files: int | None = None) -> MarketRig:
    """A market of the first `files` of the recording, or of all."""
    paths = ",".join(map(str, _files(symbol)[:files]))
    options = MarketOptions(symbols=(symbol,), keep_times=keep_times, loop=False)
    rig = MarketRig((symbol,))
    rig.start(parse_market("recording:" + paths, options))
    return rig


def _listen(rig: MarketRig, symbol: str) -> ClientBook:
    for stream in STREAMS.values():
        rig.data.subscribe(f"{symbol.lower()}@{stream}")
    return ClientBook(rig.rest("depth", symbol=symbol, limit=1000))


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_with_kept_times_every_frame_goes_out_unchanged_and_at_its_distance(symbol: str):
    recorded = _recorded(symbol)
    rig = _rig(symbol, keep_times=True)
    _listen(rig, symbol)
    sent: list[tuple[int, dict[str, Any]]] = []
    market = rig.market
    assert market is not None
    market.step(rig.now_ms)
    while (due := market.next_time_ms()) is not None:
        market.step(due)
        sent += [(due, frame) for _, frame in rig.frames]
        rig.frames.clear()
    assert [frame for _, frame in sent] == [frame for _, frame in recorded]
    first_ns, first_ms = recorded[0][0], sent[0][0]
    assert [at - first_ms for at, _ in sent] == [(ns - first_ns) // 1_000_000 for ns, _ in recorded]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_a_clients_book_is_the_recorded_book_ticker_at_every_depth_event(symbol: str):
    tickers = [frame for _, frame in _recorded(symbol) if frame["e"] == "bookTicker"]
    ids = [frame["u"] for frame in tickers]
    rig = _rig(symbol, keep_times=False)
    client = _listen(rig, symbol)
    compared = 0
    for _ in range(60):
        rig.run(1000, 100)
        for frame in rig.take(f"{symbol.lower()}@depth@0ms"):
            client.apply(frame)
            newest = bisect_right(ids, frame["u"]) - 1
            if client.synchronised and newest >= 0:
                ticker = tickers[newest]
                assert client.top() == (ticker["b"], ticker["B"], ticker["a"], ticker["A"])
                compared += 1
    assert compared > 900


@pytest.mark.parametrize("cadence", ["@depth@0ms", "@depth@100ms", "@depth@500ms"])
def test_a_late_client_bridges_once_it_has_seen_an_event(cadence: str):
    rig = _rig("BTCUSDT", keep_times=False, files=1)
    rig.data.subscribe("btcusdt@trade")
    rig.run(10_000, 100)
    rig.data.subscribe("btcusdt" + cadence)
    rig.run(1_300, 100)
    client = ClientBook(rig.rest("depth", symbol="BTCUSDT", limit=1000))
    rig.run(5_000, 100)
    for frame in rig.take("btcusdt" + cadence):
        client.apply(frame)
    assert client.synchronised
    now = rig.rest("ticker/bookTicker", symbol="BTCUSDT")
    if client.last_id == now["lastUpdateId"]:
        assert client.top() == (now["bidPrice"], now["bidQty"], now["askPrice"], now["askQty"])


def test_nothing_is_played_before_somebody_listens():
    rig = _rig("BTCUSDT", keep_times=False, files=1)
    rig.run(5_000, 500)
    assert rig.market is not None
    assert rig.market.next_time_ms() is None
    client = _listen(rig, "BTCUSDT")
    rig.run(3_000, 100)
    depth = rig.take("btcusdt@depth@0ms")
    assert depth[0]["u"] == next(f["u"] for _, f in _recorded("BTCUSDT") if f["e"] == "depthUpdate")
    for frame in depth:
        client.apply(frame)


def _small_session(folder: Path) -> Path:
    """Three diffs around a snapshot, a trade and a ticker."""

    def diff(
        first: int, last: int, previous: int, bids: list[list[str]], asks: list[list[str]]
    ) -> dict[str, Any]:
        data = {"e": "depthUpdate", "E": 1_000, "T": 999, "s": "BTCUSDT", "U": first, "u": last}
        return {"stream": "btcusdt@depth@0ms", "data": {**data, "pu": previous, "b": bids, "a": asks}}

    trade = {"e": "trade", "E": 1_000, "T": 1_000, "s": "BTCUSDT", "t": 7, "p": "100.10", "q": "0.500"}
    lines: list[dict[str, Any]] = [
        diff(1, 5, 0, [["99.90", "9.000"]], []),
        {"lastUpdateId": 8, "E": 1, "T": 1, "bids": [["100.00", "1.000"]], "asks": [["100.10", "2.000"]]},
        diff(6, 10, 5, [["99.90", "1.500"]], []),
        {"stream": "btcusdt@trade", "data": {**trade, "X": "MARKET", "m": False}},
        diff(12, 15, 10, [], [["100.10", "1.500"], ["100.30", "4.000"]]),
    ]
    path = folder / "BTCUSDT_session.txt"
    path.write_text("".join(f"{1_000_000_000 * (i + 1)} {json.dumps(x)}\n" for i, x in enumerate(lines)))
    return path


def test_a_looped_recording_chains_on_without_a_new_snapshot(tmp_path: Path):
    rig = MarketRig(("BTCUSDT",))
    rig.start(parse_market(f"recording:{_small_session(tmp_path)}", MarketOptions(symbols=("BTCUSDT",))))
    client = _listen(rig, "BTCUSDT")
    rig.run(16_000, 100)
    frames = rig.frames
    depth = [frame for name, frame in frames if name == "btcusdt@depth@0ms"]
    for frame in depth:
        client.apply(frame)
    assert len(depth) > 8
    trades = [frame["t"] for name, frame in frames if name == "btcusdt@trade"]
    assert trades == sorted(set(trades))
    assert len(trades) >= 3
    now = rig.rest("depth", symbol="BTCUSDT", limit=1000)
    assert client.bids == dict(map(tuple, now["bids"]))
    assert client.asks == dict(map(tuple, now["asks"]))


def test_there_are_no_bars_of_a_wait_a_hole_or_after_the_end(tmp_path: Path):
    minute = 60_000
    path = _small_session(tmp_path)
    lines = path.read_text().splitlines()
    trade = json.loads(lines[3].partition(" ")[2])
    for at_s in (200, 201):
        trade["data"]["t"] += 1
        lines.append(f"{at_s * 1_000_000_000} {json.dumps(trade)}")
    path.write_text("\n".join(lines))
    rig = MarketRig(("BTCUSDT",), now_ms=START_MS // minute * minute)
    options = MarketOptions(symbols=("BTCUSDT",), loop=False)
    rig.start(parse_market(f"recording:{path}", options))
    start = rig.now_ms
    rig.run(3 * minute, 1000)
    assert rig.rest("klines", symbol="BTCUSDT", interval="1m", limit=1)[0][0] == start - minute
    begin = rig.now_ms
    rig.data.subscribe("btcusdt@kline_1m")
    rig.data.subscribe("btcusdt@markPrice@1s")
    rig.run(10 * minute, 1000)
    rows = rig.rest("klines", symbol="BTCUSDT", interval="1m", limit=6)
    assert [(row[0] - begin) // minute for row in rows] == [-4, -3, -2, -1, 0, 3]
    assert all(float(row[5]) > 0 for row in rows)
    bars = [frame["k"] for frame in rig.take("btcusdt@kline_1m")]
    assert {bar["t"] for bar in bars if bar["n"] == 0} == set()


def test_recorded_trades_make_the_klines(tmp_path: Path):
    rig = MarketRig(("BTCUSDT",))
    options = MarketOptions(symbols=("BTCUSDT",), loop=False)
    rig.start(parse_market(f"recording:{_small_session(tmp_path)}", options))
    _listen(rig, "BTCUSDT")
    rig.run(7_000, 100)
    made = rig.rest("trades", symbol="BTCUSDT", limit=10)
    assert [(row["id"], row["price"], row["qty"]) for row in made] == [(7, "100.10", "0.500")]
    rows = rig.rest("klines", symbol="BTCUSDT", interval="1m", limit=2)
    assert sum(float(row[5]) for row in rows if row[8] == 1) == 0.5


def test_a_broken_line_is_named(tmp_path: Path):
    path = tmp_path / "BTCUSDT.txt"
    path.write_text('1 {"stream":"x"}\n2 nonsense\n')
    with pytest.raises(MarketError, match="line 2"):
        parse_market(f"recording:{path}", MarketOptions())
