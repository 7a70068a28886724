"""Skeleton: filled in shortly; the signatures stand."""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

Level = Literal["info", "warning", "critical"]


class Notification(msgspec.Struct, frozen=True):
    """One message for a person. Equal `key`s within the de-duplication window are sent once."""

    level: Level
    text: str
    key: str = ""
    time_ns: int = 0


class Sink(Protocol):
    """Where notifications go. Runs in the center's own thread and event loop."""

    async def start(self) -> None:
        """Open connections; must not raise when the other side is down."""

    async def send(self, notification: Notification) -> None:
        """Deliver one; may retry for as long as it takes, the queue is bounded."""

    async def stop(self) -> None:
        """Close connections."""


class NotificationCenter:
    """Takes notifications from the engine without ever blocking it, and delivers them from its own thread."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Start the thread."""
        raise NotImplementedError

    def publish(self, notification: Notification) -> None:
        """Hand over one notification; returns at once, from any thread."""
        raise NotImplementedError

    def stop(self, timeout_s: float = 2.0) -> None:
        """Deliver what is queued for at most that long, then end the thread."""
        raise NotImplementedError
