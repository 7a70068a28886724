"""A market whose source is away, or that has ended, gives no bars, and answers nothing it does not know."""

import asyncio
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.endpoint import Call
from gateways.simulator.api.rest.orders import place
from gateways.simulator.api.venue.clock import SimClock
from gateways.simulator.api.venue.venue import DEFAULT_ACCOUNT, Venue, VenueOptions
from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.markets import Market, MarketOptions
from gateways.simulator.markets.klines import KlinesMarket
from gateways.simulator.markets.live import LiveMarket
from gateways.simulator.markets.upstream import Upstream
from tests.support.live_rig import MINUTE_MS, OPTIONS, Sink, Source, Wall
from tests.support.market_rig import START_MS, MarketRig

STREAMS = ("kline_1m", "kline_5m", "markPrice@1s", "ticker", "miniTicker", "depth5@100ms")
NOWHERE = "http://127.0.0.1:9"


def _refused(sink: Sink, name: str, **params: object) -> ApiError:
    with pytest.raises(ApiError) as refused:
        sink.rig.rest(name, symbol="BTCUSDT", **params)
    assert (refused.value.code, refused.value.http_status) == (-1001, 503)
    return refused.value


def test_while_the_source_is_away_nothing_is_answered_and_afterwards_no_minute_is_missing(tmp_path: Path):
    async def run() -> None:
        wall = Wall()
        async with Source(tmp_path / "source", wall=wall) as source:
            sink, port = Sink(source.url, wall=wall), source.port
            for stream in STREAMS:
                sink.rig.data.subscribe(f"btcusdt@{stream}")
            await sink.until(lambda: sink.feed.ready, source)
            minute = sink.klines("1m", 1)[0][0]
            await sink.until(lambda: sink.feed.ready and sink.klines("1m", 1)[0][0] > minute, source)
        await sink.until(lambda: not sink.feed.ready)
        sink.rig.take()
        wall.ms += 5 * MINUTE_MS
        sink.look()
        assert sink.rig.take() == []
        assert "since" in _refused(sink, "klines", interval="1m").message
        for name in ("depth", "ticker/price", "premiumIndex"):
            _refused(sink, name)
        with pytest.raises(ApiError, match="-1001"):
            sink.rig.rest("ticker/bookTicker")
        async with sink, Source(tmp_path / "source", port=port, wall=wall) as source:
            await sink.until(lambda: sink.feed.ready, source)
            ours, theirs = sink.klines("1m", 1000), {row[0]: row for row in source.klines("1m", 1100)}
            assert [row[0] for row in ours] == list(range(ours[0][0], ours[-1][0] + 1, MINUTE_MS))
            assert ours[:-1] == [theirs[row[0]] for row in ours[:-1]]
            assert float(ours[-4][5]) > 0
            assert sink.klines("1h", 3)[:-1] == source.klines("1h", 3)[:-1]

    asyncio.run(run())


