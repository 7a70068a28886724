"""Keeps the exchange's state in a folder so that it survives a kill at any moment.

`journal-N.log` holds one record for each commit: everything that changed, as absolute values, so that
applying a record twice does no harm. `snapshot-N.bin` is one such record with everything in it, as it was
when journal N began. Generation N and N-1 are kept: when the newest snapshot is damaged the one before it
and both journals give the same state. Books of anonymous liquidity are not kept: the market makes them
anew, and the accounts' resting orders rejoin behind it.
"""

import contextlib
import os
import re
from pathlib import Path

import msgspec

from gateways.simulator import journal
from gateways.simulator.exchange import Exchange
from gateways.simulator.journal import JournalWriter, StateDamagedError
from gateways.simulator.state import Dirty
from gateways.simulator.state_record import (
    StateRecord,
    apply_record,
    finish_restore,
    full_record,
    make_record,
)

MAX_JOURNAL_BYTES = 32 * 1024 * 1024
_NAME = re.compile(r"(snapshot|journal)-(\d{9})\.(bin|log)")


class Persistence:
    """Journal and snapshots of one exchange in one folder.

    `restore` fills a fresh exchange before the market starts. `commit` makes everything that changed
    since the last commit durable as one record (nothing changed: it returns at once without touching the
    disk); call it after every request before answering and before handing out user events, and after
    every market step. One process a folder. After an error of `commit` nothing more is written: the disk
    is not to be trusted, and the process must end.
    """

    def __init__(self, folder: Path, exchange: Exchange, max_journal_bytes: int = MAX_JOURNAL_BYTES) -> None:
        self._folder = folder
        self._exchange = exchange
        self._max_journal_bytes = max_journal_bytes
        self._encoder = msgspec.msgpack.Encoder(decimal_format="string")
        self._decoder = msgspec.msgpack.Decoder(StateRecord)
        self._writer: JournalWriter | None = None
        self._generation = 0
        self.torn_bytes = 0
        """Bytes of an unfinished last record that `restore` cut off."""
        exchange.is_persistent = True

    def restore(self) -> bool:
        """Load what the folder holds and open the journal; return False when it was empty.

        Raises `StateDamagedError` when neither the newest generation nor the one before it is sound.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        generations = self._generations()
        if not generations:
            self._exchange.state.reserve_ids()
            self._start_generation(0)
            return False
        start = self._load_snapshot(generations)
        newest = generations[-1]
        sequence, sound = 0, 0
        for generation in range(start, newest + 1):
            path = self._path("journal", generation)
            payloads: list[bytes] = []
            sound = 0
            if path.exists():
                payloads, sound = journal.read(path, 0)
                torn = path.stat().st_size - sound
                if torn and generation != newest:
                    raise StateDamagedError(f"{path}: an old journal ends in the middle of a record")
                self.torn_bytes = torn
            elif generation != newest:
                raise StateDamagedError(f"{path}: missing between two generations")
            for payload in payloads:
                apply_record(self._exchange.state, self._decode(path, payload))
            sequence = len(payloads)
        finish_restore(self._exchange.state)
        self._generation = newest
        self._writer = JournalWriter(self._path("journal", newest), sequence, sound)
        journal.sync_folder(self._folder)
        self._exchange.state.dirty = Dirty(counters=True)
        self.commit()
        return True

    def commit(self) -> bool:
        """Write and flush what changed; return whether there was anything."""
        state = self._exchange.state
        if not state.dirty.any():
            return False
        writer = self._open_writer()
        writer.append(self._encoder.encode(make_record(state)))
        state.dirty = Dirty()
        if writer.size > self._max_journal_bytes:
            self.snapshot()
        return True

    def snapshot(self) -> None:
        """Write the whole state and start a new journal."""
        writer = self._open_writer()
        if self._exchange.state.dirty.any():
            writer.append(self._encoder.encode(make_record(self._exchange.state)))
            self._exchange.state.dirty = Dirty()
        self.abandon()
        self._start_generation(self._generation + 1)

    def close(self) -> None:
        """Commit, snapshot and close (orderly stop)."""
        if self._writer is None:
            return
        self.snapshot()
        self.abandon()

    def abandon(self) -> None:
        """Close the file without writing anything (after an error, or instead of a kill)."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open_writer(self) -> JournalWriter:
        if self._writer is None:
            raise RuntimeError("restore() opens the state folder; it was not called, or close() was")
        return self._writer

    def _path(self, kind: str, generation: int) -> Path:
        return self._folder / f"{kind}-{generation:09d}.{'bin' if kind == 'snapshot' else 'log'}"

    def _generations(self) -> list[int]:
        names = [_NAME.fullmatch(path.name) for path in self._folder.iterdir()]
        return sorted(int(name[2]) for name in names if name and name[1] == "snapshot")

    def _load_snapshot(self, generations: list[int]) -> int:
        problems = []
        for generation in reversed(generations[-2:]):
            path = self._path("snapshot", generation)
            try:
                record = self._read_snapshot(path)
            except StateDamagedError as problem:
                problems.append(str(problem))
                continue
            apply_record(self._exchange.state, record)
            return generation
        raise StateDamagedError("; ".join(problems))

    def _read_snapshot(self, path: Path) -> StateRecord:
        payloads, _ = journal.read(path, 0)
        if len(payloads) != 1:
            raise StateDamagedError(f"{path}: no sound snapshot in it")
        return self._decode(path, payloads[0])

    def _decode(self, path: Path, payload: bytes) -> StateRecord:
        try:
            return self._decoder.decode(payload)
        except msgspec.DecodeError as problem:
            raise StateDamagedError(f"{path}: a record is of another version: {problem}") from problem

    def _start_generation(self, generation: int) -> None:
        """Write snapshot N under another name, make journal N, then put the snapshot in its place."""
        record = full_record(self._exchange.state)
        target = self._path("snapshot", generation)
        temporary = target.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(journal.MAGIC + journal.encode(0, self._encoder.encode(record)))
            file.flush()
            os.fsync(file.fileno())
        self._writer = JournalWriter(self._path("journal", generation), 0)
        temporary.replace(target)
        journal.sync_folder(self._folder)
        self._generation = generation
        for kind in ("snapshot", "journal"):
            with contextlib.suppress(FileNotFoundError):
                self._path(kind, generation - 2).unlink()
