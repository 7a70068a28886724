"""The whole gateway in this process, over real sockets, against the stand-in exchange."""

import asyncio
import time
from decimal import Decimal

from gateways.wire.messages import (
    AmendOrder,
    CancelOrder,
    GatewayStatus,
    Heartbeat,
    Instrument,
    KlinesReply,
    OrderBookTick,
    OrderUpdate,
    QueryOrder,
    Reply,
    RequestKlines,
    RequestSnapshot,
    SetLeverage,
    Snapshot,
    SubmitOrder,
    Subscribe,
    TradeTick,
    Welcome,
)
from tests.support.binance_stand_in import SYMBOL, StandIn, always, cut
from tests.support.gateway_rig import Engine, config_for, in_sync, market_order, running_gateway, whole_rig


def test_a_changed_book_reaches_the_engine_as_a_tick():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await engine.wait(Welcome)
            engine.client.send(Subscribe(1, (SYMBOL,), ("book",), 3))
            await engine.wait(Reply, lambda reply: reply.request_id == 1 and reply.outcome == "ok")
            await in_sync(exchange, gateway)
            await exchange.depth(bids={100.5: 7.0})
            tick = await engine.wait(OrderBookTick, lambda tick: tick.bids[0] == (100.5, 7.0))
            assert tick.bids == ((100.5, 7.0), (100.0, 1.0), (99.0, 2.0))
            assert tick.asks == ((101.0, 1.0), (102.0, 2.0), (103.0, 3.0))
            assert tick.update_id == exchange.update_id
            status = await engine.wait(GatewayStatus, lambda status: bool(status.fresh_symbols))
            assert status.fresh_symbols == (SYMBOL,)

    asyncio.run(scenario())


def test_a_book_that_arrives_late_is_published_but_not_called_fresh():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await engine.wait(Welcome)
            await in_sync(exchange, gateway)
            await engine.wait(GatewayStatus, lambda status: status.fresh_symbols == (SYMBOL,))
            await exchange.until(lambda: gateway.clock.is_measured)
            now_ns, exchange_ns = time.time_ns(), gateway.clock.now_ns()
            late_ns = gateway.config.stale_after_ns + 1_000_000_000
            assert gateway.market.fresh_symbols(now_ns, exchange_ns) == (SYMBOL,)
            assert gateway.market.fresh_symbols(now_ns, exchange_ns + late_ns) == ()

    asyncio.run(scenario())


def test_a_lost_diff_resynchronises_the_book_and_publishes_only_true_ones():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await engine.wait(Welcome)
            await in_sync(exchange, gateway)
            await exchange.depth(bids={100.2: 4.0}, skip=1)
            snapshots = exchange.requests.count("GET depth")
            await exchange.depth(asks={100.9: 2.0})
            await exchange.until(lambda: exchange.requests.count("GET depth") > snapshots)
            await in_sync(exchange, gateway)
            await exchange.depth(bids={100.3: 5.0})
            tick = await engine.wait(OrderBookTick, lambda tick: tick.bids[0] == (100.3, 5.0))
            assert tick.bids[1] == (100.2, 4.0)
            assert tick.asks[0] == (100.9, 2.0)
            assert not any(
                tick.asks[0][0] == 100.9 and tick.bids[0][0] == 100.0 for tick in engine.of(OrderBookTick)
            )
            assert gateway.market.resyncs == 1

    asyncio.run(scenario())


def test_an_order_goes_out_signed_and_its_events_come_back_numbered():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            await engine.wait(GatewayStatus, lambda status: status.streams["private"] == "up")
            engine.client.send(market_order(7, "nb-1"))
            reply = await engine.wait(Reply, lambda reply: reply.request_id == 7)
            assert reply.outcome == "ok"
            assert reply.order is not None
            assert reply.order.client_order_id == "nb-1"
            assert 0 < reply.sent_time_ns <= reply.answered_time_ns
            order = exchange.orders[0] | {"status": "FILLED", "executedQty": "0.002"}
            exchange.orders[0] = order
            await exchange.user(exchange.order_event(order, "NEW"))
            event = exchange.order_event(order, "TRADE", exchange.add_trade(order, "0.002"))
            await exchange.user(event)
            await exchange.user(event)
            fill = await engine.wait(OrderUpdate, lambda update: update.execution == "TRADE")
            assert (fill.last_qty_base, fill.status, fill.fee) == (
                Decimal("0.002"),
                "FILLED",
                Decimal("0.01"),
            )
            engine.client.send(QueryOrder(8, SYMBOL, "nb-1"))
            await engine.wait(Reply, lambda reply: reply.request_id == 8 and reply.outcome == "ok")
            first, second = (update.sequence for update in engine.of(OrderUpdate))
            assert second == first + 1

    asyncio.run(scenario())


