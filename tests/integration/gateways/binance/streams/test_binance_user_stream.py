"""The user stream: nothing is lost, nothing comes twice, whatever happens to socket and listen key."""

import asyncio
from decimal import Decimal

from gateways.binance.protocol.errors import RestBlocked
from gateways.binance.streams.user import UserStream
from gateways.wire.messages import (
    AccountUpdate,
    GatewayStatus,
    OrderUpdate,
    RequestSnapshot,
    Snapshot,
    Welcome,
)
from tests.support.binance_stand_in import SYMBOL, StandIn, always
from tests.support.gateway_rig import Engine, config_for, fills, ready, running_gateway, whole_rig


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


def test_an_event_nobody_understands_leads_to_a_catch_up_not_to_silence():
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


def test_a_catch_up_that_fails_is_repeated_before_the_link_is_called_up():
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


def test_what_happened_between_a_snapshot_and_the_streams_first_connection_is_told():
    async def scenario() -> None:
        async with StandIn() as exchange:
            refuse = always(503, 0, "Service Unavailable.")
            exchange.faults["POST listenKey"] = refuse
            config = config_for(exchange.url, f"ws://127.0.0.1:{exchange.port}")
            async with running_gateway(config) as (_gateway, port):
                engine = Engine(port)
                engine.client.start()
                try:
                    await engine.wait(Welcome)
                    resting = exchange.add_order("nb-rest")
                    engine.client.send(RequestSnapshot(1, 1))
                    assert not (await engine.wait(Snapshot)).fills
                    resting |= {"status": "FILLED", "executedQty": "2"}
                    trade = exchange.add_trade(resting, "2")
                    del exchange.faults["POST listenKey"]
                    fill = await engine.wait(OrderUpdate, lambda update: update.trade_id == trade["id"])
                    assert fill.client_order_id == "nb-rest"
                finally:
                    await engine.client.close()

    asyncio.run(scenario())


def test_a_socket_that_closes_while_the_key_cannot_be_renewed_is_noticed():
    async def scenario() -> None:
        async with StandIn() as exchange:
            blocked, noticed = asyncio.Event(), asyncio.Event()
            states: list[str] = []

            async def listen_key(method: str) -> str:
                if method == "PUT":
                    blocked.set()
                    raise RestBlocked("banned", 3600.0)
                return "L1"

            async def no_catch_up(_go_on: bool) -> None:
                return

            def on_state(_link: str, state: str) -> None:
                states.append(state)
                if states[-2:] == ["up", "down"]:
                    noticed.set()

            user = UserStream(
                exchange.ws_url("private"),
                listen_key=listen_key,
                emit=lambda _update: None,
                catch_up=no_catch_up,
                on_state=on_state,
                on_config=lambda _symbol: None,
                random=lambda: 0.0,
                renew_seconds=0.05,
            )
            task = asyncio.ensure_future(user.run())
            try:
                async with asyncio.timeout(5):
                    await blocked.wait()
                    await exchange.sockets["private"][0].close()
                    await noticed.wait()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())


def test_fills_that_were_told_do_not_make_a_catch_up_ask_for_their_old_orders():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            old = [exchange.add_order(f"nb-{number}", status="FILLED", filled="2") for number in range(300)]
            for order in old:
                await exchange.user(exchange.order_event(order, "TRADE", exchange.add_trade(order, "2")))
            await engine.wait(OrderUpdate, lambda update: update.client_order_id == "nb-299")
            missed = exchange.add_trade(exchange.add_order("nb-missed", status="FILLED", filled="2"), "2")
            exchange.faults["GET allOrders"] = always_empty()
            await exchange.sockets["private"][0].close()
            update = await engine.wait(OrderUpdate, lambda update: update.trade_id == missed["id"])
            assert (update.client_order_id, update.source) == ("nb-missed", "query")
            assert exchange.requests.count("GET order") == 1
            assert len(fills(engine)) == len(set(fills(engine))) == 301

    asyncio.run(scenario())


def test_a_margin_call_reaches_the_engine():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            rows = [{"s": SYMBOL, "ps": "BOTH", "pa": "1", "mt": "CROSSED", "iw": "0", "mp": "9", "mm": "1"}]
            await exchange.user({"e": "MARGIN_CALL", "E": 5, "cw": "3", "p": rows})
            update = await engine.wait(AccountUpdate, lambda update: update.reason == "MARGIN_CALL")
            assert (update.balances, update.positions, update.event_time_ns) == ((), (), 5_000_000)

    asyncio.run(scenario())


def test_an_older_account_never_follows_a_newer_one():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            engine.got.clear()
            hold, asked = asyncio.Event(), asyncio.Event()

            async def slow(_request: object) -> None:
                asked.set()
                await hold.wait()

            exchange.faults["GET symbolConfig"] = slow
            await exchange.user({"e": "listenKeyExpired", "E": 1, "listenKey": "L1"})
            await asked.wait()
            exchange.positions = [{"symbol": SYMBOL, "positionAmt": "1", "entryPrice": "99"}]
            row = {"s": SYMBOL, "pa": "1", "ep": "99", "up": "0", "mt": "cross", "iw": "0", "ps": "BOTH"}
            await exchange.user(
                {"e": "ACCOUNT_UPDATE", "E": 9, "T": 9, "a": {"m": "ORDER", "B": [], "P": [row]}}
            )
            await engine.wait(AccountUpdate, lambda update: update.reason == "ORDER")
            hold.set()
            swept = await engine.wait(AccountUpdate, lambda update: update.reason == "RECONCILE")
            assert swept.positions[0].qty_base == 1

    asyncio.run(scenario())
