"""Public requests and streams in the exchange's shapes, with its error codes."""

from itertools import pairwise
from pathlib import Path

import pytest

from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.market_data.history.files import MarketStore, StoreError
from gateways.simulator.market_data.history.rows import INTERVAL_MS
from gateways.simulator.market_data.stream_names import parse_stream
from gateways.simulator.markets import MarketOptions
from gateways.simulator.markets.synthetic import SyntheticMarket
from tests.support.market_rig import MarketRig

SYMBOLS = ("BTCUSDT", "DOGEUSDT")


@pytest.fixture(scope="module")
def rig() -> MarketRig:
    made = MarketRig(SYMBOLS)
    made.start(SyntheticMarket(MarketOptions(symbols=SYMBOLS)))
    made.run(30_000, 250)
    return made


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("depth", {}, -1102),
        ("depth", {"symbol": "NOPEUSDT"}, -1121),
        ("depth", {"symbol": "BTCUSDT", "limit": 7}, -4021),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "1s"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 1501}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": 2, "endTime": 1}, -1023),
        ("continuousKlines", {"pair": "BTCUSDT", "contractType": "X", "interval": "1m"}, -1130),
        ("aggTrades", {"symbol": "BTCUSDT", "startTime": 1, "endTime": 3_600_002}, -1127),
        ("trades", {"symbol": "BTCUSDT", "limit": 0}, -1130),
    ],
)
def test_refusals_have_their_codes(rig: MarketRig, name: str, params: dict[str, object], code: int):
    with pytest.raises(ApiError) as refused:
        rig.rest(name, **params)
    assert refused.value.code == code


def test_rows_have_the_documented_keys(rig: MarketRig):
    trade = rig.rest("trades", symbol="BTCUSDT", limit=5)[-1]
    assert list(trade) == ["id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isRPITrade"]
    assert list(rig.rest("aggTrades", symbol="BTCUSDT")[0]) == ["a", "p", "q", "nq", "f", "l", "T", "m"]
    day = rig.rest("ticker/24hr", symbol="BTCUSDT")
    assert set(day) >= {"priceChange", "weightedAvgPrice", "lastQty", "openTime", "firstId", "count"}
    assert [row["symbol"] for row in rig.rest("ticker/price")] == list(SYMBOLS)
    assert {row["symbol"] for row in rig.rest("ticker/bookTicker")} == set(SYMBOLS)
    index = rig.rest("premiumIndex", symbol="BTCUSDT")
    assert float(index["markPrice"]) > 0
    assert index["nextFundingTime"] % 28_800_000 == 0
    assert rig.rest("fundingInfo") == []
    assert float(rig.rest("openInterest", symbol="BTCUSDT")["openInterest"]) > 0


def test_the_day_is_the_sum_of_its_minutes(rig: MarketRig):
    day = rig.rest("ticker/24hr", symbol="BTCUSDT")
    rows = rig.rest("klines", symbol="BTCUSDT", interval="1m", limit=1440)
    assert float(day["volume"]) == pytest.approx(sum(float(row[5]) for row in rows))
    assert float(day["highPrice"]) == max(float(row[2]) for row in rows)
    assert day["openPrice"] == rows[0][1]
    assert day["count"] == sum(row[8] for row in rows)


def test_prices_are_printed_with_the_symbols_precision(rig: MarketRig):
    doge = rig.rest("depth", symbol="DOGEUSDT", limit=5)
    assert all(len(price.split(".")[1]) == 6 for price, _ in doge["bids"])
    assert all("." not in size for _, size in doge["bids"])


def test_funding_history_ascends_in_steps_of_eight_hours(rig: MarketRig):
    rows = rig.rest("fundingRate", symbol="BTCUSDT", limit=100)
    times = [row["fundingTime"] for row in rows]
    assert len(rows) == 100
    assert {b - a for a, b in pairwise(times)} == {28_800_000}
    assert times[-1] <= rig.now_ms < times[-1] + 28_800_000
    again = rig.rest("fundingRate", symbol="BTCUSDT", startTime=times[40], limit=3)
    assert again == rows[40:43]