def test_a_stop_goes_to_the_algo_service_and_cancels_reach_both_books():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            await exchange.until(lambda: "GET time" in exchange.requests)
            engine.client.send(
                SubmitOrder(
                    1,
                    SYMBOL,
                    "nb-stop",
                    "SELL",
                    "STOP_MARKET",
                    Decimal("0.002"),
                    stop_price=Decimal("90.1"),
                    reduce_only=True,
                )
            )
            reply = await engine.wait(Reply, lambda reply: reply.request_id == 1)
            assert reply.outcome == "ok"
            assert reply.order is not None
            assert (reply.order.is_conditional, reply.order.stop_price) == (True, Decimal("90.1"))
            assert exchange.algo[0]["reduceOnly"] is True
            limit = SubmitOrder(2, SYMBOL, "nb-l", "BUY", "LIMIT", Decimal(1), price=Decimal("99.5"))
            engine.client.send(limit)
            await engine.wait(Reply, lambda reply: reply.request_id == 2)
            engine.client.send(AmendOrder(3, SYMBOL, "nb-l", "BUY", Decimal(2), Decimal("99.4")))
            amended = await engine.wait(Reply, lambda reply: reply.request_id == 3)
            assert amended.order is not None
            assert amended.order.price == Decimal("99.4")
            engine.client.send(CancelOrder(4, SYMBOL, "nb-l"))
            engine.client.send(CancelOrder(5, SYMBOL, "nb-stop", True))
            for number in (4, 5):
                assert (await engine.wait(Reply, lambda one: one.request_id == number)).outcome == "ok"  # noqa: B023 - awaited at once
            assert exchange.orders[0]["status"] == exchange.algo[0]["algoStatus"] == "CANCELED"

    asyncio.run(scenario())


def test_a_cancel_of_a_filled_order_tells_what_became_of_it():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            await exchange.until(lambda: "GET time" in exchange.requests)
            exchange.add_order("nb-f", status="FILLED", filled="2")
            engine.client.send(CancelOrder(1, SYMBOL, "nb-f"))
            reply = await engine.wait(Reply, lambda reply: reply.request_id == 1)
            assert (reply.outcome, reply.code) == ("not_found", -2011)
            assert reply.order is not None
            assert reply.order.status == "FILLED"

    asyncio.run(scenario())


def test_a_duplicate_id_is_proof_of_the_first_order():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            await exchange.until(lambda: "GET time" in exchange.requests)
            exchange.add_order("nb-1")
            engine.client.send(market_order(1, "nb-1"))
            reply = await engine.wait(Reply, lambda reply: reply.request_id == 1)
            assert (reply.outcome, reply.code) == ("ok", -4116)
            assert reply.order is not None

    asyncio.run(scenario())


def test_not_found_is_said_only_after_the_history_was_scanned():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            await exchange.until(lambda: "GET time" in exchange.requests)
            exchange.add_order("nb-late", status="FILLED", filled="2")

            exchange.faults["GET order"] = always(400, -2013, "Order does not exist.")
            engine.client.send(QueryOrder(1, SYMBOL, "nb-late", scan_since_ns=1))
            assert (await engine.wait(Reply, lambda reply: reply.request_id == 1)).outcome == "ok"
            engine.client.send(QueryOrder(2, SYMBOL, "nb-never", scan_since_ns=1))
            assert (await engine.wait(Reply, lambda reply: reply.request_id == 2)).outcome == "not_found"

            exchange.faults["GET allOrders"] = always(500, -1000, "An unknown error occurred.")
            engine.client.send(QueryOrder(3, SYMBOL, "nb-never", scan_since_ns=1))
            assert (await engine.wait(Reply, lambda reply: reply.request_id == 3)).outcome == "transient"

    asyncio.run(scenario())


def test_an_answer_that_never_comes_leaves_the_order_unknown():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            await exchange.until(lambda: "GET time" in exchange.requests)

            exchange.faults["POST order"] = cut()
            engine.client.send(market_order(1, "nb-1"))
            reply = await engine.wait(Reply, lambda reply: reply.request_id == 1)
            assert reply.outcome == "unknown"
            assert reply.sent_time_ns > 0

    asyncio.run(scenario())


def test_a_rate_limit_stops_everything_until_its_term_is_over():
    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            await engine.wait(Welcome)
            await exchange.until(lambda: "GET time" in exchange.requests)

            exchange.faults["POST order"] = always(429, -1003, "Too many requests", **{"Retry-After": "30"})
            await engine.wait(Instrument)
            engine.client.send(market_order(1, "nb-1"))
            assert (await engine.wait(Reply, lambda reply: reply.request_id == 1)).outcome == "transient"
            sent = len(exchange.requests)
            engine.client.send(market_order(2, "nb-2"))
            engine.client.send(CancelOrder(3, SYMBOL, "nb-1"))
            for number in (2, 3):
                reply = await engine.wait(Reply, lambda reply, number=number: reply.request_id == number)
                assert (reply.outcome, reply.sent_time_ns) == ("transient", 0)
            assert len(exchange.requests) == sent
            assert gateway.status().banned_until_ns > 0
            assert gateway.status().streams["rest"] == "down"

    asyncio.run(scenario())


