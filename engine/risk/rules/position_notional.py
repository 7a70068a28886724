"""The size of a symbol's position."""

from decimal import Decimal
from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext
from engine.risk.rules.rule import exposure_after


class PositionNotional:
    """Position of the symbol at mark, orders in flight counted as filled."""

    name: ClassVar[str] = "position_notional"

    def __init__(self, limit_quote: Decimal) -> None:
        self._limit = limit_quote

    def check(self, order: Intent, context: RiskContext) -> str:
        """With the order counted as filled too."""
        notional = exposure_after(order, context) * context.mark_price
        return (
            f"position notional {notional:f} would be above {self._limit:f}" if notional > self._limit else ""
        )
