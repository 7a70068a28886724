"""Compares our orders with a snapshot of the exchange. Differences are reported, no fill is made up."""

from collections.abc import Collection
from typing import Literal

import msgspec

from engine.model.records import Adjustment
from engine.orders.order_store import Applied, Order, OrderStore
from gateways.wire.messages import Snapshot

FindingKind = Literal[
    "external_order",
    "external_fill",
    "absent_order",
    "left_behind",
    "missing_fill",
    "position",
    "hedge_mode",
    "incomplete",
]


class Finding(msgspec.Struct, frozen=True):
    """One difference between the exchange and us, as one sentence.

    A "position" finding carries the `adjustment` that would explain it, for somebody to accept.
    """

    kind: FindingKind
    symbol: str
    client_order_id: str
    text: str
    adjustment: Adjustment | None = None


class Reconciliation(msgspec.Struct, frozen=True):
    """`applied` changed our view (count their fills, journal their updates); `to_query` are client ids that
    the exchange must be asked about one by one; `findings` are to be shown. `deferred_fills` may belong to
    orders still unsettled: settle those, then reconcile with another snapshot."""

    complete: bool
    applied: tuple[Applied, ...]
    to_query: tuple[str, ...]
    findings: tuple[Finding, ...]
    deferred_fills: int = 0


def reconcile_orders(
    store: OrderStore, snapshot: Snapshot, symbols: Collection[str] | None = None
) -> Reconciliation:
    """Apply every report of the snapshot, then look for what it does not mention.

    Absence proves nothing by itself: an order missing from a complete snapshot is asked about by id. An
    order younger than the snapshot, or not of the `symbols` it is about (None: all), is not expected in it.
    """
    applied = [store.apply(update) for update in snapshot.open_orders]
    listed = {one.order.client_order_id for one in applied}
    deferred = 0
    for update in snapshot.fills:
        if store.may_belong_to_unsettled(update):
            deferred += 1
        else:
            applied.append(store.apply(update))
    findings = [finding for one in applied if (finding := _external(one)) is not None]
    if snapshot.hedge_mode:
        findings.append(
            Finding("hedge_mode", "", "", "the account is in hedge mode; only one-way mode is supported")
        )
    to_query: list[str] = []
    if snapshot.complete:
        for order in store.open_orders():
            if symbols is not None and order.intent.symbol not in symbols:
                findings.append(_left_behind(order))
                continue
            key = order.client_order_id
            if key not in listed and order.intent.time_ns <= snapshot.time_ns:
                to_query.append(key)
                findings.append(
                    Finding(
                        "absent_order", order.intent.symbol, key, f"order {key} is not open at the exchange"
                    )
                )
    else:
        findings.append(
            Finding(
                "incomplete", "", "", "the snapshot is incomplete; nothing is concluded from what it lacks"
            )
        )
    findings.extend(_missing_fills(store))
    return Reconciliation(
        complete=snapshot.complete,
        applied=tuple(one for one in applied if one.changed),
        to_query=tuple(to_query),
        findings=tuple(findings),
        deferred_fills=deferred,
    )


def _external(one: Applied) -> Finding | None:
    order = one.order
    if not order.is_external or not one.changed:
        return None
    key, symbol = order.client_order_id, order.intent.symbol
    if one.fill is not None:
        return Finding(
            "external_fill",
            symbol,
            key,
            f"fill {one.fill.trade_id} of {symbol} belongs to no order of this engine",
        )
    return Finding("external_order", symbol, key, f"order {key} on {symbol} was not sent by this engine")


def _left_behind(order: Order) -> Finding:
    key, symbol = order.client_order_id, order.intent.symbol
    text = (
        f"order {key} was left open on {symbol}, which is no longer among the symbols: nothing looks after it"
    )
    return Finding("left_behind", symbol, key, text)


def _missing_fills(store: OrderStore) -> list[Finding]:
    return [
        Finding(
            "missing_fill",
            order.intent.symbol,
            order.client_order_id,
            f"no fill accounts for {order.evidence.missing_base} filled of order {order.client_order_id}",
        )
        for order in (*store.open_orders(), *store.closed_orders())
        if order.evidence.missing_base
    ]
