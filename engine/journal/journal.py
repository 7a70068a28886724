"""The journal: the truth about intent. Appending buffers, `flush` makes everything appended durable.

One flush is one write into preallocated, already written space and one fdatasync. When the disk is full the
journal goes on in a reserve that only records of exits may use. A failed write or sync is final: what was on
its way counts as lost, and nothing is appended again before a restart has read what is really there.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.journal.lock import FolderLock, FolderLocked
from engine.journal.recovered import Recovered, read_folder
from engine.journal.segment import (
    HEADER_BYTES,
    Header,
    JournalError,
    JournalFull,
    account_digest,
    checksum_at,
    frame,
    header,
    identity_of,
    open_file,
    segment_path,
    write_all,
    write_zeros,
)
from engine.journal.snapshots import SnapshotFile, replace_file, write_snapshot
from engine.journal.spare import SpareSegment
from engine.model.records import SCHEMA_VERSION, JournalRecord, RecordsLost, Start, Stop, is_essential
from runtime.process.files import sync_data, sync_folder

__all__ = ["Journal", "JournalError", "JournalFull", "JournalOptions", "Recovered", "open_journal"]

_SPARE = "next-segment.tmp"
_UNFINISHED = (_SPARE, "snapshot-*.tmp", "base-*.tmp")
"""What a killed process may leave."""


class JournalOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`reserve_bytes` come on top of `segment_bytes`. `sync` false is for measurements only."""

    segment_bytes: int = 16 * 1024 * 1024
    reserve_bytes: int = 1024 * 1024
    sync: bool = True


