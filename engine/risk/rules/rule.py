"""What a rule is, and what several of them work out."""

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext


class Rule(Protocol):
    """What the risk manager asks of each rule. `name` goes into verdicts."""

    name: ClassVar[str]

    def check(self, order: Intent, context: RiskContext) -> str:
        """Why the order is refused, in one sentence ("": it may pass)."""


class RuleParams(BaseModel):
    """Base of a rule's parameters: their ranges stand on the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ConfiguredRule(ABC):
    """A rule in the file of its name, in force where `[risk]` has `rules.<name> = { ... }`, its parameters.

    It keeps nothing in mind: what it says follows from the order and the context, so that a replay of the
    journal says the same.
    """

    name: ClassVar[str]
    Params: ClassVar[type[RuleParams]] = RuleParams

    @abstractmethod
    def __init__(self, params: RuleParams) -> None:
        """From an object of its `Params`."""

    @abstractmethod
    def check(self, order: Intent, context: RiskContext) -> str:
        """Why the order is refused, in one sentence ("": it may pass)."""


def price_of(order: Intent, context: RiskContext) -> Decimal:
    """What the order is valued at: its limit, else its trigger, else the expected or the mark price."""
    return order.price or order.stop_price or context.reference_price or context.mark_price


def exposure_after(order: Intent, context: RiskContext) -> Decimal:
    """Largest absolute position of the symbol if this and everything in flight fills on one side."""
    if order.side == "BUY":
        buys, sells = context.open_buy_base + order.qty_base, context.open_sell_base
    else:
        buys, sells = context.open_buy_base, context.open_sell_base + order.qty_base
    return max(abs(context.position_base + buys), abs(context.position_base - sells))
