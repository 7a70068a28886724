"""Faults, prices and manual orders through the control API."""

import asyncio
import json
import time
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect

from tests.process.simulator_process import (
    KEY,
    ORDER,
    PATIENCE_S,
    SECRET,
    Simulator,
    ask,
    end_of,
    limit_order,
    now_ms,
    user_events,
)


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
        pinned = sim.control("POST", "price", symbol="ETHUSDT", mark="1234.5")
        mark = pinned["mark"]
        assert "note" not in pinned
        assert (
            float(sim.public("/fapi/v1/premiumIndex", symbol="ETHUSDT")["markPrice"]) == float(mark) == 1234.5
        )
        sim.control("POST", "price", symbol="ETHUSDT", release_mark=True)
        sim.control("POST", "funding", symbol="ETHUSDT", rate="0.0025")
        assert sim.public("/fapi/v1/premiumIndex", symbol="ETHUSDT")["lastFundingRate"] == "0.00250000"

    def test_stops_that_a_fall_triggers_find_buyers_at_the_price_reached(self, sim: Simulator):
        market = {"symbol": "BTCUSDT", "quantity": "0.010"}
        sim.ask("POST", ORDER, **market, type="MARKET", side="BUY")
        start = sim.price()
        stop = {**market, "algoType": "CONDITIONAL", "type": "STOP_MARKET", "side": "SELL"}
        trigger = round(start * 0.98, 1)
        algo = sim.ask("POST", "/fapi/v1/algoOrder", **stop, reduceOnly="true", triggerPrice=trigger)
        low = round(start * 0.97, 1)
        sim.control("POST", "price", symbol="BTCUSDT", index=low, last=low)
        ended = sim.ask("GET", "/fapi/v1/algoOrder", algoId=algo["algoId"])
        child = sim.ask("GET", ORDER, symbol="BTCUSDT", orderId=ended["actualOrderId"])
        back = sim.control("POST", "price", symbol="BTCUSDT", index=start, last=start)
        assert back["note"].startswith("last is one trade through the book: the market goes on by itself")
        assert (ended["algoStatus"], child["status"], float(child["avgPrice"])) == ("FINISHED", "FILLED", low)

    @pytest.mark.parametrize(
        ("target", "body", "status"),
        [
            ("nothing", "{}", 404),
            ("order", "[]", 400),
            ("funding", '{"symbol":"NOPEUSDT","rate":"0.1"}', 400),
            ("symbol", '{"symbol":"NOPEUSDT"}', 400),
            ("faults", "{", 400),
            ("faults", '{"endpoint":"*","kind":"earthquake"}', 400),
            ("faults", '{"endpoint":"*","kind":"error","typo":1}', 400),
            ("brackets", '{"symbol":"BTCUSDT","rows":[]}', 400),
            ("price", '{"symbol":"NOPEUSDT"}', 400),
            ("balance", '{"amount":"1","account":"nobody"}', 400),
        ],
    )
    def test_bad_commands_are_refused_with_a_sentence(
        self, sim: Simulator, target: str, body: str, status: int
    ):
        reply = sim.command("POST", target, body)
        assert reply.status == status
        assert reply.json["error"]
        assert not {"`", "Object", "Expected"} & set(reply.json["error"].replace("`", " ` ").split())

    def test_web_pages_are_not_heard(self, sim: Simulator):
        assert sim.send("POST", "/_control/drop", "{}", {"Origin": "http://example.com"}).status == 403

    def test_state_shows_no_secret(self, sim: Simulator):
        text = sim.send("GET", "/_control/state").body.decode()
        assert SECRET not in text
        assert KEY not in text
        assert quote("BTCUSDT") in text
