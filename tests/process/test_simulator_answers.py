"""Every answer has the fields the exchange's documentation lists for its endpoint: no more, no fewer."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.process.simulator_process import KEY, ORDER, Simulator, limit_order, simulator
from tests.support.documented_answers import ANSWERS, fields_of

ALGO = "/fapi/v1/algoOrder"
STOP = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
SYMBOL = {"symbol": "BTCUSDT"}
QUERIES: dict[str, dict[str, object]] = {
    "GET /fapi/v1/time": {},
    "GET /fapi/v1/exchangeInfo": {},
    "GET /fapi/v1/depth": SYMBOL,
    "GET /fapi/v1/rpiDepth": SYMBOL,
    "GET /fapi/v1/trades": SYMBOL,
    "GET /fapi/v1/historicalTrades": SYMBOL,
    "GET /fapi/v1/aggTrades": SYMBOL,
    "GET /fapi/v1/ticker/24hr": SYMBOL,
    "GET /fapi/v1/ticker/price": SYMBOL,
    "GET /fapi/v2/ticker/price": SYMBOL,
    "GET /fapi/v1/ticker/bookTicker": SYMBOL,
    "GET /fapi/v1/premiumIndex": SYMBOL,
    "GET /fapi/v1/openInterest": SYMBOL,
    "GET /fapi/v1/fundingRate": SYMBOL,
    "GET /fapi/v1/constituents": SYMBOL,
    "GET /fapi/v1/symbolAdlRisk": SYMBOL,
    "GET /fapi/v1/tradingSchedule": {},
    "GET /fapi/v1/apiTradingStatus": {},
    "GET /fapi/v1/openOrders": SYMBOL,
    "GET /fapi/v1/allOrders": SYMBOL,
    "GET /fapi/v1/userTrades": SYMBOL,
    "GET /fapi/v1/openAlgoOrders": SYMBOL,
    "GET /fapi/v1/allAlgoOrders": SYMBOL,
    "GET /fapi/v3/account": {},
    "GET /fapi/v2/account": {},
    "GET /fapi/v3/balance": {},
    "GET /fapi/v2/balance": {},
    "GET /fapi/v3/positionRisk": {},
    "GET /fapi/v2/positionRisk": {},
    "GET /fapi/v1/accountConfig": {},
    "GET /fapi/v1/symbolConfig": {},
    "GET /fapi/v1/adlQuantile": {},
    "GET /fapi/v1/leverageBracket": {},
    "GET /fapi/v1/commissionRate": SYMBOL,
    "GET /fapi/v1/income": {},
    "GET /fapi/v1/rateLimit/order": {},
    "GET /fapi/v1/feeBurn": {},
    "GET /fapi/v1/positionSide/dual": {},
    "GET /fapi/v1/multiAssetsMargin": {},
    "GET /fapi/v1/positionMargin/history": {"symbol": "ETHUSDT"},
}


class Account:
    """Does everything once on a fresh account, and keeps each answer under its endpoint."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self.answers: dict[str, Any] = {}

    def ask(self, endpoint: str, **params: object) -> Any:  # noqa: ANN401 - JSON
        method, path = endpoint.split(" ")
        answer = self._sim.ask(method, path, **params)
        self.answers[endpoint] = answer
        return answer

    def change_everything(self) -> None:
        sim, price = self._sim, self._sim.price()
        self.ask("POST /fapi/v1/leverage", **SYMBOL, leverage=10)
        self.ask("POST /fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
        self.ask("POST /fapi/v1/feeBurn", feeBurn="true")
        for symbol, quantity in (("BTCUSDT", "0.010"), ("ETHUSDT", "0.100")):
            sim.ask("POST", ORDER, symbol=symbol, side="BUY", type="MARKET", quantity=quantity)
        self.ask("POST /fapi/v1/positionMargin", symbol="ETHUSDT", amount="5", type=1)
        first = self.ask(f"POST {ORDER}", **limit_order(sim))
        self.ask(f"POST {ORDER}/test", **limit_order(sim))
        changed = {"quantity": "0.011", "price": round(price * 0.97, 1), "modifyId": 5}
        self.ask(f"PUT {ORDER}", **SYMBOL, side="BUY", orderId=first["orderId"], **changed)
        self.ask("GET /fapi/v1/orderAmendment", **SYMBOL, orderId=first["orderId"])
        self.ask(f"GET {ORDER}", **SYMBOL, orderId=first["orderId"])
        self.ask("GET /fapi/v1/openOrder", **SYMBOL, orderId=first["orderId"])
        self.ask(f"DELETE {ORDER}", **SYMBOL, orderId=first["orderId"])
        self.place_in_batches()
        sim.ask("POST", ORDER, **limit_order(sim))
        self.place_conditional_orders(price)

    def place_in_batches(self) -> None:
        batch = json.dumps([{key: str(value) for key, value in limit_order(self._sim).items()}])
        (placed,) = self.ask("POST /fapi/v1/batchOrders", batchOrders=batch)
        self.ask("DELETE /fapi/v1/batchOrders", **SYMBOL, orderIdList=f"[{placed['orderId']}]")
        self._sim.ask("POST", ORDER, **limit_order(self._sim))
        self.ask("POST /fapi/v1/countdownCancelAll", **SYMBOL, countdownTime=0)
        self.ask("DELETE /fapi/v1/allOpenOrders", **SYMBOL)

    def place_conditional_orders(self, price: float) -> None:
        stop = STOP | {"triggerPrice": round(price * 0.9, 1), "quantity": "0.010"}
        trailing = STOP | {"type": "TRAILING_STOP_MARKET", "callbackRate": "5", "quantity": "0.010"}
        self.ask(f"POST {ALGO}", **stop)
        placed = self._sim.ask("POST", ALGO, **trailing)
        self.ask(f"GET {ALGO}", algoId=placed["algoId"])
        self.ask(f"DELETE {ALGO}", algoId=placed["algoId"])
        self._sim.ask("POST", ALGO, **trailing)

    def look_at_everything(self) -> None:
        for endpoint, params in QUERIES.items():
            self.ask(endpoint, **params)
        for method in ("POST", "PUT"):
            reply = self._sim.send(method, "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY})
            self.answers[f"{method} /fapi/v1/listenKey"] = reply.json
        self.ask("DELETE /fapi/v1/algoOpenOrders", **SYMBOL)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with simulator(tmp_path_factory.mktemp("answers"), "--no-limits") as sim:
        account = Account(sim)
        account.change_everything()
        account.look_at_everything()
        yield account.answers


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_the_documented_fields(answers: dict[str, Any], name: str):
    method, path, *parts = name.split(" ")
    rows = answers[f"{method} {path}"]
    for part in parts:
        rows = [row[part] for row in (rows if isinstance(rows, list) else [rows])]
        rows = [one for row in rows for one in (row if isinstance(row, list) else [row])]
    rows = rows if isinstance(rows, list) else [rows]
    assert rows
    for row in rows:
        assert set(row) == fields_of(name)


def test_every_endpoint_with_an_answer_of_its_own_is_in_the_table(answers: dict[str, Any]):
    assert {" ".join(name.split(" ")[:2]) for name in ANSWERS} == set(answers)
