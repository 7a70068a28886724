"""A slow engine loses old market data, never an order event; one that keeps up loses nothing."""

import asyncio
import itertools
import socket
from decimal import Decimal

import msgspec
import pytest

from gateways.wire import messages as m
from gateways.wire.errors import NotConnected
from gateways.wire.framing import encode, engine_decoder
from gateways.wire.limits import WireLimits
from gateways.wire.token import hello_mac
from tests.support.wire_rig import (
    TOKEN,
    Engine,
    RecordingGateway,
    book,
    engine,
    market_order,
    order_update,
    server,
)

TICKS = 30_000
SMALL = WireLimits(socket_buffer_bytes=8_192, waiting_trades=10)


async def connect_without_reading(port: int, last: tuple[int, int] = (0, 0)) -> socket.socket:
    """A socket that has sent a right hello and reads nothing more."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    decoder = engine_decoder()
    (challenge,) = decoder.feed(await loop.sock_recv(sock, 4_096))
    assert isinstance(challenge, m.Challenge)
    hello = m.Hello(m.PROTOCOL_VERSION, "alpha", 1, ("BTCUSDT",), "alpha-", *last, b"", b"n")
    await loop.sock_sendall(
        sock, encode(msgspec.structs.replace(hello, mac=hello_mac(TOKEN, challenge.nonce, hello, port)))
    )
    return sock


async def read_until(sock: socket.socket, last_update_id: int) -> list[m.ToEngine]:
    loop = asyncio.get_running_loop()
    decoder = engine_decoder()
    heard: list[m.ToEngine] = []
    async with asyncio.timeout(20):
        while not any(isinstance(one, m.OrderBookTick) and one.update_id == last_update_id for one in heard):
            data = await loop.sock_recv(sock, 65_536)
            assert data
            heard += decoder.feed(data)
            assert decoder.error is None
    return heard


def trade(number: int) -> m.TradeTick:
    return m.TradeTick("BTCUSDT", number, 100.0, 1.0, False, number, number)  # positional


def test_a_slow_reader_loses_old_books_only() -> None:
    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler, limits=SMALL)
        sock = await connect_without_reading(await gateway.start())
        await handler.until(lambda: handler.connected)
        for number in range(1, TICKS + 1):
            gateway.publish_market(book(number))
            if number % 100 == 0:
                gateway.publish_order_event(order_update(number))
                gateway.publish_market(trade(number))
                handler.connected[0].send(m.Reply(number, "ok"))
        heard = await read_until(sock, TICKS)
        books = [one.update_id for one in heard if isinstance(one, m.OrderBookTick)]
        orders = [one.trade_id for one in heard if isinstance(one, m.OrderUpdate)]
        replies = [one.request_id for one in heard if isinstance(one, m.Reply)]
        trades = [one.trade_id for one in heard if isinstance(one, m.TradeTick)]
        wanted = list(range(100, TICKS + 1, 100))
        assert orders == wanted
        assert replies == wanted
        assert books == sorted(set(books))
        assert len(books) + gateway.conflated_ticks == TICKS
        assert gateway.conflated_ticks > TICKS // 2
        assert trades == sorted(set(trades))
        assert trades[-10:] == wanted[-10:]
        assert len(trades) + gateway.dropped_market_events == len(wanted)
        sock.close()
        await gateway.close()

    asyncio.run(main())


def test_order_events_overtake_market_data_that_waits() -> None:
    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler, limits=SMALL)
        sock = await connect_without_reading(await gateway.start())
        await handler.until(lambda: handler.connected)
        for number in range(1, TICKS + 1):
            gateway.publish_market(book(number))
        gateway.publish_order_event(order_update(1))
        heard = await read_until(sock, TICKS)
        kinds = [type(one) for one in heard]
        assert kinds.index(m.OrderUpdate) < len(kinds) - 1
        assert kinds[-1] is m.OrderBookTick
        sock.close()
        await gateway.close()

    asyncio.run(main())


def test_a_reader_that_never_reads_is_cut_off_and_gets_its_order_events_after_coming_back() -> None:
    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler, limits=WireLimits(urgent_bytes=200_000))
        port = await gateway.start()
        sock = await connect_without_reading(port)
        await handler.until(lambda: handler.connected)
        published = 0
        while not handler.gone:
            published += 1
            gateway.publish_order_event(order_update(published))
            if published % 500 == 0:
                await asyncio.sleep(0)
            assert published < 200_000
        assert "wait for the engine" in handler.gone[0][1]
        sock.close()
        taken = published // 2
        again = await connect_without_reading(port, (1, taken))
        await handler.until(lambda: len(handler.connected) == 2)
        gateway.publish_market(book(1))
        heard = await read_until(again, 1)
        sequences = [one.sequence for one in heard if isinstance(one, m.OrderUpdate)]
        assert sequences == list(range(taken + 1, published + 1))
        again.close()
        await gateway.close()

    asyncio.run(main())


def test_a_reader_that_keeps_up_gets_every_tick_and_every_order_event() -> None:
    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler)
        alpha = engine(await gateway.start())
        await alpha.until(lambda: alpha.ups)
        for number in range(1, TICKS + 1):
            gateway.publish_market(book(number))
            if number % 50 == 0:
                gateway.publish_order_event(order_update(number))
                await asyncio.sleep(0)
        await alpha.until(lambda: alpha.heard and getattr(alpha.heard[-1], "trade_id", 0) == TICKS)
        assert [one.update_id for one in alpha.of(m.OrderBookTick)] == list(range(1, TICKS + 1))
        assert len(alpha.of(m.OrderUpdate)) == TICKS // 50
        assert gateway.conflated_ticks == 0
        assert gateway.dropped_market_events == 0
        await alpha.client.close()
        await gateway.close()

    asyncio.run(main())


def test_a_message_as_large_as_a_snapshot_arrives_whole() -> None:
    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler)
        alpha = engine(await gateway.start())
        await alpha.until(lambda: alpha.ups)
        fills = tuple(order_update(number) for number in range(1, 20_001))
        snapshot = m.Snapshot(
            1, True, (m.Balance("USDT", Decimal(1), Decimal(1)),), (), (), fills, (), False, False, 1, 0, 0
        )  # fmt: skip
        handler.connected[0].send(snapshot)
        await alpha.until(lambda: alpha.of(m.Snapshot))
        assert alpha.of(m.Snapshot) == [snapshot]
        await alpha.client.close()
        await gateway.close()

    asyncio.run(main())


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_is_written_leaves_before_the_writer_does_anything_else(loop: str) -> None:
    """uvloop by itself would keep the frame until the callback that wrote it has ended."""
    factory = None
    if loop == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop

    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler)
        sock = await connect_without_reading(await gateway.start())
        await handler.until(lambda: handler.connected)
        await asyncio.get_running_loop().sock_recv(sock, 4_096)
        gateway.publish_market(book(1))
        gateway.publish_order_event(order_update(1))
        sock.setblocking(True)
        sock.settimeout(5)
        decoder = engine_decoder()
        heard: list[m.ToEngine] = []
        while len(heard) < 2:
            heard += decoder.feed(sock.recv(4_096))  # the loop does not run meanwhile
        assert [type(one) for one in heard] == [m.OrderBookTick, m.OrderUpdate]
        sock.close()
        await gateway.close()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def send_for_ever(alpha: Engine) -> None:
    """Without letting the loop run, so that the gateway, which shares it, cannot read."""
    for number in itertools.count():
        alpha.client.send(market_order(number))


def test_a_gateway_that_does_not_read_is_given_up() -> None:
    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler)
        port = await gateway.start()
        alpha = engine(port, limits=WireLimits(unsent_requests_bytes=10_000))
        await alpha.until(lambda: alpha.ups)
        with pytest.raises(NotConnected):
            send_for_ever(alpha)
        await alpha.until(lambda: alpha.downs)
        assert alpha.downs == ["the gateway does not read"]
        await alpha.client.close()
        await gateway.close()

    asyncio.run(main())
