"""Bodies of the control API: one struct a command. Unknown fields and wrong types are refused."""

from decimal import Decimal
from typing import Literal

import msgspec

from gateways.simulator.faults import FaultKind


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all bodies."""


class AddFault(Command, frozen=True):
    """POST faults: the next `times` (null: all) requests matching `endpoint` meet `kind`."""

    endpoint: str
    kind: FaultKind
    times: int | None = 1
    skip: int = 0
    delay_ms: int = 0
    code: int = -1000
    message: str = "An unknown error occurred while processing the request."
    http_status: int = 400
    retry_after_s: int | None = None


class AddEventFault(Command, frozen=True):
    """POST events: the next `times` user events of a type are lost, doubled or late."""

    event: str
    action: Literal["lose", "duplicate", "delay"]
    times: int | None = 1
    delay_ms: int = 0


class Silence(Command, frozen=True):
    """POST silence: nothing on streams matching these patterns (listen keys too); [] ends it."""

    streams: list[str]


class Drop(Command, frozen=True):
    """POST drop: cut stream connections, of one route or all."""

    route: Literal["", "public", "market", "private"] | None = None


class SetPrice(Command, frozen=True):
    """POST price: pin the mark price, set the index, or trade through the book to a last price."""

    symbol: str
    index: Decimal | None = None
    mark: Decimal | None = None
    release_mark: bool = False
    last: Decimal | None = None


class SetFunding(Command, frozen=True):
    """POST funding: pin the rate of the running period; null lets the formula decide again."""

    symbol: str
    rate: Decimal | None = None


class BracketRow(Command, frozen=True):
    """One leverage bracket; floors and `cum` follow from the rows before."""

    leverage: int
    notional_cap: int
    maint_margin_ratio: Decimal


class SetBrackets(Command, frozen=True):
    """POST brackets."""

    symbol: str
    rows: list[BracketRow]


class Deposit(Command, frozen=True):
    """POST balance: add to the wallet (negative: take away)."""

    amount: Decimal
    account: str | None = None


class NewAccount(Command, frozen=True):
    """POST account: a key, and its account where there is none of that name yet."""

    account: str
    key: str
    secret: str | None = None
    public_key: str | None = None
    balance: Decimal = Decimal(10_000)


class Clock(Command, frozen=True):
    """POST clock: how far the exchange's clock is ahead of (negative: behind) the machine's."""

    skew_ms: int


class SetLimits(Command, frozen=True):
    """POST limits: change the limits, use up the present minute, or forget counts and bans."""

    weight_1m: int | None = None
    orders_10s: int | None = None
    orders_1m: int | None = None
    ban_after: int | None = None
    ban_ms: int | None = None
    exhaust: bool = False
    reset: bool = False


class SocketSettings(Command, frozen=True):
    """POST sockets: pings, life and message rate of stream connections."""

    ping_s: float | None = None
    pong_s: float | None = None
    life_s: float | None = None
    messages_per_s: int | None = None
    strict_routing: bool | None = None
