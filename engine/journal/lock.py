"""One writer for each data folder. The system gives the lock back when the process dies, however it dies."""

import contextlib
import os
from pathlib import Path

from runtime.process.files import FileLock


class FolderLocked(Exception):
    """Another engine uses the folder; the text is one sentence."""


class FolderLock:
    """Held from construction until `release`. FolderLocked when somebody else has it."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / "engine.pid"
        self._lock = FileLock(folder / "engine.lock")
        if not self._lock.acquire():
            raise FolderLocked(
                f"another engine{self._holder()} is using {folder}; only one may use a data folder at a time"
            )
        with contextlib.suppress(OSError):
            self._note.write_text(str(os.getpid()), "utf-8")

    def _holder(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            return f" (process {int(self._note.read_text('utf-8'))})"
        return ""

    def release(self) -> None:
        """Give the folder back; a second call does nothing."""
        self._lock.release()
