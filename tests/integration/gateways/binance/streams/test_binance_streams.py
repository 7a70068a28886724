"""Public streams: routed, watched, reconnected, rotated with overlap."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from gateways.binance.streams import link as streams
from gateways.binance.streams.link import StreamLink, class_of, stream_of
from tests.support.binance_stand_in import StandIn

DEPTH = "btcusdt@depth@100ms"


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("btcusdt@depth@100ms", "public"),
        ("btcusdt@depth5", "public"),
        ("btcusdt@bookTicker", "public"),
        ("btcusdt@trade", "public"),
        ("btcusdt@aggTrade", "market"),
        ("btcusdt@kline_1m", "market"),
        ("btcusdt@markPrice@1s", "market"),
    ],
)
def test_each_stream_has_one_path(stream: str, name: str):
    assert class_of(stream) == name


class Heard:
    """What a link has told, and a way to wait for more."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.lost: list[str] = []
        self._changed = asyncio.Event()

    def frame(self, frame: bytes) -> str:
        name = stream_of(frame)
        if name:
            self.frames.append(frame)
            self._changed.set()
        return name

    def end(self, reason: str) -> None:
        self.lost.append(reason)
        self._changed.set()

    def ids(self) -> set[int]:
        return {msgspec.json.decode(frame)["data"]["u"] for frame in self.frames}

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def linked(exchange: StandIn, rotate_seconds: float = 1e9) -> AsyncIterator[tuple[StreamLink, Heard]]:
    heard = Heard()

    def on_frame(frame: bytes) -> None:
        name = heard.frame(frame)
        if name:
            link.seen(name)

    link = StreamLink(
        "public",
        exchange.ws_url("public"),
        on_frame=on_frame,
        on_lost=heard.end,
        on_state=lambda _link, _state: None,
        random=lambda: 0.0,
        rotate_seconds=rotate_seconds,
    )
    link.want(DEPTH)
    task = asyncio.ensure_future(link.run())
    try:
        yield link, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def subscribed(exchange: StandIn, count: int = 1) -> None:
    await exchange.until(lambda: sum(DEPTH in names for names in exchange.names.values()) >= count)


def test_a_stream_of_another_class_is_refused_at_once():
    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange) as (link, _heard):
            with pytest.raises(ValueError, match="not served"):
                link.want("btcusdt@markPrice@1s")

    asyncio.run(scenario())


def test_streams_wanted_later_are_subscribed_on_the_open_connection():
    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange) as (link, _heard):
            await subscribed(exchange)
            link.want("btcusdt@bookTicker")
            await exchange.until(
                lambda: any("btcusdt@bookTicker" in names for names in exchange.names.values())
            )
            assert len(exchange.sockets["public"]) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("clean", [True, False])
def test_every_end_of_a_connection_is_followed_by_a_new_one(clean: bool):
    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange) as (link, heard):
            for round_ in range(1, 4):
                await exchange.until(
                    lambda: any(DEPTH in exchange.names[one] for one in exchange.sockets["public"])
                )
                await exchange.depth(bids={99.0: float(round_)})
                await heard.until(lambda round_=round_: len(heard.frames) >= round_)
                socket = exchange.sockets["public"][0]
                if clean:
                    await socket.close(code=1001)
                else:
                    transport = socket._req.transport  # type: ignore[union-attr]
                    transport.abort()
                await heard.until(lambda round_=round_: len(heard.lost) == round_)
            assert link.reconnects == 3

    asyncio.run(scenario())


def test_a_stream_that_falls_silent_is_reconnected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "longest_gap_seconds", lambda _stream: 0.05)
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)

    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange) as (_link, heard):
            await subscribed(exchange)
            await exchange.depth(bids={99.0: 1.0})
            await heard.until(lambda: heard.frames)
            await heard.until(lambda: heard.lost)
            assert "silent" in heard.lost[0]

    asyncio.run(scenario())


