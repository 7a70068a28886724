"""The fate of a signal after its orders were sent: the exchange may refuse them."""

from collections.abc import Callable

import msgspec

from engine.model.records import Signal
from engine.orders.order_states import OrderState
from engine.orders.order_store import Order

REJECTED = "rejected"

OrderOf = Callable[[str], Order | None]
"""The order of a client id; None for one that never left, or is too old to be known."""


def refused_order(signal: Signal, order_of: OrderOf) -> Order | None:
    """The entry of a signal that the exchange refused. Exits do not count: they are tried until done."""
    for key in signal.client_order_ids:
        order = order_of(key)
        if order is not None and order.state is OrderState.REJECTED and not order.intent.is_exit:
            return order
    return None


def settled_signal(signal: Signal, order_of: OrderOf) -> Signal:
    """The signal with the fate that its orders gave it; the record says what was known when it was made."""
    order = refused_order(signal, order_of)
    if order is None:
        return signal
    return msgspec.structs.replace(signal, fate=REJECTED, rule="", detail=order.reason)
