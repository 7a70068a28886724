"""The journal's file format: a header, then frames, then zeros up to the preallocated size.

Header, 64 bytes: magic, format version, first sequence, account digest, CRC-32C of those, padding.
Frame: CRC-32C of all that follows, payload length, sequence, `durable`, payload. `durable` is the highest
sequence known to be on disk when the frame was written. It tells two kinds of damage apart: a bad frame
followed by one that was written after it had been flushed is corruption; a bad frame followed by nothing, or
only by frames of the same unflushed batch, is a torn write that nobody had been told was done.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.storage.crc32c import crc32c
from engine.storage.records import JournalRecord
from supervisor.files import preallocate, sync_data, sync_folder

MAGIC = b"NEXTBARJ"
FORMAT_VERSION = 1
HEADER_BYTES = 64
MAX_PAYLOAD_BYTES = 1 << 24
_HEADER = struct.Struct("<8sIQ32s")
_CRC = struct.Struct("<I")
_FRAME = struct.Struct("<IQQ")
FRAME_BYTES = _CRC.size + _FRAME.size
_SEQUENCE_OFFSET = _CRC.size + 4
_LOOK_AHEAD = 1_000
_ZEROS = bytes(4096)
"""A page. Linux keeps a file in memory in pieces as large as it was written in, and each later write and sync
looks at every block of the piece it touches: behind zeros written by the MiB that takes 20 us longer."""
_SEGMENT_NAME = "journal-{:016d}.log"

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(JournalRecord)


class JournalError(Exception):
    """The journal cannot be used; the text is one sentence for a person."""


class JournalFull(JournalError):
    """The disk is full: only what exits need is still taken, from the reserve."""


def account_digest(account: str) -> bytes:
    """What headers hold instead of the account's name."""
    return hashlib.blake2b(account.encode(), digest_size=32).digest()


def segment_path(folder: Path, first_sequence: int) -> Path:
    """File of the segment that begins with that sequence."""
    return folder / _SEGMENT_NAME.format(first_sequence)


def segment_paths(folder: Path) -> list[tuple[int, Path]]:
    """All segments with their first sequence by name, ascending."""
    return sorted((int(path.stem[8:]), path) for path in folder.glob("journal-*.log"))


def frame(record: JournalRecord, sequence: int, durable: int) -> bytes:
    """One record as it stands in the file."""
    payload = _encode(record)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise JournalError(f"a record of {len(payload)} bytes is above the limit of {MAX_PAYLOAD_BYTES}")
    body = _FRAME.pack(len(payload), sequence, durable) + payload
    return _CRC.pack(crc32c(body)) + body


def header(first_sequence: int, digest: bytes) -> bytes:
    """First 64 bytes of a segment."""
    body = _HEADER.pack(MAGIC, FORMAT_VERSION, first_sequence, digest)
    return (body + _CRC.pack(crc32c(body))).ljust(HEADER_BYTES, b"\0")


class SegmentScan(msgspec.Struct):
    """Outcome of reading one segment. `end` is where the next frame goes, `dropped_bytes` what is written
    behind it and cannot be used."""

    records: list[tuple[int, JournalRecord]]
    next_sequence: int
    end: int
    dropped_bytes: int


def check_header(data: bytes, name: str, first_sequence: int, digest: bytes | None) -> None:
    """JournalError unless the header is whole and belongs to this place and account."""
    body = data[: _HEADER.size]
    if len(data) < HEADER_BYTES or _CRC.pack(crc32c(body)) != data[_HEADER.size : _HEADER.size + 4]:
        raise JournalError(f"{name} has a damaged header")
    magic, version, first, found = _HEADER.unpack(body)
    if magic != MAGIC or version > FORMAT_VERSION:
        raise JournalError(f"{name} is not a journal of format {FORMAT_VERSION}; a newer version wrote it")
    if first != first_sequence:
        raise JournalError(f"{name} begins with record {first}, its name says {first_sequence}")
    if digest is not None and found != digest:
        raise JournalError(f"{name} belongs to another account")


