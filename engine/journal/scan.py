"""One segment read whole."""

from pathlib import Path

import msgspec

from engine.journal.damage import Torn, examine_tail
from engine.journal.segment import HEADER_BYTES, Header, check_header, checksum_at, decode_record, frames
from engine.model.records import JournalRecord


class SegmentScan(msgspec.Struct):
    """Outcome of reading one segment. `end` is where the next frame goes, `tip` the CRC of the last one,
    `before` that of the one before `records` (0: not in this file), `size_bytes` the file's size."""

    header: Header
    records: list[tuple[int, JournalRecord]]
    next_sequence: int
    end: int
    size_bytes: int
    tip: int
    before: int = 0
    torn: Torn | None = None


def read_segment(path: Path, first_sequence: int, digest: bytes | None, *, after: int = 0) -> SegmentScan:
    """Read every whole record with a sequence above `after`. JournalError names damaged ones."""
    data = path.read_bytes()
    said = check_header(data, path.name, first_sequence, digest)
    scan = SegmentScan(said, [], first_sequence, HEADER_BYTES, len(data), said.tip)
    if first_sequence == after + 1:
        scan.before = said.tip
    start = HEADER_BYTES
    for sequence, payload, end in frames(data, HEADER_BYTES, first_sequence):
        if sequence > after:
            scan.records.append((sequence, decode_record(payload, path.name, sequence)))
        elif sequence == after:
            scan.before = checksum_at(data, scan.end)
        scan.next_sequence = sequence + 1
        start, scan.end = scan.end, end
    if scan.end > HEADER_BYTES:
        scan.tip = checksum_at(data, start)
    scan.torn = examine_tail(data, path.name, scan.end, scan.next_sequence)
    return scan
