"""From an engine's order request to bytes on a socket, and from the answer to a `Reply`.

Between the wire's frame and the write there is no task, no queue and no logging. Nothing waits for a
connection that is down: the engine gets its reply at once.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from gateways.binance.account.history import History
from gateways.binance.orders.requests import BadOrder, OrderRequests
from gateways.binance.protocol.classify import Failure, Kind, network_failure
from gateways.binance.protocol.errors import RestBlocked, RestError
from gateways.binance.protocol.translate import MS, Json, Untranslatable, algo_row, order_row
from gateways.binance.rest.answers import judge
from gateways.binance.rest.http_connection import HttpAnswer, HttpFailed
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.rest.request_budget import Priority, RequestBudget
from gateways.wire.messages import AmendOrder, CancelOrder, OrderUpdate, QueryOrder, Reply, SubmitOrder
from gateways.wire.server import EngineConnection
from gateways.wire.words import CONDITIONAL_TYPES, Refusal

SCAN_OVERLAP_MS = 60_000
START_CHECK_ID = "nextbar-start-check"
OrderRequest = SubmitOrder | CancelOrder | AmendOrder | QueryOrder


@dataclass(frozen=True, slots=True)
class _Job:
    """How one type of request is sent and judged."""

    kind: Kind
    make: Callable[[Any], bytes]
    weight: int
    orders: int


class OrderSender:
    """One for the account. `spawn` runs a coroutine in the background."""

    def __init__(
        self,
        pool: HttpPool,
        requests: OrderRequests,
        budget: RequestBudget,
        history: History,
        *,
        wall_ns: Callable[[], int],
        on_hint: Callable[[Failure], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        on_placed: Callable[[OrderUpdate], None] = lambda _order: None,
    ) -> None:
        self._pool = pool
        self._requests = requests
        self._budget = budget
        self._history = history
        self._wall_ns = wall_ns
        self._on_hint = on_hint
        self._on_placed = on_placed
        self._spawn = spawn
        self._submit_job = _Job(Kind.SUBMIT, requests.submit, 0, 1)
        self._cancel_job = _Job(Kind.CANCEL, requests.cancel, 1, 0)
        self._amend_job = _Job(Kind.AMEND, requests.amend, 0, 1)
        self._query_job = _Job(Kind.READ, requests.query, 1, 0)

    def submit(self, engine: EngineConnection, order: SubmitOrder) -> None:
        """Place one order."""
        if order.order_type in CONDITIONAL_TYPES:
            priority = Priority.PROTECT
        else:
            priority = Priority.CLOSE if order.reduce_only or order.is_exit else Priority.OPEN
        self._go(engine, order, self._submit_job, priority)

    def cancel(self, engine: EngineConnection, order: CancelOrder) -> None:
        """Cancel one order."""
        self._go(engine, order, self._cancel_job, Priority.CANCEL)

    def amend(self, engine: EngineConnection, order: AmendOrder) -> None:
        """Change price and quantity."""
        self._go(engine, order, self._amend_job, Priority.CLOSE)

    def query(self, engine: EngineConnection, order: QueryOrder) -> None:
        """Ask about one order. An engine asks when it must know, so this goes before other reads."""
        self._go(engine, order, self._query_job, Priority.PROTECT)

    def cancel_unasked(self, order: OrderUpdate) -> None:
        """Cancel an order of a silent engine. Its end is reported like any other."""
        request = CancelOrder(0, order.symbol, order.client_order_id)
        self._spawn(self._cancel_unasked(request))

    async def _cancel_unasked(self, request: CancelOrder) -> None:
        await self._write(Kind.CANCEL, partial(self._requests.cancel, request), 1, Priority.CANCEL)

    def countdown(self, symbol: str, countdown_ms: int, on_failure: Callable[[str], None]) -> None:
        """Set the exchange's countdown."""
        self._spawn(self._countdown(symbol, countdown_ms, on_failure))

    def _go(self, engine: EngineConnection, request: OrderRequest, job: _Job, priority: Priority) -> None:
        wait = self._budget.wait_for(job.weight, job.orders, priority, kind=job.kind.value)
        if wait:
            message = f"not sent: request limit or ban for another {wait:.1f} s"
            engine.send(Reply(request.request_id, "transient", 0, message))
            return
        try:
            data = job.make(request)
        except BadOrder as error:
            engine.send(Reply(request.request_id, "refused", 0, str(error)))
            return
        future = self._pool.send_now(data)
        if future is None:
            if not self._pool.is_up:
                message = "not sent: no connection to the exchange"
                engine.send(Reply(request.request_id, "transient", 0, message))
            else:
                self._spawn(self._go_later(engine, request, job))
            return
        sent_ns = self._wall_ns()
        future.add_done_callback(lambda done: self._finished(engine, request, job, sent_ns, done))

    async def _go_later(self, engine: EngineConnection, request: OrderRequest, job: _Job) -> None:
        """All connections are busy: wait briefly for one, and sign only then."""
        sent_ns = 0

        def make() -> bytes:
            nonlocal sent_ns
            data = job.make(request)
            sent_ns = self._wall_ns()
            return data

        task = asyncio.ensure_future(self._pool.send(make))
        await asyncio.wait({task})
        self._finished(engine, request, job, sent_ns, task)

    def _finished(
        self,
        engine: EngineConnection,
        request: OrderRequest,
        job: _Job,
        sent_ns: int,
        done: "asyncio.Future[HttpAnswer]",
    ) -> None:
        if done.cancelled():
            return
        failure, row = self._judge(job.kind, done)
        answered_ns = self._wall_ns()
        order = _order_of(row) if failure is None else None
        if failure is None and order is None and job.kind is not Kind.CANCEL:
            # "Done" without the order it is about is no word on the order.
            failure = network_failure(job.kind, "the answer names no order", bytes_left=True)
        if failure is None:
            reply = Reply(request.request_id, "ok", 0, "", order, sent_ns, answered_ns)
        else:
            reply = failure.reply(request.request_id, sent_ns, answered_ns)
            if self._look_closer(engine, request, reply):
                return
        engine.send(reply)
        if order is not None and job.kind is Kind.SUBMIT:
            self._on_placed(order)

    def _judge(self, kind: Kind, done: "asyncio.Future[HttpAnswer]") -> tuple[Failure | None, Any]:
        error = done.exception()
        if isinstance(error, HttpFailed):
            return network_failure(kind, str(error), bytes_left=error.bytes_left), None
        if error is not None:
            raise error
        failure, row = judge(kind, done.result(), self._budget)
        if failure is None and not isinstance(row, dict):
            failure = network_failure(kind, "the answer is not a JSON object", bytes_left=True)
        elif failure is None:
            self._budget.release()
        elif failure.status:
            self._on_hint(failure)
        return failure, row

    def _look_closer(self, engine: EngineConnection, request: OrderRequest, reply: Reply) -> bool:
        """Where one more request settles the matter, send it before replying."""
        exists = reply.code == -4116 and isinstance(request, SubmitOrder)
        gone = reply.outcome == "not_found" and isinstance(request, CancelOrder | AmendOrder)
        scan = reply.outcome == "not_found" and isinstance(request, QueryOrder) and request.scan_since_ns > 0
        if exists or gone:
            self._spawn(self._attach_order(engine, request, reply))
        elif scan:
            self._spawn(self._scan(engine, request, reply))
        return exists or gone or scan

    async def _attach_order(self, engine: EngineConnection, request: OrderRequest, reply: Reply) -> None:
        """-4116: the client id exists, so the order has been placed. -2011: report what became of it."""
        is_conditional = isinstance(request, SubmitOrder) and request.order_type in CONDITIONAL_TYPES
        is_conditional = is_conditional or (isinstance(request, CancelOrder) and request.is_conditional)
        question = QueryOrder(0, request.symbol, request.client_order_id, is_conditional)
        outcome, refusal, order = reply.outcome, reply.refusal, None
        if not self._budget.wait_for(1, 0, Priority.PROTECT, kind=Kind.READ.value):
            task = asyncio.ensure_future(self._pool.send(lambda: self._requests.query(question)))
            await asyncio.wait({task})
            failure, row = self._judge(Kind.READ, task)
            order = _order_of(row) if failure is None else None
        if order is not None and reply.code == -4116:
            outcome, refusal = "ok", Refusal.NONE
        engine.send(msgspec.structs.replace(reply, outcome=outcome, order=order, refusal=refusal))

    async def _scan(self, engine: EngineConnection, request: OrderRequest, reply: Reply) -> None:
        """Reply not_found only when the complete history does not contain the id either."""
        assert isinstance(request, QueryOrder)
        since_ms = request.scan_since_ns // MS - SCAN_OVERLAP_MS
        fetch = self._history.algo_orders if request.is_conditional else self._history.orders
        try:
            found = await fetch(request.symbol, since_ms, Priority.PROTECT)
        except (RestError, RestBlocked) as error:
            engine.send(Reply(request.request_id, "transient", 0, f"the history scan failed: {error}"))
            return
        order = next((one for one in found if one.client_order_id == request.client_order_id), None)
        outcome = "ok" if order is not None else "not_found"
        engine.send(
            Reply(
                request.request_id,
                outcome,  # type: ignore[arg-type]  # one of two words of Outcome
                0 if order is not None else reply.code,
                "" if order is not None else reply.message,
                order,
                0,
                self._wall_ns(),
            )
        )

    async def may_trade(self, symbol: str) -> Failure | None:
        """Cancels an order that never was, which needs the right to trade; None: it may be done."""
        nothing = CancelOrder(0, symbol, START_CHECK_ID)
        return await self._write(Kind.CANCEL, lambda: self._requests.cancel(nothing), 1, Priority.CANCEL)

    async def _countdown(self, symbol: str, countdown_ms: int, on_failure: Callable[[str], None]) -> None:
        failure = await self._write(
            Kind.SETTING, lambda: self._requests.countdown(symbol, countdown_ms), 10, Priority.PROTECT
        )
        if failure is not None:
            on_failure(symbol)

    async def _write(
        self, kind: Kind, make: Callable[[], bytes], weight: int, priority: Priority
    ) -> Failure | None:
        wait = self._budget.wait_for(weight, 0, priority)
        if wait:
            return Failure("transient", 0, f"not sent: request limit or ban for another {wait:.1f} s")
        task = asyncio.ensure_future(self._pool.send(make))
        await asyncio.wait({task})
        failure, _ = self._judge(kind, task)
        return failure


def _order_of(row: Json) -> OrderUpdate | None:
    """The order in an answer; None where there is none (after cancelling a conditional order)."""
    if not isinstance(row, dict):
        return None
    try:
        if "orderId" in row:
            return order_row(row)
        return algo_row(row) if "algoStatus" in row else None
    except Untranslatable:
        return None
