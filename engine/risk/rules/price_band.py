"""How far a price may be from the mark."""

from decimal import Decimal
from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import ZERO, RiskContext


class PriceBand:
    """A price may not be further on the wrong side of the mark than a fraction of it.

    Buys above and sells below the mark lose at once; a resting order on the other side loses nothing.
    """

    name: ClassVar[str] = "price_band"

    def __init__(self, fraction: Decimal) -> None:
        self._high = 1 + fraction
        self._low = 1 - fraction
        self._percent = fraction * 100

    def check(self, order: Intent, context: RiskContext) -> str:
        """Limit orders by their price, market orders by the price they are expected to get."""
        price = order.price or (ZERO if order.stop_price else context.reference_price)
        if price == ZERO:
            return ""
        mark = context.mark_price
        if order.side == "BUY":
            return (
                f"price {price:f} is over {self._percent:f} % above mark" if price > mark * self._high else ""
            )
        return f"price {price:f} is over {self._percent:f} % below mark" if price < mark * self._low else ""
