"""How many orders are open."""

from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext


class OpenOrders:
    """Number of orders that are open or in flight."""

    name: ClassVar[str] = "open_orders"

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def check(self, order: Intent, context: RiskContext) -> str:  # noqa: ARG002  # the rules share one form
        """Before this order is added."""
        if context.open_orders < self._limit:
            return ""
        return f"{context.open_orders} orders are open, the limit is {self._limit}"
