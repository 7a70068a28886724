"""State of the engine at one sequence of the journal, so that starting need not read everything.

A file holds a header (magic, version, sequence, account digest, payload length, CRC-32C of all) and the
payload. It is written beside its place, made durable, then renamed: there is never half a snapshot.
"""

import os
import struct
import time
from pathlib import Path

import msgspec

from engine.journal.crc32c import crc32c
from engine.journal.segment import JournalError, numbered, open_file, write_all
from runtime.process.files import sync_data, sync_folder

_MAGIC = b"NEXTBARS"
_VERSION = 1
_HEADER = struct.Struct("<8sIQ32sQ")
_CRC = struct.Struct("<I")
_KEPT = 3
_RENAME_TRIES = 20


class SnapshotFile(msgspec.Struct, frozen=True):
    """What a snapshot holds. `state` is the engine's own serialisation, `tip` the CRC of record `sequence`
    (0: not said, in files of before)."""

    sequence: int
    engine_id: str
    fencing: int
    state: bytes
    tip: int = 0


def snapshot_paths(folder: Path) -> list[tuple[int, Path]]:
    """All snapshots by sequence, newest first."""
    return numbered(folder, "snapshot-*.bin")[::-1]


def write_snapshot(folder: Path, digest: bytes, content: SnapshotFile) -> None:
    """Write it, then drop all but the newest few. OSError when the disk is full."""
    write_content(folder / f"snapshot-{content.sequence:016d}.bin", digest, content)
    for _, old in snapshot_paths(folder)[_KEPT:]:
        old.unlink(missing_ok=True)


def write_content(path: Path, digest: bytes, content: SnapshotFile) -> None:
    """Write, make durable, rename to `path`. OSError when the disk is full."""
    payload = msgspec.msgpack.encode(content)
    body = _HEADER.pack(_MAGIC, _VERSION, content.sequence, digest, len(payload)) + payload
    part = path.with_suffix(".tmp")
    fd = open_file(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(fd, _CRC.pack(crc32c(body)) + body)
        sync_data(fd)
    except OSError:
        os.close(fd)
        part.unlink(missing_ok=True)
        raise
    os.close(fd)
    replace_file(part, path)
    sync_folder(str(path.parent))


def replace_file(source: Path, target: Path) -> None:
    """Rename over `target`. Windows refuses while a scanner reads either file: tried again for a while."""
    for attempt in range(_RENAME_TRIES):
        try:
            source.replace(target)
        except PermissionError:
            if attempt == _RENAME_TRIES - 1:
                raise
            time.sleep(0.05)
        else:
            return


def read_snapshot(path: Path, sequence: int, digest: bytes | None) -> SnapshotFile | None:
    """The content, or None where the file is damaged. JournalError when it is another account's."""
    data = path.read_bytes()
    body = data[_CRC.size :]
    if len(body) < _HEADER.size or _CRC.pack(crc32c(body)) != data[: _CRC.size]:
        return None
    magic, version, found, account, length = _HEADER.unpack_from(body)
    if magic != _MAGIC or version > _VERSION:
        raise JournalError(f"{path.name} was written by a newer version")
    if digest is not None and account != digest:
        raise JournalError(f"{path.name} belongs to another account")
    if found != sequence or length != len(body) - _HEADER.size:
        return None
    return msgspec.msgpack.decode(body[_HEADER.size :], type=SnapshotFile)
