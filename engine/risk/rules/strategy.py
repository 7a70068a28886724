"""Whether the order's strategy may enter."""

from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext


class StrategyRunning:
    """A strategy that is paused, stopped or has failed enters nothing."""

    name: ClassVar[str] = "strategy"

    def check(self, order: Intent, context: RiskContext) -> str:
        """Whether the order's own strategy may enter."""
        return "" if context.strategy_running else f"strategy {order.strategy} is not running"
