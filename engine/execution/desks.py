"""What the trade executor keeps of one strategy on one symbol, and of one decision."""

import msgspec

from engine.execution.order_gate import Placed
from engine.execution.protection import Protection
from engine.execution.script_broker import ScriptBroker
from engine.exits.bar_plan import Action, BarPlan
from engine.model.limits import Verdict
from engine.model.records import Intent
from engine.strategies.slot import Decision, StrategySlot


class Followup(msgspec.Struct):
    """The entry of a flip, waiting for its close to fill."""

    intent: Intent
    expires_ns: int
    decision: Decision


class Desk(msgspec.Struct):
    """One strategy's trading on one symbol. `entry_id` is its last entry, `followup` the one to come."""

    slot: StrategySlot
    plan: BarPlan
    protection: Protection
    script: ScriptBroker | None = None
    journalled: bytes = b""
    entry_id: str = ""
    followup: Followup | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Owner and symbol."""
        return self.slot.owner, self.slot.symbol


class Outcome:
    """What came of one decision so far: the first refusal, and the ids of orders that left or are to."""

    __slots__ = ("actions", "closing", "refusal", "sent")

    def __init__(self, actions: tuple[Action, ...], closing: bool) -> None:
        self.actions = actions
        self.closing = closing
        self.refusal: Verdict | None = None
        self.sent: list[str] = []

    def note(self, placed: Placed) -> None:
        """Add what became of one order."""
        if placed.client_order_id:
            self.sent.append(placed.client_order_id)
        if not placed.verdict.allowed and self.refusal is None:
            self.refusal = placed.verdict
