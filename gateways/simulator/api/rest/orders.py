"""Order endpoints: place, amend, cancel, query; singly and in batches."""

from collections.abc import Callable
from typing import Any

from gateways.simulator.api.formats.orders import (
    amendment,
    as_acknowledged,
    forced_order,
    order_answer,
    order_history,
    order_query,
    user_trade,
)
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.endpoint import Call, Endpoint, Handler, Security, Weight, row_limit
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange import history_queries, order_queries
from gateways.simulator.exchange.model.errors import ApiError, invalid_parameter, missing_parameter, refusal
from gateways.simulator.exchange.model.orders import AmendRequest, Order, OrderRequest

MAX_BATCH_ORDERS = 5
MAX_BATCH_CANCELS = 10
MAX_ROWS = 1000

JsonObject = dict[str, Any]


def order_request(params: Params) -> OrderRequest:
    """Read POST order's parameters; the exchange checks their meaning."""
    return OrderRequest(
        symbol=params.require("symbol").upper(),
        side=params.require("side").upper(),
        type=params.require("type").upper(),
        position_side=params.upper("positionSide"),
        time_in_force=params.upper("timeInForce"),
        quantity=params.decimal("quantity"),
        price=params.decimal("price"),
        reduce_only=params.boolean("reduceOnly"),
        new_client_order_id=params.text("newClientOrderId"),
        price_match=params.upper("priceMatch"),
        stp_mode=params.upper("selfTradePreventionMode"),
        good_till_date=params.integer("goodTillDate"),
    )


def amend_request(params: Params) -> AmendRequest:
    """Read PUT order's parameters."""
    return AmendRequest(
        symbol=params.require("symbol").upper(),
        side=params.require("side").upper(),
        order_id=params.integer("orderId"),
        orig_client_order_id=params.text("origClientOrderId"),
        quantity=params.decimal("quantity"),
        price=params.decimal("price"),
        price_match=params.upper("priceMatch"),
        modify_id=params.integer("modifyId"),
        reduce_only=params.boolean("reduceOnly"),
    )


def place(venue: Venue, call: Call) -> object:
    """POST order."""
    return _place(venue, call, call.params)


def _place(venue: Venue, call: Call, params: Params) -> JsonObject:
    answer_kind = params.upper("newOrderRespType") or "ACK"
    if answer_kind not in {"ACK", "RESULT"}:
        raise ApiError(-1136, "Invalid newOrderRespType.")
    request = order_request(params)
    venue.check_market(request.symbol)
    order = venue.exchange.submit(call.account, request, call.now_ms)
    answer = _answer(venue, order)
    return answer if answer_kind == "RESULT" else as_acknowledged(answer, venue.spec(order.symbol))


def place_test(venue: Venue, call: Call) -> object:
    """POST order/test: checks only."""
    order = venue.exchange.test_order(call.account, order_request(call.params), call.now_ms)
    return order_answer(venue.spec(order.symbol), order, legacy_avg_price=True)


def amend(venue: Venue, call: Call) -> object:
    """PUT order."""
    return _amend(venue, call, call.params)


def _amend(venue: Venue, call: Call, params: Params) -> JsonObject:
    request = amend_request(params)
    if request.order_id is None and request.orig_client_order_id is None:
        raise missing_parameter("orderId")
    venue.check_market(request.symbol)
    answer = _answer(venue, venue.exchange.amend(call.account, request, call.now_ms))
    answer["pair"] = answer["symbol"]
    if request.modify_id is not None:
        answer["modifyId"] = request.modify_id
    return answer


def cancel(venue: Venue, call: Call) -> object:
    """DELETE order."""
    order_id, client_id = call.order_ids()
    return _answer(venue, venue.exchange.cancel(call.account, call.symbol, order_id, client_id, call.now_ms))


def cancel_all(venue: Venue, call: Call) -> object:
    """DELETE allOpenOrders: ordinary orders only."""
    venue.spec(call.symbol)
    venue.exchange.cancel_all(call.account, call.symbol, call.now_ms)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown(venue: Venue, call: Call) -> object:
    """POST countdownCancelAll: the dead man's switch of one symbol."""
    countdown_ms = call.params.integer("countdownTime")
    if countdown_ms is None or countdown_ms < 0:
        raise invalid_parameter("countdownTime")
    venue.spec(call.symbol)
    venue.exchange.countdown_cancel_all(call.account, call.symbol, countdown_ms, call.now_ms)
    return {"symbol": call.symbol, "countdownTime": str(countdown_ms)}


def place_batch(venue: Venue, call: Call) -> object:
    """POST batchOrders: a list of answers and errors, in the order of the request."""
    return [_one_of(_place, venue, call, params) for params in _batch(call)]


def amend_batch(venue: Venue, call: Call) -> object:
    """PUT batchOrders."""
    return [_one_of(_amend, venue, call, params) for params in _batch(call)]


def cancel_batch(venue: Venue, call: Call) -> object:
    """DELETE batchOrders by a list of ids of either kind."""
    order_ids = call.params.json_list("orderIdList") or []
    client_ids = call.params.json_list("origClientOrderIdList") or []
    if not order_ids and not client_ids:
        raise missing_parameter("orderIdList")
    if len(order_ids) > MAX_BATCH_CANCELS or len(client_ids) > MAX_BATCH_CANCELS:
        raise refusal(-4032)
    if order_ids:
        chosen: list[JsonObject] = [{"orderId": value} for value in order_ids]
    else:
        chosen = [{"origClientOrderId": value} for value in client_ids]
    return [_one_of(_cancel_one, venue, call, Params.of_json(row)) for row in chosen]


