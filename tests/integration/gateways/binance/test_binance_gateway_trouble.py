"""Answers that are none, lists nobody understands, limits and outages: the gateway stays up and says so."""

import asyncio
from decimal import Decimal

import pytest
from aiohttp import web

from gateways.binance import gateway as gateway_module
from gateways.binance.account import instruments
from gateways.wire.messages import (
    GatewayStatus,
    Instrument,
    KlinesReply,
    QueryOrder,
    Reply,
    RequestKlines,
    RequestSnapshot,
    Snapshot,
    Welcome,
)
from tests.support.binance_stand_in import SYMBOL, Fault, StandIn, always
from tests.support.gateway_rig import Engine, config_for, market_order, running_gateway, whole_rig


def page(status: int = 200, body: object = None) -> Fault:
    """A fault that answers with a page, as something between us and the exchange might, or with `body`."""

    async def fault(_request: web.Request) -> web.Response:
        if body is not None:
            return web.json_response(body, status=status)
        return web.Response(status=status, text="<html>Please wait</html>", content_type="text/html")

    return fault


def changed_tick(exchange: StandIn, tick: str) -> Fault:
    """exchangeInfo with another price tick."""

    async def fault(_request: web.Request) -> web.Response:
        info = exchange._get_exchangeInfo({})
        info["symbols"][0]["filters"][0]["tickSize"] = tick
        return web.json_response(info)

    return fault


async def snapshot_of(engine: Engine, request_id: int) -> Snapshot:
    engine.client.send(RequestSnapshot(request_id, 1))
    return await engine.wait(Snapshot, lambda snapshot: snapshot.request_id == request_id)


@pytest.mark.parametrize("body", [None, {}, [], {"msg": "hello"}])
def test_success_without_the_order_it_is_about_is_no_word_on_the_order(body: object):
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            await exchange.until(lambda: "GET time" in exchange.requests)
            exchange.faults["POST order"] = exchange.faults["GET order"] = page(body=body)
            engine.client.send(market_order(1, "nb-1"))
            reply = await engine.wait(Reply, lambda reply: reply.request_id == 1)
            assert (reply.outcome, reply.order) == ("unknown", None)
            engine.client.send(QueryOrder(2, SYMBOL, "nb-1"))
            reply = await engine.wait(Reply, lambda reply: reply.request_id == 2)
            assert (reply.outcome, reply.order) == ("transient", None)

    asyncio.run(scenario())


READS = ("time", "openOrders", "positionRisk", "balance", "accountConfig", "allOrders", "klines", "depth")


@pytest.mark.parametrize("path", ["exchangeInfo", "leverageBracket", "commissionRate", "symbolConfig"])
@pytest.mark.parametrize("body", [None, [], ["hello"], {"msg": "hello"}])
def test_an_instrument_is_whole_or_the_snapshot_is_not(path: str, body: object):
    async def scenario() -> None:
        async with StandIn() as exchange:
            exchange.faults[f"GET {path}"] = page(body=body)
            config = config_for(exchange.url, f"ws://127.0.0.1:{exchange.port}")
            async with running_gateway(config) as (_gateway, port):
                engine = Engine(port)
                engine.client.start()
                await engine.wait(Welcome)
                assert not (await snapshot_of(engine, 1)).complete
                exchange.faults.clear()
                assert (await snapshot_of(engine, 2)).complete
                await engine.client.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("body", [None, {"msg": "hello"}, ["hello"]])
def test_a_page_in_place_of_an_answer_makes_the_snapshot_incomplete_and_ends_nothing(body: object):
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            exchange.add_trade(exchange.add_order("nb-1", status="FILLED", filled="1"), "1")
            for number, path in enumerate(READS, 1):
                exchange.faults = {f"GET {path}": page(body=body)}
                snapshot = await snapshot_of(engine, number)
                assert snapshot.complete == (path in {"time", "klines", "depth"})
                if path == "klines":
                    engine.client.send(RequestKlines(99, SYMBOL, "1m", 5))
                    assert not (await engine.wait(KlinesReply)).complete
            exchange.faults = {}
            assert (await snapshot_of(engine, 100)).complete

    asyncio.run(scenario())


