"""Everything that exists only on POSIX. `runtime.process.files` chooses between this and Windows."""

import fcntl
import os
import sys

assert sys.platform != "win32"  # the type check for Windows stops here


def try_lock(descriptor: int) -> bool:
    """Lock the open file for this process; false when another one holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def preallocate(descriptor: int, size: int) -> None:
    """Reserve disk space for the first `size` bytes. OSError when there is not enough."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    elif os.fstat(descriptor).st_size < size:
        os.ftruncate(descriptor, size)


def sync_data(descriptor: int) -> None:
    """Make written bytes durable, and of the file's attributes only those needed to read them."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(path: str) -> None:
    """Make created, renamed and deleted names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_way() -> None:
    """Let a process that is waiting for this processor run first."""
    os.sched_yield()
