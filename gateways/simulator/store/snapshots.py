"""Snapshot files: the whole state, in records small enough to write between two requests.

The format is that of a journal (`journal.py`) whose first and last record are empty, so that a truncated
file is recognised. Files with a single record, written by earlier versions, are read as well.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from gateways.simulator.store import journal
from gateways.simulator.store.journal import StateDamagedError

_MARK = b""


class SnapshotWriter:
    """Writes the slices of one state to a temporary file and renames it when it is complete."""

    def __init__(self, path: Path, slices: Iterator[bytes]) -> None:
        self._path = path
        self._temporary = path.with_suffix(".tmp")
        self._slices = slices
        self._sequence = 0
        self._file = self._temporary.open("wb", buffering=0)
        try:
            journal.write_all(self._file, journal.MAGIC)
            self._append(_MARK)
        except OSError:
            self._file.close()
            raise

    def proceed(self) -> bool:
        """Write one more slice to disk; return whether the snapshot is complete.

        Each slice is flushed by itself: flushing the whole file at the end would block for long.
        """
        payload = next(self._slices, _MARK)
        self._append(payload)
        os.fsync(self._file.fileno())
        if payload:
            return False
        self._file.close()
        self._temporary.replace(self._path)
        journal.sync_folder(self._path.parent)
        return True

    def close(self) -> None:
        """Close the file; a snapshot that is not complete is discarded."""
        self._file.close()

    def _append(self, payload: bytes) -> None:
        journal.write_all(self._file, journal.encode(self._sequence, payload))
        self._sequence += 1


def read(path: Path) -> list[bytes]:
    """Return the slices of a snapshot. Raises `StateDamagedError` unless it is complete."""
    payloads, sound = journal.read(path, 0)
    if sound == path.stat().st_size:
        if len(payloads) > 1 and payloads[0] == payloads[-1] == _MARK:
            return payloads[1:-1]
        if len(payloads) == 1 and payloads[0]:
            return payloads
    raise StateDamagedError(f"{path}: the snapshot is incomplete or damaged")


def remove_unfinished(folder: Path) -> None:
    """Remove unfinished snapshots of a killed process."""
    for path in folder.glob("snapshot-*.tmp"):
        path.unlink()