def test_an_order_in_a_list_that_nobody_understands_makes_the_snapshot_incomplete():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            strange = exchange.add_order("nb-1")
            side = strange.pop("side")
            assert not (await snapshot_of(engine, 1)).complete
            strange["side"] = side
            assert (await snapshot_of(engine, 2)).complete

    asyncio.run(scenario())


@pytest.mark.parametrize("row", [[None] * 12, ["a"] * 12, [1_790_000_000_000, "x"] + ["1"] * 10])
def test_a_bar_of_anything_but_numbers_is_no_bar_and_ends_nothing(row: list[object]):
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            exchange.faults["GET klines"] = page(body=[row])
            engine.client.send(RequestKlines(1, SYMBOL, "1m", 5))
            assert not (await engine.wait(KlinesReply)).complete
            assert (await snapshot_of(engine, 2)).complete

    asyncio.run(scenario())


def test_a_ban_told_to_the_question_for_the_time_stops_everything():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await engine.wait(GatewayStatus, lambda status: status.streams["private"] == "up")
            exchange.faults["GET time"] = always(418, -1003, "banned", **{"Retry-After": "600"})
            gateway._time.distrust()
            status = await engine.wait(GatewayStatus, lambda status: status.banned_until_ns > 0)
            asked = len(exchange.requests)
            later = status.time_ns + 1_500_000_000
            await engine.wait(GatewayStatus, lambda status: status.time_ns > later)
            assert len(exchange.requests) == asked

    asyncio.run(scenario())


def test_a_time_that_is_none_is_not_believed():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            exchange.faults["GET time"] = page()
            await engine.wait(Welcome)
            asked = exchange.requests.count("GET time")
            await exchange.until(lambda: exchange.requests.count("GET time") > asked + 1)
            before = gateway.clock.offset_ns
            assert (await snapshot_of(engine, 1)).complete
            assert abs(gateway.clock.offset_ns - before) < 1_000_000_000

    asyncio.run(scenario())


def test_rules_that_change_reach_the_engine_without_a_restart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gateway_module, "RULES_AGE_SECONDS", 0.05)
    monkeypatch.setattr(instruments, "RULES_PAUSE_SECONDS", 0.0)

    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Instrument, lambda one: one.price_tick == Decimal("0.10"))
            exchange.faults["GET exchangeInfo"] = page(503)
            asked = exchange.requests.count("GET exchangeInfo")
            await exchange.until(lambda: exchange.requests.count("GET exchangeInfo") > asked + 1)
            assert (await snapshot_of(engine, 1)).complete
            exchange.faults["GET exchangeInfo"] = changed_tick(exchange, "0.50")
            await engine.wait(Instrument, lambda one: one.price_tick == Decimal("0.50"))
            assert len(engine.of(Instrument)) == 2

    asyncio.run(scenario())


def test_orders_refused_for_the_rules_make_them_be_read_once_not_each_time(monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Instrument)
            await exchange.until(lambda: "GET time" in exchange.requests)
            exchange.faults["POST order"] = always(400, -4014, "Price not increased by tick size.")
            exchange.faults["GET exchangeInfo"] = changed_tick(exchange, "0.50")
            monkeypatch.setattr(instruments, "RULES_PAUSE_SECONDS", 0.0)
            engine.client.send(market_order(1, "nb-1"))
            await engine.wait(Instrument, lambda one: one.price_tick == Decimal("0.50"))
            monkeypatch.setattr(instruments, "RULES_PAUSE_SECONDS", 30.0)
            for number in range(2, 12):
                engine.client.send(market_order(number, f"nb-{number}"))
                await engine.wait(Reply, lambda reply, number=number: reply.request_id == number)
            assert (await snapshot_of(engine, 1)).complete
            assert exchange.requests.count("GET exchangeInfo") == 2

    asyncio.run(scenario())


def test_a_redirect_takes_the_key_nowhere():
    async def scenario() -> None:
        async with StandIn() as other, whole_rig() as (exchange, _gateway, engine):

            async def redirect(request: web.Request) -> web.Response:
                raise web.HTTPFound(f"{other.url}{request.path_qs}")

            await engine.wait(Instrument)
            exchange.faults["GET balance"] = exchange.faults["GET time"] = redirect
            assert not (await snapshot_of(engine, 1)).complete
            assert other.requests == []
            exchange.faults.clear()
            assert (await snapshot_of(engine, 2)).complete

    asyncio.run(scenario())
