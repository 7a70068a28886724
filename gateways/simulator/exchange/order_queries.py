"""Queries for single orders and open orders. Every order returned is a copy.

An order cancelled or expired without a fill is found for 3 days, any other closed order for 90.
"""

from gateways.simulator.exchange.model.errors import refusal
from gateways.simulator.exchange.model.orders import AlgoOrder, Order
from gateways.simulator.exchange.model.state import ExchangeState
from gateways.simulator.exchange.orders import algo_orders
from gateways.simulator.exchange.orders.actions import find_order

DAY_MS = 86_400_000
UNFILLED_KEPT_MS = 3 * DAY_MS
KEPT_MS = 90 * DAY_MS


def is_remembered(order: Order, now_ms: int) -> bool:
    """Tell whether order queries still find an order."""
    if order.is_open:
        return True
    age = now_ms - order.update_time_ms
    return age <= (KEPT_MS if order.executed_lots else UNFILLED_KEPT_MS)


def order(
    state: ExchangeState, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None
) -> Order:
    """Return an order by id, else by client id (-2013 if unknown or forgotten)."""
    state.market(symbol)
    found = find_order(state.user(account_id), symbol, order_id, client_order_id)
    if found is None or not is_remembered(found, state.now_ms):
        raise refusal(-2013)
    return found.copy()


def open_order(
    state: ExchangeState, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None
) -> Order:
    """Return an order that is open (-2013)."""
    found = order(state, account_id, symbol, order_id, client_order_id)
    if not found.is_open:
        raise refusal(-2013)
    return found


def open_orders(state: ExchangeState, account_id: str, symbol: str | None = None) -> list[Order]:
    """Return open ordinary orders, oldest first."""
    user = state.user(account_id)
    if symbol is not None:
        state.market(symbol)
        return [o.copy() for o in user.open_of(symbol).values()]
    found = [o.copy() for orders in user.open_by_symbol.values() for o in orders.values()]
    return sorted(found, key=lambda o: o.order_id)


def algo_order(
    state: ExchangeState, account_id: str, algo_id: int | None, client_algo_id: str | None
) -> AlgoOrder:
    """Return a conditional order by id, else by client id (-2013 if unknown or forgotten)."""
    user = state.user(account_id)
    found = algo_orders.find(user, algo_id, client_algo_id)
    if found is None or found.algo_id not in user.algos:
        raise refusal(-2013)
    if not found.is_open and state.now_ms - found.update_time_ms > KEPT_MS:
        raise refusal(-2013)
    return found.copy()


def open_algo_orders(
    state: ExchangeState, account_id: str, symbol: str | None = None, algo_id: int | None = None
) -> list[AlgoOrder]:
    """Return waiting conditional orders, oldest first."""
    if symbol is not None:
        state.market(symbol)
    return [
        algo.copy()
        for algo in state.user(account_id).open_algos.values()
        if symbol in (None, algo.symbol) and algo_id in (None, algo.algo_id)
    ]
