"""Skeleton: filled in shortly; the signatures stand."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.storage.records import JournalRecord


class JournalError(Exception):
    """The journal cannot be used; the text is one sentence for a person."""


class JournalFull(JournalError):
    """Only records for exits are taken until there is space again."""


class Recovered(msgspec.Struct, frozen=True):
    """What the journal holds. `snapshot` is the state handed to `Journal.rotate`, or None; `records`
    are those written after it, with their sequence. `dropped_bytes` > 0: a torn tail was cut off."""

    engine_id: str
    fencing: int
    snapshot: bytes | None
    records: tuple[tuple[int, JournalRecord], ...]
    dropped_bytes: int
    warnings: tuple[str, ...]


class Journal:
    """Append-only file of one engine. Made by `open_journal`."""

    def append(self, record: JournalRecord) -> int:
        """Buffer one record; returns its sequence. JournalFull or JournalError when it cannot be kept."""
        raise NotImplementedError

    def flush(self) -> None:
        """Make everything appended durable: one write, one fdatasync. Cheap when nothing is pending."""
        raise NotImplementedError

    @property
    def accepts_entries(self) -> bool:
        """False when the disk is full or the journal failed: stop entries, keep exits."""
        raise NotImplementedError

    @property
    def wants_rotation(self) -> bool:
        """True when the segment is so full that `rotate` should be called at the next quiet moment."""
        raise NotImplementedError

    def rotate(self, state: bytes) -> None:
        """Write `state` as a snapshot and go on in a new segment."""
        raise NotImplementedError

    def close(self, time_ns: int) -> None:
        """Write Stop, flush, give the lock back."""
        raise NotImplementedError


def open_journal(
    folder: Path, *, account: str, now_ns: int, new_engine_id: Callable[[], str]
) -> tuple[Journal, Recovered]:
    """Lock the folder, read what is there, write Start with the next fencing number (flushed)."""
    raise NotImplementedError
