"""Reading a data folder: the newest usable snapshot and every record after it, or a clear refusal."""

from itertools import pairwise
from pathlib import Path

import msgspec

from engine.journal.damage import named
from engine.journal.lineage import Scanned, check_lineage, shortened
from engine.journal.scan import read_segment
from engine.journal.segment import JournalError, segment_paths, strangers
from engine.journal.snapshots import SnapshotFile, read_snapshot, snapshot_paths
from engine.model.records import SCHEMA_VERSION, JournalRecord, Start


class Recovered(msgspec.Struct, frozen=True):
    """What a journal holds. `state` is what was handed to `Journal.rotate`, or None; `records` are those
    written after it, with their sequence. `engine_id` is "" and `fencing` 0 where no engine ever started.

    `dropped_bytes` > 0: a torn tail was cut off. `warnings` are sentences for a person. The last segment goes
    on at byte `end` with `next_sequence`; `segment` is None in an empty folder. `tip` is the CRC of the last
    record. `lost` says which records were there and are no more, "" where none is known to be.
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
    tip: int = 0
    lost: str = ""


def read_folder(folder: Path, digest: bytes | None) -> Recovered:
    """Everything needed to go on. JournalError when something is missing, damaged or somebody else's."""
    segments = segment_paths(folder)
    snapshot, warnings = _newest_snapshot(folder, digest)
    warnings += [f"{name} in {folder} is no file of the journal: not read" for name in strangers(folder)]
    if not segments:
        if snapshot is not None:
            raise JournalError(f"snapshot {snapshot.sequence} in {folder} has no journal beside it")
        return Recovered("", 0, None, (), 0, tuple(warnings), 1, None, 0)
    start = snapshot.sequence if snapshot else 0
    if segments[0][0] > start + 1:
        which, verb = named(start + 1, segments[0][0] - 1)
        raise JournalError(f"{which} in {folder} {verb} missing and no usable snapshot replaces them")
    scans = _scans(segments, digest, start)
    _, path, scan = scans[-1]
    if scan.next_sequence <= start:
        raise JournalError(
            f"the journal in {folder} is older than its snapshot: it ends with record "
            f"{scan.next_sequence - 1}, the snapshot is of {start}"
        )
    records = tuple(record for _, _, one in scans for record in one.records)
    engine_id, fencing = _identity(snapshot, records)
    check_lineage(segments[0], scans, snapshot, engine_id)
    lost, note = shortened(path.name, scan)
    if scan.torn is not None:
        warnings.append(scan.torn.sentence(path.name))
    warnings += [sentence for sentence in (lost, note) if sentence]
    return Recovered(
        engine_id,
        fencing,
        snapshot.state if snapshot else None,
        records,
        scan.torn.size_bytes if scan.torn else 0,
        tuple(warnings),
        scan.next_sequence,
        path,
        scan.end,
        scan.tip,
        lost,
    )


def _scans(segments: list[tuple[int, Path]], digest: bytes | None, start: int) -> list[Scanned]:
    """The segments that hold records above `start`, read; each must end where the next one begins."""
    needed = [pair for at, pair in enumerate(segments) if _reaches(segments, at, start)]
    scans = [(first, path, read_segment(path, first, digest, after=start)) for first, path in needed]
    for (_, path, scan), (following, _, _) in pairwise(scans):
        if scan.next_sequence != following:
            which, verb = named(scan.next_sequence, following - 1)
            raise JournalError(
                f"{which} in {path.name} {verb} damaged or missing: the next file begins with {following}"
            )
    return scans


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


def _identity(
    snapshot: SnapshotFile | None, records: tuple[tuple[int, JournalRecord], ...]
) -> tuple[str, int]:
    """The engine's, and the highest number of a start. JournalError where two engines' are mixed."""
    engine_id, fencing = (snapshot.engine_id, snapshot.fencing) if snapshot else ("", 0)
    for _, record in records:
        if isinstance(record, Start):
            if record.schema_version > SCHEMA_VERSION:
                raise JournalError(
                    f"the journal was written with schema {record.schema_version}, this version knows "
                    f"{SCHEMA_VERSION}; use the newer version"
                )
            if engine_id and record.engine_id != engine_id:
                raise JournalError(
                    f"files of two journals are mixed here: of engine {engine_id} and of engine "
                    f"{record.engine_id}; restore the folder from one copy"
                )
            engine_id, fencing = record.engine_id, max(fencing, record.fencing)
    return engine_id, fencing
