"""The next segment, prepared by a thread before it is needed: changing segments then costs one rename."""

import contextlib
import threading
from pathlib import Path

from engine.journal.segment import make_zeroed


class SpareSegment:
    """A preallocated file at `path`. Owned by the journal's thread; its own thread only writes zeros."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._thread: threading.Thread | None = None
        self._ready = False

    def prepare(self) -> None:
        """Begin to make it, unless that was done. A full disk shows when it is taken."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._make, name="journal-spare", daemon=True)
            self._thread.start()

    def _make(self) -> None:
        with contextlib.suppress(OSError):
            make_zeroed(self._path, self._size)
            self._ready = True

    def take(self) -> Path:
        """The file, now the caller's. OSError when the disk has no room for it."""
        self._wait()
        if not self._ready:
            make_zeroed(self._path, self._size)
        self._ready = False
        return self._path

    def discard(self) -> None:
        """Remove one that was not needed."""
        self._wait()
        self._path.unlink(missing_ok=True)

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
