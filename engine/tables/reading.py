"""The journal read from its beginning, whole or as far as its old files are kept.

Before old segments are deleted, what they said is written down beside them as a base: orders and account
after the last record that goes. Reading begins there, and goes on as if everything had been read.
"""

import hashlib
from pathlib import Path

import msgspec

from engine.journal.segment import JournalError, numbered, segment_paths
from engine.journal.snapshots import SnapshotFile, read_snapshot, write_content
from engine.journal.tail import JournalTail
from engine.tables.replica import Replica, ReplicaState

_NO_ACCOUNT = bytes(32)
_VERSION = 1


class Base(msgspec.Struct, array_like=True):
    """What the journal had said up to `sequence`. `digest` is that of all records until there."""

    version: int
    sequence: int
    digest: bytes
    replica: ReplicaState


def base_paths(folder: Path) -> list[tuple[int, Path]]:
    """All bases by sequence, oldest first."""
    return numbered(folder, "base-*.bin")


def first_base(folder: Path) -> Base | None:
    """Where reading begins: None means at the first record, else the earliest base that a segment follows.

    JournalError when the first records are gone and no whole base replaces them.
    """
    firsts = [first for first, _ in segment_paths(folder)]
    if not firsts or firsts[0] == 1:
        return None
    for sequence, path in base_paths(folder):
        if sequence + 1 in firsts:
            found = _read(path, sequence)
            if found is not None:
                return found
    raise JournalError(
        f"records 1 to {firsts[0] - 1} in {folder} are missing and no usable base replaces them"
    )


def write_base(folder: Path, base: Base) -> None:
    """Whole and durable, or not at all. OSError when the disk is full."""
    content = SnapshotFile(base.sequence, base.replica.engine_id, 0, msgspec.msgpack.encode(base))
    write_content(folder / f"base-{base.sequence:016d}.bin", _NO_ACCOUNT, content)


def _read(path: Path, sequence: int) -> Base | None:
    content = read_snapshot(path, sequence, None)
    try:
        found = None if content is None else msgspec.msgpack.decode(content.state, type=Base)
    except msgspec.DecodeError:
        return None
    return found if found is not None and found.version == _VERSION else None


class Reading:
    """What the records read so far amount to. `begins_after` is the base's sequence, 0 without one."""

    def __init__(self, folder: Path) -> None:
        base = first_base(folder)
        self.replica = Replica()
        self._digest = b""
        self.begins_after = 0
        if base is not None:
            self.begins_after, self._digest = base.sequence, base.digest
            self.replica.restore(base.replica)
        self._tail = JournalTail(folder, after=self.begins_after)

    @property
    def sequence(self) -> int:
        """Of the last record read."""
        return self._tail.next_sequence - 1

    @property
    def fingerprint(self) -> str:
        """The same for the same records, wherever reading began."""
        return self._digest.hex()

    def read(self, limit: int) -> int:
        """Take in at most `limit` further records; how many that were, 0 when there are none yet.

        Digested are the bytes in the file: written anew, a record of an earlier version has further fields.
        """
        found = self._tail.read_frames(limit)
        for sequence, record, payload in found:
            self._digest = hashlib.blake2b(self._digest + payload, digest_size=16).digest()
            self.replica.apply(sequence, record)
        return len(found)

    def base(self) -> Base:
        """For `write_base`, as of the last record read."""
        return Base(_VERSION, self.sequence, self._digest, self.replica.state())
