"""The user stream when what it says, or does not say, is in doubt."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gateways.binance.gateway import Gateway
from gateways.binance.protocol.errors import ConfigurationError, RestBlocked
from gateways.binance.setup.keys import ApiKeys
from gateways.binance.streams import user as user_stream
from gateways.binance.streams.user import UserStream
from gateways.wire.messages import GatewayStatus, OrderUpdate, Reply, RequestSnapshot, Snapshot
from tests.support.binance_stand_in import KEY, SECRET, SYMBOL, StandIn, always
from tests.support.gateway_rig import TOKEN, Engine, config_for, fills, market_order, ready, whole_rig


def test_an_order_the_stream_keeps_quiet_about_leads_to_a_new_stream_and_a_catch_up(
    monkeypatch: pytest.MonkeyPatch,
):
    """A key may end without a word while the socket stays open; an accepted order shows it."""
    monkeypatch.setattr(user_stream, "EVENT_SECONDS", 0.1)

    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)
            engine.client.send(market_order(1, "nb-1"))
            assert (await engine.wait(Reply)).outcome == "ok"
            told = await engine.wait(OrderUpdate, lambda update: update.client_order_id == "nb-1")
            assert told.source == "query"
            await exchange.until(lambda: exchange.requests.count("POST listenKey") == 2)
            assert gateway.user.reconnects == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("first", ["event", "reply"])
def test_an_order_whose_event_came_asks_for_nothing(monkeypatch: pytest.MonkeyPatch, first: str):
    """The event may come before the answer, or after it."""
    monkeypatch.setattr(user_stream, "EVENT_SECONDS", 0.1)

    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)
            event = exchange.order_event(exchange.add_order("nb-1"), "NEW")
            exchange.orders.clear()
            exchange._id -= 1
            if first == "event":
                await exchange.user(event)
                await engine.wait(OrderUpdate)
            engine.client.send(market_order(1, "nb-1"))
            assert (await engine.wait(Reply)).outcome == "ok"
            if first == "reply":
                await exchange.user(event)
                await engine.wait(OrderUpdate)
            await asyncio.sleep(0.3)  # three times as long as an event is waited for
            assert exchange.requests.count("POST listenKey") == 1
            assert gateway.user.state == "up"

    asyncio.run(scenario())


def test_what_a_lost_stream_did_not_tell_is_no_doubt_about_the_one_after_it(monkeypatch: pytest.MonkeyPatch):
    """The order was accepted while the stream was dying; the catch-up has told it."""
    monkeypatch.setattr(user_stream, "EVENT_SECONDS", 0.4)

    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)
            engine.client.send(market_order(1, "nb-1"))
            assert (await engine.wait(Reply)).outcome == "ok"
            for socket in list(exchange.sockets["private"]):
                await socket.close()
            await exchange.until(lambda: exchange.requests.count("POST listenKey") == 2)
            await engine.wait(OrderUpdate, lambda update: update.client_order_id == "nb-1")
            await asyncio.sleep(0.6)  # longer than an event is waited for
            assert exchange.requests.count("POST listenKey") == 2
            assert gateway.user.state == "up"

    asyncio.run(scenario())


def test_events_that_are_never_understood_do_not_make_a_storm_of_catch_ups():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)
            strange = exchange.order_event(exchange.add_order("nb-1"), "NEW")
            del strange["o"]["S"]
            exchange.orders.clear()
            for _ in range(100):
                await exchange.user(strange)
                await asyncio.sleep(0.02)
            assert gateway.user.untranslated > 50
            assert 2 <= exchange.requests.count("POST listenKey") <= 6

    asyncio.run(scenario())


def test_a_conditional_order_refused_at_its_trigger_is_looked_up():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            exchange._post_algoOrder({"clientAlgoId": "nb-1", "type": "STOP_MARKET", "side": "SELL",
                                      "quantity": "1", "triggerPrice": "90"})  # fmt: skip
            exchange.algo[0]["algoStatus"] = "REJECTED"
            body = {"s": SYMBOL, "i": 7, "r": "Due to the order could not be filled immediately"}
            await exchange.user({"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": 1, "T": 1, "or": body})
            update = await engine.wait(OrderUpdate, lambda update: update.is_conditional)
            assert (update.client_order_id, update.status) == ("nb-1", "REJECTED")

    asyncio.run(scenario())


def test_both_sides_of_a_trade_with_oneself_are_told():
    """Two orders of one account may meet; both fills then carry the same trade id."""

    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            buy = exchange.add_order("nb-buy", status="FILLED", filled="2")
            sell = exchange.add_order("nb-sell", status="FILLED", filled="2", side="SELL")
            trade = exchange.add_trade(buy, "2")
            other = exchange.add_trade(sell, "2")
            other["id"] = trade["id"]
            await exchange.user(exchange.order_event(buy, "TRADE", trade))
            await exchange.user(exchange.order_event(sell, "TRADE", other))
            await engine.wait(OrderUpdate, lambda update: update.client_order_id == "nb-sell")
            assert fills(engine) == [trade["id"]] * 2
            engine.client.send(RequestSnapshot(1, 1))
            snapshot = await engine.wait(Snapshot)
            assert [fill.client_order_id for fill in snapshot.fills] == ["nb-buy", "nb-sell"]

    asyncio.run(scenario())


def test_a_switch_of_the_asset_mode_is_told_engines_and_said_loudly(capsys: pytest.CaptureFixture[str]):
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            await engine.wait(GatewayStatus, lambda status: status.multi_assets_margin is False)
            for is_multi in (True, False):
                engine.got.clear()
                await exchange.user({"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ai": {"j": is_multi}})
                await engine.wait(GatewayStatus, lambda status: status.multi_assets_margin is is_multi)  # noqa: B023  # awaited here

    asyncio.run(scenario())
    assert "switched to multi-assets mode" in capsys.readouterr().out


def test_an_asset_mode_asked_for_before_a_switch_does_not_undo_it():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await ready(exchange, engine)

            def switched_meanwhile(_: dict[str, str]) -> dict[str, bool]:
                gateway._account.on_asset_mode(True)
                return {"dualSidePosition": False, "multiAssetsMargin": False}

            exchange._get_accountConfig = switched_meanwhile
            engine.client.send(RequestSnapshot(1, 0))
            assert (await engine.wait(Snapshot)).multi_assets_margin
            assert gateway.status().multi_assets_margin

    asyncio.run(scenario())


def test_an_order_refused_in_multi_assets_mode_does_not_end_the_gateway():
    """There may be positions in it, which must be left."""

    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await ready(exchange, engine)
            exchange._get_accountConfig = lambda _: {"dualSidePosition": False, "multiAssetsMargin": True}
            exchange.faults["POST order"] = always(400, -4061, "Order's position side does not match.")
            engine.client.send(market_order(2, "nb-1"))
            await engine.wait(GatewayStatus, lambda status: status.multi_assets_margin is True)
            del exchange.faults["POST order"]
            engine.client.send(market_order(3, "nb-2"))
            assert (await engine.wait(Reply, lambda reply: reply.request_id == 3)).outcome == "ok"

    asyncio.run(scenario())


def test_an_order_refused_for_hedge_mode_ends_the_gateway_with_the_sentence_of_the_start():
    async def scenario() -> None:
        async with StandIn() as exchange:
            config = config_for(exchange.url, f"ws://127.0.0.1:{exchange.port}")
            gateway = Gateway(
                config,
                ApiKeys(KEY, SECRET),
                TOKEN,
                monotonic_ns=time.monotonic_ns,
                wall_ns=time.time_ns,
                random=lambda: 0.5,
            )
            listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            running = asyncio.ensure_future(gateway.run(listening.set_result))
            engine = Engine(await listening)
            engine.client.start()
            await ready(exchange, engine)
            exchange._get_accountConfig = lambda _: {"dualSidePosition": True, "multiAssetsMargin": False}
            said = "Order's position side does not match user's setting."
            exchange.faults["POST order"] = always(400, -4061, said)
            engine.client.send(market_order(2, "nb-1"))
            assert (await engine.wait(Reply)).outcome == "refused"
            async with asyncio.timeout(10):
                with pytest.raises(ConfigurationError, match="hedge mode"):
                    await running
            await engine.client.close()

    asyncio.run(scenario())


def test_a_key_that_aged_during_a_ban_is_renewed_before_it_is_trusted(monkeypatch: pytest.MonkeyPatch):
    """The catch-up waited as long as the ban; the hour of the key ran on meanwhile."""
    monkeypatch.setattr(user_stream, "KEY_SECONDS", 0.2)
    asked: list[str] = []

    async def listen_key(method: str) -> str:
        asked.append(method)
        return "L1"

    async def catch_up(_go_on: bool) -> None:
        if asked.count("POST") == 1 and not _go_on:
            raise RestBlocked("banned", 0.4)

    async def scenario() -> None:
        async with StandIn() as exchange:
            await run_until(exchange, listen_key, catch_up, lambda: asked.count("POST") == 2)

    asyncio.run(scenario())


async def run_until(
    exchange: StandIn,
    listen_key: Callable[[str], Awaitable[str]],
    catch_up: Callable[[bool], Awaitable[None]],
    done: Callable[[], bool],
) -> None:
    user = UserStream(
        exchange.ws_url("private"),
        listen_key=listen_key,
        emit=lambda _update: None,
        catch_up=catch_up,
        on_state=lambda _link, _state: None,
        on_config=lambda _symbol: None,
        random=lambda: 0.0,
    )
    task = asyncio.ensure_future(user.run())
    try:
        await exchange.until(done, 5)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
