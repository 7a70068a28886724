"""File operations that differ between POSIX and Windows, under one name each."""

import contextlib
import os
import stat
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock the open file for this process; false when another one holds the lock."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def preallocate(descriptor: int, size: int) -> None:
        """Reserve disk space for the first `size` bytes. OSError when there is not enough."""
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)

    def sync_data(descriptor: int) -> None:
        """Make written bytes durable."""
        os.fsync(descriptor)

    def sync_folder(path: str) -> None:
        """Nothing to do on Windows."""

else:
    from runtime.process.posix import preallocate, sync_data, sync_folder, try_lock

PRIVATE_VARIABLE = "NEXTBAR_PRIVATE"
"""The folder in which a parent process has already removed the permissions of other users."""

__all__ = [
    "PRIVATE_VARIABLE",
    "FileLock",
    "keep_private",
    "preallocate",
    "sync_data",
    "sync_folder",
    "try_lock",
]


def keep_private(tree: Path, *folders: Path) -> None:
    """Make what is in `tree`, `folders` themselves, and all that this process writes from now on, unreadable
    for other users of this machine. Missing folders are made.

    Children inherit what was done: they do not go through the same tree again. Files that belong to another
    user, or to a file system that takes no change, are left as they are. Windows has no such permission bits:
    there the user's profile is private by itself.
    """
    os.umask(0o077)
    for folder in (tree, *folders):
        folder.mkdir(parents=True, exist_ok=True)
    if os.name != "posix":
        return
    for path in (*folders, tree):
        _take_from_others(path)
    place, done = tree.resolve(), os.environ.get(PRIVATE_VARIABLE)
    if done is None or not place.is_relative_to(done):
        for path in tree.rglob("*"):
            _take_from_others(path)
        os.environ[PRIVATE_VARIABLE] = str(place)


def _take_from_others(path: Path) -> None:
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if mode & 0o077 and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~0o077)


class FileLock:
    """A lock file that one process holds. The system releases it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; false when another process holds it. OSError when the file cannot be created."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
