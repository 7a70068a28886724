"""Journals for tests: small segments, short records, and a writer that can be killed.

Run as a program it appends intents for ever and prints the sequence of each batch that `flush` returned
for; a batch has one to three records. Where the journal wants it, it rotates; the snapshot is the sequence
it is of.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from engine.journal.journal import Journal, JournalOptions, Recovered, open_journal
from engine.journal.scan import read_segment
from engine.journal.segment import segment_paths
from engine.model.records import Audit, Intent, JournalRecord
from tests.support.order_events import intent

ACCOUNT = "demo:test"
SMALL = JournalOptions(segment_bytes=8_192, reserve_bytes=2_048)


def opened(
    folder: Path, *, account: str = ACCOUNT, options: JournalOptions = SMALL, engine_id: str = "abcdef"
) -> tuple[Journal, Recovered]:
    """Open with a fixed identity and time."""
    return open_journal(folder, account=account, now_ns=1, new_engine_id=lambda: engine_id, options=options)


def note(number: int, size: int = 10) -> Audit:
    """A record that is not essential."""
    return Audit("info", "test", "x" * size, number)


def leaving(number: int) -> Intent:
    """A record that exits need."""
    return intent(number, reduce_only=True, is_exit=True)


def read_records(folder: Path, *, after: int = 0) -> Iterator[tuple[int, JournalRecord]]:
    """All records above `after`, of a journal that may be in use; ends at the last whole one."""
    for first, path in segment_paths(folder):
        yield from read_segment(path, first, None, after=after).records


def written(found: Recovered) -> list[JournalRecord]:
    """Everything but Start and Stop."""
    return [record for _, record in found.records if isinstance(record, (Audit, Intent))]


def write_for_ever(folder: Path) -> None:
    """Append and flush until killed."""
    journal, _ = opened(folder, options=JournalOptions(segment_bytes=16_384, reserve_bytes=4_096))
    while True:
        for _ in range(1 + journal.last_sequence % 3):
            journal.append(intent(journal.last_sequence + 1))
        journal.flush()
        sys.stdout.write(f"{journal.last_sequence}\n")
        sys.stdout.flush()
        if journal.wants_rotation:
            journal.rotate(str(journal.last_sequence).encode())


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]))