def _cancel_one(venue: Venue, call: Call, params: Params) -> JsonObject:
    order = venue.exchange.cancel(
        call.account, call.symbol, params.integer("orderId"), params.text("origClientOrderId"), call.now_ms
    )
    return _answer(venue, order)


def query(venue: Venue, call: Call) -> object:
    """GET order."""
    order_id, client_id = call.order_ids()
    return _row(venue, order_queries.order(venue.state, call.account, call.symbol, order_id, client_id))


def query_open(venue: Venue, call: Call) -> object:
    """GET openOrder."""
    order_id, client_id = call.order_ids()
    return _row(venue, order_queries.open_order(venue.state, call.account, call.symbol, order_id, client_id))


def list_open(venue: Venue, call: Call) -> object:
    """GET openOrders."""
    symbol = call.params.upper("symbol")
    if symbol is not None:
        venue.spec(symbol)
    return [_row(venue, order) for order in order_queries.open_orders(venue.state, call.account, symbol)]


def list_all(venue: Venue, call: Call) -> object:
    """GET allOrders."""
    orders = history_queries.all_orders(
        venue.state,
        call.account,
        call.params.upper("symbol"),
        call.now_ms,
        order_id=call.params.integer("orderId"),
        start_ms=call.params.integer("startTime"),
        end_ms=call.params.integer("endTime"),
        limit=row_limit(call.params, 500, MAX_ROWS),
    )
    return [order_history(venue.spec(order.symbol), order) for order in orders]


def list_trades(venue: Venue, call: Call) -> object:
    """GET userTrades."""
    trades = history_queries.user_trades(
        venue.state,
        call.account,
        call.symbol,
        call.now_ms,
        order_id=call.params.integer("orderId"),
        start_ms=call.params.integer("startTime"),
        end_ms=call.params.integer("endTime"),
        from_id=call.params.integer("fromId"),
        limit=row_limit(call.params, 500, MAX_ROWS),
    )
    return [user_trade(venue.spec(trade.symbol), trade) for trade in trades]


def list_amendments(venue: Venue, call: Call) -> object:
    """GET orderAmendment."""
    changes = history_queries.amendments(
        venue.state,
        call.account,
        call.symbol,
        call.params.integer("orderId"),
        call.params.text("origClientOrderId"),
        row_limit(call.params, 50, 100),
    )
    return [amendment(venue.spec(change.symbol), change) for change in changes]


def list_forced(venue: Venue, call: Call) -> object:
    """GET forceOrders: the account's liquidations."""
    forced = history_queries.forced_orders(
        venue.state, call.account, call.params.upper("symbol"), row_limit(call.params, 50, 100)
    )
    return [forced_order(venue.spec(row.order.symbol), row.order) for row in forced]


def _batch(call: Call) -> list[Params]:
    rows = call.params.json_list("batchOrders")
    if rows is None:
        raise missing_parameter("batchOrders")
    if not 1 <= len(rows) <= MAX_BATCH_ORDERS:
        raise refusal(-4082)
    if not all(isinstance(row, dict) for row in rows):
        raise invalid_parameter("batchOrders")
    return [Params.of_json(row) for row in rows]


def _one_of(
    action: Callable[[Venue, Call, Params], JsonObject], venue: Venue, call: Call, params: Params
) -> object:
    try:
        return action(venue, call, params)
    except ApiError as error:
        return {"code": error.code, "msg": error.message}


def _answer(venue: Venue, order: Order) -> JsonObject:
    return order_answer(venue.spec(order.symbol), order, venue.options.legacy_avg_price)


def _row(venue: Venue, order: Order) -> JsonObject:
    return order_query(venue.spec(order.symbol), order)


def _all_or_one(params: Params) -> int:
    return 1 if params.has("symbol") else 40


def _forced_weight(params: Params) -> int:
    return 20 if params.has("symbol") else 50


def _signed(
    handler: Handler,
    weight: Weight = 1,
    required: tuple[str, ...] = ("symbol",),
    orders: tuple[int, int] = (0, 0),
) -> Endpoint:
    return Endpoint(handler, Security.SIGNED, weight, required, orders)


_ORDER = ("symbol", "side", "type")
ORDER_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/fapi/v1/order"): _signed(place, 0, _ORDER, orders=(1, 1)),
    ("POST", "/fapi/v1/order/test"): _signed(place_test, 0, _ORDER),
    ("PUT", "/fapi/v1/order"): _signed(amend, 0, ("symbol", "side"), orders=(1, 1)),
    ("DELETE", "/fapi/v1/order"): _signed(cancel),
    ("GET", "/fapi/v1/order"): _signed(query),
    ("GET", "/fapi/v1/openOrder"): _signed(query_open),
    ("GET", "/fapi/v1/openOrders"): _signed(list_open, _all_or_one, ()),
    ("GET", "/fapi/v1/allOrders"): _signed(list_all, 5, ()),
    ("GET", "/fapi/v1/userTrades"): _signed(list_trades, 5),
    ("GET", "/fapi/v1/orderAmendment"): _signed(list_amendments),
    ("GET", "/fapi/v1/forceOrders"): _signed(list_forced, _forced_weight, ()),
    ("DELETE", "/fapi/v1/allOpenOrders"): _signed(cancel_all),
    ("POST", "/fapi/v1/batchOrders"): _signed(place_batch, 5, ("batchOrders",), orders=(5, 1)),
    ("PUT", "/fapi/v1/batchOrders"): _signed(amend_batch, 5, ("batchOrders",), orders=(5, 1)),
    ("DELETE", "/fapi/v1/batchOrders"): _signed(cancel_batch),
    ("POST", "/fapi/v1/countdownCancelAll"): _signed(countdown, 10, ("symbol", "countdownTime")),
}
