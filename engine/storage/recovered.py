"""Reading a data folder: the newest usable snapshot and every record after it, or a clear refusal."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.storage.records import SCHEMA_VERSION, JournalRecord, Start
from engine.storage.segment import JournalError, SegmentScan, read_segment, segment_paths
from engine.storage.snapshots import SnapshotFile, read_snapshot, snapshot_paths


class Recovered(msgspec.Struct, frozen=True):
    """What a journal holds. `state` is what was handed to `Journal.rotate`, or None; `records` are those
    written after it, with their sequence. `engine_id` is "" and `fencing` 0 where no engine ever started.

    `dropped_bytes` > 0: a torn tail was cut off. `warnings` are sentences for a person. The last segment goes
    on at byte `end` with `next_sequence`; `segment` is None in an empty folder.
    """

    engine_id: str
    fencing: int
    state: bytes | None
    records: tuple[tuple[int, JournalRecord], ...]
    dropped_bytes: int
    warnings: tuple[str, ...]
    next_sequence: int
    segment: Path | None
    end: int


def read_folder(folder: Path, digest: bytes | None) -> Recovered:
    """Everything needed to go on. JournalError when something is missing, damaged or somebody else's."""
    segments = segment_paths(folder)
    snapshot, warnings = _newest_snapshot(folder, digest)
    if not segments:
        if snapshot is not None:
            raise JournalError(f"snapshot {snapshot.sequence} in {folder} has no journal beside it")
        return Recovered("", 0, None, (), 0, tuple(warnings), 1, None, 0)
    start = snapshot.sequence if snapshot else 0
    if segments[0][0] > start + 1:
        missing = f"records {start + 1} to {segments[0][0] - 1}"
        raise JournalError(f"{missing} in {folder} are missing and no usable snapshot replaces them")
    records: list[tuple[int, JournalRecord]] = []
    needed = [pair for at, pair in enumerate(segments) if _reaches(segments, at, start)]
    for at, (first, path) in enumerate(needed):
        scan = read_segment(path, first, digest, after=start)
        records.extend(scan.records)
        if at + 1 < len(needed):
            _check_joined(path, scan, needed[at + 1][0])
    if scan.next_sequence <= start:
        raise JournalError(
            f"the journal in {folder} is older than its snapshot: it ends with record "
            f"{scan.next_sequence - 1}, the snapshot is of {start}"
        )
    if scan.dropped_bytes:
        warnings.append(
            f"{scan.dropped_bytes} bytes of an unfinished write at the end of {path.name} were dropped"
        )
    engine_id, fencing = _identity(snapshot, records)
    return Recovered(
        engine_id,
        fencing,
        snapshot.state if snapshot else None,
        tuple(records),
        scan.dropped_bytes,
        tuple(warnings),
        scan.next_sequence,
        path,
        scan.end,
    )


def _newest_snapshot(folder: Path, digest: bytes | None) -> tuple[SnapshotFile | None, list[str]]:
    warnings: list[str] = []
    for sequence, path in snapshot_paths(folder):
        content = read_snapshot(path, sequence, digest)
        if content is not None:
            return content, warnings
        warnings.append(f"{path.name} is damaged; an older state and more of the journal are used instead")
    return None, warnings


def _reaches(segments: list[tuple[int, Path]], at: int, start: int) -> bool:
    """Whether a segment holds records above `start`; the last one is always read."""
    return at == len(segments) - 1 or segments[at + 1][0] > start + 1


def _check_joined(path: Path, scan: SegmentScan, next_first: int) -> None:
    if scan.next_sequence != next_first:
        raise JournalError(
            f"record {scan.next_sequence} in {path.name} is damaged or missing: the file ends before it, the "
            f"next one begins with {next_first}"
        )


def _identity(snapshot: SnapshotFile | None, records: list[tuple[int, JournalRecord]]) -> tuple[str, int]:
    engine_id, fencing = (snapshot.engine_id, snapshot.fencing) if snapshot else ("", 0)
    for _, record in records:
        if isinstance(record, Start):
            if record.schema_version > SCHEMA_VERSION:
                raise JournalError(
                    f"the journal was written with schema {record.schema_version}, this version knows "
                    f"{SCHEMA_VERSION}; use the newer version"
                )
            engine_id, fencing = record.engine_id, max(fencing, record.fencing)
    return engine_id, fencing


def read_records(folder: Path, *, after: int = 0) -> Iterator[tuple[int, JournalRecord]]:
    """All records above `after`, of a journal that may be in use; ends at the last whole one."""
    segments = segment_paths(folder)
    for at, (first, path) in enumerate(segments):
        if _reaches(segments, at, after):
            yield from read_segment(path, first, None, after=after).records
