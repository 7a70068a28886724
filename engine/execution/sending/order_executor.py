"""Sends orders and finds out their fate.

The intent stands in the journal before a byte leaves (the shell flushes before every Send). A request
that is not answered, or answered with "unknown", makes the order UNKNOWN, not rejected: it is settled by
query. The exchange knowing it settles it; "not found" together with a complete scan of its history counts
as absence only after a grace time; a failed query proves nothing and is asked again. An order is tried
again, under a new attempt's id, only with proof that the attempt before did not happen.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.records import (
    AmendIntent,
    Audit,
    CancelIntent,
    Intent,
    OrderReport,
    Replied,
    Sent,
    Settled,
    Unknown,
)
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.orders.order_states import UNSETTLED
from engine.orders.order_store import Applied, Order, OrderStore
from gateways.wire.messages import AmendOrder, CancelOrder, OrderUpdate, QueryOrder, Reply, SubmitOrder

Request = Literal["submit", "cancel", "amend", "query"]
MOST_DOUBLINGS = 3
LATENCIES_KEPT = 10_000
TELL_AT_REFUSALS = 2
"""After so many refused cancels the order is not just ending at the same moment."""
MARKET_OPEN_NS = 3 * SECOND_NS
"""A market order that still looks open so long after its answer has ended: its update was lost."""


@dataclass(slots=True)
class _Pending:
    """A request that is not answered yet."""

    request: Request
    client_order_id: str
    symbol: str
    deadline_ns: int
    caused_by_receive_ns: int = 0


class OrderExecutor:
    """Places, amends, cancels; settles what is unknown.

    `on_applied` is called with every report that changed something. `tick_to_order_ns` has, for the newest
    orders that a tick led to, the time from the tick's arrival in the gateway to the order's departure.
    """

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        out: Outbox,
        store: OrderStore,
        on_applied: Callable[[Applied], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._store = store
        self._on_applied = on_applied
        self.tick_to_order_ns: deque[int] = deque(maxlen=LATENCIES_KEPT)
        self._pending: dict[int, _Pending] = {}
        self._queries: dict[str, int] = {}
        self._failed_queries: dict[str, int] = {}
        self._uncancelled: set[str] = set()
        self._refused_cancels: dict[str, int] = {}
        self._missed_since: dict[str, int] = {}
        self._set_back_ns = 0
        self.connected = False
        self.deadline_ns = NEVER_NS

    @property
    def is_waiting(self) -> bool:
        """Whether an order request is unanswered, or a market order not finished."""
        return any(one.request != "query" for one in self._pending.values()) or any(
            order.intent.order_type == "MARKET" for order in self._store.open_orders()
        )

    def submit(self, intent: Intent, caused_by_receive_ns: int = 0) -> bool:
        """Journal and send one order. False when that very order exists already: it is not sent again."""
        if self._store.was_used(intent.client_order_id):
            return False
        self._store.intend(intent)
        self._out.append(intent)
        request_id = self._out.next_request_id()
        self._out.send(
            SubmitOrder(
                request_id,
                intent.symbol,
                intent.client_order_id,
                intent.side,
                intent.order_type,
                intent.qty_base,
                intent.price,
                intent.stop_price,
                intent.time_in_force,
                intent.reduce_only,
                caused_by_receive_ns,
                intent.is_exit,
            )
        )
        self._out.append(Sent(intent.client_order_id, request_id, self._clock.now_ns))
        self._store.mark_sent(intent.client_order_id)
        self._await(request_id, "submit", intent.client_order_id, intent.symbol, caused_by_receive_ns)
        return True

    def cancel(self, order: Order, reason: str) -> None:
        """Ask the exchange to cancel; needs only a connection. Asking twice is harmless.

        A cancel without a clear answer is sent again when a query says that the order is still open, and not
        before: while the exchange takes no requests, each wish would only be refused.
        """
        key = order.client_order_id
        if not self.connected or key in self._uncancelled or self._is_pending("cancel", key):
            return
        intent = order.intent
        self._out.append(CancelIntent(key, intent.symbol, reason, self._clock.now_ns))
        request_id = self._out.next_request_id()
        self._out.send(CancelOrder(request_id, intent.symbol, key, intent.is_conditional))
        self._await(request_id, "cancel", key, intent.symbol)

    def amend(self, intent: AmendIntent, order: Order) -> None:
        """Ask for a new price and quantity of a resting limit order."""
        if not self.connected or self._is_pending("amend", order.client_order_id):
            return
        self._out.append(intent)
        request_id = self._out.next_request_id()
        self._out.send(
            AmendOrder(
                request_id,
                intent.symbol,
                intent.client_order_id,
                order.intent.side,
                intent.qty_base,
                intent.price,
            )
        )
        self._await(request_id, "amend", intent.client_order_id, intent.symbol)

    def is_amending(self, client_order_id: str) -> bool:
        """Whether an amendment is unanswered."""
        return self._is_pending("amend", client_order_id)

    def query_soon(self, client_order_id: str, delay_ns: int = 0) -> None:
        """Ask the exchange about an order as soon as there is a connection."""
        due = self._clock.now_ns + delay_ns
        self._queries[client_order_id] = min(due, self._queries.get(client_order_id, NEVER_NS))
        self._reschedule()

    def on_update(self, update: OrderUpdate) -> None:
        """A report of the exchange, by whichever path."""
        self._took(self._store.apply(update))

    def on_reply(self, reply: Reply) -> None:
        """The gateway's answer; one to a request about no order is passed over."""
        pending = self._pending.pop(reply.request_id, None)
        if pending is None:
            return
        key = pending.client_order_id
        self._out.append(Replied(key, pending.request, reply, self._clock.now_ns))
        if pending.caused_by_receive_ns and reply.sent_time_ns:
            self.tick_to_order_ns.append(reply.sent_time_ns - pending.caused_by_receive_ns)
        self._took(self._store.on_reply(key, pending.request, reply))
        if pending.request == "submit":
            self._after_submit(key, reply)
        elif pending.request == "query":
            self._after_query(key, reply)
        elif reply.outcome in {"transient", "unknown"}:
            self._may_not_be_cancelled(pending)
            self.query_soon(key, self._config.query_every_ns)
        elif reply.outcome != "ok":
            self._after_refusal(pending, reply)
        self._reschedule()

    def on_link_down(self) -> None:
        """Requests without an answer may have been carried out."""
        self.connected = False
        for pending in self._pending.values():
            if pending.request == "submit":
                self._mark_unknown(pending.client_order_id, "the link to the gateway was cut")
            self._may_not_be_cancelled(pending)
            self._queries.setdefault(pending.client_order_id, self._clock.now_ns)
        self._pending.clear()
        self._reschedule()

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: bring deadlines forward that are too far ahead now."""
        for pending in self._pending.values():
            pending.deadline_ns = min(pending.deadline_ns, now_ns + self._config.reply_timeout_ns)
        self._queries = {key: min(due, now_ns) for key, due in self._queries.items()}
        self._missed_since.clear()
        self._set_back_ns = now_ns
        self._reschedule()

    def on_link_up(self) -> None:
        """Ask about everything whose fate is unknown."""
        self.connected = True
        for order in self._store.unsettled():
            self._queries[order.client_order_id] = self._clock.now_ns
        self._reschedule()

    def ask_again(self) -> None:
        """Requests are answered again: run waiting queries now."""
        self._failed_queries.clear()
        self._queries = {key: min(due, self._clock.now_ns) for key, due in self._queries.items()}
        self._reschedule()

    def on_time(self) -> None:
        """Give up waiting for answers, and ask about what is due."""
        now = self._clock.now_ns
        for request_id in [key for key, one in self._pending.items() if one.deadline_ns <= now]:
            pending = self._pending.pop(request_id)
            if pending.request == "submit":
                self._mark_unknown(pending.client_order_id, "no answer in time")
            self._may_not_be_cancelled(pending)
            self._queries[pending.client_order_id] = now
        if self.connected:
            for key in [key for key, due in self._queries.items() if due <= now]:
                self._query(key)
        self._reschedule()

    def _query(self, key: str) -> None:
        del self._queries[key]
        order = self._store.get(key)
        if order is None or not order.is_open or order.intent.symbol not in self._config.symbols:
            return
        intent = order.intent
        since = 0
        if order.state in UNSETTLED or key in self._missed_since:
            # An intent of before the clock was set back may lie in the future, which holds no history.
            since = max(1, self._intended_ns(order) - self._config.scan_margin_ns)
        request_id = self._out.next_request_id()
        self._out.send(QueryOrder(request_id, intent.symbol, key, intent.is_conditional, since))
        self._await(request_id, "query", key, intent.symbol)

    def _after_submit(self, key: str, reply: Reply) -> None:
        if reply.outcome == "transient":
            why = _why(reply)
            self._settle(key, why if why.startswith("not sent") else f"not sent: {why}")
        elif reply.outcome in {"unknown", "not_found"}:
            self._mark_unknown(key, _why(reply))
            self.query_soon(key)
        elif reply.outcome == "ok" and self._should_have_ended(key):
            self.query_soon(key, MARKET_OPEN_NS)

    def _should_have_ended(self, key: str) -> bool:
        order = self._store.get(key)
        return order is not None and order.is_open and order.intent.order_type == "MARKET"

    def _after_refusal(self, pending: _Pending, reply: Reply) -> None:
        """The exchange takes no cancel or amendment of it. Whether it rests all the same, the query says: at
        once after the first refusal, then ever less often."""
        key = pending.client_order_id
        order = self._store.get(key)
        refused = 0
        if pending.request == "cancel" and order is not None and order.is_open:
            refused = self._refused_cancels.get(key, 0)
            self._refused_cancels[key] = refused + 1
            self._may_not_be_cancelled(pending)
            if refused == TELL_AT_REFUSALS:
                text = f"order {key} on {pending.symbol} rests and its cancel is refused: {_why(reply)}"
                self._out.notice("warning", f"{text}; it is tried again until it is gone")
        doublings = min(refused - 1, MOST_DOUBLINGS)
        self.query_soon(key, self._config.query_every_ns << doublings if refused else 0)

    def _after_query(self, key: str, reply: Reply) -> None:
        order = self._store.get(key)
        if order is None or not order.is_open:
            return
        if reply.outcome not in {"ok", "not_found"}:
            # A ban may last for days: what fails is asked ever less often.
            failed = self._failed_queries.get(key, 0)
            self._failed_queries[key] = failed + 1
            self.query_soon(key, self._config.query_every_ns << min(failed, MOST_DOUBLINGS))
            return
        self._failed_queries.pop(key, None)
        if reply.outcome == "ok":
            self._missed_since.pop(key, None)
            if order.state in UNSETTLED or self._should_have_ended(key):
                self.query_soon(key, self._config.query_every_ns)
            elif key in self._uncancelled:
                self._uncancelled.discard(key)
                self.cancel(order, "tried again")
            return
        age_ns = self._clock.now_ns - self._intended_ns(order)
        if order.state in UNSETTLED and age_ns >= self._config.absence_grace_ns:
            self._settle(key, "the exchange does not know it and its history does not hold it")
            return
        if order.state not in UNSETTLED:
            # The first answer came without a scan of the history; from now on it is asked for.
            missed_since = self._missed_since.setdefault(key, self._clock.now_ns)
            if self._clock.now_ns - missed_since >= self._config.absence_grace_ns:
                self._settle_gone(order)
                return
        self.query_soon(key, self._config.query_every_ns)

    def _intended_ns(self, order: Order) -> int:
        """When it was made, by the clock as it is now."""
        made_ns = order.intent.time_ns
        return made_ns if made_ns <= self._clock.now_ns else self._set_back_ns

    def _settle_gone(self, order: Order) -> None:
        """The exchange had it and no longer knows it: it ends with the fills we hold, none is invented."""
        key = order.client_order_id
        text = (
            f"order {key} on {order.intent.symbol} was at the exchange, which no longer knows it: taken as "
            f"ended with {order.filled_base:f} of {order.qty_base:f} filled"
        )
        self._out.append(Settled(key, "gone from the exchange", self._clock.now_ns, gone=True))
        self._out.append(Audit("critical", "gone_order", text, self._clock.now_ns))
        self._out.notice("critical", f"gone_order: {text}")
        self._took(self._store.mark_gone(key, "gone from the exchange"))

    def _settle(self, key: str, reason: str) -> None:
        """It is proven that the order was never accepted."""
        self._out.append(Settled(key, reason, self._clock.now_ns))
        self._took(self._store.mark_refused(key, reason))

    def _mark_unknown(self, key: str, reason: str) -> None:
        order = self._store.get(key)
        if order is None or order.state not in UNSETTLED:
            return
        self._out.append(Unknown(key, reason, self._clock.now_ns))
        self._took(self._store.mark_unknown(key))

    def _took(self, applied: Applied | None) -> None:
        if applied is None or not applied.changed:
            return
        if applied.update is not None:
            self._out.append(OrderReport(applied.update, self._clock.now_ns))
        if not applied.order.is_open:
            self._missed_since.pop(applied.order.client_order_id, None)
            self._failed_queries.pop(applied.order.client_order_id, None)
            self._uncancelled.discard(applied.order.client_order_id)
            self._refused_cancels.pop(applied.order.client_order_id, None)
        key = applied.order.client_order_id
        is_waited_for = key in self._uncancelled or self._should_have_ended(key)
        if applied.order.state not in UNSETTLED and not is_waited_for:
            self._queries.pop(key, None)
        self._on_applied(applied)

    def _await(
        self, request_id: int, request: Request, key: str, symbol: str, caused_by_receive_ns: int = 0
    ) -> None:
        due = self._clock.now_ns + self._config.reply_timeout_ns
        self._pending[request_id] = _Pending(request, key, symbol, due, caused_by_receive_ns)
        self.deadline_ns = min(self.deadline_ns, due)

    def _may_not_be_cancelled(self, pending: _Pending) -> None:
        order = self._store.get(pending.client_order_id)
        if pending.request == "cancel" and order is not None and order.is_open:
            self._uncancelled.add(pending.client_order_id)

    def _is_pending(self, request: Request, key: str) -> bool:
        return any(one.request == request and one.client_order_id == key for one in self._pending.values())

    def _reschedule(self) -> None:
        due = min((one.deadline_ns for one in self._pending.values()), default=NEVER_NS)
        if self.connected and self._queries:
            due = min(due, *self._queries.values())
        self.deadline_ns = due


def _why(reply: Reply) -> str:
    """The exchange's code, if any, and message."""
    return f"{reply.code or ''} {reply.message}".strip()
