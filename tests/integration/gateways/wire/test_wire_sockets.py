"""Gateway and engine over real sockets: who is let in, what is said to whom, what a reconnect gives back."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import pytest

from gateways.wire import messages as m
from gateways.wire.errors import NotConnected
from gateways.wire.framing import encode, engine_decoder
from gateways.wire.limits import DEFAULT_LIMITS, WireLimits
from gateways.wire.server import WireServer
from tests.support.wire_rig import RecordingGateway, book, engine, market_order, order_update, server

IMPATIENT = WireLimits(
    handshake_seconds=0.3, heartbeat_seconds=0.05, idle_seconds=0.3, longest_backoff_seconds=0.05
)


def run(
    scenario: Callable[[WireServer, RecordingGateway, int], Awaitable[None]],
    limits: WireLimits = DEFAULT_LIMITS,
) -> None:
    async def main() -> None:
        handler = RecordingGateway()
        gateway = server(handler, limits=limits)
        port = await gateway.start()
        try:
            await scenario(gateway, handler, port)
        finally:
            await gateway.close()

    asyncio.run(main())


async def wait_for_end(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20):
        return await reader.read()


async def finish(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_an_engine_with_the_token_is_let_in_and_hears_its_symbols() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port)
        await alpha.until(lambda: alpha.ups)
        gateway.publish_market(book(1, "ETHUSDT"))
        gateway.publish_market(book(2))
        await alpha.until(lambda: alpha.of(m.OrderBookTick))
        assert alpha.of(m.OrderBookTick) == [book(2)]
        assert handler.connected[0].engine_id == "alpha"
        await alpha.client.close()

    run(scenario)


def test_an_engine_with_another_token_gets_a_refusal_and_nothing_else() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        stranger = engine(port, token=bytes(32))
        await stranger.until(lambda: len(stranger.downs) > 2)
        gateway.publish_market(book(1))
        gateway.publish_order_event(order_update(1))
        assert [one.code for one in stranger.refusals] == ["gateway"]  # told once, tried again
        assert f"port {port} does not prove" in stranger.refusals[0].reason
        assert not stranger.client.is_refused
        assert not stranger.ups
        assert not stranger.heard
        assert not handler.connected
        await handler.until(lambda: handler.strangers)
        assert "same token" in handler.strangers[0]
        await stranger.client.close()

    run(scenario, IMPATIENT)


@pytest.mark.parametrize(
    "said",
    [
        m.Welcome("impostor", 1, 1, b"m" * 32),
        m.Refused("fencing", "a newer engine is there"),
        m.Refused("version", "another version", b"m" * 32),
        m.Challenge(m.PROTOCOL_VERSION + 1, b"n" * 32),
    ],
    ids=["welcome", "fencing", "version", "challenge"],
)
def test_who_does_not_prove_the_token_is_believed_nothing_and_nothing_is_final(said: m.ToEngine) -> None:
    async def main() -> None:
        async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(encode(m.Challenge(m.PROTOCOL_VERSION, b"n" * 32)))
            writer.write(encode(said))
            await reader.read()
            await finish(writer)

        listener = await asyncio.start_server(impostor, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        alpha = engine(port, limits=IMPATIENT)
        await alpha.until(lambda: alpha.downs)
        listener.close()
        await listener.wait_closed()
        assert len(alpha.refusals) == 1
        assert f"port {port}" in alpha.refusals[0].reason
        assert not alpha.ups
        gateway = server(RecordingGateway(), limits=IMPATIENT)
        await gateway.start(port=port)
        await alpha.until(lambda: alpha.ups)  # the gateway takes its port back, and the engine comes
        await alpha.client.close()
        await gateway.close()

    asyncio.run(main())


def test_an_engine_finds_a_gateway_that_listens_elsewhere() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            ports = (silent.getsockname()[1], port)
            alpha = engine(lambda tries: ports[tries % 2], limits=IMPATIENT)
            await alpha.until(lambda: alpha.ups)
        await alpha.client.close()

    run(scenario, IMPATIENT)


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 8, encode(m.Heartbeat(1)), encode(market_order(1)), b""],
    ids=["http", "noise", "heartbeat", "order", "nothing"],
)
def test_a_peer_that_does_not_prove_itself_is_sent_away(said: bytes) -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        decoder = engine_decoder()
        heard = decoder.feed(await wait_for_end(reader))
        assert {type(one) for one in heard} <= {m.Challenge, m.Refused}
        assert not handler.requests
        assert not handler.connected
        await finish(writer)

    run(scenario, IMPATIENT)


def test_peers_without_a_token_keep_no_engine_out() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(6)]
        alpha = engine(port)
        await alpha.until(lambda: alpha.ups)
        await handler.until(lambda: len(handler.strangers) == 3)
        assert set(handler.strangers) == {"too many peers without a token"}
        for reader, _ in waiting[:3]:  # those that waited longest gave way
            with contextlib.suppress(ConnectionResetError):
                await wait_for_end(reader)
        assert len(alpha.ups) == 1
        await alpha.client.close()
        for _, writer in waiting:
            await finish(writer)

    run(scenario, WireLimits(unknown_peers=4))


def test_an_older_start_of_an_engine_is_refused_and_a_newer_one_replaces_it() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        first = engine(port, fencing=5)
        await first.until(lambda: first.ups)
        older = engine(port, fencing=4)
        await older.until(lambda: older.refusals)
        assert older.refusals[0].code == "fencing"
        newer = engine(port, fencing=6)
        await newer.until(lambda: newer.ups)
        await first.until(lambda: first.refusals)
        assert first.refusals[0].code == "fencing"
        assert handler.gone[0] == ("alpha", "the engine has connected again")
        gateway.publish_market(book(1))
        await newer.until(lambda: newer.of(m.OrderBookTick))
        assert not first.of(m.OrderBookTick)
        for one in (first, older, newer):
            await one.client.close()

    run(scenario)


def test_a_symbol_belongs_to_one_engine_at_a_time() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port, "alpha", symbols=("BTCUSDT", "ETHUSDT"))
        await alpha.until(lambda: alpha.ups)
        beta = engine(port, "beta", symbols=("ETHUSDT",))
        await beta.until(lambda: beta.refusals)
        assert beta.refusals[0].code == "claimed"
        assert "ETHUSDT" in beta.refusals[0].reason
        await alpha.client.close()
        await beta.until(lambda: beta.ups)
        await beta.client.close()

    run(scenario)


def test_client_id_prefixes_may_not_mix() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port, "a", symbols=("BTCUSDT",))
        await alpha.until(lambda: alpha.ups)
        mixed = engine(port, "a-b", symbols=("ETHUSDT",))
        await mixed.until(lambda: mixed.refusals)
        assert mixed.refusals[0].code == "claimed"
        await alpha.client.close()
        await mixed.client.close()

    run(scenario)


def test_orders_go_to_the_engine_whose_prefix_they_carry_else_to_the_symbols_owner() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port, "alpha", symbols=("BTCUSDT",))
        beta = engine(port, "beta", symbols=("ETHUSDT",))
        await alpha.until(lambda: alpha.ups)
        await beta.until(lambda: beta.ups)
        gateway.publish_order_event(order_update(1, "alpha-1", "ETHUSDT"))
        gateway.publish_order_event(order_update(2, "by-hand", "ETHUSDT"))
        gateway.publish_order_event(order_update(3, "by-hand", "XRPUSDT"))
        gateway.publish_order_event(m.AccountUpdate(0, 0, "DEPOSIT", (), (), 4, 4))
        await alpha.until(lambda: alpha.of(m.AccountUpdate))
        await beta.until(lambda: beta.of(m.AccountUpdate))
        assert [one.trade_id for one in alpha.of(m.OrderUpdate)] == [1]
        assert [one.trade_id for one in beta.of(m.OrderUpdate)] == [2]
        assert gateway.unrouted_order_events == 1
        assert [one.sequence for one in alpha.of(m.AccountUpdate)] == [2]
        await alpha.client.close()
        await beta.client.close()

    run(scenario)


def test_what_an_engine_has_not_claimed_it_may_not_touch() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port)
        await alpha.until(lambda: alpha.ups)
        alpha.client.send(market_order(1, "ETHUSDT"))
        alpha.client.send(market_order(2, "BTCUSDT", "beta-1"))
        alpha.client.send(m.Subscribe(3, ("BTCUSDT", "ETHUSDT"), ("book",)))
        alpha.client.send(m.CancelOrder(4, "ETHUSDT", "alpha-1"))
        alpha.client.send(market_order(5))
        await alpha.until(lambda: len(alpha.of(m.Reply)) == 4)
        assert [(one.request_id, one.outcome) for one in alpha.of(m.Reply)] == [
            (number, "refused") for number in (1, 2, 3, 4)
        ]
        await handler.until(lambda: any(isinstance(one, m.SubmitOrder) for one in handler.requests))
        orders = [one for one in handler.requests if not isinstance(one, m.Heartbeat)]
        assert orders == [market_order(5)]
        await alpha.client.close()

    run(scenario)


def test_after_a_reconnect_the_missed_order_events_come_first_and_once() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port)
        await alpha.until(lambda: alpha.ups)
        for number in (1, 2):
            gateway.publish_order_event(order_update(number))
        await alpha.until(lambda: len(alpha.of(m.OrderUpdate)) == 2)
        cursor = alpha.client.cursor
        await alpha.client.close()
        await handler.until(lambda: handler.gone)
        for number in (3, 4):
            gateway.publish_order_event(order_update(number))
        again = engine(port, cursor=cursor, fencing=2)
        gateway.publish_order_event(order_update(5))
        await again.until(lambda: len(again.of(m.OrderUpdate)) == 3)
        assert [one.sequence for one in again.of(m.OrderUpdate)] == [3, 4, 5]
        assert not again.of(m.Gap)
        await again.client.close()

    run(scenario)


def test_a_restarted_gateway_says_gap_and_the_engine_comes_back_by_itself() -> None:
    async def main() -> None:
        first = server(RecordingGateway(), epoch=1)
        port = await first.start()
        alpha = engine(port, limits=IMPATIENT)
        await alpha.until(lambda: alpha.ups)
        first.publish_order_event(order_update(1))
        await alpha.until(lambda: alpha.of(m.OrderUpdate))
        await first.close()
        await alpha.until(lambda: alpha.downs)
        with pytest.raises(NotConnected):
            alpha.client.send(market_order(1))
        second = server(RecordingGateway(), epoch=2)
        await second.start(port=port)
        await alpha.until(lambda: len(alpha.ups) == 2)
        second.publish_order_event(order_update(2))
        await alpha.until(lambda: len(alpha.of(m.OrderUpdate)) == 2)
        assert [(one.epoch, one.next_sequence) for one in alpha.of(m.Gap)] == [(1, 1), (2, 1)]
        assert (alpha.client.cursor.epoch, alpha.client.cursor.sequence) == (2, 1)
        await alpha.client.close()
        await second.close()

    asyncio.run(main())


def test_a_half_open_socket_is_noticed_on_both_sides() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port, limits=WireLimits(heartbeat_seconds=60))
        await alpha.until(lambda: alpha.ups)
        await alpha.until(lambda: alpha.downs)
        assert "silent" in handler.gone[0][1]
        await alpha.client.close()

    run(scenario, IMPATIENT)

    async def silent_gateway() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            alpha = engine(listener.getsockname()[1], limits=IMPATIENT)
            await alpha.until(lambda: alpha.downs)
            assert "no welcome" in alpha.downs[0]
            await alpha.client.close()

    asyncio.run(silent_gateway())


def test_a_quiet_connection_stays_open() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port, limits=IMPATIENT)
        await alpha.until(lambda: alpha.ups)
        beats = 3 * round(IMPATIENT.idle_seconds / IMPATIENT.heartbeat_seconds)
        await handler.until(lambda: sum(isinstance(one, m.Heartbeat) for one in handler.requests) >= beats)
        assert not alpha.downs
        assert not handler.gone
        await alpha.client.close()

    run(scenario, IMPATIENT)


def test_a_broken_frame_from_an_engine_ends_its_connection_with_a_named_error() -> None:
    async def scenario(gateway: WireServer, handler: RecordingGateway, port: int) -> None:
        alpha = engine(port)
        await alpha.until(lambda: alpha.ups)
        link = alpha.client._link
        assert link is not None
        link.write(encode(market_order(1)) + b"\x00\x00\x00\x02no")
        await alpha.until(lambda: alpha.downs)
        await handler.until(lambda: handler.gone)
        assert handler.requests[-1] == market_order(1)
        assert "no message" in handler.gone[0][1]
        await alpha.client.close()

    run(scenario)


def test_the_gateway_listens_on_loopback_only() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="loopback only"):
            await server(RecordingGateway()).start("0.0.0.0")

    asyncio.run(main())
