"""Orders that were told to be open and not yet told to be closed."""

from collections import OrderedDict

from gateways.wire.messages import OrderUpdate

MOST = 5_000
_OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "TRIGGERING", "TRIGGERED"})


class OpenOrders:
    """By kind and exchange id; the oldest is forgotten beyond the bound."""

    def __init__(self) -> None:
        self._orders: OrderedDict[tuple[bool, int], OrderUpdate] = OrderedDict()

    def note(self, update: OrderUpdate) -> None:
        """Take one report in."""
        key = (update.is_conditional, update.exchange_order_id)
        if update.status in _OPEN:
            self._orders[key] = update
            if len(self._orders) > MOST:
                self._orders.popitem(last=False)
        else:
            self._orders.pop(key, None)

    def ordinary(self, symbol: str) -> list[OrderUpdate]:
        """Of this symbol, without conditional orders."""
        return [one for one in self._orders.values() if one.symbol == symbol and not one.is_conditional]

    def absent_from(self, symbol: str, told: set[tuple[bool, int]]) -> list[OrderUpdate]:
        """Ours of this symbol that the exchange did not name."""
        return [one for key, one in self._orders.items() if one.symbol == symbol and key not in told]
