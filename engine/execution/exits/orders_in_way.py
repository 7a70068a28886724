"""Orders in the way of an exit: on its side, they already reduce what it would."""

from engine.execution.sending.order_executor import OrderExecutor
from engine.execution.sending.order_gate import OrderGate
from engine.model.records import Intent
from engine.orders.order_states import UNSETTLED
from engine.orders.order_store import Order, OrderStore


class OrdersInWay:
    """Finds them, and cancels those that may be cancelled: our own, and after kill everybody's."""

    def __init__(self, gate: OrderGate, store: OrderStore, executor: OrderExecutor) -> None:
        self._gate = gate
        self._store = store
        self._executor = executor

    def foreign(self, intent: Intent) -> list[Order]:
        """Those of somebody else."""
        return self._in_way(intent, foreign=True)

    def is_blocked(self, intent: Intent) -> bool:
        """Whether one that may be cancelled is still open."""
        return bool(self._removable(intent))

    def clear(self, intent: Intent) -> bool:
        """Cancel those that may be cancelled; whether there are any."""
        found = self._removable(intent)
        for one in found:
            if one.state not in UNSETTLED:
                self._executor.cancel(one, "in the way of an exit")
        return bool(found)

    def _removable(self, intent: Intent) -> list[Order]:
        foreign = self.foreign(intent) if self._gate.is_killed else []
        return self._in_way(intent, foreign=False) + foreign

    def _in_way(self, intent: Intent, *, foreign: bool) -> list[Order]:
        """Ordinary orders on the side of the exit. Conditional ones reduce nothing yet."""
        return [
            order
            for order in self._store.open_orders(intent.symbol)
            if order.intent.side == intent.side
            and order.intent.order_type != "MARKET"
            and not order.intent.is_conditional
            and order.is_external == foreign
        ]
