"""Bodies of the control API: one struct per command.

Unknown fields, wrong types and numbers out of bounds are refused.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateways.simulator.api.requests.faults import FaultKind
from gateways.simulator.exchange.model.symbol_changes import Status

Times = Annotated[int, Meta(ge=1, le=1_000_000_000)]
DelayMs = Annotated[int, Meta(ge=0, le=600_000)]
Limit = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern="^[A-Za-z0-9_.-]+$",
        description="a name of 1 to 128 letters, digits, _, . and -",
    ),
]
Pattern = Annotated[str, Meta(max_length=200)]
Seconds = Annotated[float, Meta(ge=0.05, le=1_000_000)]
MAX_SKEW_MS = 86_400_000
"""One day: everything due in a skipped period has to be processed."""
MAX_STANDSTILL_MS = 60_000
"""Longest step back of the clock: for that long the market stands still."""


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all bodies."""


class AddFault(Command, frozen=True):
    """POST faults: the next `times` (null: all) requests matching `endpoint` get fault `kind`."""

    endpoint: Pattern
    kind: FaultKind
    times: Times | None = 1
    skip: Limit = 0
    delay_ms: DelayMs = 0
    code: Annotated[int, Meta(ge=-100_000, le=100_000)] = -1000
    message: Annotated[str, Meta(max_length=1000)] = "An unknown error occurred while processing the request."
    http_status: Annotated[int, Meta(ge=200, le=599)] = 400
    retry_after_s: Limit | None = None


class AddEventFault(Command, frozen=True):
    """POST events: the next `times` user events of a type are lost, duplicated or delayed."""

    event: Pattern
    action: Literal["lose", "duplicate", "delay"]
    times: Times | None = 1
    delay_ms: DelayMs = 0


class Silence(Command, frozen=True):
    """POST silence: send nothing on streams (or listen keys) matching these patterns; [] ends it."""

    streams: Annotated[list[Pattern], Meta(max_length=1024)]


class Drop(Command, frozen=True):
    """POST drop: close stream connections, of one route or all."""

    route: Literal["", "public", "market", "private"] | None = None


class SetPrice(Command, frozen=True):
    """POST price: pin the mark price, set the index, or trade through the book to a last price."""

    symbol: str
    index: Decimal | None = None
    mark: Decimal | None = None
    release_mark: bool = False
    last: Decimal | None = None


class SetFunding(Command, frozen=True):
    """POST funding: pin the rate of the current period; null returns to the formula."""

    symbol: str
    rate: Decimal | None = None


class BracketRow(Command, frozen=True):
    """One leverage bracket; floors and `cum` are computed from the previous rows."""

    leverage: Annotated[int, Meta(ge=1, le=1000)]
    notional_cap: Annotated[int, Meta(ge=1, le=10**15)]
    maint_margin_ratio: Decimal


class SetBrackets(Command, frozen=True):
    """POST brackets."""

    symbol: str
    rows: Annotated[list[BracketRow], Meta(max_length=100)]


class SetSymbol(Command, frozen=True):
    """POST symbol: status and filters; what is not given stays."""

    symbol: str
    status: Status | None = None
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    market_min_qty: Decimal | None = None
    market_max_qty: Decimal | None = None
    min_notional: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    multiplier_up: Decimal | None = None
    multiplier_down: Decimal | None = None


class Deposit(Command, frozen=True):
    """POST balance: add to the wallet (negative: withdraw)."""

    amount: Decimal
    account: str | None = None


class NewAccount(Command, frozen=True):
    """POST account: add a key, and create its account if it does not exist."""

    account: Name
    key: Name
    secret: str | None = None
    public_key: str | None = None
    balance: Decimal = Decimal(10_000)


class Clock(Command, frozen=True):
    """POST clock: set how far the exchange's clock is ahead of (negative: behind) the machine's."""

    skew_ms: Annotated[int, Meta(ge=-MAX_SKEW_MS, le=MAX_SKEW_MS)]


class SetLimits(Command, frozen=True):
    """POST limits: change the limits, use up the current minute, or clear counts and bans."""

    weight_1m: Limit | None = None
    orders_10s: Limit | None = None
    orders_1m: Limit | None = None
    ban_after: Limit | None = None
    ban_ms: Limit | None = None
    exhaust: bool = False
    reset: bool = False


class SocketSettings(Command, frozen=True):
    """POST sockets: ping interval, lifetime and message rate of stream connections."""

    ping_s: Seconds | None = None
    pong_s: Seconds | None = None
    life_s: Seconds | None = None
    messages_per_s: Limit | None = None
    strict_routing: bool | None = None
