"""The size of all positions."""

from decimal import Decimal
from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext
from engine.risk.rules.rule import exposure_after


class TotalNotional:
    """All positions together at mark, orders in flight counted as filled."""

    name: ClassVar[str] = "total_notional"

    def __init__(self, limit_quote: Decimal) -> None:
        self._limit = limit_quote

    def check(self, order: Intent, context: RiskContext) -> str:
        """With the order counted as filled too."""
        total = exposure_after(order, context) * context.mark_price + context.other_notional_quote
        return f"total notional {total:f} would be above {self._limit:f}" if total > self._limit else ""
