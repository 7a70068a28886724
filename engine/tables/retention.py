"""Old journal files go when nobody needs them any more: not recovery, not the tables.

A segment may go when it lies wholly behind the oldest of at least two whole snapshots, when the tables hold
all of it, and when it is old enough. First what it said is written down as a base and is durable, then the
file goes; a kill in between leaves files that are not needed, and the next look takes them.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from engine.journal.segment import JournalError, segment_paths
from engine.journal.snapshots import read_snapshot, snapshot_paths
from engine.tables.follower import Follower
from engine.tables.reading import Reading, base_paths, write_base
from runtime.process.files import sync_folder

LOOK_EVERY_S = 600.0
DAY_S = 86_400.0
SNAPSHOTS_NEEDED = 2
_BATCH = 2_000


class Retention:
    """Deletes what is older than `keep_s`; 0 keeps everything. `now_s` is wall time, as files have it."""

    def __init__(self, folder: Path, keep_s: float, now_s: Callable[[], float]) -> None:
        self._folder = folder
        self._keep_s = keep_s
        self._now_s = now_s
        self._next_s = 0.0

    def look(self, follower: Follower) -> int:
        """Once in a while, when the tables are up to the journal; returns how many files went.

        OSError, JournalError or a database's error: everything is as it was, or needed by nobody.
        """
        now_s = self._now_s()
        if not self._keep_s or now_s < self._next_s:
            return 0
        self._next_s = now_s + LOOK_EVERY_S
        last = self._last_that_may_go(follower.applied, now_s)
        if not last:
            return 0
        follower.make_durable()
        return drop_up_to(self._folder, last)

    def _last_that_may_go(self, applied: int, now_s: float) -> int:
        """The last record of the newest segment that may go; 0 when none may."""
        snapshots = [
            sequence
            for sequence, path in snapshot_paths(self._folder)
            if read_snapshot(path, sequence, None) is not None
        ]
        if len(snapshots) < SNAPSHOTS_NEEDED:
            return 0
        segments = segment_paths(self._folder)
        found = 0
        for (_, path), (following, _) in pairwise(segments):
            if following - 1 > min(applied, *snapshots) or now_s - path.stat().st_mtime < self._keep_s:
                break
            found = following - 1
        return found


def drop_up_to(folder: Path, last: int) -> int:
    """Replace the segments up to the one that ends with record `last` by a base; returns how many went."""
    reading = Reading(folder)
    while reading.sequence < last:
        if not reading.read(min(_BATCH, last - reading.sequence)):
            raise JournalError(f"the journal in {folder} ends before record {last}")
    if reading.begins_after < last:
        write_base(folder, reading.base())
    gone = [path for first, path in segment_paths(folder) if first <= last]
    for path in gone:
        path.unlink(missing_ok=True)
    sync_folder(str(folder))
    for sequence, path in base_paths(folder):
        if sequence < last:
            path.unlink(missing_ok=True)
    return len(gone)
