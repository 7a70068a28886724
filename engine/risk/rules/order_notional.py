"""The size of one order."""

from decimal import Decimal
from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext
from engine.risk.rules.rule import price_of


class OrderNotional:
    """Quantity times price of one order."""

    name: ClassVar[str] = "order_notional"

    def __init__(self, limit_quote: Decimal) -> None:
        self._limit = limit_quote

    def check(self, order: Intent, context: RiskContext) -> str:
        """At the order's own price."""
        notional = order.qty_base * price_of(order, context)
        return f"order notional {notional:f} is above {self._limit:f}" if notional > self._limit else ""
