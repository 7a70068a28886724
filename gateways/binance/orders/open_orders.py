"""Orders reported as open and not yet as closed."""

from collections import OrderedDict

from gateways.wire.messages import OrderUpdate

MOST = 5_000
_OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "TRIGGERING", "TRIGGERED"})


class OpenOrders:
    """By kind and exchange id; bounded, the oldest is dropped first."""

    def __init__(self) -> None:
        self._orders: OrderedDict[tuple[bool, int], OrderUpdate] = OrderedDict()

    def note(self, update: OrderUpdate) -> None:
        """Take in one report."""
        key = (update.is_conditional, update.exchange_order_id)
        if update.status in _OPEN:
            self._orders[key] = update
            if len(self._orders) > MOST:
                self._orders.popitem(last=False)
        else:
            self._orders.pop(key, None)

    def ordinary(self, symbol: str) -> list[OrderUpdate]:
        """Ordinary orders of this symbol."""
        return [one for one in self._orders.values() if one.symbol == symbol and not one.is_conditional]

    def absent_from(self, symbol: str, told: set[tuple[bool, int]]) -> list[OrderUpdate]:
        """Known orders of this symbol that are not in the exchange's list."""
        return [one for key, one in self._orders.items() if one.symbol == symbol and key not in told]