def read_segment(path: Path, first_sequence: int, digest: bytes | None, *, after: int = 0) -> SegmentScan:
    """Read every whole record with a sequence above `after`. JournalError names a damaged one."""
    data = path.read_bytes()
    check_header(data, path.name, first_sequence, digest)
    scan = SegmentScan([], first_sequence, HEADER_BYTES, 0)
    for sequence, payload, end in frames(data, HEADER_BYTES, first_sequence):
        if sequence > after:
            scan.records.append((sequence, decode_record(payload, path.name, sequence)))
        scan.next_sequence = sequence + 1
        scan.end = end
    rest = data[scan.end :].rstrip(b"\0")
    if rest:
        _refuse_if_corrupt(data, path.name, scan, len(rest))
        scan.dropped_bytes = len(rest)
    return scan


def decode_record(payload: bytes, name: str, sequence: int) -> JournalRecord:
    """The record of one frame. JournalError for a kind this version does not know."""
    try:
        record: JournalRecord = _decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise JournalError(
            f"record {sequence} in {name} is of a kind this version does not know: {error}"
        ) from error
    return record


def frames(data: bytes, start: int, sequence: int) -> Iterator[tuple[int, bytes, int]]:
    """Whole frames from `start` on, the first with that sequence, and where each ends."""
    while (payload := _payload_at(data, start, sequence)) is not None:
        start += FRAME_BYTES + len(payload)
        yield sequence, payload, start
        sequence += 1


def _payload_at(data: bytes, start: int, sequence: int) -> bytes | None:
    body_start = start + _CRC.size
    payload_start = start + FRAME_BYTES
    if payload_start > len(data):
        return None
    length, found, _ = _FRAME.unpack_from(data, body_start)
    end = payload_start + length
    if found != sequence or length > MAX_PAYLOAD_BYTES or end > len(data):
        return None
    if crc32c(data[body_start:end]) != _CRC.unpack_from(data, start)[0]:
        return None
    return data[payload_start:end]


def _refuse_if_corrupt(data: bytes, name: str, scan: SegmentScan, written: int) -> None:
    """JournalError when a later whole frame proves that the bad one at `scan.end` had been flushed."""
    bad = scan.next_sequence
    for later in range(bad + 1, bad + 1 + _LOOK_AHEAD):
        wanted = later.to_bytes(8, "little")
        at = scan.end
        while (at := data.find(wanted, at, scan.end + written + 8)) >= 0:
            start = at - _SEQUENCE_OFFSET
            if _payload_at(data, start, later) is not None and _durable_at(data, start) >= bad:
                raise JournalError(
                    f"record {bad} in {name} (byte {scan.end}) is damaged: its checksum is wrong, and record "
                    f"{later} after it is whole; restore the file from a copy"
                )
            at += 1


def _durable_at(data: bytes, start: int) -> int:
    return int(_FRAME.unpack_from(data, start + _CRC.size)[2])


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write everything at the file's position. OSError when the disk takes no more."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_zeros(fd: int, size: int) -> None:
    """Write that many zero bytes at the file's position, in pages. OSError when the disk takes no more."""
    for start in range(0, size, len(_ZEROS)):
        write_all(fd, memoryview(_ZEROS)[: min(len(_ZEROS), size - start)])


def open_file(path: Path, flags: int) -> int:
    """A file descriptor without newline translation, not inherited."""
    return os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)


def make_zeroed(path: Path, size: int) -> None:
    """A file of `size` zero bytes, really written: later writes into it need no new blocks.

    OSError when the disk has not that much; the unfinished file is removed.
    """
    fd = open_file(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        try:
            preallocate(fd, size)
            write_zeros(fd, size)
            sync_data(fd)
        finally:
            os.close(fd)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    sync_folder(str(path.parent))
