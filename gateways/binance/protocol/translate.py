"""Translates Binance's private JSON into wire messages.

Tolerant: unknown fields are skipped, unknown words passed on, missing ones get a neutral value. An event
without what identifies it (symbol, id) raises `Untranslatable`; the caller logs it and starts a catch-up, so
nothing is dropped silently. Epoch and sequence are set later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from gateways.binance.protocol.frames import CM
from gateways.wire.messages import AccountUpdate, Balance, OrderUpdate, PositionReport, Side
from gateways.wire.words import AccountChange, ForcedClose

MS = 1_000_000
ZERO = Decimal(0)
Json = Any
"""Whatever a JSON parser returns."""
Row = Mapping[str, Json]
NO_FILL: Row = MappingProxyType({})
"""The fill part of a report without a fill."""

_CHANGES = {
    "ORDER": AccountChange.TRADE,
    "FUNDING_FEE": AccountChange.FUNDING,
    "INSURANCE_CLEAR": AccountChange.INSURANCE,
    **dict.fromkeys(
        (
            *("DEPOSIT", "WITHDRAW", "WITHDRAW_REJECT", "ADMIN_DEPOSIT", "ADMIN_WITHDRAW"),
            *("MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE", "ASSET_TRANSFER", "AUTO_EXCHANGE"),
            *("COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW"),
        ),
        AccountChange.TRANSFER,
    ),
}
"""By the `m` of ACCOUNT_UPDATE."""
_STATUSES = {"EXPIRED_IN_MATCH": "EXPIRED"}
"""What the wire has one word for."""
_FORCED = {
    "autoclose-": ForcedClose.LIQUIDATION,
    "adl_autoclose": ForcedClose.DELEVERAGING,
    "settlement_autoclose-": ForcedClose.SETTLEMENT,
    "delivery_autoclose-": ForcedClose.DELIVERY,
}
"""By what the client ids of the exchange's own orders begin with."""


class Untranslatable(Exception):
    """An event that cannot be translated, with the reason."""


def decimal(value: object) -> Decimal:
    """Exact value of a JSON string or number; 0 for what is absent, empty or no number."""
    if value is None or value == "":
        return ZERO
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return ZERO
    return number if number.is_finite() else ZERO


def integer(value: object) -> int:
    """As `decimal`, for ids and times."""
    if isinstance(value, int):
        return int(value)
    try:
        return int(str(value))
    except ValueError:
        return 0


def flag(value: object) -> bool:
    """True for true, "true", "True"."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def is_foreign(event: Row) -> bool:
    """A COIN-M event in the common streams. An unknown mark does not make an event foreign."""
    body = event.get("o")
    marks = (event.get("st"), body.get("st") if isinstance(body, Mapping) else None)
    return any(integer(mark) == CM for mark in marks)


def _body(event: Row, name: str) -> Row:
    body = event.get(name)
    if not isinstance(body, Mapping):
        raise Untranslatable(f"{event.get('e')} without {name}")
    return body


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else "" if value is None else str(value)


def _need(row: Row, name: str) -> str:
    text = _text(row, name)
    if not text:
        raise Untranslatable(f"an order event without {name}")
    return text


def _side(row: Row, name: str) -> Side:
    value = row.get(name)
    if value == "BUY":
        return "BUY"
    if value == "SELL":
        return "SELL"
    raise Untranslatable(f"an order with side {value!r}")


@dataclass(frozen=True, slots=True)
class _Names:
    """What the fields of an order are called: in a stream's event, or in a REST row."""

    symbol: str
    client_id: str
    number: str
    order_type: str
    side: str
    time_in_force: str
    status: str
    price: str
    stop_price: str
    qty: str
    reduce_only: str
    close_position: str
    reason: str = ""
    child: str = ""
    average_price: str = ""
    filled: str = ""