def test_a_stream_that_never_speaks_raises_an_alarm_and_is_reconnected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "FIRST_FRAME_SECONDS", 0.05)
    monkeypatch.setattr(streams, "longest_gap_seconds", lambda _stream: 0.05)
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)

    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange) as (_link, heard):
            await heard.until(lambda: heard.lost)
            assert "nothing since it was subscribed" in heard.lost[0]

    asyncio.run(scenario())


def test_a_rotation_opens_the_new_connection_before_it_drops_the_old_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)

    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange, rotate_seconds=0.1) as (link, heard):
            await subscribed(exchange)
            sent: set[int] = set()
            while link.rotations < 3:
                await exchange.depth(bids={99.0: float(len(sent) % 7 + 1)})
                sent.add(exchange.update_id)
                await heard.until(lambda: exchange.update_id in heard.ids())
            assert heard.ids() == sent
            assert heard.lost == []
            assert link.reconnects == 0

    asyncio.run(scenario())


def test_a_rotation_that_fails_is_tried_again_before_the_exchange_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(streams, "ROTATE_AGAIN_SECONDS", 0.02)

    async def scenario() -> None:
        tries = 0
        enough = asyncio.Event()
        open_socket = streams.open_socket

        async def only_once(url: str, sink: Callable[[bytes], None], **options: object) -> object:
            nonlocal tries
            tries += 1
            if tries == 1:
                return await open_socket(url, sink, **options)  # type: ignore[arg-type]  # handed on
            if tries == 9:
                enough.set()
            raise OSError("refused")

        monkeypatch.setattr(streams, "open_socket", only_once)
        async with StandIn() as exchange, linked(exchange, rotate_seconds=2.0) as (link, heard):
            async with asyncio.timeout(10):
                await enough.wait()
            assert heard.lost == []
            assert link.rotations == 0

    asyncio.run(scenario())


QUIET = "dullusdt@depth@100ms"


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FIRST_FRAME_SECONDS", 0.15)
    monkeypatch.setattr(streams, "longest_gap_seconds", lambda _stream: 0.1)
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)


async def moving(exchange: StandIn, stop: Callable[[], object]) -> None:
    """One book moves, until something has happened."""
    async with asyncio.timeout(10):
        while not stop():
            await exchange.depth(bids={99.0: float(exchange.update_id % 7 + 1)})
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("spoke_once", [True, False])
def test_a_quiet_symbol_does_not_take_the_others_connection_away(
    monkeypatch: pytest.MonkeyPatch, spoke_once: bool
):
    """Whoever nobody trades sends no diffs: its stream is subscribed again, the others stay."""
    impatient(monkeypatch)
    monkeypatch.setattr(streams, "RESUBSCRIBE_SECONDS", 0.2)

    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange) as (link, heard):
            link.want(QUIET)
            await exchange.until(lambda: any(QUIET in names for names in exchange.names.values()))
            if spoke_once:
                await exchange.send(QUIET, {"e": "depthUpdate", "u": 1})
            await moving(exchange, lambda: exchange.subscriptions.count(QUIET) >= 3)
            assert heard.lost == []
            assert exchange.subscriptions.count(DEPTH) == 1

    asyncio.run(scenario())


def test_a_book_whose_ticker_moves_without_it_is_reconnected_though_others_speak(
    monkeypatch: pytest.MonkeyPatch,
):
    impatient(monkeypatch)

    async def scenario() -> None:
        async with StandIn() as exchange, linked(exchange) as (link, heard):
            link.want(QUIET)
            link.want("dullusdt@bookTicker")
            await exchange.until(lambda: any(QUIET in names for names in exchange.names.values()))

            async def ticking() -> None:
                while True:
                    await exchange.send("dullusdt@bookTicker", {"e": "bookTicker", "u": 1})
                    await asyncio.sleep(0.02)

            task = asyncio.ensure_future(ticking())
            await moving(exchange, lambda: heard.lost)
            assert QUIET in heard.lost[0]
            before = len(heard.frames)
            await moving(exchange, lambda: len(heard.frames) > before + 60)
            assert len(heard.lost) == 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
