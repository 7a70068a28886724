"""Positions that nobody here has opened."""

from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import ZERO, RiskContext


class ForeignPosition:
    """A strategy does not enter against somebody else's position: its order would only reduce that."""

    name: ClassVar[str] = "foreign_position"

    def check(self, order: Intent, context: RiskContext) -> str:
        """Refuses an entry on the other side of somebody else's position."""
        foreign = context.foreign_base
        if foreign == ZERO or (foreign > ZERO) == (order.side == "BUY"):
            return ""
        return f"somebody else holds {foreign:f} {order.symbol}"
