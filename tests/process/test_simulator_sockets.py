"""The simulator speaks the exchange's stream and WS API protocols over real sockets."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.client import connect

from tests.process.simulator_process import (
    KEY,
    ORDER,
    PATIENCE_S,
    Simulator,
    ask,
    end_of,
    limit_order,
    now_ms,
    sign,
    until,
    user_events,
)


class TestUserStreams:
    @pytest.mark.parametrize(
        "path",
        [
            "/private/ws?listenKey={key}",
            "/private/ws/{key}",
            "/private/stream?listenKey={key}&events=ORDER_TRADE_UPDATE",
            "/ws?listenKey={key}",
            "/ws/{key}",
            "/stream?streams={key}",
        ],
    )
    def test_every_form_of_user_stream_brings_the_order(self, sim: Simulator, path: str):
        events = user_events(
            sim,
            lambda: sim.ask("POST", ORDER, **limit_order(sim, newClientOrderId="seen")),
            lambda message: message.get("data", message)["e"] == "ORDER_TRADE_UPDATE",
            path,
        )
        assert len(events) == 1
        assert ("data" in events[0]) == ("stream" in path.split("?", maxsplit=1)[0])
        event = events[0].get("data", events[0])
        if "data" in events[0]:
            assert len(events[0]["stream"]) == 64
        assert (event["o"]["c"], event["o"]["x"], event["o"]["X"]) == ("seen", "NEW", "NEW")

    def test_a_fill_is_told_in_the_documented_order(self, sim: Simulator):
        market = {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.01", "side": "BUY"}
        events = user_events(
            sim,
            lambda: sim.ask("POST", ORDER, **market),
            lambda message: message["e"] == "ORDER_TRADE_UPDATE" and message["o"]["X"] == "FILLED",
        )
        assert (events[0]["o"]["x"], events[0]["o"]["X"]) == ("NEW", "NEW")
        kinds = {event["e"] for event in events}
        assert kinds == {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE"}
        fill = events[-1]
        account = next(event for event in events if event["e"] == "ACCOUNT_UPDATE")
        assert account["T"] == fill["T"]
        assert account["a"]["m"] == "ORDER"
        assert (fill["o"]["N"], fill["o"]["m"]) == ("USDT", False)
        lite = [event for event in events if event["e"] == "TRADE_LITE"]
        assert [event["t"] for event in lite] == [
            event["o"]["t"]
            for event in events
            if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE"
        ]
        sim.ask("POST", ORDER, **market | {"side": "SELL", "reduceOnly": "true"})

    def test_subscribing_to_the_listen_key_works_on_any_socket(self, sim: Simulator):
        key = sim.send("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY}).json["listenKey"]

        async def listen(path: str) -> dict:
            async with connect(sim.ws + path) as socket:
                await ask(socket, {"method": "SUBSCRIBE", "params": [key], "id": "a-uuid"})
                await asyncio.to_thread(sim.control, "POST", "balance", amount="1")
                return await until(socket, lambda message: "result" not in message)

        assert asyncio.run(listen("/ws"))["a"]["m"] == "DEPOSIT"
        wrapped = asyncio.run(listen("/private/stream"))
        assert (wrapped["stream"], wrapped["data"]["e"]) == (key, "ACCOUNT_UPDATE")

    def test_a_killed_listen_key_is_told_and_then_there_is_silence(self, sim: Simulator):
        events = user_events(
            sim,
            lambda: sim.control("DELETE", "listenKey"),
            lambda message: message["e"] == "listenKeyExpired",
        )
        assert len(events[0]["listenKey"]) == 64
        reply = sim.send("PUT", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY})
        assert (reply.status, reply.json["code"]) == (400, -1125)

    def test_a_triggered_stop_goes_through_its_states(self, sim: Simulator):
        sim.ask("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
        trigger = round(sim.price() * 0.999, 1)

        def drop_below() -> None:
            sim.ask(
                "POST",
                "/fapi/v1/algoOrder",
                algoType="CONDITIONAL",
                symbol="BTCUSDT",
                side="SELL",
                type="STOP_MARKET",
                quantity="0.010",
                triggerPrice=trigger,
                reduceOnly="true",
                clientAlgoId="guard",
            )
            sim.control("POST", "price", symbol="BTCUSDT", last=round(trigger - 5, 1))

        events = user_events(sim, drop_below, lambda m: m["e"] == "ALGO_UPDATE" and m["o"]["X"] == "FINISHED")
        states = [event["o"]["X"] for event in events if event["e"] == "ALGO_UPDATE"]
        assert states == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
        child = next(event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE")
        assert (child["c"], child["o"], child["ot"]) == ("guard", "MARKET", "STOP_MARKET")
        found = sim.ask("GET", "/fapi/v1/algoOrder", clientAlgoId="guard")
        assert found["actualOrderId"] == str(child["i"])


class TestMarketStreams:
    def test_snapshot_and_diffs_bridge_by_the_futures_rule(self, sim: Simulator):
        async def collect() -> tuple[dict, list[dict]]:
            async with connect(sim.ws + "/public/ws/btcusdt@depth@100ms") as socket:
                events = [json.loads(await socket.recv()) for _ in range(3)]
                snapshot = await asyncio.to_thread(sim.public, "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
                while len(events) < 12:
                    events.append(json.loads(await socket.recv()))
                return snapshot, events

        snapshot, events = asyncio.run(asyncio.wait_for(collect(), PATIENCE_S))
        last = snapshot["lastUpdateId"]
        kept = [event for event in events if event["u"] >= last]
        assert kept[0]["U"] <= last <= kept[0]["u"]
        assert all(after["pu"] == before["u"] for before, after in itertools.pairwise(events))

    @pytest.mark.parametrize(
        ("stream", "event"),
        [
            ("btcusdt@bookTicker", "bookTicker"),
            ("btcusdt@depth@0ms", "depthUpdate"),
            ("btcusdt@depth5@100ms", "depthUpdate"),
            ("btcusdt@aggTrade", "aggTrade"),
            ("btcusdt@trade", "trade"),
            ("btcusdt@kline_1m", "kline"),
            ("btcusdt_perpetual@continuousKline_1m", "continuous_kline"),
            ("btcusdt@markPrice@1s", "markPriceUpdate"),
            ("btcusdt@miniTicker", "24hrMiniTicker"),
            ("btcusdt@ticker", "24hrTicker"),
            ("!miniTicker@arr", "24hrMiniTicker"),
            ("!markPrice@arr@1s", "markPriceUpdate"),
        ],
    )
    def test_every_public_stream_speaks(self, sim: Simulator, stream: str, event: str):
        async def listen() -> object:
            async with connect(f"{sim.ws}/stream?streams={stream}", max_queue=None) as socket:
                return json.loads(await socket.recv())

        message = asyncio.run(asyncio.wait_for(listen(), PATIENCE_S))
        assert message["stream"] == stream
        data = message["data"]
        assert (data[0] if isinstance(data, list) else data)["e"] == event

    def test_a_url_may_name_a_thousand_streams(self, sim: Simulator):
        names = "/".join(f"btcusdt@kline_{number}m" for number in range(1000)) + "/btcusdt@bookTicker"

        async def listen() -> dict:
            async with connect(f"{sim.ws}/stream?streams={names}") as socket:
                return await until(socket, lambda message: message["stream"] == "btcusdt@bookTicker")

        assert asyncio.run(listen())["data"]["s"] == "BTCUSDT"

    def test_more_than_ten_messages_a_second_end_the_connection(self, sim: Simulator):
        async def flood() -> int:
            async with connect(sim.ws + "/ws") as socket:
                for number in range(25):
                    await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
                return await end_of(socket)

        assert asyncio.run(flood()) == 1008

    @pytest.mark.parametrize(
        "rules", [{"life_s": 0.3}, {"ping_s": 0.1, "pong_s": 0.3}], ids=["old age", "no pong"]
    )
    def test_connections_are_cut(self, sim: Simulator, rules: dict[str, float]):
        async def listen() -> int | None:
            async with connect(sim.ws + "/ws", ping_interval=None) as socket:
                socket.protocol.send_frame = lambda _: None  # answers no ping
                return await end_of(socket)

        sim.control("POST", "sockets", **rules)
        try:
            assert asyncio.run(asyncio.wait_for(listen(), PATIENCE_S)) == 1006
        finally:
            sim.control("POST", "sockets", ping_s=180, pong_s=600, life_s=86_400)

    def test_the_server_pings(self, sim: Simulator):
        async def listen() -> None:
            sim.control("POST", "sockets", ping_s=0.2, pong_s=5)
            try:
                async with connect(sim.ws + "/ws/btcusdt@kline_1m", ping_interval=None) as socket:
                    for _ in range(3):
                        await socket.recv()
            finally:
                sim.control("POST", "sockets", ping_s=180, pong_s=600)

        asyncio.run(asyncio.wait_for(listen(), PATIENCE_S))


def ws_api(
    sim: Simulator, work: Callable[[Callable[..., Awaitable[dict]]], Awaitable[None]], query: str = ""
) -> None:
    async def run() -> None:
        async with connect(f"{sim.ws}/ws-fapi/v1{query}") as socket:

            async def call(method: str, signed: bool = True, **params: object) -> dict:
                if signed:
                    params |= {"apiKey": KEY, "timestamp": now_ms()}
                    texts = {
                        name: json.dumps(v) if isinstance(v, bool) else str(v) for name, v in params.items()
                    }
                    params["signature"] = sign("&".join(f"{k}={v}" for k, v in sorted(texts.items())))
                return await ask(socket, {"id": f"{method}-1", "method": method, "params": params})

            await work(call)

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


class TestWsApi:
    def test_an_order_lives_over_the_socket(self, sim: Simulator):
        async def work(call: Callable[..., Awaitable[dict]]) -> None:
            placed = await call("order.place", **limit_order(sim))
            assert placed["status"] == 200
            limits = {(row["rateLimitType"], row["interval"]): row["count"] for row in placed["rateLimits"]}
            assert limits["ORDERS", "SECOND"] >= 1
            named = {"symbol": "BTCUSDT", "orderId": str(placed["result"]["orderId"])}
            assert (await call("order.status", **named))["result"]["status"] == "NEW"
            price = placed["result"]["price"]
            changed = await call("order.modify", **named, side="BUY", quantity="0.011", price=price)
            assert changed["result"]["origQty"] == "0.011"
            assert (await call("order.cancel", **named))["result"]["status"] == "CANCELED"
            gone = await call("order.cancel", **named)
            assert (gone["status"], gone["error"]["code"]) == (400, -2011)

        ws_api(sim, work)

    def test_counts_can_be_left_out_and_market_data_needs_no_key(self, sim: Simulator):
        async def work(call: Callable[..., Awaitable[dict]]) -> None:
            assert "rateLimits" not in await call("account.status", returnRateLimits=False)
            book = await call("depth", signed=False, symbol="BTCUSDT", limit=5)
            assert len(book["result"]["bids"]) == 5
            assert (await call("order.place", signed=False, symbol="BTCUSDT"))["status"] == 401
            assert (await call("no.such.method", signed=False))["status"] == 400
            assert (await call("session.logon"))["status"] == 400
            assert (await call("session.status", signed=False))["result"]["apiKey"] is None

        ws_api(sim, work)
        ws_api(sim, work, "?returnRateLimits=false")
