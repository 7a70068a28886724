"""Reduce-only rules; in hedge mode the position side decides which orders may only reduce.

The resting reducing orders of a position never exceed it in total. Priority among them: better price
first, then older; orders that do not fit are expired, lowest priority first.
"""

from gateways.simulator.exchange.model.errors import refusal
from gateways.simulator.exchange.model.orders import Order
from gateways.simulator.exchange.model.state import AccountState
from gateways.simulator.exchange.orders.rules import is_hedge_close


def closing_side(lots: int) -> str:
    """Return the side that reduces a position of signed `lots`."""
    return "SELL" if lots > 0 else "BUY"


def _by_priority(orders: list[Order]) -> list[Order]:
    def key(order: Order) -> tuple[int, int]:
        return (-order.price_ticks if order.side == "BUY" else order.price_ticks, order.priority)

    return sorted(orders, key=key)


def only_reduces(order: Order) -> bool:
    """Tell whether an order may only reduce: by its flag, or in hedge mode by its side."""
    return order.reduce_only or is_hedge_close(order.position_side, order.side)


def resting(user: AccountState, symbol: str, position_side: str, *, without: int = 0) -> list[Order]:
    """Return the open orders of a position side that may only reduce."""
    return [
        order
        for order in user.open_of(symbol).values()
        if order.position_side == position_side and only_reduces(order) and order.order_id != without
    ]


def excess_orders(user: AccountState, symbol: str, position_side: str, *, active: int = 0) -> list[Order]:
    """Return the resting reducing orders that exceed the position, lowest priority first.

    `active`, the order being matched, does not count: it is limited to the position already.
    """
    orders = resting(user, symbol, position_side, without=active)
    if not orders:
        return []
    lots = user.lots(symbol, position_side)
    side = closing_side(lots)
    excess = [order for order in orders if not lots or order.side != side]
    kept = _by_priority([order for order in orders if lots and order.side == side])
    total = sum(order.remaining_lots for order in kept)
    while kept and total > abs(lots):
        dropped = kept.pop()
        total -= dropped.remaining_lots
        excess.append(dropped)
    return excess


def admit(user: AccountState, order: Order, *, replacing: int = 0) -> list[Order]:
    """Check a new (or modified) reduce-only order; return the resting ones it displaces.

    A MARKET order larger than the position is reduced to it. A limit order larger than the position, or one
    that does not fit behind reduce-only orders of higher priority, is refused with -2022.
    """
    lots = user.lots(order.symbol, "BOTH")
    if not lots or order.side != closing_side(lots):
        raise refusal(-2022)
    held = abs(lots)
    if order.type == "MARKET":
        return []
    if order.remaining_lots > held:
        raise refusal(-2022)
    queue = _by_priority([*resting(user, order.symbol, "BOTH", without=replacing), order])
    total = sum(other.remaining_lots for other in queue)
    displaced = []
    while total > held:
        last = queue.pop()
        if last is order:
            raise refusal(-2022)
        total -= last.remaining_lots
        displaced.append(last)
    return displaced
