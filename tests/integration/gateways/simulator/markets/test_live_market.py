"""A second simulator as the source: its book, trades and bars arrive, and its restart breaks no chain."""

import asyncio
import socket
from collections.abc import Awaitable
from pathlib import Path

import pytest

from gateways.simulator.markets import MarketOptions, live
from gateways.simulator.markets.upstream import Upstream
from tests.support.live_rig import DEADLINE_S, Sink, Source
from tests.support.market_rig import ClientBook

GONE_FIRST = MarketOptions(symbols=("ETHUSDT", "BTCUSDT"))


def _depth_frames(sink: Sink) -> list[dict[str, object]]:
    return [frame for name, frame in sink.rig.frames if name == "btcusdt@depth@100ms"]


def test_book_trades_bars_and_mark_arrive(tmp_path: Path):
    async def run() -> None:
        async with Source(tmp_path / "source") as source, Sink(source.url) as sink:
            for stream in ("depth@100ms", "bookTicker", "trade"):
                sink.rig.data.subscribe(f"btcusdt@{stream}")
            # What a client holds that came before the source.
            client = ClientBook({"lastUpdateId": 0, "bids": [], "asks": []})
            await sink.until(lambda: sink.feed.ready)
            assert sink.klines("1h", 100)[:-1] == source.klines("1h", 100)[:-1]
            assert sink.rig.exchange.state.market("BTCUSDT").mark > 0
            await sink.until(lambda: len(_depth_frames(sink)) > 20)
            for frame in _depth_frames(sink):
                client.apply(frame)
            now = sink.rig.rest("depth", symbol="BTCUSDT", limit=1000)
            assert client.last_id == now["lastUpdateId"]
            for price, size in now["bids"]:
                assert client.bids[price] == size
            assert sink.rig.exchange.book("BTCUSDT").best_bid() == sink.feed.depth.book.best(0)[0]
            trades = [f for name, f in sink.rig.frames if name == "btcusdt@trade"]
            known = {row["id"]: row["price"] for row in sink.rig.rest("trades", symbol="BTCUSDT", limit=1000)}
            assert all(known[frame["t"]] == frame["p"] for frame in trades)

    asyncio.run(run())


def test_a_restart_of_the_source_is_one_more_diff(tmp_path: Path):
    async def run() -> None:
        async with Source(tmp_path / "source") as source:
            sink = Sink(source.url)
            port = source.port
            sink.rig.data.subscribe("btcusdt@depth@100ms")
            client = ClientBook({"lastUpdateId": 0, "bids": [], "asks": []})
            await sink.until(lambda: len(_depth_frames(sink)) > 3)
        async with sink, Source(tmp_path / "source", port=port):
            gaps = sink.market.gaps
            await sink.until(lambda: sink.market.gaps > gaps and sink.feed.ready)
            count = len(_depth_frames(sink))
            await sink.until(lambda: len(_depth_frames(sink)) > count + 3)
            for frame in _depth_frames(sink):
                client.apply(frame)
            now = sink.rig.rest("depth", symbol="BTCUSDT", limit=1000)
            assert client.last_id == now["lastUpdateId"]
            assert client.top() == (*now["bids"][0], *now["asks"][0])

    asyncio.run(run())


def test_frames_that_are_not_as_documented_end_nothing_and_lead_to_a_new_book(tmp_path: Path):
    strange: list[object] = [
        {"e": "depthUpdate", "s": "BTCUSDT"},
        {"e": "depthUpdate", "s": "BTCUSDT", "U": 1, "u": "x", "pu": None, "b": 5, "a": 5},
        {"e": "bookTicker"},
        {"e": 5, "s": []},
        ["BTCUSDT"],
        None,
    ]

    async def run() -> None:
        async with Source(tmp_path / "source") as source, Sink(source.url) as sink:
            await sink.until(lambda: sink.feed.ready)
            for frame in strange:
                source.venue.hub.publish("btcusdt@depth@100ms", frame)
            await sink.until(lambda: sink.market.malformed >= 4 and sink.feed.ready)
            assert sink.feed.depth.book.best(0)[0] < sink.feed.depth.book.best(1)[0]

    asyncio.run(run())


def test_a_mark_price_that_stops_alone_ends_the_market_of_its_symbol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "_MARK_LATE_S", 2.0)
    monkeypatch.setattr(live, "_MARK_LOOK_S", 0.1)

    async def run() -> None:
        async with Source(tmp_path / "source") as source, Sink(source.url) as sink:
            await sink.until(lambda: sink.feed.ready)
            source.venue.hub.silence(("btcusdt@markPrice@1s",))
            await sink.until(lambda: not sink.feed.ready)
            assert "mark price" in sink.feed.not_ready_reason
            source.venue.hub.silence(())
            await sink.until(lambda: sink.feed.ready)

    asyncio.run(run())


def test_a_symbol_the_source_has_not_is_named_and_keeps_no_other_waiting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async def run() -> None:
        async with Source(tmp_path / "source") as source, Sink(source.url, GONE_FIRST) as sink:
            await sink.until(lambda: sink.feed.ready)
            assert not sink.rig.data.feed("ETHUSDT").ready

    asyncio.run(run())
    said = capsys.readouterr().out
    assert said.count("ETHUSDT is not traded at http://127.0.0.1") == 1
    assert "(unknown there)" in said


def test_a_symbol_that_is_settled_is_named_with_its_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    said: list[str] = []

    def is_told() -> bool:
        said.append(capsys.readouterr().out)
        return "(SETTLING)" in said[-1]

    async def run() -> None:
        async with Source(tmp_path / "source", status="SETTLING") as source, Sink(source.url) as sink:
            await sink.until(is_told)

    asyncio.run(run())
    assert "BTCUSDT is not traded" in said[-1]


def test_a_source_that_cannot_be_reached_is_named_once_until_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(live, "_LONGEST_PAUSE_S", 0.05)

    async def run() -> int:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # nobody listens there
            port: int = taken.getsockname()[1]
            sink = Sink(f"http://127.0.0.1:{port}")
            asked: asyncio.Queue[None] = asyncio.Queue()
            states = Upstream.states

            def counted(upstream: Upstream) -> Awaitable[dict[str, str]]:
                asked.put_nowait(None)
                return states(upstream)

            monkeypatch.setattr(Upstream, "states", counted)
            async with asyncio.timeout(DEADLINE_S):
                for _ in range(4):
                    await asked.get()
        async with sink, Source(tmp_path / "source", port=port):
            await sink.until(lambda: sink.feed.ready)
        return port

    port = asyncio.run(run())
    said = capsys.readouterr().out
    assert said.count(f"no connection to 127.0.0.1:{port}, so there is no market") == 1
    assert said.count("disconnected") <= 4
