"""What the engine can be told. Messages of the gateway are events as they come; these are the others.

Time is in the events: `Timer` and the link events carry the shell's clock, a tick carries when the
gateway received it. The engine has no other clock.
"""

from typing import Literal

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


CommandName = Literal["pause", "resume", "flatten", "kill", "cancel", "why", "close_orders", "rebuild"]


TOUCHES: dict[CommandName, str] = {
    "pause": "Enter nothing new and cancel entries that rest; positions, their stops and targets stay.",
    "resume": "Undo pause and flatten; without a strategy or symbol also undo kill.",
    "flatten": "Leave the strategies' positions at market and pause them; their entries, stops and targets "
    "go. What others hold and their orders stay. --strategy may also name one that is no longer configured.",
    "kill": "Cancel every order and leave every position, those of others too; enter nothing until resume. "
    "A strategy's stop goes when its position is left; nothing but the leaving is placed after it.",
    "cancel": "Cancel one order, whoever sent it; a strategy's stop or target is refused: it would come "
    "back.",
    "close_orders": "Cancel the entries that rest; stops, targets, positions and orders of others stay.",
    "rebuild": "Give orders and positions whose records the journal has lost back to their strategies, as "
    "the exchange's history has them; what rests of them is placed again. Then entries are possible again.",
    "why": "What each strategy does now and what keeps it from trading; then the last signals, what became "
    "of them and of their orders, and why. Times are UTC.",
}
"""What each command touches, for its help."""


class Command(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An operator's word. `strategy` and `symbol` narrow it ("" is all), `argument` is a client id or
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
