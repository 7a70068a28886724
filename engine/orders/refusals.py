"""What a refusal by the exchange means for an exit; docs/refused_exits.md has the table."""

from collections.abc import Mapping
from enum import Enum

from engine.orders.order_states import OrderState
from engine.orders.order_store import Order
from gateways.wire.words import Refusal


class Reaction(Enum):
    """What follows a refused exit."""

    AGAIN = "again"
    """Temporary: retry with growing delays."""
    COMPARE = "compare"
    """Nothing to reduce, or other orders reduce it already: reconcile, and cancel own orders in the way."""
    REGRID = "regrid"
    """Tick, step or limits have changed: retry with the newest ones."""
    PERSON = "person"
    """Only a person can fix it: report at once, retry with long delays."""


RULES: Mapping[Refusal, Reaction] = {
    Refusal.NOTHING_TO_REDUCE: Reaction.COMPARE,
    Refusal.OFF_GRID: Reaction.REGRID,
    Refusal.KEY: Reaction.PERSON,
    Refusal.NOT_ALLOWED: Reaction.PERSON,
    Refusal.INVALID: Reaction.PERSON,
}
"""Every other refusal is temporary."""


def refusal_of(order: Order) -> Refusal:
    """Why the exchange refused it; NONE where it did not."""
    return order.refusal if order.state is OrderState.REJECTED else Refusal.NONE


def reaction_to(order: Order) -> Reaction:
    """How to go on after an exit that did not close everything."""
    return RULES.get(refusal_of(order), Reaction.AGAIN)


def is_nothing_to_reduce(order: Order) -> bool:
    """Whether the exchange refused it because there is no position that it could reduce."""
    return refusal_of(order) is Refusal.NOTHING_TO_REDUCE


def is_triggered_unfilled(order: Order) -> bool:
    """Whether a conditional order rested, was triggered, and has ended without filling wholly.

    The exchange gives it a second id when it triggers, unless the order it makes of it is refused.
    """
    if not order.intent.is_conditional or order.is_open or order.state is OrderState.FILLED:
        return False
    was_refused = order.state is OrderState.REJECTED and order.evidence.seen
    return was_refused or len(order.exchange_ids) > 1
