"""What the trade executor keeps of one strategy on one symbol, and of one decision."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from engine.execution.order_gate import Placed
from engine.execution.protection import Protection
from engine.execution.script_broker import ScriptBroker
from engine.exits.bar_plan import Action, BarPlan
from engine.model.leg import Leg
from engine.model.limits import Verdict
from engine.model.records import Fill, Intent
from engine.orders.order_store import Applied, OrderStore
from engine.strategies.slot import Decision, StrategySlot

ZERO = Decimal(0)


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

    def coming(self, store: OrderStore) -> dict[str, int]:
        """Ids and directions of market entries of a script that have yet to fill."""
        order = store.get(self.entry_id) if self.entry_id else None
        intents = [] if order is None or not order.is_open else [order.intent]
        if self.followup is not None:
            intents.append(self.followup.intent)
        return {Leg.parse(one.leg).entry_id: 1 if one.side == "BUY" else -1 for one in intents}

    def replay_script(self, unseen: Iterable[Fill], store: OrderStore) -> None:
        """After a restart: fills that the script's state has not seen, and orders that fill no further."""
        if self.script is None:
            return
        for fill in unseen:
            order = store.get(fill.client_order_id)
            if (fill.strategy, fill.symbol) == self.key and order is not None:
                self.script.on_fill(fill, order.leg, may_go_on=order.is_open)
        for key in self.script.filling():
            order = store.get(key)
            if order is None or not order.is_open:
                self.script.on_ended(key)

    def tell_script(self, applied: Applied) -> None:
        """What has come of an order of a script."""
        order, fill = applied.order, applied.fill
        if self.script is not None and fill is not None:
            may_go_on = order.is_open or order.evidence.missing_base != ZERO
            self.script.on_fill(fill, order.leg, may_go_on=may_go_on)
        elif self.script is not None and not order.is_open:
            self.script.on_ended(order.client_order_id)


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
