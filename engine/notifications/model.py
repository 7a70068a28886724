"""What a notification is, and what a place that takes them must offer."""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

Level = Literal["info", "warning", "critical"]
LEVELS: tuple[Level, ...] = ("info", "warning", "critical")
"""Lowest first."""


class Notification(msgspec.Struct, frozen=True, gc=False):
    """One message for a person. Equal `key`s within a sink's de-duplication window are sent once ("" never
    repeats). `time_ns` is when it happened, UTC; 0 is when it is published."""

    level: Level
    text: str
    key: str = ""
    time_ns: int = 0


class Sink(Protocol):
    """Where notifications go. Runs in the center's own thread and event loop."""

    async def start(self) -> None:
        """Get ready; must not raise because the other side is down."""

    async def send(self, notifications: Sequence[Notification]) -> None:
        """Deliver all that waited, oldest first. It may try for as long as it takes: only this sink's own
        queue waits."""

    async def stop(self) -> None:
        """Close connections."""
