"""Skeleton: filled in shortly; the signatures stand."""

from engine.risk.context import RiskContext
from engine.risk.limits import RiskLimits, Verdict
from engine.storage.records import Intent


class RiskManager:
    """Runs each order through the rules; the first one that says no gives its name."""

    def __init__(self, limits: RiskLimits) -> None:
        raise NotImplementedError

    def validate_order(self, order: Intent, context: RiskContext) -> Verdict:
        """Whether the order may go out. Counts nothing: call `note_sent` when it does."""
        raise NotImplementedError

    def note_sent(self, now_ns: int) -> None:
        """Count an order for the rate rule."""
        raise NotImplementedError

    def kill(self, reason: str) -> None:
        """Stop every order that does not reduce, until `revive`."""
        raise NotImplementedError

    def revive(self) -> None:
        """Undo `kill`."""
        raise NotImplementedError
