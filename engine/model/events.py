"""Events: what the engine reacts to. Messages of the gateway are events as they are; here are the others.

Time is in the events: `Timer` and the link events carry the shell's clock, a tick carries when the
gateway received it. The engine has no other clock.
"""

import msgspec

from gateways.wire.messages import (
    AccountUpdate,
    Gap,
    GatewayStatus,
    Instrument,
    Kline,
    KlinesReply,
    MarkPrice,
    OrderBookTick,
    OrderUpdate,
    Reply,
    Snapshot,
    TradeTick,
)
from runtime.control.commands import CommandName


class Timer(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """It is `now_ns`. Sent when the engine's deadline is reached and before events without a time."""

    now_ns: int


class LinkUp(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The gateway answered the handshake; what the engine missed follows, or a `Gap`."""

    now_ns: int
    gateway: str
    epoch: int


class LinkDown(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The gateway is gone: nothing can be sent, and requests without an answer are unknown."""

    now_ns: int
    reason: str


class Command(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An operator's command. `strategy` and `symbol` narrow it ("" is all), `argument` is a client id or
    a signal's bar. `command_id` makes it idempotent."""

    now_ns: int
    command_id: str
    name: CommandName
    strategy: str = ""
    symbol: str = ""
    argument: str = ""
    source: str = "control"


class JournalState(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Whether the journal takes records of entries: false when the disk is full or a flush failed."""

    now_ns: int
    accepts_entries: bool


class StrategyEnded(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A strategy that has ended the process more than once may not run; `reason` says so."""

    now_ns: int
    strategy: str
    symbol: str
    reason: str


class Stop(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The shell is about to end."""

    now_ns: int
    reason: str


Event = (
    Timer
    | LinkUp
    | LinkDown
    | Command
    | JournalState
    | StrategyEnded
    | Stop
    | OrderBookTick
    | TradeTick
    | Kline
    | MarkPrice
    | OrderUpdate
    | AccountUpdate
    | Gap
    | Instrument
    | GatewayStatus
    | Snapshot
    | Reply
    | KlinesReply
)
