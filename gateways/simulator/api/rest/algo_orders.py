"""Conditional orders: the algo endpoints."""

from gateways.simulator.api.formats.orders import algo_answer, algo_cancelled, algo_listed, algo_query
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.endpoint import Call, Endpoint, Security, row_limit
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange import history_queries, order_queries
from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.exchange.model.orders import AlgoRequest


def algo_request(params: Params) -> AlgoRequest:
    """Read POST algoOrder's parameters; the exchange checks their meaning."""
    return AlgoRequest(
        symbol=params.require("symbol").upper(),
        side=params.require("side").upper(),
        type=params.require("type").upper(),
        algo_type=params.require("algoType").upper(),
        position_side=params.upper("positionSide"),
        time_in_force=params.upper("timeInForce"),
        quantity=params.decimal("quantity"),
        price=params.decimal("price"),
        trigger_price=params.decimal("triggerPrice"),
        working_type=params.upper("workingType"),
        price_match=params.upper("priceMatch"),
        close_position=params.boolean("closePosition"),
        price_protect=params.boolean("priceProtect"),
        reduce_only=params.boolean("reduceOnly"),
        activate_price=params.decimal("activatePrice"),
        callback_rate=params.decimal("callbackRate"),
        client_algo_id=params.text("clientAlgoId"),
        stp_mode=params.upper("selfTradePreventionMode"),
        good_till_date=params.integer("goodTillDate"),
    )


def place(venue: Venue, call: Call) -> object:
    """POST algoOrder."""
    request = algo_request(call.params)
    venue.check_market(request.symbol)
    order = venue.exchange.submit_algo(call.account, request, call.now_ms)
    return algo_answer(venue.spec(order.symbol), order)


def cancel(venue: Venue, call: Call) -> object:
    """DELETE algoOrder."""
    algo_id, client_id = _ids(call)
    return algo_cancelled(venue.exchange.cancel_algo(call.account, algo_id, client_id, call.now_ms))


def cancel_all(venue: Venue, call: Call) -> object:
    """DELETE algoOpenOrders."""
    venue.spec(call.symbol)
    venue.exchange.cancel_all_algo(call.account, call.symbol, call.now_ms)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def query(venue: Venue, call: Call) -> object:
    """GET algoOrder."""
    order = order_queries.algo_order(venue.state, call.account, *_ids(call))
    return algo_query(venue.spec(order.symbol), order)


def list_open(venue: Venue, call: Call) -> object:
    """GET openAlgoOrders."""
    symbol = call.params.upper("symbol")
    if symbol is not None:
        venue.spec(symbol)
    orders = order_queries.open_algo_orders(venue.state, call.account, symbol, call.params.integer("algoId"))
    return [algo_listed(venue.spec(order.symbol), order) for order in orders]


def list_all(venue: Venue, call: Call) -> object:
    """GET allAlgoOrders."""
    orders = history_queries.all_algo_orders(
        venue.state,
        call.account,
        call.symbol,
        call.now_ms,
        algo_id=call.params.integer("algoId"),
        start_ms=call.params.integer("startTime"),
        end_ms=call.params.integer("endTime"),
        limit=row_limit(call.params, 500, 1000),
    )
    return [algo_listed(venue.spec(order.symbol), order) for order in orders]


def _ids(call: Call) -> tuple[int | None, str | None]:
    algo_id, client_id = call.params.integer("algoId"), call.params.text("clientAlgoId")
    if algo_id is None and client_id is None:
        raise ApiError(-1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    return algo_id, client_id


def _all_or_one(params: Params) -> int:
    return 1 if params.has("symbol") else 40


_PLACE = ("algoType", "symbol", "side", "type")
ALGO_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/fapi/v1/algoOrder"): Endpoint(place, Security.SIGNED, 0, _PLACE, orders=(1, 1)),
    ("DELETE", "/fapi/v1/algoOrder"): Endpoint(cancel, Security.SIGNED),
    ("GET", "/fapi/v1/algoOrder"): Endpoint(query, Security.SIGNED),
    ("GET", "/fapi/v1/openAlgoOrders"): Endpoint(list_open, Security.SIGNED, _all_or_one),
    ("GET", "/fapi/v1/allAlgoOrders"): Endpoint(list_all, Security.SIGNED, 5, ("symbol",)),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Endpoint(cancel_all, Security.SIGNED, 1, ("symbol",)),
}
