"""What a refusal by the exchange means for leaving a position; docs/refused_exits.md has the table."""

from collections.abc import Mapping
from enum import Enum

from engine.orders.order_states import OrderState
from engine.orders.order_store import Order


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


RULES: Mapping[int, Reaction] = {
    **dict.fromkeys((-2022, -4118), Reaction.COMPARE),
    **dict.fromkeys((-1111, -4003, -4004, -4005, -4013, -4014, -4023, -4164), Reaction.REGRID),
    **dict.fromkeys((-1022, -1121, -2014, -2015, -4061, -4088, -4109), Reaction.PERSON),
    **dict.fromkeys((-4140, -4141, -4142, -4402, -4403), Reaction.PERSON),
}
"""Codes with a rule of their own; parameters the exchange does not understand need a person too."""
_BAD_PARAMETERS = range(-1199, -1099)


def code_of(order: Order) -> int:
    """The exchange's code for refusing it; 0 where there is none."""
    word = order.reason.partition(" ")[0]
    is_code = order.state is OrderState.REJECTED and word.startswith("-") and word[1:].isdigit()
    return int(word) if is_code else 0


def reaction_to(order: Order) -> Reaction:
    """What follows an exit that has ended without leaving everything."""
    code = code_of(order)
    return RULES.get(code, Reaction.PERSON if code in _BAD_PARAMETERS else Reaction.AGAIN)


def is_nothing_to_reduce(order: Order) -> bool:
    """Whether the exchange refused it because there is no position that it could reduce."""
    return RULES.get(code_of(order)) is Reaction.COMPARE


def has_fired_in_vain(order: Order) -> bool:
    """Whether a conditional order rested, was triggered, and has ended without filling wholly.

    The exchange gives it a second id when it triggers, unless the order it makes of it is refused.
    """
    if not order.intent.is_algo or order.is_open or order.state is OrderState.FILLED:
        return False
    was_refused = order.state is OrderState.REJECTED and order.evidence.seen
    return was_refused or len(order.exchange_ids) > 1
