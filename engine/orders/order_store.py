"""Every order we intended, sent or saw, and what the exchange has reported about it.

All paths (user stream, replies, queries, snapshots, the journal at start) end in the same few methods, so
a report counts once whichever way it came, and any order of the same reports ends in the same state.
"""

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from engine.model.earlier_words import refusal_in
from engine.model.leg import Leg
from engine.model.records import (
    EXTERNAL,
    LOST,
    Fill,
    Intent,
    JournalRecord,
    OrderClaimed,
    OrderReport,
    Replied,
    Sent,
    Settled,
    Unknown,
)
from engine.orders.fill_ids import FillIds, SymbolFillIds
from engine.orders.order_states import CONTRADICTIONS, TERMINAL, UNSETTLED, ZERO, Evidence, OrderState
from gateways.wire.messages import OrderUpdate, Reply
from gateways.wire.words import Refusal


class Order(msgspec.Struct, array_like=True):
    """One order: what we wanted, and what is known about it. Read it; only the store changes it.

    `qty_base` and `price` are the newest the exchange confirmed (amendments), else the intent's; newest is
    by exchange time (`terms_version`), not by arrival. `average_price` is that of the first
    `average_at_base` filled. `exchange_ids` holds the exchange's ids, for a conditional order its own and
    that of the order it triggered. `reason` is the exchange's sentence, `refusal` what it means.
    """

    intent: Intent
    evidence: Evidence
    state: OrderState
    qty_base: Decimal
    price: Decimal
    stop_price: Decimal
    terms_version: tuple[int, int] = (0, 0)
    exchange_ids: list[int] = msgspec.field(default_factory=list)
    average_price: Decimal = ZERO
    average_at_base: Decimal = ZERO
    reason: str = ""
    reason_version: tuple[int, int] = (0, 0)
    updated_ns: int = 0
    refusal: Refusal = Refusal.NONE

    @property
    def client_order_id(self) -> str:
        """Key in the store."""
        return self.intent.client_order_id

    @property
    def leg(self) -> Leg:
        """Which order of its cause it is."""
        return Leg.parse(self.intent.leg)

    @property
    def is_external(self) -> bool:
        """Whether somebody else sent it."""
        return self.intent.strategy == EXTERNAL

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.state not in TERMINAL

    @property
    def filled_base(self) -> Decimal:
        """Cumulative filled quantity."""
        return self.evidence.cumulative_base

    @property
    def unfilled_base(self) -> Decimal:
        """What may still fill; 0 once terminal."""
        return max(ZERO, self.qty_base - self.filled_base) if self.is_open else ZERO


class Applied(msgspec.Struct, frozen=True):
    """What one report changed. `fill` is set when it brought a fill not counted before.

    `changed` is false for a repetition. `created` marks an order we had not known (EXTERNAL).
    `update` is the report, to be journalled when it changed something. `never_arrived`: the order was not
    refused, the exchange has never heard of it.
    """

    order: Order
    before: OrderState
    fill: Fill | None
    changed: bool
    created: bool = False
    update: OrderUpdate | None = None
    never_arrived: bool = False

    @property
    def is_rejection(self) -> bool:
        """Whether the exchange has just refused the order."""
        rejected = OrderState.REJECTED
        return self.order.state is rejected and self.before is not rejected and not self.never_arrived

    @property
    def contradiction(self) -> bool:
        """Whether a state believed final was disproved."""
        return (self.before, self.order.state) in CONTRADICTIONS


class OrderStoreState(msgspec.Struct, array_like=True):
    """A store as it goes into a snapshot."""

    open: list[Order]
    closed: list[Order]
    forgotten: list[str]
    fill_ids: dict[str, SymbolFillIds]