def test_a_snapshot_is_whole_or_says_that_it_is_not():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            order = exchange.add_order("nb-1", status="FILLED", filled="2")
            exchange.add_trade(order, "0.5")
            exchange.add_trade(order, "1.5")
            exchange.add_order("nb-2")
            engine.client.send(RequestSnapshot(1, 1))
            snapshot = await engine.wait(Snapshot)
            assert snapshot.complete
            assert [fill.filled_base for fill in snapshot.fills] == [Decimal("0.5"), Decimal("2.0")]
            assert [fill.status for fill in snapshot.fills] == ["PARTIALLY_FILLED", "FILLED"]
            assert {fill.client_order_id for fill in snapshot.fills} == {"nb-1"}
            assert [one.client_order_id for one in snapshot.open_orders] == ["nb-2"]
            assert [one.qty_base for one in snapshot.positions] == [Decimal(0)]
            assert [one.asset for one in snapshot.balances] == ["USDT"]
            assert snapshot.instruments[0].taker_fee == Decimal("0.0005")

            exchange.faults["GET positionRisk"] = always(503, 0, "Service Unavailable.")
            engine.client.send(RequestSnapshot(2, 0))
            second = await engine.wait(Snapshot, lambda snapshot: snapshot.request_id == 2)
            assert not second.complete
            assert second.open_orders

    asyncio.run(scenario())


def test_leverage_klines_and_instruments_come_by_request():
    async def scenario() -> None:
        async with whole_rig() as (_exchange, _gateway, engine):
            await engine.wait(Welcome)
            instrument = await engine.wait(Instrument)
            assert (instrument.price_tick, instrument.leverage) == (Decimal("0.10"), 20)
            assert instrument.brackets[0].max_leverage == 125
            engine.client.send(SetLeverage(1, SYMBOL, 5))
            assert (await engine.wait(Reply, lambda reply: reply.request_id == 1)).outcome == "ok"
            engine.client.send(RequestKlines(2, SYMBOL, "1m", 1700))
            klines = await engine.wait(KlinesReply)
            assert klines.complete
            assert len(klines.klines) == 1700
            opens = [bar.open_time_ns for bar in klines.klines]
            assert opens == sorted(set(opens))
            assert all(bar.close_time_ns - bar.open_time_ns == 60_000_000_000 for bar in klines.klines)
            assert [bar.is_closed for bar in klines.klines[-2:]] == [True, False]

    asyncio.run(scenario())


def test_leverage_is_set_only_when_the_account_has_been_checked():
    """An engine that was started by hand asks before the gateway knows whose account it is."""

    async def scenario() -> None:
        async with StandIn() as exchange:
            exchange.faults["GET accountConfig"] = always(503, 0, "Service Unavailable.")
            config = config_for(exchange.url, f"ws://127.0.0.1:{exchange.port}")
            async with running_gateway(config) as (_gateway, port):
                engine = Engine(port)
                engine.client.start()
                await engine.wait(Welcome)
                engine.client.send(SetLeverage(1, SYMBOL, 4))
                engine.client.send(SetLeverage(2, SYMBOL, 5))
                engine.client.send(RequestKlines(3, SYMBOL, "1m", 10))
                await engine.wait(KlinesReply)
                await exchange.until(lambda: exchange.requests.count("GET accountConfig") > 1)
                assert "POST leverage" not in exchange.requests
                del exchange.faults["GET accountConfig"]
                reply = await engine.wait(Reply)
                assert (reply.request_id, reply.outcome) == (2, "ok")
                assert exchange.requests.count("POST leverage") == 1
                await engine.client.close()

    asyncio.run(scenario())


def test_a_trade_is_told_once_even_when_two_connections_tell_it():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            engine.client.send(Subscribe(1, (SYMBOL,), ("trade",)))
            await exchange.until(lambda: any("btcusdt@trade" in names for names in exchange.names.values()))
            for trade_id in (1, 2, 1, 2, 3):
                quantity = "0" if trade_id == 2 else "0.5"
                trade = {
                    "e": "trade",
                    "E": 5,
                    "T": 4,
                    "s": SYMBOL,
                    "t": trade_id,
                    "p": "1",
                    "q": quantity,
                    "m": True,
                }
                await exchange.send("btcusdt@trade", trade)
            await engine.wait(TradeTick, lambda tick: tick.trade_id == 3)
            assert [tick.trade_id for tick in engine.of(TradeTick)] == [1, 3]

    asyncio.run(scenario())


def test_an_armed_dead_mans_switch_is_fed_by_the_engines_heartbeats():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await engine.wait(Welcome)
            engine.client.send(Heartbeat(1, 60_000))
            await exchange.until(lambda: "POST countdownCancelAll" in exchange.requests)
            asked = exchange.queries[exchange.requests.index("POST countdownCancelAll")]
            assert (asked["symbol"], asked["countdownTime"]) == (SYMBOL, "60000")

    asyncio.run(scenario())
