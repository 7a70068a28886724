"""What a refusal by the exchange means for leaving a position; docs/refused_exits.md has the table."""

from collections.abc import Mapping
from enum import Enum

from engine.orders.order_states import OrderState
from engine.orders.order_store import Order
from gateways.wire.words import Refusal


class Reaction(Enum):
    """What follows a refused exit."""

    AGAIN = "again"
    """It passes by itself: the next attempt follows, at growing distances."""
    COMPARE = "compare"
    """Nothing to reduce, or other orders reduce it already: compare, and take own orders out of the way."""
    REGRID = "regrid"
    """Tick, step or limits are not what we know: the next attempt is put on the newest ones."""
    PERSON = "person"
    """Only a person can mend it: told at once, tried again at long distances."""


RULES: Mapping[Refusal, Reaction] = {
    Refusal.NOTHING_TO_REDUCE: Reaction.COMPARE,
    Refusal.OFF_GRID: Reaction.REGRID,
    Refusal.KEY: Reaction.PERSON,
    Refusal.NOT_ALLOWED: Reaction.PERSON,
    Refusal.INVALID: Reaction.PERSON,
}
"""Every other refusal passes by itself."""


def refusal_of(order: Order) -> Refusal:
    """Why the exchange refused it; NONE where it did not."""
    return order.refusal if order.state is OrderState.REJECTED else Refusal.NONE


def reaction_to(order: Order) -> Reaction:
    """What follows an exit that has ended without leaving everything."""
    return RULES.get(refusal_of(order), Reaction.AGAIN)


def is_nothing_to_reduce(order: Order) -> bool:
    """Whether the exchange refused it because there is no position that it could reduce."""
    return refusal_of(order) is Refusal.NOTHING_TO_REDUCE


def has_fired_in_vain(order: Order) -> bool:
    """Whether a conditional order rested, was triggered, and has ended without filling wholly.

    The exchange gives it a second id when it triggers, unless the order it makes of it is refused.
    """
    if not order.intent.is_conditional or order.is_open or order.state is OrderState.FILLED:
        return False
    was_refused = order.state is OrderState.REJECTED and order.evidence.seen
    return was_refused or len(order.exchange_ids) > 1
