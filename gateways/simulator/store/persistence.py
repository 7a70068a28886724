"""Stores the exchange's state in a folder so that it survives a kill at any moment.

`journal-N.log` has one record for each commit: everything that changed, as absolute values, so that a
record may be applied twice. `snapshot-N.bin` has the state at the start of journal N. It is written slice
by slice (`records.state_slices`) while commits go on into journal N, so it is complete only together with
that journal. Until it is finished, or when it turns out to be damaged, a restart reads the previous
snapshot and both journals: the last two snapshots and all journals since the older one are kept. Anonymous
liquidity is not stored: the market creates it again, and the accounts' resting orders are put behind it.
"""

import contextlib
import os
import re
import secrets
from pathlib import Path

import msgspec

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.state import Dirty
from gateways.simulator.store import journal, snapshots
from gateways.simulator.store.journal import JournalWriter, StateDamagedError
from gateways.simulator.store.records import (
    StateRecord,
    apply_record,
    finish_restore,
    make_record,
    state_slices,
)
from gateways.simulator.store.snapshots import SnapshotWriter

MAX_JOURNAL_BYTES = 32 * 1024 * 1024
_REMOVED_AT_ONCE = 4 * 1024 * 1024
_NAME = re.compile(r"(snapshot|journal)-(\d{9})\.(bin|log)")


