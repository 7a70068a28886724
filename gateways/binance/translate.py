"""Binance's private JSON into wire messages.

Tolerant: unknown fields are skipped, unknown words passed on, missing ones get a neutral value. An event
that lacks what identifies it (symbol, id) raises `Untranslatable`, for the caller to report and to answer
with a REST sweep; nothing is dropped silently. Epoch and sequence are stamped later.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from gateways.binance.frames import CM
from gateways.wire.messages import AccountUpdate, Balance, OrderUpdate, PositionReport, Side

MS = 1_000_000
ZERO = Decimal(0)
Json = Any
"""Whatever a JSON parser returns."""
Row = Mapping[str, Json]


class Untranslatable(Exception):
    """An event that cannot be understood, with the reason."""


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
    """A COIN-M event in the common streams. A mark nobody knows does not make an event somebody else's."""
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


def order_event(event: Row) -> OrderUpdate:
    """ORDER_TRADE_UPDATE."""
    o = _body(event, "o")
    reason = _text(o, "er")
    return OrderUpdate(
        epoch=0,
        sequence=0,
        symbol=_need(o, "s"),
        client_order_id=_text(o, "c"),
        exchange_order_id=integer(_need(o, "i")),
        side=_side(o, "S"),
        order_type=_text(o, "o"),
        time_in_force=_text(o, "f"),
        execution=_text(o, "x"),
        status=_text(o, "X"),
        price=decimal(o.get("p")),
        stop_price=decimal(o.get("sp")),
        average_price=decimal(o.get("ap")),
        qty_base=decimal(o.get("q")),
        filled_base=decimal(o.get("z")),
        last_price=decimal(o.get("L")),
        last_qty_base=decimal(o.get("l")),
        trade_id=integer(o.get("t")),
        is_maker=flag(o.get("m")),
        fee=decimal(o.get("n")),
        fee_asset=_text(o, "N"),
        realised_pnl=decimal(o.get("rp")),
        reduce_only=flag(o.get("R")),
        close_position=flag(o.get("cp")),
        reason="" if reason == "0" else reason,
        event_time_ns=integer(event.get("E")) * MS,
        transaction_time_ns=integer(o.get("T") or event.get("T")) * MS,
    )


def algo_event(event: Row) -> OrderUpdate:
    """ALGO_UPDATE. Fills are reported by the child order, so none are told here."""
    o = _body(event, "o")
    status = _need(o, "X")
    return OrderUpdate(
        epoch=0,
        sequence=0,
        symbol=_need(o, "s"),
        client_order_id=_text(o, "caid"),
        exchange_order_id=integer(_need(o, "aid")),
        side=_side(o, "S"),
        order_type=_text(o, "o"),
        time_in_force=_text(o, "f"),
        execution=status,
        status=status,
        price=decimal(o.get("p")),
        stop_price=decimal(o.get("tp")),
        average_price=ZERO,
        qty_base=decimal(o.get("q")),
        filled_base=ZERO,
        last_price=ZERO,
        last_qty_base=ZERO,
        trade_id=0,
        is_maker=False,
        fee=ZERO,
        fee_asset="",
        realised_pnl=ZERO,
        reduce_only=flag(o.get("R")),
        close_position=flag(o.get("cp")),
        reason=_text(o, "rm"),
        event_time_ns=integer(event.get("E")) * MS,
        transaction_time_ns=integer(event.get("T")) * MS,
        is_algo=True,
        child_order_id=integer(o.get("ai")),
    )


def account_event(event: Row) -> AccountUpdate:
    """ACCOUNT_UPDATE."""
    a = _body(event, "a")
    return AccountUpdate(
        epoch=0,
        sequence=0,
        reason=_text(a, "m"),
        balances=tuple(
            Balance(_text(b, "a"), decimal(b.get("wb")), decimal(b.get("cw"))) for b in _rows(a, "B")
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
    )


def margin_call(event: Row) -> AccountUpdate:
    """MARGIN_CALL: only that it came; its rows lack entry prices, and ACCOUNT_UPDATE tells positions."""
    time_ns = integer(event.get("E")) * MS
    return AccountUpdate(0, 0, "MARGIN_CALL", (), (), time_ns, time_ns)


def _rows(row: Row, name: str) -> list[Row]:
    value = row.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def order_row(row: Row) -> OrderUpdate:
    """An order as REST tells it. `execution` is NEW while it is open, else its status."""
    status = _text(row, "status")
    time_ms = integer(row.get("updateTime") or row.get("time"))
    return OrderUpdate(
        epoch=0,
        sequence=0,
        symbol=_need(row, "symbol"),
        client_order_id=_text(row, "clientOrderId"),
        exchange_order_id=integer(_need(row, "orderId")),
        side=_side(row, "side"),
        order_type=_text(row, "type"),
        time_in_force=_text(row, "timeInForce"),
        execution=_execution(status),
        status=status,
        price=decimal(row.get("price")),
        stop_price=decimal(row.get("stopPrice")),
        average_price=decimal(row.get("avgPrice")),
        qty_base=decimal(row.get("origQty")),
        filled_base=decimal(row.get("executedQty")),
        last_price=ZERO,
        last_qty_base=ZERO,
        trade_id=0,
        is_maker=False,
        fee=ZERO,
        fee_asset="",
        realised_pnl=ZERO,
        reduce_only=flag(row.get("reduceOnly")),
        close_position=flag(row.get("closePosition")),
        reason="",
        event_time_ns=time_ms * MS,
        transaction_time_ns=time_ms * MS,
        source="query",
    )


def _execution(status: str) -> str:
    if status in ("NEW", "PARTIALLY_FILLED"):
        return "NEW"
    if status == "FILLED":
        return "TRADE"
    return "EXPIRED" if status == "EXPIRED_IN_MATCH" else status


def algo_row(row: Row) -> OrderUpdate:
    """A conditional order as REST tells it."""
    status = _text(row, "algoStatus")
    time_ms = integer(row.get("updateTime") or row.get("createTime"))
    return OrderUpdate(
        epoch=0,
        sequence=0,
        symbol=_need(row, "symbol"),
        client_order_id=_text(row, "clientAlgoId"),
        exchange_order_id=integer(_need(row, "algoId")),
        side=_side(row, "side"),
        order_type=_text(row, "orderType"),
        time_in_force=_text(row, "timeInForce"),
        execution=status,
        status=status,
        price=decimal(row.get("price")),
        stop_price=decimal(row.get("triggerPrice")),
        average_price=ZERO,
        qty_base=decimal(row.get("quantity")),
        filled_base=ZERO,
        last_price=ZERO,
        last_qty_base=ZERO,
        trade_id=0,
        is_maker=False,
        fee=ZERO,
        fee_asset="",
        realised_pnl=ZERO,
        reduce_only=flag(row.get("reduceOnly")),
        close_position=flag(row.get("closePosition")),
        reason="",
        event_time_ns=time_ms * MS,
        transaction_time_ns=time_ms * MS,
        source="query",
        is_algo=True,
        child_order_id=integer(row.get("actualOrderId")),
    )


def fill_row(trade: Row, order: OrderUpdate | None, filled_base: Decimal) -> OrderUpdate:
    """One row of userTrades, with what is known of its order; `filled_base` is the sum up to this fill."""
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
    )
