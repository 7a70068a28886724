"""All positions over equity."""

from decimal import Decimal
from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext
from engine.risk.rules.rule import exposure_after


class Leverage:
    """Notional of all positions over equity."""

    name: ClassVar[str] = "leverage"

    def __init__(self, limit: Decimal) -> None:
        self._limit = limit

    def check(self, order: Intent, context: RiskContext) -> str:
        """With the order and everything in flight counted as filled."""
        total = exposure_after(order, context) * context.mark_price + context.other_notional_quote
        if total <= self._limit * context.equity_quote:
            return ""
        return f"notional {total:f} on equity {context.equity_quote:f} is above leverage {self._limit:f}"