_EVENT = _Names("s", "c", "i", "o", "S", "f", "X", "p", "sp", "q", "R", "cp", "er", "", "ap", "z")
_ALGO_EVENT = _Names("s", "caid", "aid", "o", "S", "f", "X", "p", "tp", "q", "R", "cp", "rm", "ai")
_ROW = _Names(
    *("symbol", "clientOrderId", "orderId", "type", "side", "timeInForce", "status", "price", "stopPrice"),
    *("origQty", "reduceOnly", "closePosition"),
    average_price="avgPrice",
    filled="executedQty",
)
_ALGO_ROW = _Names(
    *("symbol", "clientAlgoId", "algoId", "orderType", "side", "timeInForce", "algoStatus", "price"),
    *("triggerPrice", "quantity", "reduceOnly", "closePosition"),
    child="actualOrderId",
)


def change_of(reason: str) -> AccountChange:
    """The wire's word for the `m` of ACCOUNT_UPDATE."""
    return _CHANGES.get(reason, AccountChange.OTHER)


def forced_close_of(client_order_id: str, order_type: str) -> ForcedClose:
    """What an order of the exchange's own is."""
    for prefix, kind in _FORCED.items():
        if client_order_id.startswith(prefix):
            return kind
    return ForcedClose.LIQUIDATION if order_type == "LIQUIDATION" else ForcedClose.NONE


def _order(
    o: Row,
    names: _Names,
    *,
    execution: str,
    event_ms: int,
    transaction_ms: int,
    source: str = "stream",
    fill: Row = NO_FILL,
) -> OrderUpdate:
    """One report on an order, ordinary or conditional. `fill` is an event body that may carry a fill."""
    reason = _text(o, names.reason)
    status = _text(o, names.status)
    client_order_id, order_type = _text(o, names.client_id), _text(o, names.order_type)
    return OrderUpdate(
        epoch=0,
        sequence=0,
        symbol=_need(o, names.symbol),
        client_order_id=client_order_id,
        exchange_order_id=integer(_need(o, names.number)),
        side=_side(o, names.side),
        order_type=order_type,
        time_in_force=_text(o, names.time_in_force),
        execution=execution,
        status=_STATUSES.get(status, status),
        price=decimal(o.get(names.price)),
        stop_price=decimal(o.get(names.stop_price)),
        average_price=decimal(o.get(names.average_price)),
        qty_base=decimal(o.get(names.qty)),
        filled_base=decimal(o.get(names.filled)),
        last_price=decimal(fill.get("L")),
        last_qty_base=decimal(fill.get("l")),
        trade_id=integer(fill.get("t")),
        is_maker=flag(fill.get("m")),
        fee=decimal(fill.get("n")),
        fee_asset=_text(fill, "N"),
        realised_pnl=decimal(fill.get("rp")),
        reduce_only=flag(o.get(names.reduce_only)),
        close_position=flag(o.get(names.close_position)),
        reason="" if reason == "0" else reason,
        event_time_ns=event_ms * MS,
        transaction_time_ns=transaction_ms * MS,
        source=source,
        is_conditional=names is _ALGO_EVENT or names is _ALGO_ROW,
        child_order_id=integer(o.get(names.child)),
        forced=forced_close_of(client_order_id, order_type),
    )


def order_event(event: Row) -> OrderUpdate:
    """ORDER_TRADE_UPDATE."""
    o = _body(event, "o")
    return _order(
        o,
        _EVENT,
        execution=_text(o, "x"),
        event_ms=integer(event.get("E")),
        transaction_ms=integer(o.get("T") or event.get("T")),
        fill=o,
    )


def algo_event(event: Row) -> OrderUpdate:
    """ALGO_UPDATE. Fills are reported by the child order, so none are told here."""
    o = _body(event, "o")
    return _order(
        o,
        _ALGO_EVENT,
        execution=_need(o, "X"),
        event_ms=integer(event.get("E")),
        transaction_ms=integer(event.get("T")),
    )


