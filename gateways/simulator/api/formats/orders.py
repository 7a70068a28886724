"""Orders, conditional orders, fills and amendments in the exchange's REST format."""

from decimal import Decimal
from typing import Any

from gateways.simulator.api.formats.numbers import average, money, plain, price, qty
from gateways.simulator.exchange.model.orders import AlgoOrder, Amendment, Order, UserTrade
from gateways.simulator.exchange.model.symbols import SymbolSpec

JsonObject = dict[str, Any]
ZERO = Decimal(0)


def order_answer(spec: SymbolSpec, order: Order, legacy_avg_price: bool = False) -> JsonObject:
    """Response of POST, PUT and DELETE; without `avgPrice` and `cumQuote` since 2026-07, unless requested."""
    executed = qty(spec, order.executed_qty)
    row: JsonObject = {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_order_id,
        "price": price(spec, order.price),
        "origQty": qty(spec, order.orig_qty),
        "executedQty": executed,
        "cumQty": executed,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": price(spec, order.stop_price),
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "origType": order.orig_type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.stp_mode,
        "goodTillDate": order.good_till_date,
        "updateTime": order.update_time_ms,
    }
    if legacy_avg_price:
        row["avgPrice"] = average(spec, order.average_price)
        row["cumQuote"] = quote(spec, order.cum_quote)
    return row


def as_acknowledged(answer: JsonObject, spec: SymbolSpec) -> JsonObject:
    """ACK response: the order as it was when it arrived, before matching."""
    nothing = qty(spec, ZERO)
    changed = {"status": "NEW", "executedQty": nothing, "cumQty": nothing}
    if "avgPrice" in answer:
        changed["avgPrice"] = average(spec, ZERO)
        changed["cumQuote"] = quote(spec, ZERO)
    return answer | changed


def order_query(spec: SymbolSpec, order: Order) -> JsonObject:
    """Row of GET order, openOrder and openOrders."""
    row = order_answer(spec, order)
    del row["cumQty"]
    row["avgPrice"] = average(spec, order.average_price)
    row["cumQuote"] = quote(spec, order.cum_quote)
    row["time"] = order.time_ms
    if order.activate_price is not None:
        row["activatePrice"] = price(spec, order.activate_price)
    if order.callback_rate is not None:
        row["priceRate"] = plain(order.callback_rate)
    return row


def order_history(spec: SymbolSpec, order: Order) -> JsonObject:
    """Row of GET allOrders."""
    row = order_query(spec, order)
    return row | {"pair": order.symbol, "cumBase": row["executedQty"]}


def forced_order(spec: SymbolSpec, order: Order) -> JsonObject:
    """Row of GET forceOrders."""
    row = order_history(spec, order)
    for name in ("priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate"):
        del row[name]
    return row


def algo_answer(spec: SymbolSpec, order: AlgoOrder) -> JsonObject:
    """Response of POST algoOrder."""
    return {
        "algoId": order.algo_id,
        "clientAlgoId": order.client_algo_id,
        "algoType": order.algo_type,
        "orderType": order.order_type,
        "symbol": order.symbol,
        "side": order.side,
        "positionSide": order.position_side,
        "timeInForce": order.time_in_force,
        "quantity": qty(spec, order.quantity),
        "algoStatus": order.algo_status,
        "triggerPrice": price(spec, order.trigger_price),
        "price": price(spec, order.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": order.stp_mode,
        "workingType": order.working_type,
        "priceMatch": order.price_match,
        "closePosition": order.close_position,
        "priceProtect": order.price_protect,
        "reduceOnly": order.reduce_only,
        "activatePrice": "" if order.activate_price is None else price(spec, order.activate_price),
        "callbackRate": "" if order.callback_rate is None else plain(order.callback_rate),
        "createTime": order.create_time_ms,
        "updateTime": order.update_time_ms,
        "triggerTime": order.trigger_time_ms,
        "goodTillDate": order.good_till_date,
    }


def algo_query(spec: SymbolSpec, order: AlgoOrder) -> JsonObject:
    """Response of GET algoOrder; unlike that of POST it has no activation price and callback rate."""
    row = _algo_row(spec, order)
    row["actualQty"] = plain(order.actual_qty)
    row["actualType"] = order.actual_type
    return row


def _algo_row(spec: SymbolSpec, order: AlgoOrder) -> JsonObject:
    row = algo_answer(spec, order)
    del row["activatePrice"], row["callbackRate"]
    row["actualOrderId"] = str(order.actual_order_id) if order.actual_order_id else ""
    row["actualPrice"] = plain(order.actual_price)
    row["tpOrderType"] = ""
    return row


def algo_listed(spec: SymbolSpec, order: AlgoOrder) -> JsonObject:
    """Row of GET openAlgoOrders and allAlgoOrders."""
    nothing = price(spec, ZERO)
    return _algo_row(spec, order) | {
        "tpTriggerPrice": nothing,
        "tpPrice": nothing,
        "slTriggerPrice": nothing,
        "slPrice": nothing,
    }


def algo_cancelled(order: AlgoOrder) -> JsonObject:
    """Response of DELETE algoOrder; its code is a string."""
    return {"algoId": order.algo_id, "clientAlgoId": order.client_algo_id, "code": "200", "msg": "success"}


def user_trade(spec: SymbolSpec, trade: UserTrade) -> JsonObject:
    """Row of GET userTrades."""
    return {
        "buyer": trade.is_buyer,
        "commission": money(trade.commission),
        "commissionAsset": trade.commission_asset,
        "id": trade.trade_id,
        "maker": trade.is_maker,
        "orderId": trade.order_id,
        "price": price(spec, trade.price),
        "qty": qty(spec, trade.qty_base),
        "quoteQty": quote(spec, trade.quote_qty),
        "baseQty": qty(spec, trade.qty_base),
        "realizedPnl": money(trade.realized_pnl),
        "side": trade.side,
        "positionSide": trade.position_side,
        "symbol": trade.symbol,
        "pair": trade.symbol,
        "marginAsset": spec.quote,
        "time": trade.time_ms,
    }


def amendment(spec: SymbolSpec, change: Amendment) -> JsonObject:
    """Row of GET orderAmendment."""
    what: JsonObject = {
        "price": {"before": price(spec, change.price_before), "after": price(spec, change.price_after)},
        "origQty": {"before": qty(spec, change.qty_before), "after": qty(spec, change.qty_after)},
        "count": change.count,
    }
    if change.modify_id is not None:
        what["modifyId"] = change.modify_id
    return {
        "amendmentId": change.amendment_id,
        "symbol": change.symbol,
        "pair": change.symbol,
        "orderId": change.order_id,
        "clientOrderId": change.client_order_id,
        "time": change.time_ms,
        "amendment": what,
    }


def quote(spec: SymbolSpec, value: Decimal) -> str:
    """Notional with all decimals that price times quantity can have."""
    places = spec.price_precision + spec.quantity_precision
    return f"{value:.{places}f}"
