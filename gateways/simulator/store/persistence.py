"""Keeps the exchange's state in a folder so that it survives a kill at any moment.

`journal-N.log` holds one record for each commit: everything that changed, as absolute values, so that
applying a record twice does no harm. `snapshot-N.bin` is the whole state as it was when journal N began, or
rather: what becomes of it by applying journal N, which goes on while the snapshot is being written, slice by
slice (`state_record.cut`). Until it stands, the snapshot before it and both journals are what a restart
reads; so they are when it turns out to be damaged, for the last two snapshots and all journals since the
older one are kept. Books of anonymous liquidity are not kept: the market makes them anew, and the accounts'
resting orders rejoin behind it.
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

    `restore` fills a fresh exchange before the market starts. `commit` makes everything that changed
    since the last commit durable as one record (nothing changed: it returns at once without touching the
    disk); call it after every request before answering and before handing out user events, and after
    every market step. A journal that has grown long is followed by a new one and a snapshot: while
    it `has_work`, call `proceed` between other work. One process a folder. After an error of
    `commit` or `proceed` nothing more is written: the disk is not to be trusted, and the process must end.
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
        """Bytes of an unfinished last record that `restore` cut off."""
        self.torn = ""
        """Which record that was, in a sentence."""
        exchange.is_persistent = True

    def restore(self) -> bool:
        """Load what the folder holds and open the journal; return False when it was empty.

        Raises `StateDamagedError` when neither the newest generation nor the one before it is sound.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        snapshots.remove_unfinished(self._folder)
        generations = self._generations("snapshot")
        if not generations:
            if begun := self._begun_journals():
                path = self._path("journal", begun[0])
                raise StateDamagedError(f"{path}: the snapshot it goes on from is missing")
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
        """Write a slice of a snapshot, or remove a piece of what it replaces. Call it after `commit`."""
        if self._snapshot is not None:
            if self._exchange.state.dirty.any():
                raise RuntimeError("what is not committed must not get into a snapshot")
            if self._snapshot.proceed():
                self._snapshot = None
                self._has_old_files = True
        elif self._has_old_files:
            self._has_old_files = self._remove_some()

    def begin_snapshot(self) -> None:
        """Start a new journal, and a snapshot unless one is under way; `proceed` writes it."""
        self.commit()
        if self._snapshot is None:
            self._begin_generation(self._generation + 1)

    def snapshot(self) -> None:
        """Write the whole state at once and start a new journal."""
        self.commit()
        self._finish_snapshot()
        self._begin_generation(self._generation + 1)
        self._finish_snapshot()

    def close(self) -> None:
        """Commit, snapshot and close (orderly stop)."""
        if self._writer is None:
            return
        self.snapshot()
        self.abandon()

    def abandon(self) -> None:
        """Close the files without writing anything (after an error, or instead of a kill)."""
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
        """Return the journals with something in them: an empty one ahead of its snapshot was never used."""
        numbers = self._generations("journal")
        return [n for n in numbers if self._path("journal", n).stat().st_size > len(journal.MAGIC)]

    def _replay(self, start: int, newest: int) -> None:
        """Apply the journals from `start` on and go on with the newest."""
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
        """A journal's payloads and sound length; it exists, for a snapshot or a journal before says so."""
        path = self._path("journal", generation)
        if not path.exists():
            raise StateDamagedError(f"{path}: missing, what changed last is not in the other files")
        payloads, sound = journal.read(path, 0)
        self.torn_bytes = path.stat().st_size - sound
        if self.torn_bytes and not is_last:
            raise StateDamagedError(f"{path}: an old journal ends in the middle of record {len(payloads)}")
        if self.torn_bytes:
            self.torn = f"record {len(payloads)} at the end of {path.name} was not finished and is dropped"
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
        """A record of a journal; raises where it is of another state than the snapshot before it."""
        record = self._decode(path, payload)
        if record.counters.state_id != self._exchange.state.counters.state_id:
            raise StateDamagedError(f"{path}: of another state than the snapshot before it")
        apply_record(self._exchange.state, record)

    def _decode(self, path: Path, payload: bytes) -> StateRecord:
        try:
            return self._decoder.decode(payload)
        except msgspec.DecodeError as problem:
            raise StateDamagedError(f"{path}: a record is of another version: {problem}") from problem

    def _write_changes(self) -> JournalWriter:
        writer = self._open_writer()
        writer.append(self._encoder.encode(make_record(self._exchange.state)))
        self._exchange.state.dirty = Dirty()
        return writer

    def _begin_generation(self, generation: int) -> None:
        """Turn to journal N, which is on disk before anything is answered from it, and to snapshot N."""
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
        """Shorten or remove a file that is older than the last two snapshots; False when none is left.

        To remove a long one at once takes the system long.
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