def test_bars_that_are_not_loaded_are_refused_not_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The deeper pages never come, so readiness cannot depend on the speed of the machine."""
    history = Upstream.history

    async def only_first(upstream: Upstream, *arguments: Any, is_complete: bool) -> Any:  # noqa: ANN401 - passed on
        if is_complete:
            await asyncio.Event().wait()
        return await history(upstream, *arguments, is_complete=is_complete)

    monkeypatch.setattr(Upstream, "history", only_first)

    async def run() -> None:
        async with Source(tmp_path / "source") as source, Sink(source.url) as sink:
            await sink.until(lambda: sink.feed.ready)
            for interval in ("1m", "1h", "1d"):
                assert sink.klines(interval, 1000)[:-1] == source.klines(interval, 1000)[:-1]
            for interval, limit in (("15m", 1500), ("12h", 1500)):
                error = _refused(sink, "klines", interval=interval, limit=limit)
                assert "still being fetched" in error.message

    asyncio.run(run())


def _bars_only_from_trades(rig: MarketRig, **params: object) -> list[list[Any]]:
    rows: list[list[Any]] = rig.rest("klines", symbol="BTCUSDT", **params)
    assert all(row[8] > 0 for row in rows)
    return rows


def _file(folder: Path, minutes: list[int]) -> Path:
    times = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(minutes, unit="min")
    frame = pd.DataFrame({"open_time": times, "open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5})
    path = folder / "BTCUSDT.csv"
    frame.assign(volume=1.0).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("step_ms", [250, 45_000, 1_000_000])
def test_a_file_of_bars_that_has_a_hole_or_has_ended_gives_no_bars_there(tmp_path: Path, step_ms: int):
    market: Market = KlinesMarket(_file(tmp_path, [0, 1, 2, 6, 7]), MarketOptions(symbols=("BTCUSDT",)))
    rig = MarketRig(now_ms=START_MS // MINUTE_MS * MINUTE_MS)
    for stream in STREAMS:
        rig.data.subscribe(f"btcusdt@{stream}")
    start_ms = rig.now_ms
    rig.start(market)
    rig.run(30 * MINUTE_MS, step_ms)
    rows = _bars_only_from_trades(rig, interval="1m", startTime=start_ms)
    assert [(row[0] - start_ms) // MINUTE_MS for row in rows] == [0, 1, 2, 6, 7]
    closed = [frame["k"] for name, frame in rig.frames if name == "btcusdt@kline_1m" and frame["k"]["x"]]
    assert [bar["t"] for bar in closed] == [row[0] for row in rows]
    assert _bars_only_from_trades(rig, interval="1m", limit=1) == rows[-1:]
    after_ms = start_ms + 8 * MINUTE_MS
    timed = [frame["E"] for name, frame in rig.frames if "ticker" in name.lower() or "mark" in name]
    assert max(timed) <= after_ms


def test_orders_are_refused_while_there_is_no_market_to_match_them(tmp_path: Path):
    specs = {"BTCUSDT": default_symbols()["BTCUSDT"]}
    venue = Venue(VenueOptions(specs, tmp_path), SimClock(), lambda _ms, _action: None)
    venue.start_market(LiveMarket(NOWHERE, OPTIONS))
    params = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    owner = venue.keys.add("key", "secret", DEFAULT_ACCOUNT)
    with pytest.raises(ApiError) as refused:
        place(venue, Call(Params(params), venue.clock.now_ms(), owner, ""))
    assert (refused.value.code, refused.value.http_status) == (-1001, 503)
    venue.close()


def test_a_minute_whose_end_is_never_streamed_is_fetched_and_nothing_is_refused_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As for a symbol in which nobody trades: the source may send no closing frame."""
    apply = LiveMarket._apply

    def without_ends(market: LiveMarket, frame: dict[str, Any], now_ms: int) -> None:
        if not (frame["e"] == "kline" and frame["k"]["x"]):
            apply(market, frame, now_ms)

    monkeypatch.setattr(LiveMarket, "_apply", without_ends)

    async def run() -> None:
        wall = Wall()
        async with Source(tmp_path / "source", wall=wall) as source, Sink(source.url, wall=wall) as sink:
            sink.rig.data.subscribe("btcusdt@kline_1m")
            await sink.until(lambda: sink.feed.ready, source)
            minute = sink.klines("1m", 1)[0][0]
            closed: list[dict[str, Any]] = []

            def two_more_have_closed() -> bool:
                assert sink.feed.ready
                closed.extend(frame["k"] for frame in sink.rig.take("btcusdt@kline_1m") if frame["k"]["x"])
                return len(closed) == 2

            await sink.until(two_more_have_closed, source)
            theirs = {row[0]: row for row in source.klines("1m", 10)}
            assert [bar["t"] for bar in closed] == [minute, minute + MINUTE_MS]
            assert [bar["v"] for bar in closed] == [theirs[bar["t"]][5] for bar in closed]

    asyncio.run(run())
