"""What an engine is told of its order requests, and what leaves for the exchange: nothing that may not."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from gateways.binance.orders.requests import OrderRequests
from gateways.binance.orders.sender import SCAN_OVERLAP_MS, OrderSender
from gateways.binance.protocol.errors import RestBlocked
from gateways.binance.protocol.requests import Requests
from gateways.binance.protocol.signing import Signer
from gateways.binance.protocol.translate import order_row
from gateways.binance.rest.http_connection import HttpAnswer, HttpFailed
from gateways.binance.rest.request_budget import RequestBudget
from gateways.wire.messages import CancelOrder, OrderUpdate, QueryOrder, Reply, SubmitOrder
from gateways.wire.words import Refusal

NOW_NS = 1_000 * 60_000_000_000
ROW = {
    "orderId": 77, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": "nb-1", "price": "99.0",
    "avgPrice": "0", "origQty": "2", "executedQty": "0", "timeInForce": "GTC", "type": "LIMIT",
    "reduceOnly": False, "closePosition": False, "side": "BUY", "stopPrice": "0", "updateTime": 5,
}  # fmt: skip
SUBMIT = SubmitOrder(1, "BTCUSDT", "nb-1", "BUY", "MARKET", Decimal("0.01"))
CANCEL = CancelOrder(2, "BTCUSDT", "nb-1")
QUERY = QueryOrder(3, "BTCUSDT", "nb-1", scan_since_ns=90_000_000_000)


def answer(status: int, row: object) -> HttpAnswer:
    return HttpAnswer(status, {}, json.dumps(row).encode())


def error(code: int, text: str = "no") -> HttpAnswer:
    return answer(400, {"code": code, "msg": text})


class Pool:
    """Connections that are up, down or busy; keeps what leaves and gives the answers in turn."""

    def __init__(self, *answers: HttpAnswer | HttpFailed, is_up: bool = True, is_free: bool = True) -> None:
        self.is_up = is_up
        self.is_free = is_free
        self.left: list[str] = []
        self._answers = list(answers)

    def send_now(self, request: bytes) -> "asyncio.Future[HttpAnswer] | None":
        if not (self.is_up and self.is_free):
            return None
        return asyncio.ensure_future(self.send(request))

    async def send(self, request: bytes | Callable[[], bytes]) -> HttpAnswer:
        data = request() if callable(request) else request
        self.left.append(data.split(b"?", 1)[0].decode())
        given = self._answers.pop(0)
        if isinstance(given, HttpFailed):
            raise given
        return given


class Past:
    """The exchange's history: what it is asked, and what it holds."""

    def __init__(self, *orders: OrderUpdate, failure: Exception | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self._orders = orders
        self._failure = failure

    async def orders(self, symbol: str, since_ms: int, _priority: object) -> tuple[OrderUpdate, ...]:
        self.asked.append((symbol, since_ms))
        if self._failure is not None:
            raise self._failure
        return self._orders


class Engine:
    def __init__(self) -> None:
        self.heard: list[Reply] = []

    def send(self, reply: Reply) -> None:
        self.heard.append(reply)


def told(
    pool: Pool,
    act: Callable[[OrderSender, Engine], object],
    past: Past | None = None,
    *,
    weight: int = 2400,
    placed: list[OrderUpdate] | None = None,
) -> list[Reply]:
    """Everything one engine hears until nothing is under way. `placed` gets what was placed."""
    engine = Engine()
    placed = [] if placed is None else placed

    async def run() -> None:
        tasks: list[asyncio.Task[None]] = []

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            tasks.append(asyncio.ensure_future(work))

        signer = Signer("the-key", "s")
        sender = OrderSender(
            pool,  # type: ignore[arg-type]  # a stand-in
            OrderRequests(Requests("http://127.0.0.1:8080", signer, lambda: 1, 5000)),
            RequestBudget(lambda: NOW_NS, weight),
            past or Past(),  # type: ignore[arg-type]  # a stand-in
            wall_ns=lambda: NOW_NS,
            on_hint=lambda _: None,
            on_placed=placed.append,
            spawn=spawn,
        )
        act(sender, engine)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        assert all(task.exception() is None for task in tasks)

    asyncio.run(run())
    return engine.heard


def submit(sender: OrderSender, engine: Engine) -> None:
    sender.submit(engine, SUBMIT)  # type: ignore[arg-type]  # a stand-in


def cancel(sender: OrderSender, engine: Engine) -> None:
    sender.cancel(engine, CANCEL)  # type: ignore[arg-type]  # a stand-in


def query(sender: OrderSender, engine: Engine) -> None:
    sender.query(engine, QUERY)  # type: ignore[arg-type]  # a stand-in


def test_a_request_the_budget_has_no_room_for_does_not_leave():
    pool = Pool()
    (reply,) = told(pool, query, weight=0)
    assert (reply.outcome, reply.message) == (
        "transient",
        "not sent: request limit or ban for another 60.0 s",
    )
    assert pool.left == []


def test_without_a_connection_nothing_waits():
    pool = Pool(is_up=False)
    (reply,) = told(pool, submit)
    assert (reply.outcome, reply.message) == ("transient", "not sent: no connection to the exchange")
    assert pool.left == []


def test_while_all_connections_are_busy_an_order_waits_for_one_and_is_sent_once():
    pool = Pool(answer(200, ROW), is_free=False)
    placed: list[OrderUpdate] = []
    (reply,) = told(pool, submit, placed=placed)
    assert (reply.outcome, reply.order.client_order_id, reply.sent_time_ns) == ("ok", "nb-1", NOW_NS)
    assert pool.left == ["POST /fapi/v1/order"]
    assert placed == [reply.order]


def test_an_answer_that_names_no_order_is_no_word_on_it():
    assert told(Pool(answer(200, {})), submit)[0].outcome == "unknown"
    assert told(Pool(answer(200, [])), submit)[0].outcome == "unknown"
    assert told(Pool(answer(200, {})), query)[0].outcome == "transient"
    assert told(Pool(answer(200, {"code": 200})), cancel)[0].outcome == "ok"


@pytest.mark.parametrize(("left", "outcome"), [(True, "unknown"), (False, "transient")])
def test_a_request_cut_off_is_unknown_only_where_bytes_may_have_left(left: bool, outcome: str):
    (reply,) = told(Pool(HttpFailed("cut", bytes_left=left)), submit)
    assert reply.outcome == outcome


def test_an_order_whose_id_is_there_already_is_placed_and_told_as_it_is():
    pool = Pool(error(-4116), answer(200, ROW))
    (reply,) = told(pool, submit)
    assert (reply.request_id, reply.outcome, reply.order.exchange_order_id) == (1, "ok", 77)
    assert pool.left == ["POST /fapi/v1/order", "GET /fapi/v1/order"]
    (reply,) = told(Pool(error(-4116), error(-2013)), submit)
    assert (reply.outcome, reply.order) == ("unknown", None)


def test_a_cancel_of_what_is_gone_tells_what_became_of_it():
    (reply,) = told(Pool(error(-2011), answer(200, ROW | {"status": "FILLED"})), cancel)
    assert (reply.outcome, reply.code, reply.order.status) == ("not_found", -2011, "FILLED")


def test_not_found_is_said_after_the_history_too_and_only_then():
    past = Past()
    (reply,) = told(Pool(error(-2013)), query, past)
    assert (reply.outcome, reply.code, reply.order) == ("not_found", -2013, None)
    assert past.asked == [("BTCUSDT", 90_000 - SCAN_OVERLAP_MS)]
    (reply,) = told(Pool(error(-2013)), query, Past(order_row(ROW)))
    assert (reply.outcome, reply.code, reply.order.client_order_id) == ("ok", 0, "nb-1")
    (reply,) = told(Pool(error(-2013)), query, Past(order_row(ROW | {"clientOrderId": "another"})))
    assert reply.outcome == "not_found"


def test_a_history_that_cannot_be_read_proves_nothing():
    past = Past(failure=RestBlocked("allOrders", 3.0))
    (reply,) = told(Pool(error(-2013)), query, past)
    assert (reply.outcome, reply.order) == ("transient", None)


def test_a_query_that_failed_is_not_settled_by_the_history():
    past = Past(order_row(ROW))
    (reply,) = told(Pool(error(-1021)), query, past)
    assert (reply.outcome, past.asked) == ("transient", [])


@pytest.mark.parametrize(
    ("code", "refusal"),
    [(-2021, Refusal.WOULD_TRIGGER), (-2022, Refusal.NOTHING_TO_REDUCE), (-9999, Refusal.OTHER)],
)
def test_a_refused_order_is_answered_with_the_wires_word_beside_the_exchanges_sentence(
    code: int, refusal: Refusal
):
    (reply,) = told(Pool(error(code, "no")), submit)
    assert (reply.refusal, reply.code, reply.message) == (refusal, code, "no")


def test_an_order_that_was_placed_is_refused_for_nothing():
    (reply,) = told(Pool(answer(200, ROW)), submit)
    assert (reply.outcome, reply.refusal) == ("ok", Refusal.NONE)


PAGE = HttpAnswer(403, {}, b"<html>Request blocked</html>")


def test_after_a_403_page_entries_wait_and_an_exit_goes_out_and_opens_the_way_again():
    leaving = msgspec.structs.replace(SUBMIT, reduce_only=True, is_exit=True)
    pool = Pool(PAGE, answer(200, ROW), answer(200, ROW))

    def act(sender: OrderSender, engine: Engine) -> None:
        answered: asyncio.Queue[Reply] = asyncio.Queue()
        engine.send = lambda reply: (engine.heard.append(reply), answered.put_nowait(reply))[0]  # type: ignore[method-assign]  # and wakes the test

        async def in_turn() -> None:
            for order in (SUBMIT, SUBMIT, leaving, SUBMIT):
                sender.submit(engine, order)  # type: ignore[arg-type]  # a stand-in
                await answered.get()

        asyncio.ensure_future(in_turn())  # noqa: RUF006  # awaited with all others

    heard = told(pool, act)
    assert [one.outcome for one in heard] == ["transient", "transient", "ok", "ok"]
    assert heard[1].message == "not sent: request limit or ban for another 120.0 s"
    assert len(pool.left) == 3
