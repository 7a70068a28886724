"""The simulator speaks the exchange's REST, stream and WS API protocols over real sockets."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.process.simulator_process import KEY, SECRET, Simulator, sign, simulator

PATIENCE_S = 20
ORDER = "/fapi/v1/order"


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(sim: Simulator) -> Iterator[None]:
    yield
    sim.control("DELETE", "faults")
    sim.control("POST", "clock", skew_ms=0)
    sim.control("POST", "limits", reset=True, ban_after=50)
    sim.ask("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    sim.ask("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    sim.control("POST", "limits", reset=True)


def now_ms() -> int:
    return int(time.time() * 1000)


def limit_order(sim: Simulator, **changes: object) -> dict[str, object]:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    return order | {"price": round(sim.price() * 0.98, 1)} | changes


async def until(socket: ClientConnection, wanted: Callable[[dict], bool]) -> dict:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = json.loads(await socket.recv())
            if wanted(message):
                return message


async def end_of(socket: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code


async def ask(socket: ClientConnection, request: dict) -> dict:
    await socket.send(json.dumps(request))
    return await until(socket, lambda message: "id" in message and message["id"] == request["id"])


def user_events(
    sim: Simulator,
    action: Callable[[], object],
    last: Callable[[dict], bool],
    path: str = "/private/ws/{key}",
) -> list[dict]:
    """All user events from the start of `action` to the one that `last` recognises."""
    key = sim.send("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY}).json["listenKey"]
    heard: list[dict] = []

    async def listen() -> None:
        async with connect(sim.ws + path.format(key=key)) as socket:
            await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
            await asyncio.to_thread(action)

            def note(message: dict) -> bool:
                heard.append(message)
                return last(message)

            await until(socket, note)

    asyncio.run(listen())
    return heard


class TestOrderOfChecks:
    def test_unknown_path_comes_before_the_missing_key(self, sim: Simulator):
        reply = sim.send("GET", "/fapi/v1/nothing")
        assert (reply.status, reply.json["code"]) == (404, -5000)

    def test_missing_key_comes_before_missing_parameters(self, sim: Simulator):
        reply = sim.send("POST", ORDER)
        assert (reply.status, reply.json["code"]) == (401, -2014)
        reply = sim.send("POST", ORDER, headers={"X-MBX-APIKEY": "unknown"})
        assert (reply.status, reply.json["code"]) == (401, -2015)

    def test_mandatory_parameters_come_before_the_timestamp(self, sim: Simulator):
        reply = sim.signed("POST", ORDER, symbol="BTCUSDT", side="BUY", timestamp=1)
        assert (reply.status, reply.json["code"]) == (400, -1102)
        assert "'type'" in reply.json["msg"]

    def test_timestamp_comes_before_the_signature(self, sim: Simulator):
        order = limit_order(sim)
        query = "&".join(f"{name}={value}" for name, value in order.items())
        for timestamp, code in ((1, -1021), (now_ms() + 60_000, -1021), (now_ms(), -1022)):
            target = f"{ORDER}?{query}&timestamp={timestamp}&signature={'0' * 64}"
            reply = sim.send("POST", target, headers={"X-MBX-APIKEY": KEY})
            assert (reply.status, reply.json["code"]) == (400, code)

    def test_signature_comes_before_the_meaning(self, sim: Simulator):
        assert sim.code("POST", ORDER, **limit_order(sim, symbol="NOPEUSDT")) == -1121

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"side": "UP"}, -1117),
            ({"type": "MAGIC"}, -1116),
            ({"timeInForce": "NOW"}, -1115),
            ({"quantity": "0.0105"}, -1111),
            ({"quantity": "0"}, -4003),
            ({"quantity": "much"}, -1102),
            ({"price": ""}, -1102),
            ({"newClientOrderId": "not allowed!"}, -4015),
            ({"newOrderRespType": "ALL"}, -1136),
            ({"type": "STOP_MARKET", "stopPrice": "1"}, -4120),
            ({"quantity": "0.001", "price": "35000"}, -4024),
        ],
    )
    def test_orders_are_refused_with_the_exchanges_code(self, sim: Simulator, changes: dict, code: int):
        if changes.get("price") == "35000":
            changes = {"quantity": "0.001", "price": "35000", "side": "SELL"}
        assert sim.code("POST", ORDER, **limit_order(sim, **changes)) == code


class TestSigning:
    def test_parameters_may_stand_in_query_and_body_and_the_query_wins(self, sim: Simulator):
        order = limit_order(sim)
        body = "&".join(f"{name}={value}" for name, value in order.items()) + "&newClientOrderId=body"
        query = f"newClientOrderId=query&timestamp={now_ms()}"
        form = {"X-MBX-APIKEY": KEY, "Content-Type": "application/x-www-form-urlencoded"}
        reply = sim.send("POST", f"{ORDER}?{query}&signature={sign(query + body)}", body, form)
        assert (reply.status, reply.json["clientOrderId"]) == (200, "query")
        body = f"symbol=BTCUSDT&origClientOrderId=query&timestamp={now_ms()}"
        reply = sim.send("DELETE", ORDER, f"{body}&signature={sign(body)}", form)
        assert reply.json["status"] == "CANCELED"

    def test_names_are_case_insensitive(self, sim: Simulator):
        placed = sim.ask("POST", ORDER, **limit_order(sim))
        cancelled = sim.ask(
            "DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderidlist=f"[{placed['orderId']}]"
        )
        assert [row["status"] for row in cancelled] == ["CANCELED"]

    def test_signed_request_needs_the_secret_of_its_key(self, sim: Simulator):
        sim.control("POST", "account", account="2", key="other", secret="another secret")
        query = f"timestamp={now_ms()}"
        target = f"/fapi/v3/balance?{query}&signature={sign(query)}"
        assert sim.send("GET", target, headers={"X-MBX-APIKEY": "other"}).json["code"] == -1022


class TestAnswers:
    def test_order_answer_has_the_documented_fields_and_no_average_price(self, sim: Simulator):
        answer = sim.ask("POST", ORDER, **limit_order(sim))
        assert list(answer) == [
            "orderId",
            "symbol",
            "status",
            "clientOrderId",
            "price",
            "origQty",
            "executedQty",
            "cumQty",
            "timeInForce",
            "type",
            "reduceOnly",
            "closePosition",
            "side",
            "positionSide",
            "stopPrice",
            "workingType",
            "priceProtect",
            "origType",
            "priceMatch",
            "selfTradePreventionMode",
            "goodTillDate",
            "updateTime",
        ]

    def test_acknowledgement_says_new_and_result_says_what_became_of_it(self, sim: Simulator):
        market = {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.01"}
        assert sim.ask("POST", ORDER, **market, side="BUY")["status"] == "NEW"
        result = sim.ask("POST", ORDER, **market, side="SELL", newOrderRespType="RESULT")
        assert (result["status"], result["executedQty"]) == ("FILLED", "0.010")

    def test_batch_answers_in_order_with_errors_inside(self, sim: Simulator):
        good = {key: str(value) for key, value in limit_order(sim).items()}
        rows = sim.ask(
            "POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([good, good | {"quantity": "0"}, good])
        )
        assert [row.get("status") or row["code"] for row in rows] == ["NEW", -4003, "NEW"]
        assert sim.code("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([good] * 6)) == -4082

    def test_v3_shows_what_is_in_use_and_v2_everything(self, sim: Simulator):
        assert sim.ask("GET", "/fapi/v3/positionRisk") == []
        assert {row["symbol"] for row in sim.ask("GET", "/fapi/v2/positionRisk")} == {"BTCUSDT", "ETHUSDT"}
        sim.ask("POST", ORDER, **limit_order(sim))
        (row,) = sim.ask("GET", "/fapi/v3/positionRisk")
        assert row["positionAmt"] == "0.000"
        assert "leverage" not in row

    @pytest.mark.parametrize(
        "path",
        [
            "/api/v3/exchangeInfo",
            "/dapi/v1/exchangeInfo",
            "/eapi/v1/exchangeInfo",
            "/sapi/v1/margin/allPairs",
        ],
    )
    def test_other_products_answer_with_nothing(self, sim: Simulator, path: str):
        answer = sim.public(path)
        assert (answer if isinstance(answer, list) else answer["symbols"]) == []

    def test_weight_and_order_counts_are_in_the_headers(self, sim: Simulator):
        reply = sim.signed("GET", "/fapi/v1/income")
        assert reply.headers["x-mbx-used-weight-1m"] == "30"
        headers = sim.signed("POST", ORDER, **limit_order(sim)).headers
        assert (headers["x-mbx-order-count-10s"], headers["x-mbx-order-count-1m"]) == ("1", "1")
        assert "x-mbx-used-weight-1m" not in sim.send("GET", "/fapi/v1/fundingInfo").headers

    def test_too_many_requests_and_then_a_ban(self, sim: Simulator):
        sim.control("POST", "limits", ban_after=2, ban_ms=60_000)
        sim.public("/fapi/v1/time")
        sim.control("POST", "limits", exhaust=True)
        replies = [sim.send("GET", "/fapi/v1/time") for _ in range(4)]
        assert [reply.status for reply in replies] == [429, 429, 418, 418]
        assert {reply.json["code"] for reply in replies} == {-1003}
        assert all(1 <= int(reply.headers["retry-after"]) <= 60 for reply in replies)


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
            async with connect(f"{sim.ws}/stream?streams={stream}") as socket:
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


class TestControl:
    @pytest.mark.parametrize(
        ("kind", "status", "placed"),
        [
            ("unknown_executed", 503, True),
            ("unknown_not_executed", 503, False),
            ("timeout_executed", 408, True),
            ("timeout_not_executed", 408, False),
            ("unavailable", 503, False),
            ("throttled", 503, False),
            ("internal", 500, False),
            ("rate_limited", 429, False),
            ("forbidden", 403, False),
            ("restricted", 451, False),
            ("delay_before", 200, True),
            ("delay_after", 200, True),
            ("error", 400, False),
        ],
    )
    def test_request_faults(self, sim: Simulator, kind: str, status: int, placed: bool):
        sim.control("POST", "faults", endpoint=f"POST {ORDER}", kind=kind, delay_ms=20)
        name = f"fault-{kind}"
        assert sim.signed("POST", ORDER, **limit_order(sim, newClientOrderId=name)).status == status
        found = sim.signed("GET", ORDER, symbol="BTCUSDT", origClientOrderId=name)
        assert (found.status == 200) is placed
        assert sim.signed("POST", ORDER, **limit_order(sim)).status == 200

    @pytest.mark.parametrize(("kind", "placed"), [("cut_before", False), ("cut_after", True)])
    def test_cut_connections(self, sim: Simulator, kind: str, placed: bool):
        sim.control("POST", "faults", endpoint=f"POST {ORDER}", kind=kind)
        with pytest.raises(ConnectionError):
            sim.signed("POST", ORDER, **limit_order(sim, newClientOrderId=kind))
        found = sim.signed("GET", ORDER, symbol="BTCUSDT", origClientOrderId=kind)
        assert (found.status == 200) is placed

    def test_a_ban_lasts(self, sim: Simulator):
        sim.control("POST", "faults", endpoint="*", kind="banned", retry_after_s=30)
        assert [sim.send("GET", "/fapi/v1/time").status for _ in range(2)] == [418, 418]

    @pytest.mark.parametrize(("action", "count"), [("lose", 0), ("duplicate", 2), ("delay", 1)])
    def test_user_event_faults(self, sim: Simulator, action: str, count: int):
        def deposits() -> None:
            sim.control("POST", "events", event="ACCOUNT_UPDATE", action=action, delay_ms=50)
            sim.control("POST", "balance", amount="0.5")
            sim.ask("POST", "/fapi/v1/leverage", symbol="ETHUSDT", leverage=5)
            time.sleep(0.1)  # past the delay that was asked for
            sim.control("POST", "balance", amount="0.25")

        events = user_events(
            sim, deposits, lambda m: m["e"] == "ACCOUNT_UPDATE" and m["a"]["B"][0]["bc"] == "0.25"
        )
        updates = [event for event in events if event["e"] == "ACCOUNT_UPDATE"]
        assert len(updates) == count + 1
        names = [event["e"] for event in events]
        if action == "delay":
            assert names[0] == "ACCOUNT_CONFIG_UPDATE"

    def test_orders_by_hand_look_like_the_app(self, sim: Simulator):
        placed = sim.control("POST", "order", **limit_order(sim))
        assert placed["clientOrderId"].startswith("ios_")
        assert [row["orderId"] for row in sim.ask("GET", "/fapi/v1/openOrders")] == [placed["orderId"]]
        sim.control("DELETE", "order", symbol="BTCUSDT", orderId=placed["orderId"])

    def test_dropped_and_silenced_streams(self, sim: Simulator):
        async def listen() -> None:
            async with connect(sim.ws + "/ws/btcusdt@bookTicker/btcusdt@depth@100ms") as socket:
                await asyncio.to_thread(sim.control, "POST", "silence", streams=["*@bookTicker"])
                await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
                heard = [json.loads(await socket.recv())["e"] for _ in range(5)]
                assert set(heard) == {"depthUpdate"}
                dropped = await asyncio.to_thread(sim.control, "POST", "drop", route="")
                assert dropped["dropped"] >= 1
                assert await end_of(socket) == 1006

        asyncio.run(asyncio.wait_for(listen(), PATIENCE_S))

    def test_clock_skew_moves_the_claimed_time_and_the_timestamp_check(self, sim: Simulator):
        sim.control("POST", "clock", skew_ms=-30_000)
        assert sim.public("/fapi/v1/time")["serverTime"] < now_ms() - 25_000
        assert sim.code("GET", "/fapi/v3/balance") == -1021
        assert sim.signed("GET", "/fapi/v3/balance", timestamp=now_ms() - 30_000).status == 200

    def test_brackets_prices_and_funding_can_be_set(self, sim: Simulator):
        sim.control(
            "POST",
            "brackets",
            symbol="ETHUSDT",
            rows=[
                {"leverage": 20, "notional_cap": 1000, "maint_margin_ratio": "0.01"},
                {"leverage": 5, "notional_cap": 100_000, "maint_margin_ratio": "0.05"},
            ],
        )
        (row,) = sim.ask("GET", "/fapi/v1/leverageBracket", symbol="ETHUSDT")
        assert [bracket["cum"] for bracket in row["brackets"]] == [0.0, 40.0]
        mark = sim.control("POST", "price", symbol="ETHUSDT", mark="1234.5")["mark"]
        assert (
            float(sim.public("/fapi/v1/premiumIndex", symbol="ETHUSDT")["markPrice"]) == float(mark) == 1234.5
        )
        sim.control("POST", "price", symbol="ETHUSDT", release_mark=True)
        sim.control("POST", "funding", symbol="ETHUSDT", rate="0.0025")
        assert sim.public("/fapi/v1/premiumIndex", symbol="ETHUSDT")["lastFundingRate"] == "0.00250000"

    @pytest.mark.parametrize(
        ("target", "body", "status"),
        [
            ("/_control/nothing", "{}", 404),
            ("/_control/faults", "{", 400),
            ("/_control/faults", '{"endpoint":"*","kind":"earthquake"}', 400),
            ("/_control/faults", '{"endpoint":"*","kind":"error","typo":1}', 400),
            ("/_control/brackets", '{"symbol":"BTCUSDT","rows":[]}', 400),
            ("/_control/price", '{"symbol":"NOPEUSDT"}', 400),
            ("/_control/balance", '{"amount":"1","account":"nobody"}', 400),
        ],
    )
    def test_bad_commands_are_refused_with_a_sentence(
        self, sim: Simulator, target: str, body: str, status: int
    ):
        reply = sim.send("POST", target, body)
        assert reply.status == status
        assert reply.json["error"]

    def test_web_pages_are_not_heard(self, sim: Simulator):
        assert sim.send("POST", "/_control/drop", "{}", {"Origin": "http://example.com"}).status == 403

    def test_state_shows_no_secret(self, sim: Simulator):
        text = sim.send("GET", "/_control/state").body.decode()
        assert SECRET not in text
        assert KEY not in text
        assert quote("BTCUSDT") in text