@pytest.mark.parametrize("interval", sorted(INTERVAL_MS))
def test_mark_index_and_continuous_bars_follow_the_same_bars(rig: MarketRig, interval: str):
    bars = rig.rest("klines", symbol="BTCUSDT", interval=interval, limit=3)
    marks = rig.rest("markPriceKlines", symbol="BTCUSDT", interval=interval, limit=3)
    assert [row[:5] for row in marks] == [row[:5] for row in bars]
    assert {row[5] for row in marks} == {"0"}
    params = {"pair": "BTCUSDT", "interval": interval, "limit": 3}
    assert rig.rest("continuousKlines", contractType="PERPETUAL", **params) == bars
    assert [row[0] for row in rig.rest("indexPriceKlines", **params)] == [row[0] for row in bars]


def test_every_stream_speaks_and_falls_silent_when_nobody_listens(rig: MarketRig):
    names = [
        "btcusdt@depth5", "btcusdt@depth10@100ms", "btcusdt@depth20@500ms", "btcusdt@markPrice",
        "btcusdt@miniTicker", "btcusdt@ticker", "btcusdt@kline_1h", "btcusdt_perpetual@continuousKline_1m",
        "!markPrice@arr@1s", "!miniTicker@arr", "!ticker@arr", "!bookTicker", "dogeusdt@aggTrade",
    ]  # fmt: skip
    assert all(rig.data.subscribe(name) for name in names)
    rig.take()
    rig.run(12_000, 100)
    heard = {name for name, _ in rig.frames}
    assert heard == set(names)
    depth = next(frame for name, frame in rig.frames if name == "btcusdt@depth5")
    assert len(depth["b"]) == len(depth["a"]) == 5
    for name in names:
        rig.data.unsubscribe(name)
    rig.take()
    rig.run(6_000, 100)
    assert rig.frames == []


@pytest.mark.parametrize(
    "name", ["BTCUSDT@trade", "btcusdt@nothing", "nope@trade", "btcusdt@kline_1s", "x", ""]
)
def test_a_stream_that_does_not_exist_is_not_opened(rig: MarketRig, name: str):
    assert not rig.data.subscribe(name)


def test_stream_names_carry_their_cadence():
    assert [parse_stream(f"btcusdt@depth{speed}").cadence_ms for speed in ("", "@0ms", "@500ms")] == [
        250,
        0,
        500,
    ]
    assert parse_stream("btcusdt@depth20@100ms").levels == 20
    assert parse_stream("btcusdt@depth7") is None


def test_a_liquidation_reaches_both_streams(rig: MarketRig):
    for name in ("btcusdt@forceOrder", "!forceOrder@arr"):
        rig.data.subscribe(name)
    rig.take()
    rig.data.publish_force_order("BTCUSDT", {"s": "BTCUSDT", "S": "SELL"}, rig.now_ms)
    assert [name for name, _ in rig.frames] == ["btcusdt@forceOrder", "!forceOrder@arr"]
    assert rig.frames[0][1]["o"]["S"] == "SELL"


def test_a_torn_row_is_cut_off_and_a_broken_state_is_one_sentence(tmp_path: Path):
    rig = MarketRig(("BTCUSDT",), state_dir=tmp_path)
    rig.start(SyntheticMarket(MarketOptions(symbols=("BTCUSDT",))))
    rig.run(190_000, 1000)
    path = tmp_path / "market_data" / "BTCUSDT.minutes"
    whole = MarketStore(path.parent).load_minutes("BTCUSDT", 0)
    path.write_bytes(path.read_bytes()[:-13])
    assert (MarketStore(path.parent).load_minutes("BTCUSDT", 0) == whole[:-1]).all()
    wrong_symbol = '{"symbols":{"BTCUSDT":{"genesis_ms":"x","genesis_ticks":1}}}'
    for text in ("{", "[]", wrong_symbol, '{"market":' + "[" * 100_000):
        (path.parent / "state.json").write_text(text)
        with pytest.raises(StoreError, match="delete the folder"):
            MarketRig(("BTCUSDT",), state_dir=tmp_path)
