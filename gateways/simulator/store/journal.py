"""Journal file: append-only records with checksums.

File: 8 bytes `NBSIM\\x00\\x01\\n`, then records: length (u32), sequence (u64), CRC-32 of sequence and
payload (u32), payload; little endian. An incomplete record can only be the last one, and is cut off when
the file is opened. A damaged record followed by a valid one is not an incomplete write, and opening fails.
An empty record ends a file that another one continues.
"""

import os
import struct
import zlib
from io import FileIO
from pathlib import Path

import numpy as np

MAGIC = b"NBSIM\x00\x01\n"
_HEADER = struct.Struct("<IQI")
_SEQUENCE = struct.Struct("<Q")
MAX_RECORD = 256 * 1024 * 1024
END = b""
"""Payload of the last record of a file that another file continues."""


class StateDamagedError(Exception):
    """The state folder cannot be trusted; the message names file and place."""


def encode(sequence: int, payload: bytes) -> bytes:
    """Return a record's bytes."""
    if len(payload) > MAX_RECORD:
        raise ValueError(f"record of {len(payload)} bytes is over the limit of {MAX_RECORD}")
    check = zlib.crc32(payload, zlib.crc32(_SEQUENCE.pack(sequence)))
    return _HEADER.pack(len(payload), sequence, check) + payload


def _record_at(data: bytes, offset: int) -> tuple[int, bytes] | None:
    """Return (sequence, payload) of a valid record at `offset`, None otherwise."""
    if offset + _HEADER.size > len(data):
        return None
    length, sequence, check = _HEADER.unpack_from(data, offset)
    start = offset + _HEADER.size
    if length > MAX_RECORD or start + length > len(data):
        return None
    payload = data[start : start + length]
    if zlib.crc32(payload, zlib.crc32(_SEQUENCE.pack(sequence))) != check:
        return None
    return sequence, payload


def read(path: Path, first_sequence: int) -> tuple[list[bytes], int]:
    """Return the payloads of a file and the length of its valid part in bytes.

    Sequences must continue from `first_sequence`. Raises `StateDamagedError`.
    """
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        if len(data) < len(MAGIC) and MAGIC.startswith(data):
            return [], 0
        raise StateDamagedError(f"{path}: not a state file of this version")
    payloads: list[bytes] = []
    offset = len(MAGIC)
    sequence = first_sequence
    while offset < len(data):
        found = _record_at(data, offset)
        if found is None or found[0] != sequence:
            _refuse_damage(path, data, offset, sequence)
            break
        payloads.append(found[1])
        offset += _HEADER.size + len(found[1])
        sequence += 1
    return payloads, offset


def _refuse_damage(path: Path, data: bytes, offset: int, sequence: int) -> None:
    """Raise when a valid record follows a damaged one."""
    for start in _possible_starts(data, offset + 1, sequence):
        found = _record_at(data, start)
        if found is not None:
            later = found[0]
            lost = (
                f"records {sequence} to {later - 1} are" if later - 1 > sequence else f"record {sequence} is"
            )
            raise StateDamagedError(f"{path}: {lost} damaged but record {later} after it is valid")


def _possible_starts(data: bytes, start: int, sequence: int) -> list[int]:
    """Return the offsets at which a record of that sequence or a later one could start, ascending."""
    highest = sequence + (len(data) - start) // _HEADER.size
    found = []
    for place in range(start + 4, min(start + 12, len(data) - _SEQUENCE.size + 1)):
        words = np.frombuffer(data, "<u8", (len(data) - place) // _SEQUENCE.size, place)
        hits = np.flatnonzero((words >= sequence) & (words <= highest))
        found.append(hits * _SEQUENCE.size + place - 4)
    return sorted(np.concatenate(found).tolist()) if found else []


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, on platforms that can open a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(file: FileIO, data: bytes) -> None:
    """Write all bytes to an unbuffered file, in as many calls as needed."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


class JournalWriter:
    """Appends records; `append` returns once the record is on disk."""

    def __init__(self, path: Path, next_sequence: int, sound_length: int | None = None) -> None:
        """Open `path` and cut it to `sound_length` bytes; None creates a new file."""
        self.path = path
        self.next_sequence = next_sequence
        self._is_broken = False
        fresh = sound_length is None or sound_length < len(MAGIC)
        self._file = path.open("wb" if fresh else "r+b", buffering=0)
        try:
            if fresh:
                write_all(self._file, MAGIC)
            else:
                self._file.truncate(sound_length)
                self._file.seek(0, os.SEEK_END)
            os.fsync(self._file.fileno())
        except OSError:
            self._file.close()
            raise
        self.size = self._file.tell()

    def append(self, payload: bytes) -> None:
        """Write one record and flush it to the disk. After an error all further writes are refused."""
        if self._is_broken:
            raise StateDamagedError(f"{self.path}: not written to after an earlier error")
        self._is_broken = True
        record = encode(self.next_sequence, payload)
        write_all(self._file, record)
        os.fsync(self._file.fileno())
        self.next_sequence += 1
        self.size += len(record)
        self._is_broken = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()
