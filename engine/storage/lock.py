"""One writer for each data folder, on every platform: an exclusive lock of a small SQLite file.

The operating system gives the lock back when the process dies, however it dies.
"""

import contextlib
import errno
import os
import sqlite3
from pathlib import Path


class FolderLocked(Exception):
    """Another engine uses the folder; the text is one sentence."""


class FolderLock:
    """Held from construction until `release`. FolderLocked when somebody else has it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._note = folder / "engine.pid"
        self._connection = sqlite3.connect(
            folder / "engine.lock", timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise OSError(errno.EIO, str(error)) from error
            raise FolderLocked(
                f"another engine{self._holder()} is using {folder}; only one may use a data folder at a time"
            ) from error
        with contextlib.suppress(OSError):
            self._note.write_text(str(os.getpid()), "utf-8")

    def _holder(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            return f" (process {int(self._note.read_text('utf-8'))})"
        return ""

    def release(self) -> None:
        """Give the folder back; a second call does nothing."""
        self._connection.close()
