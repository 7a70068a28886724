"""Skeleton: filled in shortly; the signatures stand."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from engine.execution.order_states import Evidence, OrderState
from engine.storage.records import Adjustment, Fill, Intent, JournalRecord
from gateways.wire.messages import OrderUpdate, Reply, Snapshot


class Order(msgspec.Struct, array_like=True):
    """One order: what we wanted, and what is known about it. Read it; only the store changes it."""

    intent: Intent
    evidence: Evidence
    state: OrderState
    qty_base: Decimal
    exchange_order_id: int = 0
    average_price: Decimal = Decimal(0)


class Applied(msgspec.Struct, frozen=True):
    """What one report changed. `fill` is set when it brought a fill not counted before."""

    order: Order
    before: OrderState
    fill: Fill | None
    contradiction: bool = False
    created: bool = False


FindingKind = Literal[
    "external_order", "lost_order", "position", "missing_fill", "hedge_mode", "incomplete", "unknown_order"
]


class Finding(msgspec.Struct, frozen=True):
    """One difference between the exchange and us, as one sentence, with the proposed remedy."""

    kind: FindingKind
    symbol: str
    client_order_id: str
    text: str
    adjustment: Adjustment | None = None


class Reconciliation(msgspec.Struct, frozen=True):
    """`applied` changed our view, `to_query` are client ids to ask about, `findings` to be shown."""

    complete: bool
    applied: tuple[Applied, ...]
    to_query: tuple[str, ...]
    findings: tuple[Finding, ...]


class OrderStore:
    """Orders by client id. `prefix` is this engine's (`client_ids.client_id_prefix`)."""

    def __init__(self, prefix: str, *, closed_capacity: int = 2_000, id_capacity: int = 100_000) -> None:
        raise NotImplementedError

    def intend(self, intent: Intent) -> Order:
        """Enter a new order. KeyError when the id was used before: the order exists already."""
        raise NotImplementedError

    def was_used(self, client_order_id: str) -> bool:
        """Whether an order of that id was ever entered (as far back as ids are remembered)."""
        raise NotImplementedError

    def mark_sent(self, client_order_id: str) -> Order:
        """Handed to the gateway."""
        raise NotImplementedError

    def mark_unknown(self, client_order_id: str) -> Order:
        """Its fate is unknown: time-out, 503, cut link."""
        raise NotImplementedError

    def mark_refused(self, client_order_id: str) -> Order:
        """Proven never to have reached the book."""
        raise NotImplementedError

    def on_reply(self, client_order_id: str, reply: Reply) -> Applied | None:
        """Answer to a submit: ok, refused, unknown, transient; None for an order not known."""
        raise NotImplementedError

    def apply(self, update: OrderUpdate) -> Applied:
        """One report of the exchange, whichever path brought it; an order we never sent is EXTERNAL."""
        raise NotImplementedError

    def get(self, client_order_id: str) -> Order | None:
        """The order, open or among the closed ones still held."""
        raise NotImplementedError

    def open_orders(self, symbol: str | None = None) -> Iterator[Order]:
        """Orders that are not in a terminal state, oldest first; in-flight ones included."""
        raise NotImplementedError

    def unsettled(self) -> Iterator[Order]:
        """Orders of which we do not know whether the exchange has them."""
        raise NotImplementedError

    def replay(self, record: JournalRecord) -> Applied | None:
        """Rebuild from one journal record (recovery)."""
        raise NotImplementedError

    def after_restart(self) -> tuple[Order, ...]:
        """Mark what was intended or sent as UNKNOWN: bytes may have left. Returns those orders."""
        raise NotImplementedError

    def reconcile(self, snapshot: Snapshot) -> Reconciliation:
        """Compare with the exchange's truth. An incomplete snapshot proves nothing absent."""
        raise NotImplementedError
