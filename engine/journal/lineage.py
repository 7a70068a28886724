"""Whether the files of a journal belong together, and whether some are missing at the end.

Each segment names the engine and the record it follows, a snapshot the record it is of. Files of another
engine, or of another branch of this one's history (a folder put together from two copies), are refused: what
they hold would be counted twice. Files of earlier versions do not say, and are taken as they are.
"""

from itertools import pairwise
from pathlib import Path

from engine.journal.scan import SegmentScan
from engine.journal.segment import FRAME_BYTES, HEADER_BYTES, JournalError, decode_record, frames, identity_of
from engine.journal.snapshots import SnapshotFile
from engine.model.records import Start

Scanned = tuple[int, Path, SegmentScan]
"""First sequence, file and content."""
_FIRST_BYTES = 4096
_REMEDY = "restore the folder from one copy"


def check_lineage(
    oldest: tuple[int, Path], scans: list[Scanned], snapshot: SnapshotFile | None, engine_id: str
) -> None:
    """JournalError names the file that is of another journal. `oldest` is the first segment there is."""
    ours = identity_of(engine_id)
    for _, path, scan in scans:
        if ours and scan.header.identity not in {0, ours}:
            raise JournalError(
                f"{path.name} is of another engine than {engine_id}, whose journal this is; {_REMEDY}"
            )
    for (_, _, before), (_, path, scan) in pairwise(scans):
        if scan.header.tip not in {0, before.tip}:
            raise JournalError(
                f"{path.name} does not follow the records before it: it is of another run; {_REMEDY}"
            )
    if snapshot is None:
        return
    first_engine = _first_engine(*oldest)
    found = scans[0][2].before
    if first_engine not in {"", engine_id} or (snapshot.tip and found not in {0, snapshot.tip}):
        raise JournalError(
            f"snapshot {snapshot.sequence} is of another run than the journal beside it; {_REMEDY}"
        )


def _first_engine(sequence: int, path: Path) -> str:
    """Whose journal the first record says it is; "" where that record is gone."""
    if sequence != 1:
        return ""
    with path.open("rb") as file:
        data = file.read(_FIRST_BYTES)
    for number, payload, _ in frames(data, HEADER_BYTES, 1):
        record = decode_record(payload, path.name, number)
        return record.engine_id if isinstance(record, Start) else ""
    return ""


def shortened(name: str, scan: SegmentScan) -> tuple[str, str]:
    """What the last segment's size tells: which records are lost ("": none), and what to tell beside that.

    A segment is given its whole size before it is used. It is cut to its records when the next one has been
    begun, so one without room behind them has lost what followed.
    """
    allocated, following, torn = scan.header.size_bytes, scan.next_sequence, scan.torn
    has_room = torn is None and scan.size_bytes - scan.end >= FRAME_BYTES
    is_short = scan.size_bytes < allocated or (not allocated and _is_filled(scan))
    if not is_short:
        return "", ""
    if has_room:
        return "", f"{name} is shorter than it was allocated; no record of it is missing"
    if torn is not None:
        return f"record {following} and all after it are lost: the end of {name} was cut off", ""
    return (
        f"the records after {following - 1} are lost: {name} ends there without room for more, so the file "
        "after it is missing or its end was cut off"
    ), ""


def _is_filled(scan: SegmentScan) -> bool:
    """Of a file that does not say its size: no room behind what was written."""
    written = scan.end + (scan.torn.size_bytes if scan.torn else 0)
    return scan.end > HEADER_BYTES and scan.size_bytes - written < FRAME_BYTES