class Journal:
    """Append-only record of one engine; made by `open_journal`. Not thread-safe: one writer."""

    def __init__(
        self,
        folder: Path,
        lock: FolderLock,
        account: str,
        options: JournalOptions,
        found: Recovered,
        engine_id: str,
    ) -> None:
        self._folder = folder
        self._lock = lock
        self._digest = account_digest(account)
        self._options = options
        self._next = found.next_sequence
        self._durable = found.next_sequence - 1
        self._pending = bytearray()
        self._failure = ""
        self._disk_full = False
        self._fd = -1
        self._used = 0
        self._spare = SpareSegment(folder / _SPARE, options.segment_bytes + options.reserve_bytes)
        self._tip = found.tip
        self.engine_id = engine_id
        self.fencing = found.fencing
        if found.segment is None:
            self._open_segment()
        else:
            self._reopen(found.segment, found.end)

    @property
    def last_sequence(self) -> int:
        """Sequence of the newest record appended."""
        return self._next - 1

    @property
    def durable_sequence(self) -> int:
        """Sequence of the newest record known to be on disk."""
        return self._durable

    @property
    def failure(self) -> str:
        """Why nothing can be written any more ("": it can)."""
        return self._failure

    @property
    def accepts_entries(self) -> bool:
        """False when the disk is full or the journal failed: no entries; exits as long as they can."""
        return not self._disk_full and not self._failure

    @property
    def wants_rotation(self) -> bool:
        """True when three quarters of the segment are used: `rotate` at the next quiet moment."""
        return self._used + len(self._pending) > self._options.segment_bytes * 3 // 4

    def append(self, record: JournalRecord) -> int:
        """Buffer one record; returns its sequence.

        JournalFull: the disk is full and the record is not one that exits need. JournalError: the journal
        failed, or even the reserve is used up.
        """
        if self._failure:
            raise JournalError(f"the journal failed: {self._failure}")
        sequence = self._next
        data = frame(record, sequence, self._durable)
        if self._used + len(self._pending) + len(data) > self._options.segment_bytes:
            data = self._make_room(record, data)
        self._pending += data
        self._tip = checksum_at(data, 0)
        self._next = sequence + 1
        return sequence

    def flush(self) -> None:
        """Make everything appended durable. Nothing happens when nothing is pending."""
        if not self._pending:
            return
        if self._failure:
            raise JournalError(f"the journal failed: {self._failure}")
        try:
            write_all(self._fd, self._pending)
            if self._options.sync:
                sync_data(self._fd)
        except OSError as error:
            self._failure = f"{error.strerror} while writing {self._folder}"
            raise JournalError(f"the journal failed: {self._failure}") from error
        self._used += len(self._pending)
        self._pending.clear()
        self._durable = self._next - 1
        if self._used > self._options.segment_bytes // 2:
            self._spare.prepare()

    def rotate(self, state: bytes) -> None:
        """Flush, write `state` as the snapshot of everything so far, go on in a new segment.

        JournalFull when the disk has no room: the old files stay in use and nothing is lost.
        """
        self.flush()
        content = SnapshotFile(self._durable, self.engine_id, self.fencing, state, self._tip)
        try:
            write_snapshot(self._folder, self._digest, content)
            self._roll()
        except OSError as error:
            self._disk_full = True
            raise JournalFull(
                f"no room for a new journal file in {self._folder}: {error.strerror}"
            ) from error

    def check_space(self) -> bool:
        """Try again to get out of a full disk; returns `accepts_entries`. Call it once a second."""
        if self._disk_full and not self._failure:
            try:
                self.flush()
                self._roll()
                self._disk_full = False
            except (OSError, JournalError):
                pass
        return self.accepts_entries

    def close(self, time_ns: int) -> None:
        """Write Stop, flush, give the folder back. A journal that cannot is closed without a word."""
        if self._fd < 0:
            return
        try:
            with contextlib.suppress(JournalError):
                self.append(Stop(time_ns))
                self.flush()
        finally:
            os.close(self._fd)
            self._fd = -1
            self._spare.discard()
            self._lock.release()

    def begin(self, account: str, now_ns: int, lost: str = "") -> None:
        """Write Start with the next fencing number, and that records are lost, durable. Called once, by
        `open_journal`."""
        self.fencing += 1
        self.append(Start(self.engine_id, self.fencing, account, SCHEMA_VERSION, now_ns))
        if lost:
            self.append(RecordsLost(lost, now_ns))
        self.flush()

    def _make_room(self, record: JournalRecord, data: bytes) -> bytes:
        """Go on in a new segment, or in the reserve if there is no space for one."""
        if not self._disk_full:
            self.flush()
            try:
                self._roll()
            except OSError:
                self._disk_full = True
            else:
                return frame(record, self._next, self._durable)
        if not is_essential(record):
            raise JournalFull(f"the disk of {self._folder} is full: the journal takes only what exits need")
        limit = self._options.segment_bytes + self._options.reserve_bytes
        if self._used + len(self._pending) + len(data) > limit:
            raise JournalError(f"the disk of {self._folder} is full and the journal's reserve is used up")
        return data

    def _roll(self) -> None:
        """Begin a new segment, then give the old one's unused space back."""
        if self._used <= HEADER_BYTES:
            return
        old, used = self._fd, self._used
        self._open_segment()
        os.ftruncate(old, used)
        os.close(old)

    def _open_segment(self) -> None:
        part = self._spare.take()
        fd = open_file(part, os.O_RDWR)
        size = self._options.segment_bytes + self._options.reserve_bytes
        write_all(fd, header(self._next, self._digest, Header(identity_of(self.engine_id), self._tip, size)))
        sync_data(fd)
        os.close(fd)
        path = segment_path(self._folder, self._next)
        replace_file(part, path)
        sync_folder(str(self._folder))
        self._fd = open_file(path, os.O_RDWR)
        os.lseek(self._fd, HEADER_BYTES, os.SEEK_SET)
        self._used = HEADER_BYTES

    def _reopen(self, path: Path, end: int) -> None:
        """Go on in an existing segment; what stands behind `end` is overwritten with zeros."""
        size = self._options.segment_bytes + self._options.reserve_bytes
        self._fd = open_file(path, os.O_RDWR)
        os.lseek(self._fd, end, os.SEEK_SET)
        try:
            write_zeros(self._fd, max(0, size - end))
            sync_data(self._fd)
        except OSError as error:
            self._disk_full = True
            if os.fstat(self._fd).st_size <= end:
                raise JournalError(f"no room to go on with {path}: {error.strerror}") from error
        os.lseek(self._fd, end, os.SEEK_SET)
        self._used = end


def open_journal(
    folder: Path,
    *,
    account: str,
    now_ns: int,
    new_engine_id: Callable[[], str],
    options: JournalOptions | None = None,
) -> tuple[Journal, Recovered]:
    """Lock the folder, read what is there, write Start (durable) with the next fencing number.

    `account` names environment and account; a folder of another one is refused. JournalError says in one
    sentence why the folder cannot be used; it is not changed then.
    """
    try:
        lock = FolderLock(folder)
    except FolderLocked as error:
        raise JournalError(str(error)) from error
    except OSError as error:
        raise JournalError(f"{folder} cannot be used for the journal: {error.strerror}") from error
    try:
        found = read_folder(folder, account_digest(account))
        for pattern in _UNFINISHED:
            for unfinished in folder.glob(pattern):
                unfinished.unlink()
        engine_id = found.engine_id or new_engine_id()
        journal = Journal(folder, lock, account, options or JournalOptions(), found, engine_id)
        journal.begin(account, now_ns, found.lost)
    except OSError as error:
        lock.release()
        what = error.filename or folder
        raise JournalError(f"{what} cannot be used for the journal: {error.strerror}") from error
    except BaseException:
        lock.release()
        raise
    return journal, found
