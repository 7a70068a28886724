"""A second simulator as the source: its book, trades and bars arrive, and its restart breaks no chain."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateways.simulator.clock import SimClock
from gateways.simulator.markets import MarketOptions, live
from gateways.simulator.markets.live import LiveMarket
from gateways.simulator.markets.synthetic import SyntheticMarket
from gateways.simulator.markets.upstream import Upstream
from gateways.simulator.server import Server, call_later_on
from gateways.simulator.symbols import default_symbols
from gateways.simulator.venue import Venue, VenueOptions
from tests.market_rig import ClientBook, MarketRig

OPTIONS = MarketOptions(symbols=("BTCUSDT",))
GONE_FIRST = MarketOptions(symbols=("ETHUSDT", "BTCUSDT"))
DEADLINE_S = 30.0


class Source:
    """A simulator in this loop."""

    def __init__(self, state: Path, status: str = "TRADING") -> None:
        specs = {"BTCUSDT": replace(default_symbols()["BTCUSDT"], status=status)}
        state.mkdir(exist_ok=True)
        loop = asyncio.get_running_loop()
        self.venue = Venue(VenueOptions(specs, state), SimClock(), call_later_on(loop))
        self.venue.start_market(SyntheticMarket(OPTIONS))
        self.server = Server(self.venue)

    async def start(self, port: int = 0) -> int:
        return await self.server.start("127.0.0.1", port)


class Sink:
    """An exchange fed by a live market; looks at the world whenever it is woken."""

    def __init__(self, url: str, options: MarketOptions = OPTIONS) -> None:
        self.rig = MarketRig(options.symbols)
        self.market = LiveMarket(url, options)
        self.rig.start(self.market)
        self.clock = SimClock()
        self._woken = asyncio.Event()
        self.task = asyncio.create_task(self.market.run(self._woken.set))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                if self.task.done():
                    await self.task
                await self._woken.wait()
                self._woken.clear()
                self.rig.now_ms = self.clock.now_ms()
                self.market.step(self.rig.now_ms)
                self.rig.data.advance(self.rig.now_ms)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def _ready(sink: Sink) -> bool:
    feed = sink.rig.data.feed("BTCUSDT")
    return feed is not None and feed.ready


def _depth_frames(sink: Sink) -> list[dict[str, object]]:
    return [frame for name, frame in sink.rig.frames if name == "btcusdt@depth@100ms"]


def test_book_trades_bars_and_mark_arrive(tmp_path: Path):
    async def run() -> None:
        source = Source(tmp_path / "source")
        port = await source.start()
        sink = Sink(f"http://127.0.0.1:{port}")
        for stream in ("depth@100ms", "bookTicker", "trade"):
            sink.rig.data.subscribe(f"btcusdt@{stream}")
        # What a client holds that came before the source.
        client = ClientBook({"lastUpdateId": 0, "bids": [], "asks": []})
        await sink.until(lambda: _ready(sink))
        await sink.until(lambda: len(_depth_frames(sink)) > 20)
        for frame in _depth_frames(sink):
            client.apply(frame)
        feed = sink.rig.data.feed("BTCUSDT")
        assert feed is not None
        now = sink.rig.rest("depth", symbol="BTCUSDT", limit=1000)
        assert client.last_id == now["lastUpdateId"]
        for price, size in now["bids"]:
            assert client.bids[price] == size
        assert sink.rig.exchange.book("BTCUSDT").best_bid() == feed.depth.book.best(0)[0]
        theirs = source.venue.data.rest(
            "klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "100"}, sink.rig.now_ms
        )
        ours = sink.rig.rest("klines", symbol="BTCUSDT", interval="1h", limit=100)
        assert ours[:-1] == theirs[:-1]
        trades = [f for name, f in sink.rig.frames if name == "btcusdt@trade"]
        known = {row["id"]: row["price"] for row in sink.rig.rest("trades", symbol="BTCUSDT", limit=1000)}
        assert all(known[frame["t"]] == frame["p"] for frame in trades)
        await sink.until(lambda: sink.rig.exchange.mark_price("BTCUSDT") > 0)
        await sink.stop()
        await source.server.close()

    asyncio.run(run())


def test_a_restart_of_the_source_is_one_more_diff(tmp_path: Path):
    async def run() -> None:
        source = Source(tmp_path / "source")
        port = await source.start()
        sink = Sink(f"http://127.0.0.1:{port}")
        sink.rig.data.subscribe("btcusdt@depth@100ms")
        client = ClientBook({"lastUpdateId": 0, "bids": [], "asks": []})
        await sink.until(lambda: len(_depth_frames(sink)) > 3)
        await source.server.close()
        source = Source(tmp_path / "source")
        await source.start(port)
        gaps = sink.market.gaps
        await sink.until(lambda: sink.market.gaps > gaps and not sink.market.waits_for_book)
        count = len(_depth_frames(sink))
        await sink.until(lambda: len(_depth_frames(sink)) > count + 3)
        for frame in _depth_frames(sink):
            client.apply(frame)
        now = sink.rig.rest("depth", symbol="BTCUSDT", limit=1000)
        assert client.last_id == now["lastUpdateId"]
        assert client.top() == (*now["bids"][0], *now["asks"][0])
        await sink.stop()
        await source.server.close()

    asyncio.run(run())


def test_a_symbol_the_source_has_not_is_named_and_keeps_no_other_waiting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async def run() -> None:
        source = Source(tmp_path / "source")
        port = await source.start()
        sink = Sink(f"http://127.0.0.1:{port}", GONE_FIRST)
        await sink.until(lambda: _ready(sink))
        assert sink.market.waits_for_book
        await sink.stop()
        await source.server.close()

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
        source = Source(tmp_path / "source", status="SETTLING")
        port = await source.start()
        sink = Sink(f"http://127.0.0.1:{port}")
        await sink.until(is_told)
        await sink.stop()
        await source.server.close()

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
        source = Source(tmp_path / "source")
        await source.start(port)
        await sink.until(lambda: _ready(sink))
        await sink.stop()
        await source.server.close()
        return port

    port = asyncio.run(run())
    said = capsys.readouterr().out
    assert said.count(f"no connection to 127.0.0.1:{port}, so there is no market") == 1
    assert said.count("disconnected") <= 4
