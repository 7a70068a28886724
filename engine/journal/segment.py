"""The journal's file format: a header, then frames, then zeros up to the preallocated size.

Header, 64 bytes: magic, format version, first sequence, account digest, engine's identity, CRC of the record
before the first one, preallocated size, CRC-32C of those, padding. So each segment says to which journal it
belongs and which record it follows. Files of format 1 have a longer digest instead of the three numbers.
Frame: CRC-32C of all that follows, payload length, sequence, `durable`, payload. `durable` is the highest
sequence known to be on disk when the frame was written. It tells two kinds of damage apart: a bad frame
followed by one that was written after it had been flushed is corruption; a bad frame followed by nothing, or
only by frames of the same unflushed batch, is a torn write that nobody had been told was done.
"""

import hashlib
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.journal.crc32c import crc32c
from engine.model.earlier_words import in_present_words
from engine.model.records import JournalRecord
from runtime.process.files import preallocate, sync_data, sync_folder

MAGIC = b"NEXTBARJ"
FORMAT_VERSION = 2
HEADER_BYTES = 64
MAX_PAYLOAD_BYTES = 1 << 24
DIGEST_BYTES = 24
_HEADER = struct.Struct("<8sIQ24sIII")
_HEADER_1 = struct.Struct("<8sIQ32s")
_CRC = struct.Struct("<I")
_FRAME = struct.Struct("<IQQ")
FRAME_BYTES = _CRC.size + _FRAME.size
SEQUENCE_OFFSET = _CRC.size + 4
_ZEROS = bytes(4096)
"""A page. Linux keeps a file in memory in pieces as large as it was written in, and each later write and sync
looks at every block of the piece it touches: behind zeros written by the MiB that takes 20 us longer."""
_SEGMENT_NAME = "journal-{:016d}.log"
_NUMBERED = re.compile(r"[a-z]+-([0-9]{16})\.[a-z]+")

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(JournalRecord)


class JournalError(Exception):
    """The journal cannot be used; the text is one sentence for a person."""


class JournalFull(JournalError):
    """The disk is full: only what exits need is still taken, from the reserve."""


def account_digest(account: str) -> bytes:
    """What headers hold instead of the account's name."""
    return hashlib.blake2b(account.encode(), digest_size=32).digest()


def identity_of(engine_id: str) -> int:
    """What headers hold instead of the engine's identity; 0 is nobody's."""
    return crc32c(engine_id.encode()) if engine_id else 0


def segment_path(folder: Path, first_sequence: int) -> Path:
    """File of the segment that begins with that sequence."""
    return folder / _SEGMENT_NAME.format(first_sequence)


def segment_paths(folder: Path) -> list[tuple[int, Path]]:
    """All segments with their first sequence by name, ascending."""
    return numbered(folder, "journal-*.log")


def numbered(folder: Path, pattern: str) -> list[tuple[int, Path]]:
    """Files of ours with the number in their name, ascending. Other files are none of ours."""
    names = ((path, _NUMBERED.fullmatch(path.name)) for path in folder.glob(pattern))
    return sorted((int(name[1]), path) for path, name in names if name)


def strangers(folder: Path) -> list[str]:
    """Names of files that look like the journal's and are not."""
    looks = [path for kind in ("journal-*.log", "snapshot-*.bin", "base-*.bin") for path in folder.glob(kind)]
    return sorted(path.name for path in looks if not _NUMBERED.fullmatch(path.name))


def frame(record: JournalRecord, sequence: int, durable: int) -> bytes:
    """One record as it stands in the file."""
    payload = _encode(record)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise JournalError(f"a record of {len(payload)} bytes is above the limit of {MAX_PAYLOAD_BYTES}")
    body = _FRAME.pack(len(payload), sequence, durable) + payload
    return _CRC.pack(crc32c(body)) + body


class Header(msgspec.Struct, frozen=True):
    """`identity` is that of the engine, `tip` the CRC of the record before the first, `size_bytes` what was
    preallocated; all 0 where the file does not say (format 1)."""

    identity: int = 0
    tip: int = 0
    size_bytes: int = 0


def header(first_sequence: int, digest: bytes, content: Header | None = None) -> bytes:
    """First 64 bytes of a segment."""
    said = content or Header()
    body = _HEADER.pack(
        MAGIC, FORMAT_VERSION, first_sequence, digest[:DIGEST_BYTES], said.identity, said.tip, said.size_bytes
    )
    return (body + _CRC.pack(crc32c(body))).ljust(HEADER_BYTES, b"\0")


def check_header(data: bytes, name: str, first_sequence: int, digest: bytes | None) -> Header:
    """What the header says. JournalError unless it is whole and belongs to this place and account."""
    is_old = data[len(MAGIC) : len(MAGIC) + 4] == b"\1\0\0\0"
    form = _HEADER_1 if is_old else _HEADER
    body = data[: form.size]
    if len(data) < HEADER_BYTES or _CRC.pack(crc32c(body)) != data[form.size : form.size + 4]:
        raise JournalError(f"{name} has a damaged header")
    magic, version, first, found, *rest = form.unpack(body)
    if magic != MAGIC or version > FORMAT_VERSION:
        raise JournalError(f"{name} is not a journal of format {FORMAT_VERSION}; a newer version wrote it")
    if first != first_sequence:
        raise JournalError(f"{name} begins with record {first}, its name says {first_sequence}")
    if digest is not None and found != digest[: len(found)]:
        raise JournalError(f"{name} belongs to another account")
    return Header(*rest)


def decode_record(payload: bytes, name: str, sequence: int) -> JournalRecord:
    """The record of one frame, in present words. JournalError for a kind this version does not know."""
    try:
        record: JournalRecord = _decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise JournalError(
            f"record {sequence} in {name} is of a kind this version does not know: {error}"
        ) from error
    return in_present_words(record)


def frames(data: bytes, start: int, sequence: int) -> Iterator[tuple[int, bytes, int]]:
    """Whole frames from `start` on, the first with that sequence, and where each ends."""
    while (payload := payload_at(data, start, sequence)) is not None:
        start += FRAME_BYTES + len(payload)
        yield sequence, payload, start
        sequence += 1


def payload_at(data: bytes, start: int, sequence: int) -> bytes | None:
    """Payload of the frame at `start`; None unless it is whole and has that sequence."""
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


def checksum_at(data: bytes, start: int) -> int:
    """CRC of the frame at `start`, which tells it from any other record."""
    return int(_CRC.unpack_from(data, start)[0])


def durable_at(data: bytes, start: int) -> int:
    """The highest sequence that was on disk when the frame at `start` was written."""
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
