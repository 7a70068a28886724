"""Arrays kept on disk by name, for whoever would compute them again; losing one costs only time."""

import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from engine.compiled.functions import CACHE_FOLDER

FOLDER = CACHE_FOLDER.parent / "features"
MOST_BYTES = 1_000_000_000
_HEAD_BYTES = 5
_KINDS = {b"f": np.dtype(np.float64), b"b": np.dtype(np.bool_)}
_OLD_PART_SECONDS = 3600


class Store:
    """A folder with one file an array, at most `most_bytes` in all; what was not used for longest goes first.

    Several processes may use one folder. A file that is damaged or of another length is as if it were not
    there, and a folder that cannot be written keeps nothing.
    """

    def __init__(self, folder: Path = FOLDER, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self.most_bytes = most_bytes

    def get(self, name: str, length: int) -> NDArray[Any] | None:
        """The array of that name and length, float64 or bool, or None."""
        path = self.folder / name
        try:
            whole = path.read_bytes()
            os.utime(path)  # used now
        except OSError:
            return None
        kind, body = _KINDS.get(whole[4:_HEAD_BYTES]), memoryview(whole)[_HEAD_BYTES:]
        if kind is None or len(body) != length * kind.itemsize or whole[:4] != _sum(body):
            return None
        return np.frombuffer(body, kind).copy()

    def put(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays by name; other processes see all of one or nothing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, values in arrays.items():
                self._write(name, values)
            self._make_room()
        except OSError:
            return  # they will be computed again

    def _write(self, name: str, values: NDArray[Any]) -> None:
        kind = b"b" if values.dtype == np.bool_ else b"f"
        body = np.ascontiguousarray(values, _KINDS[kind]).data.cast("B") if len(values) else memoryview(b"")
        part = self.folder / f"{name}.{uuid4().hex}.part"
        try:
            with part.open("wb") as file:
                file.write(_sum(body) + kind)
                file.write(body)
            part.replace(self.folder / name)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _make_room(self) -> None:
        """Delete what was used longest ago until the rest fits, and what a process left half written."""
        files = []
        for path in self.folder.iterdir():
            with suppress(OSError):  # another process may tidy up as well
                found = path.stat()
                files.append((found.st_mtime, found.st_size, path))
        files.sort(reverse=True)
        total, newest = 0, files[0][0] if files else 0.0
        for used, size, path in files:
            if path.suffix == ".part":
                is_in_the_way = newest - used > _OLD_PART_SECONDS
            else:
                total += size
                is_in_the_way = total > self.most_bytes
            if is_in_the_way:
                with suppress(OSError):
                    path.unlink()


def _sum(body: memoryview) -> bytes:
    return zlib.crc32(body).to_bytes(4, "little")
