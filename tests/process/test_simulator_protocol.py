"""The simulator speaks the exchange's REST protocol: order of checks, signing, answers."""

import json

import pytest

from tests.process.simulator_process import KEY, ORDER, Simulator, limit_order, now_ms, sign


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
        assert " ".join(answer) == (
            "orderId symbol status clientOrderId price origQty executedQty cumQty "
            "timeInForce type reduceOnly closePosition side positionSide stopPrice "
            "workingType priceProtect origType priceMatch selfTradePreventionMode "
            "goodTillDate updateTime"
        )

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

    def test_fees_in_bnb_are_a_flag_that_can_be_turned(self, sim: Simulator):
        for wanted in ("true", "false"):
            assert sim.ask("POST", "/fapi/v1/feeBurn", feeBurn=wanted) == {"code": 200, "msg": "success"}
            assert sim.ask("GET", "/fapi/v1/feeBurn") == {"feeBurn": wanted == "true"}
            assert sim.ask("GET", "/fapi/v2/account")["feeBurn"] is (wanted == "true")

    def test_what_does_not_happen_here_is_told_in_the_documented_shape(self, sim: Simulator):
        schedules = sim.public("/fapi/v1/tradingSchedule")["marketSchedules"]
        assert schedules["EQUITY"] == schedules["FX"] == {"sessions": []}
        assert sim.public("/fapi/v1/symbolAdlRisk", symbol="BTCUSDT")["adlRisk"] == "low"
        assert {row["symbol"] for row in sim.public("/fapi/v1/symbolAdlRisk")} == {"BTCUSDT", "ETHUSDT"}
        assert sim.public("/sapi/v1/system/status") == {"status": 0, "msg": "normal"}

    def test_the_spot_host_tells_the_weight_under_both_names(self, sim: Simulator):
        headers = sim.send("GET", "/api/v3/ping").headers
        assert headers["x-mbx-used-weight"] == headers["x-mbx-used-weight-1m"]
        assert "x-mbx-used-weight" not in sim.send("GET", "/fapi/v1/ping").headers

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
