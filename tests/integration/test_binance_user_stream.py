"""The user stream: nothing is lost, nothing comes twice, whatever happens to socket and listen key."""

import asyncio
from decimal import Decimal

from gateways.wire.messages import AccountUpdate, GatewayStatus, OrderUpdate, Welcome
from tests.binance_stand_in import SYMBOL, StandIn, always
from tests.gateway_rig import Engine, whole_rig


async def ready(exchange: StandIn, engine: Engine) -> None:
    await engine.wait(Welcome)
    await engine.wait(GatewayStatus, lambda status: status.streams["private"] == "up")
    await exchange.until(lambda: len(exchange.sockets["private"]) == 1)


def fills(engine: Engine) -> list[int]:
    return [update.trade_id for update in engine.of(OrderUpdate) if update.trade_id]


def test_what_happened_while_the_socket_was_down_is_told_after_the_reconnect():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            resting = exchange.add_order("nb-rest")
            await exchange.user(exchange.order_event(resting, "NEW"))
            await engine.wait(OrderUpdate, lambda update: update.client_order_id == "nb-rest")
            await exchange.sockets["private"][0].close(code=1001)
            resting |= {"status": "FILLED", "executedQty": "2"}
            first, second = exchange.add_trade(resting, "0.5"), exchange.add_trade(resting, "1.5")
            gone = exchange.add_order("nb-gone", status="CANCELED")
            await engine.wait(OrderUpdate, lambda update: update.client_order_id == "nb-gone")
            last = await engine.wait(OrderUpdate, lambda update: update.trade_id == second["id"])
            assert (last.status, last.filled_base, last.source) == ("FILLED", Decimal(2), "query")
            assert last.fee == Decimal("0.01")
            await exchange.user(exchange.order_event(resting, "TRADE", first))
            await exchange.user(exchange.order_event(gone | {"clientOrderId": "nb-after"}, "CANCELED"))
            await engine.wait(OrderUpdate, lambda update: update.client_order_id == "nb-after")
            assert fills(engine) == [first["id"], second["id"]]
            assert (await engine.wait(AccountUpdate)).reason == "RECONCILE"

    asyncio.run(scenario())


def test_an_order_that_no_list_names_any_more_is_asked_for():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            resting = exchange.add_order("nb-1")
            await exchange.user(exchange.order_event(resting, "NEW"))
            await engine.wait(OrderUpdate)
            exchange.faults["GET allOrders"] = always_empty()
            resting["status"] = "EXPIRED"
            await exchange.sockets["private"][0].close()
            update = await engine.wait(OrderUpdate, lambda update: update.status == "EXPIRED")
            assert update.source == "query"

    asyncio.run(scenario())


def always_empty():
    from aiohttp import web  # noqa: PLC0415 - used here only

    async def fault(_request: web.Request) -> web.Response:
        return web.json_response([])

    return fault


def test_an_expired_listen_key_is_replaced_new_socket_first():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)
            old = exchange.sockets["private"][0]
            expired = {"e": "listenKeyExpired", "E": 1, "listenKey": "L1"}
            exchange.listen_key = "L2"
            await exchange.user(expired, key="L1")
            await exchange.user(expired, key="L1")
            await exchange.until(lambda: len(exchange.sockets["private"]) == 2)
            assert not old.closed
            await exchange.until(
                lambda: exchange.sockets["private"] and exchange.sockets["private"][0] is not old
            )
            order = exchange.add_order("nb-1")
            await exchange.user(exchange.order_event(order, "NEW"))
            await engine.wait(OrderUpdate)
            assert gateway.user.rotations == 1
            assert exchange.requests.count("POST listenKey") == 2

    asyncio.run(scenario())


def test_while_two_sockets_are_open_an_event_is_told_once():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            hold = asyncio.Event()

            async def slow(_request: object) -> None:
                await hold.wait()

            exchange.faults["GET openOrders"] = slow
            await exchange.user({"e": "listenKeyExpired", "E": 1, "listenKey": "L1"})
            await exchange.until(lambda: len(exchange.sockets["private"]) == 2)
            order = exchange.add_order("nb-1")
            await exchange.user(exchange.order_event(order, "NEW"))
            await engine.wait(OrderUpdate)
            hold.set()
            await exchange.until(lambda: len(exchange.sockets["private"]) == 1)
            closing = exchange.order_event(order | {"status": "CANCELED"}, "CANCELED")
            await exchange.user(closing)
            await engine.wait(OrderUpdate, lambda update: update.status == "CANCELED")
            assert [update.status for update in engine.of(OrderUpdate)] == ["NEW", "CANCELED"]

    asyncio.run(scenario())


def test_an_event_nobody_understands_leads_to_a_sweep_not_to_silence():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)
            order = exchange.add_order("nb-1")
            event = exchange.order_event(order, "NEW")
            del event["o"]["S"]
            await exchange.user(event)
            update = await engine.wait(OrderUpdate)
            assert (update.client_order_id, update.source) == ("nb-1", "query")
            assert gateway.user.untranslated == 1

    asyncio.run(scenario())


def test_a_coin_margined_event_is_not_ours():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            order = exchange.add_order("nb-1")
            await exchange.user(exchange.order_event(order, "NEW") | {"st": 2})
            await exchange.user({"e": "TRADE_LITE", "s": SYMBOL})
            await exchange.user(exchange.order_event(order, "NEW"))
            await engine.wait(OrderUpdate)
            assert len(engine.of(OrderUpdate)) == 1

    asyncio.run(scenario())


def test_a_sweep_that_fails_is_repeated_before_the_link_is_called_up():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)
            exchange.faults["GET userTrades"] = always(500, -1000, "An unknown error occurred.")
            await exchange.sockets["private"][0].close()
            await exchange.until(lambda: exchange.requests.count("GET userTrades") >= 2)
            assert gateway.user.state == "down"
            exchange.faults.clear()
            engine.got.clear()
            await engine.wait(GatewayStatus, lambda status: status.streams["private"] == "up")

    asyncio.run(scenario())
