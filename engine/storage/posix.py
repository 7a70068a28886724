"""The few file calls that only POSIX has, each with what stands in for it elsewhere."""

import os
import sys
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

    def sync_data(fd: int) -> None:
        """Make written data durable. fsync alone leaves them in the drive's cache on macOS."""
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

elif sys.platform == "win32":

    def sync_data(fd: int) -> None:
        """Make written data durable."""
        os.fsync(fd)

else:

    def sync_data(fd: int) -> None:
        """Make written data durable, without the file's times."""
        os.fdatasync(fd)


def reserve_space(fd: int, size: int) -> None:
    """Take `size` bytes of disk at once; OSError when there are not that many. No-op where unknown."""
    if sys.platform == "linux":
        os.posix_fallocate(fd, 0, size)


def sync_folder(folder: Path) -> None:
    """Make created and renamed names durable. Windows keeps them with the files."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