class OrderStore:
    """Orders by client id. `prefix` is this engine's (`client_ids.client_id_prefix`).

    The newest `closed_capacity` closed orders are kept whole; of older ones the id is remembered, up to
    `id_capacity` of them. `fill_capacity` trade ids are remembered for each side of a symbol.
    """

    def __init__(
        self,
        prefix: str,
        *,
        closed_capacity: int = 2_000,
        id_capacity: int = 100_000,
        fill_capacity: int = 20_000,
    ) -> None:
        self._prefix = prefix
        self._closed_capacity = closed_capacity
        self._id_capacity = id_capacity
        self._open: dict[str, Order] = {}
        self._closed: OrderedDict[str, Order] = OrderedDict()
        self._forgotten: OrderedDict[str, None] = OrderedDict()
        self._by_exchange_id: dict[tuple[str, int], Order] = {}
        self._fill_ids = FillIds(fill_capacity)

    def intend(self, intent: Intent) -> Order:
        """Enter a new order. KeyError when the id was used before: that order exists already."""
        key = intent.client_order_id
        if self.was_used(key):
            raise KeyError(f"client order id {key} was used before")
        return self._enter(intent)

    def was_used(self, client_order_id: str) -> bool:
        """Whether an order of that id was ever entered, as far back as ids are remembered."""
        return (
            client_order_id in self._open
            or client_order_id in self._closed
            or client_order_id in self._forgotten
        )

    def mark_sent(self, client_order_id: str) -> Applied | None:
        """Handed to the gateway. None for an order not known."""
        return self._learn(client_order_id, "sent")

    def mark_unknown(self, client_order_id: str) -> Applied | None:
        """Its fate is unknown: time-out, 503, cut link."""
        return self._learn(client_order_id, "unknown")

    def mark_refused(self, client_order_id: str, reason: str = "") -> Applied | None:
        """Proven never to have reached the book."""
        applied = self._learn(client_order_id, "refused", reason)
        return applied and msgspec.structs.replace(applied, never_arrived=True)

    def mark_gone(self, client_order_id: str, reason: str = "") -> Applied | None:
        """It was at the exchange, which no longer knows it: nothing rests there. Fills are those we hold."""
        order = self.get(client_order_id)
        if order is None:
            return None
        before = order.state
        order.evidence.learn_status("EXPIRED")
        order.reason = order.reason or reason
        self._settle(order)
        return Applied(order, before, None, order.state is not before)

    def on_reply(self, client_order_id: str, request: str, reply: Reply) -> Applied | None:
        """Answer to `request` (submit, query, cancel, amend) about one order.

        Any answer may carry an order report. Beyond that only a submit's answer is evidence: ok, refused and
        error say it all, unknown means UNKNOWN; transient and not_found prove nothing by themselves.
        """
        if reply.order is not None:
            return self.apply(reply.order)
        if request != "submit":
            return None
        if reply.outcome == "ok":
            return self._learn(client_order_id, "seen")
        if reply.outcome in {"refused", "error"}:
            return self._learn(client_order_id, "refused", f"{reply.code} {reply.message}", reply.refusal)
        if reply.outcome == "unknown":
            return self._learn(client_order_id, "unknown")
        return None

    def apply(self, update: OrderUpdate) -> Applied:
        """One report of the exchange; an order we never sent is entered as EXTERNAL, one of our own that is
        not known here as LOST."""
        order = self._locate(update)
        created = order is None
        if order is None:
            is_lost = self.is_ours(update.client_order_id) and not self.was_used(update.client_order_id)
            owner = LOST if is_lost else EXTERNAL
            order = self._enter(_unknown_intent(update, self._free_key(update), owner))
        before, known = order.state, _fingerprint(order)
        if update.status:
            order.evidence.learn_status(update.status)
            self._learn_terms(order, update)
        else:
            order.evidence.seen = True
        order.evidence.filled_base = max(order.evidence.filled_base, update.filled_base)
        self._learn_exchange_id(order, update.symbol, update.exchange_order_id)
        self._learn_exchange_id(order, update.symbol, update.child_order_id)
        fill = self._count_fill(order, update)
        changed = created or fill is not None or _fingerprint(order) != known
        order.updated_ns = max(order.updated_ns, update.transaction_time_ns)
        self._settle(order)
        changed = changed or order.state is not before
        return Applied(order, before, fill, changed, created, update)

    def get(self, client_order_id: str) -> Order | None:
        """The order, open or among the closed ones still held."""
        return self._open.get(client_order_id) or self._closed.get(client_order_id)

    def find(self, update: OrderUpdate) -> Order | None:
        """The order a report is about."""
        return self._locate(update)

    def open_orders(self, symbol: str | None = None) -> Iterator[Order]:
        """Orders that are not in a terminal state, oldest first; in-flight ones included."""
        orders = self._open.values()
        return iter(orders) if symbol is None else (o for o in orders if o.intent.symbol == symbol)

    def closed_orders(self) -> Iterator[Order]:
        """Closed orders still held, in the order they closed."""
        return iter(self._closed.values())

    @property
    def open_count(self) -> int:
        """Number of orders that are not in a terminal state."""
        return len(self._open)

    def unsettled(self) -> Iterator[Order]:
        """Orders of which we do not know whether the exchange has them."""
        return (order for order in self._open.values() if order.state in UNSETTLED)

    def is_ours(self, client_order_id: str) -> bool:
        """Whether the id carries this engine's prefix."""
        return bool(self._prefix) and client_order_id.startswith(self._prefix)

    def may_belong_to_unsettled(self, update: OrderUpdate) -> bool:
        """Whether a report without a client id matches no order while one of ours there is unsettled.

        Account history names only exchange ids, and those of an unsettled order are not known yet.
        """
        if update.client_order_id or (update.symbol, update.exchange_order_id) in self._by_exchange_id:
            return False
        return any(order.intent.symbol == update.symbol for order in self.unsettled())

    def replay(self, record: JournalRecord) -> Applied | None:
        """Rebuild from one journal record; records about other things are passed over.

        Stop after the last one with `after_restart`.
        """
        if isinstance(record, OrderReport):
            return self.apply(record.update)
        if isinstance(record, Intent):
            if not self.was_used(record.client_order_id):
                self._enter(record)
            return None
        if isinstance(record, Sent):
            return self.mark_sent(record.client_order_id)
        if isinstance(record, Replied):
            return self.on_reply(record.client_order_id, record.request, record.reply)
        if isinstance(record, Settled):
            mark = self.mark_gone if record.gone else self.mark_refused
            return mark(record.client_order_id, record.reason)
        if isinstance(record, Unknown):
            return self.mark_unknown(record.client_order_id)
        if isinstance(record, OrderClaimed):
            self.claim(record.client_order_id, record.strategy)
        return None

    def lost_orders(self) -> list[Order]:
        """Orders of our own that the journal does not know, oldest first."""
        orders = (*self._open.values(), *self._closed.values())
        return sorted(
            (order for order in orders if order.intent.strategy == LOST),
            key=lambda order: (order.intent.time_ns, order.client_order_id),
        )

    def claim(self, client_order_id: str, strategy: str) -> None:
        """An order of LOST has found its owner."""
        order = self.get(client_order_id)
        if order is not None:
            order.intent = msgspec.structs.replace(order.intent, strategy=strategy)

    def after_restart(self) -> tuple[Order, ...]:
        """Mark what was intended or sent as UNKNOWN: bytes may have left. Returns all unsettled orders."""
        for order in list(self.unsettled()):
            order.evidence.sent = True
            order.evidence.unknown = True
            self._settle(order)
        return tuple(self.unsettled())

    def state(self) -> OrderStoreState:
        """For a snapshot."""
        return OrderStoreState(
            list(self._open.values()),
            list(self._closed.values()),
            list(self._forgotten),
            self._fill_ids.state(),
        )

    def restore(self, state: OrderStoreState) -> None:
        """Replace everything by a snapshot's."""
        for order in (*state.open, *state.closed):
            order.refusal = order.refusal or refusal_in(order.reason)
        self._open = {order.client_order_id: order for order in state.open}
        self._closed = OrderedDict((order.client_order_id, order) for order in state.closed)
        self._forgotten = OrderedDict.fromkeys(state.forgotten)
        self._by_exchange_id = {
            (order.intent.symbol, exchange_id): order
            for order in (*state.open, *state.closed)
            for exchange_id in order.exchange_ids
        }
        self._fill_ids.restore(state.fill_ids)

    def _enter(self, intent: Intent) -> Order:
        evidence = Evidence()
        order = Order(
            intent,
            evidence,
            OrderState.INTENDED,
            intent.qty_base,
            ZERO if intent.price is None else intent.price,
            ZERO if intent.stop_price is None else intent.stop_price,
        )
        self._open[intent.client_order_id] = order
        return order

    def _learn(
        self, client_order_id: str, what: str, reason: str = "", refusal: Refusal = Refusal.NONE
    ) -> Applied | None:
        order = self.get(client_order_id)
        if order is None:
            return None
        before = order.state
        setattr(order.evidence, what, True)
        if reason and not order.reason:
            order.reason = reason
        order.refusal = order.refusal or refusal
        self._settle(order)
        return Applied(order, before, None, order.state is not before)

    def _locate(self, update: OrderUpdate) -> Order | None:
        """By client id, else by exchange id (account history does not name client ids).

        Ids of others may be used again once free (the exchange's own for deleveraging always is): then only
        the same exchange id is the same order.
        """
        order = self.get(update.client_order_id) if update.client_order_id else None
        exchange_id = update.exchange_order_id
        if order is not None and (
            not order.is_external or order.is_open or not exchange_id or exchange_id in order.exchange_ids
        ):
            return order
        return self._by_exchange_id.get((update.symbol, exchange_id))

    def _free_key(self, update: OrderUpdate) -> str:
        key = update.client_order_id
        if key and not self.was_used(key):
            return key
        return f"{key}#{update.symbol}:{update.exchange_order_id}"

    def _learn_terms(self, order: Order, update: OrderUpdate) -> None:
        version = (update.transaction_time_ns, update.event_time_ns)
        if update.qty_base > ZERO and version >= order.terms_version:
            order.terms_version = version
            order.qty_base = update.qty_base
            order.price = update.price
        if not order.stop_price:
            order.stop_price = update.stop_price
        if update.average_price and update.filled_base >= order.average_at_base:
            order.average_price = update.average_price
            order.average_at_base = update.filled_base
        if update.reason and version >= order.reason_version:
            order.reason = update.reason
            order.reason_version = version

    def _learn_exchange_id(self, order: Order, symbol: str, exchange_id: int) -> None:
        if exchange_id and exchange_id not in order.exchange_ids:
            order.exchange_ids.append(exchange_id)
            self._by_exchange_id[symbol, exchange_id] = order

    def _count_fill(self, order: Order, update: OrderUpdate) -> Fill | None:
        if update.trade_id <= 0 or update.last_qty_base <= ZERO:
            return None
        if not self._fill_ids.add(update.symbol, update.side, update.trade_id):
            return None
        order.evidence.fills_base += update.last_qty_base
        return Fill(
            symbol=update.symbol,
            client_order_id=order.client_order_id,
            exchange_order_id=update.exchange_order_id,
            trade_id=update.trade_id,
            strategy=order.intent.strategy,
            side=update.side,
            price=update.last_price,
            qty_base=update.last_qty_base,
            fee=update.fee,
            fee_asset=update.fee_asset,
            realised_pnl=update.realised_pnl,
            is_maker=update.is_maker,
            time_ns=update.transaction_time_ns,
            source=update.source,
            signal=order.intent.signal,
        )

    def _settle(self, order: Order) -> None:
        """Derive the state and move the order between open and closed."""
        order.state = order.evidence.state(order.qty_base)
        key = order.client_order_id
        if order.state not in TERMINAL:
            if key in self._closed:
                del self._closed[key]
                self._open[key] = order
            return
        if self._open.pop(key, None) is not None:
            self._closed[key] = order
            if len(self._closed) > self._closed_capacity:
                self._forget(*self._closed.popitem(last=False))

    def _forget(self, key: str, order: Order) -> None:
        for exchange_id in order.exchange_ids:
            self._by_exchange_id.pop((order.intent.symbol, exchange_id), None)
        self._forgotten[key] = None
        if len(self._forgotten) > self._id_capacity:
            self._forgotten.popitem(last=False)


def _fingerprint(order: Order) -> tuple[object, ...]:
    evidence = order.evidence
    return (
        evidence.seen,
        evidence.ended,
        evidence.filled_base,
        order.qty_base,
        order.price,
        order.stop_price,
    )


def _unknown_intent(update: OrderUpdate, key: str, owner: str) -> Intent:
    return Intent(
        client_order_id=key,
        strategy=owner,
        symbol=update.symbol,
        side=update.side,
        order_type=update.order_type,
        qty_base=update.qty_base,
        cause="",
        leg="",
        attempt=0,
        time_ns=update.transaction_time_ns,
        price=update.price or None,
        stop_price=update.stop_price or None,
        time_in_force=update.time_in_force,
        reduce_only=update.reduce_only,
        close_position=update.close_position,
    )
