"""Snapshot files: the whole state in records small enough to write one between two requests.

File: as a journal (`journal.py`), the first and the last record empty, so that a file cut short anywhere is
told from a whole one. Files of one single record, which earlier versions wrote, are read as well.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from gateways.simulator.store import journal
from gateways.simulator.store.journal import StateDamagedError

_MARK = b""


class SnapshotWriter:
    """Writes the slices of one state to a file of another name, and gives it its own when it is whole."""

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
        """Write one more slice to the disk; return whether the snapshot now stands.

        Each slice is flushed by itself: flushing the whole file at its end would take long.
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
        """Let the file go; unless the snapshot stands, what was written of it is worthless."""
        self._file.close()

    def _append(self, payload: bytes) -> None:
        journal.write_all(self._file, journal.encode(self._sequence, payload))
        self._sequence += 1


def read(path: Path) -> list[bytes]:
    """Return the slices of a snapshot. Raises `StateDamagedError` unless it is whole."""
    payloads, sound = journal.read(path, 0)
    if sound == path.stat().st_size:
        if len(payloads) > 1 and payloads[0] == payloads[-1] == _MARK:
            return payloads[1:-1]
        if len(payloads) == 1 and payloads[0]:
            return payloads
    raise StateDamagedError(f"{path}: no sound snapshot in it")


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process had written of its snapshots."""
    for path in folder.glob("snapshot-*.tmp"):
        path.unlink()