class Persistence:
    """Journal and snapshots of one exchange in one folder.

    `restore` fills a new exchange before the market starts. `commit` writes everything that changed since
    the last commit as one record (and does nothing if nothing changed); call it after every request,
    before answering and before sending user events, and after every market step. A long journal is
    followed by a new one and a snapshot: while `has_work`, call `proceed` between other work. One process
    per folder. After an error of `commit` or `proceed` nothing more is written, and the process must end.
    """

    def __init__(self, folder: Path, exchange: Exchange, max_journal_bytes: int = MAX_JOURNAL_BYTES) -> None:
        self._folder = folder
        self._exchange = exchange
        self._max_journal_bytes = max_journal_bytes
        self._encoder = msgspec.msgpack.Encoder(decimal_format="string")
        self._decoder = msgspec.msgpack.Decoder(StateRecord)
        self._writer: JournalWriter | None = None
        self._snapshot: SnapshotWriter | None = None
        self._has_old_files = False
        self._generation = 0
        self.torn_bytes = 0
        """Bytes of an incomplete last record that `restore` cut off."""
        self.torn = ""
        """A sentence that names that record."""
        exchange.is_persistent = True

    def restore(self) -> bool:
        """Load the state and open the journal; return False when the folder was empty.

        Raises `StateDamagedError` when neither the newest generation nor the previous one is valid.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        snapshots.remove_unfinished(self._folder)
        generations = self._generations("snapshot")
        if not generations:
            if begun := self._begun_journals():
                path = self._path("journal", begun[0])
                raise StateDamagedError(f"{path}: the snapshot it continues is missing")
            self._exchange.state.counters.state_id = secrets.token_hex(4)
            self._exchange.state.reserve_ids()
            self._exchange.state.dirty = Dirty()
            self._begin_generation(0)
            self._finish_snapshot()
            return False
        newest = max([generations[-1], *self._begun_journals()])
        self._replay(self._load_snapshot(generations), newest)
        if newest > generations[-1]:
            self.snapshot()
        return True

    def commit(self) -> bool:
        """Write and flush what changed; return whether there was anything."""
        if not self._exchange.state.dirty.any():
            return False
        writer = self._write_changes()
        if writer.size > self._max_journal_bytes:
            self._finish_snapshot()
            self._begin_generation(self._generation + 1)
        return True

    @property
    def has_work(self) -> bool:
        """Tell whether there is something for `proceed` to do."""
        return self._snapshot is not None or self._has_old_files

    def proceed(self) -> None:
        """Write a slice of a snapshot, or remove part of the files it replaces. Call it after `commit`."""
        if self._snapshot is not None:
            if self._exchange.state.dirty.any():
                raise RuntimeError("commit changes before writing a snapshot")
            if self._snapshot.proceed():
                self._snapshot = None
                self._has_old_files = True
        elif self._has_old_files:
            self._has_old_files = self._remove_some()

    def begin_snapshot(self) -> None:
        """Start a new journal and a snapshot, which `proceed` writes, unless one is being written."""
        self.commit()
        if self._snapshot is None:
            self._begin_generation(self._generation + 1)

    def snapshot(self) -> None:
        """Write a complete snapshot at once and start a new journal."""
        self.commit()
        self._finish_snapshot()
        self._begin_generation(self._generation + 1)
        self._finish_snapshot()

    def close(self) -> None:
        """Commit, write a snapshot and close (clean shutdown)."""
        if self._writer is None:
            return
        self.snapshot()
        self.abandon()

    def abandon(self) -> None:
        """Close the files without writing anything (after an error, or to simulate a kill)."""
        for file in (self._writer, self._snapshot):
            if file is not None:
                file.close()
        self._writer = self._snapshot = None

    def _open_writer(self) -> JournalWriter:
        if self._writer is None:
            raise RuntimeError("restore() opens the state folder; it was not called, or close() was")
        return self._writer

    def _path(self, kind: str, generation: int) -> Path:
        return self._folder / f"{kind}-{generation:09d}.{'bin' if kind == 'snapshot' else 'log'}"

    def _generations(self, kind: str) -> list[int]:
        names = [_NAME.fullmatch(path.name) for path in self._folder.iterdir()]
        return sorted(int(name[2]) for name in names if name and name[1] == kind)

    def _begun_journals(self) -> list[int]:
        """Return the journals with records; an empty one without its snapshot was never used."""
        numbers = self._generations("journal")
        return [n for n in numbers if self._path("journal", n).stat().st_size > len(journal.MAGIC)]

    def _replay(self, start: int, newest: int) -> None:
        """Apply the journals from `start` on and continue with the newest."""
        generation = start
        while True:
            payloads, sound = self._read_journal(generation, is_last=generation >= newest)
            goes_on = bool(payloads) and payloads[-1] == journal.END
            for payload in payloads[: -1 if goes_on else None]:
                self._apply(self._path("journal", generation), payload)
            if generation >= newest and not goes_on:
                break
            generation += 1
        finish_restore(self._exchange.state)
        self._generation = generation
        self._writer = JournalWriter(self._path("journal", generation), len(payloads), sound)
        journal.sync_folder(self._folder)
        self._exchange.state.dirty = Dirty(counters=True)
        self.commit()

    def _read_journal(self, generation: int, *, is_last: bool) -> tuple[list[bytes], int]:
        """Return a journal's payloads and valid length; it must exist, as another file refers to it."""
        path = self._path("journal", generation)
        if not path.exists():
            raise StateDamagedError(f"{path}: missing; the other files do not contain the latest changes")
        payloads, sound = journal.read(path, 0)
        self.torn_bytes = path.stat().st_size - sound
        if self.torn_bytes and not is_last:
            raise StateDamagedError(f"{path}: this old journal ends in the middle of record {len(payloads)}")
        if self.torn_bytes:
            self.torn = f"record {len(payloads)} at the end of {path.name} is incomplete and was dropped"
        return payloads, sound

    def _load_snapshot(self, generations: list[int]) -> int:
        problems = []
        for generation in reversed(generations[-2:]):
            path = self._path("snapshot", generation)
            try:
                records = [self._decode(path, payload) for payload in snapshots.read(path)]
            except StateDamagedError as problem:
                problems.append(str(problem))
                continue
            for record in records:
                apply_record(self._exchange.state, record)
            return generation
        raise StateDamagedError("; ".join(problems))

    def _apply(self, path: Path, payload: bytes) -> None:
        """Apply a journal record; raises when it belongs to another state folder than the snapshot."""
        record = self._decode(path, payload)
        if record.counters.state_id != self._exchange.state.counters.state_id:
            raise StateDamagedError(f"{path}: belongs to another state folder than the snapshot")
        apply_record(self._exchange.state, record)

    def _decode(self, path: Path, payload: bytes) -> StateRecord:
        try:
            return self._decoder.decode(payload)
        except msgspec.DecodeError as problem:
            raise StateDamagedError(
                f"{path}: a record has the format of another version: {problem}"
            ) from problem

    def _write_changes(self) -> JournalWriter:
        writer = self._open_writer()
        writer.append(self._encoder.encode(make_record(self._exchange.state)))
        self._exchange.state.dirty = Dirty()
        return writer

    def _begin_generation(self, generation: int) -> None:
        """Start journal N, which is on disk before anything else is answered, and snapshot N."""
        previous, self._writer = self._writer, JournalWriter(self._path("journal", generation), 0)
        self._generation = generation
        with contextlib.closing(previous) if previous is not None else contextlib.nullcontext():
            journal.sync_folder(self._folder)
            if previous is not None:
                previous.append(journal.END)
        slices = map(self._encoder.encode, state_slices(self._exchange.state))
        self._snapshot = SnapshotWriter(self._path("snapshot", generation), slices)

    def _finish_snapshot(self) -> None:
        while self.has_work:
            self.proceed()

    def _remove_some(self) -> bool:
        """Shorten or remove a file older than the last two snapshots; return False when none is left.

        Removing a large file at once would block for long.
        """
        oldest = self._generations("snapshot")[-2:][0]
        for kind in ("snapshot", "journal"):
            for generation in self._generations(kind):
                if generation < oldest:
                    path = self._path(kind, generation)
                    shorter = path.stat().st_size - _REMOVED_AT_ONCE
                    if shorter > 0:
                        os.truncate(path, shorter)
                    else:
                        path.unlink()
                    return True
        return False