def order_row(row: Row) -> OrderUpdate:
    """An order from REST. `execution` is NEW while it is open, else its status."""
    time_ms = integer(row.get("updateTime") or row.get("time"))
    execution = _execution(_text(row, "status"))
    return _order(row, _ROW, execution=execution, event_ms=time_ms, transaction_ms=time_ms, source="query")


def algo_row(row: Row) -> OrderUpdate:
    """A conditional order from REST."""
    time_ms = integer(row.get("updateTime") or row.get("createTime"))
    execution = _text(row, "algoStatus")
    return _order(
        row, _ALGO_ROW, execution=execution, event_ms=time_ms, transaction_ms=time_ms, source="query"
    )


def _execution(status: str) -> str:
    if status in ("NEW", "PARTIALLY_FILLED"):
        return "NEW"
    if status == "FILLED":
        return "TRADE"
    return "EXPIRED" if status == "EXPIRED_IN_MATCH" else status


def account_event(event: Row) -> AccountUpdate:
    """ACCOUNT_UPDATE."""
    a = _body(event, "a")
    reason = _text(a, "m")
    return AccountUpdate(
        epoch=0,
        sequence=0,
        reason=reason,
        balances=tuple(
            Balance(_text(b, "a"), decimal(b.get("wb")), decimal(b.get("cw")), None, decimal(b.get("bc")))
            for b in _rows(a, "B")
        ),
        positions=tuple(
            PositionReport(
                symbol=_text(p, "s"),
                position_side=_text(p, "ps") or "BOTH",
                qty_base=decimal(p.get("pa")),
                entry_price=decimal(p.get("ep")),
                unrealised_pnl=decimal(p.get("up")),
                margin_type=_text(p, "mt"),
                isolated_wallet=decimal(p.get("iw")),
            )
            for p in _rows(a, "P")
        ),
        event_time_ns=integer(event.get("E")) * MS,
        transaction_time_ns=integer(event.get("T")) * MS,
        change=change_of(reason),
    )


def margin_call(event: Row) -> AccountUpdate:
    """MARGIN_CALL: only that it came; its rows lack entry prices, and ACCOUNT_UPDATE has the positions."""
    time_ns = integer(event.get("E")) * MS
    return AccountUpdate(0, 0, "MARGIN_CALL", (), (), time_ns, time_ns, AccountChange.MARGIN_CALL)


def _rows(row: Row, name: str) -> list[Row]:
    value = row.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def fill_row(trade: Row, order: OrderUpdate | None, filled_base: Decimal) -> OrderUpdate:
    """One row of userTrades, with its order where known; `filled_base` is cumulative."""
    time_ns = integer(trade.get("time")) * MS
    qty_base = decimal(trade.get("qty"))
    total = order.qty_base if order is not None else ZERO
    return OrderUpdate(
        epoch=0,
        sequence=0,
        symbol=_need(trade, "symbol"),
        client_order_id=order.client_order_id if order is not None else "",
        exchange_order_id=integer(_need(trade, "orderId")),
        side=_side(trade, "side"),
        order_type=order.order_type if order is not None else "",
        time_in_force=order.time_in_force if order is not None else "",
        execution="TRADE",
        status="FILLED" if order is not None and filled_base >= total else "PARTIALLY_FILLED",
        price=order.price if order is not None else ZERO,
        stop_price=order.stop_price if order is not None else ZERO,
        average_price=order.average_price if order is not None else ZERO,
        qty_base=total,
        filled_base=filled_base,
        last_price=decimal(trade.get("price")),
        last_qty_base=qty_base,
        trade_id=integer(_need(trade, "id")),
        is_maker=flag(trade.get("maker")),
        fee=decimal(trade.get("commission")),
        fee_asset=_text(trade, "commissionAsset"),
        realised_pnl=decimal(trade.get("realizedPnl")),
        reduce_only=order.reduce_only if order is not None else False,
        close_position=order.close_position if order is not None else False,
        reason="",
        event_time_ns=time_ns,
        transaction_time_ns=time_ns,
        source="query",
        forced=order.forced if order is not None else ForcedClose.NONE,
    )
