"""What an engine acts on, in words that no single exchange has made. The gateway translates."""

from enum import StrEnum

CONDITIONAL_TYPES = frozenset(
    {"STOP_MARKET", "TAKE_PROFIT_MARKET", "STOP", "TAKE_PROFIT", "TRAILING_STOP_MARKET"}
)
"""Types of orders that wait for a price before they are placed in the book. An engine sends MARKET, LIMIT and
STOP_MARKET; the others are somebody else's."""


class Refusal(StrEnum):
    """Why the exchange refused a request."""

    NONE = ""
    """It refused nothing, or gave no reason that is known."""
    WOULD_TRIGGER = "would_trigger"
    """The market has passed the stop's price already."""
    NOTHING_TO_REDUCE = "nothing_to_reduce"
    """A reduce-only order without a position that is left to reduce."""
    OFF_GRID = "off_grid"
    """Price, quantity or notional is off the symbol's grid, or over one of its limits."""
    MARGIN = "margin"
    """Not enough margin or balance."""
    RATE = "rate"
    """Too many requests or orders."""
    KEY = "key"
    """The API key, its rights or the signature."""
    NOT_ALLOWED = "not_allowed"
    """The account's mode, or the state of the account or symbol, does not allow it."""
    INVALID = "invalid"
    """A parameter that the exchange does not understand."""
    OTHER = "other"
    """None of these."""


class AccountChange(StrEnum):
    """What changed the account."""

    NONE = ""
    """Not said."""
    TRADE = "trade"
    FUNDING = "funding"
    TRANSFER = "transfer"
    """Money moved, none earned or lost."""
    INSURANCE = "insurance"
    """The exchange's insurance fund settled a liquidation."""
    MARGIN_CALL = "margin_call"
    """Nothing yet: liquidation is close."""
    RECONCILE = "reconcile"
    """Nothing known: the whole account as requests tell it, after the stream was away."""
    OTHER = "other"


class ForcedClose(StrEnum):
    """Why the exchange placed an order of its own against a position."""

    NONE = ""
    """It did not: somebody placed the order."""
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"
    """Closed to settle somebody else's loss."""
    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
