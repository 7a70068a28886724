"""Notifications, and the interface of sinks that take them."""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

Level = Literal["info", "warning", "critical"]
LEVELS: tuple[Level, ...] = ("info", "warning", "critical")
"""Lowest first."""


class Notification(msgspec.Struct, frozen=True, gc=False):
    """One message for a person. Of equal `key`s within a sink's de-duplication window only one is sent ("":
    all are). `time_ns` is when it happened, UTC; 0 is when it is published.
    """

    level: Level
    text: str
    key: str = ""
    time_ns: int = 0


class Sink(Protocol):
    """A destination of notifications. Runs in the center's thread and event loop."""

    async def start(self) -> None:
        """Prepare; must not raise if the other side is down."""

    async def send(self, notifications: Sequence[Notification]) -> None:
        """Deliver them, oldest first. It may take any time: only this sink's queue waits."""

    async def stop(self) -> None:
        """Close connections."""
