"""Keeps the tables up to the journal, from a process of its own: the journal's files are the queue.

Nothing here is in the path of an order. A database that is down, locked or behind costs nothing but lag;
tables that do not fit the journal are dropped and made again.
"""

import hashlib
from pathlib import Path

import msgspec
import sqlalchemy as sa

from engine.storage import schema
from engine.storage.database import KEY, TablesRefused, create, drop, stored_progress
from engine.storage.records import JournalRecord
from engine.storage.replica import Replica, Row
from engine.storage.tail import JournalTail

_BATCH = 2_000
_CHUNK = 200


class Follower:
    """Applies the journal of `folder` to a database. Call `catch_up` again and again.

    `is_own`: the database is there for this journal alone, so tables of another one are replaced. Else they
    are left alone and TablesRefused is raised, as it always is for tables that are not ours at all.
    """

    def __init__(self, engine: sa.Engine, folder: Path, *, is_own: bool = True) -> None:
        self._engine = engine
        self._folder = folder
        self._is_own = is_own
        self._tail = JournalTail(folder)
        self._replica = Replica()
        self._applied = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._begun = False

    @property
    def applied(self) -> int:
        """Sequence of the last record the tables hold."""
        return self._applied

    def drop(self) -> None:
        """Begin from nothing."""
        drop(self._engine)
        self._begin()

    def catch_up(self) -> int:
        """Apply everything new; returns how many records that was. Database errors come out."""
        if not self._begun:
            self._begin()
        count = 0
        while records := self._tail.read(_BATCH):
            if self._apply(records):
                count += len(records)
            else:
                self._begin()  # somebody else wrote the tables meanwhile: go on from there
        return count

    def _begin(self) -> None:
        row = stored_progress(self._engine)
        if row is None or row["schema_version"] != schema.SCHEMA:
            drop(self._engine)
            row = None
        create(self._engine)
        self._start_over()
        if row is None or self._skip_to(row["sequence"], row["fingerprint"]):
            self._begun = True
            return
        if not self._is_own and row["journal"] != str(self._folder):
            raise TablesRefused(
                f"the database holds the tables of {row['journal']}; give {KEY} another one, or replace them "
                "by `python -m engine.storage.tables rebuild ENV`"
            )
        drop(self._engine)
        create(self._engine)
        self._start_over()
        self._begun = True

    def _start_over(self) -> None:
        self._tail, self._replica = JournalTail(self._folder), Replica()
        self._digest = hashlib.blake2b(digest_size=16)
        self._applied = 0

    def _skip_to(self, sequence: int, fingerprint: str) -> bool:
        """Read without writing up to what the tables hold; False when they are of another journal."""
        while self._tail.next_sequence <= sequence:
            records = self._tail.read(min(_BATCH, sequence + 1 - self._tail.next_sequence))
            if not records:
                return False
            self._learn(records)
        self._replica.take_rows()
        self._applied = sequence
        return self._digest.hexdigest() == fingerprint

    def _learn(self, records: list[tuple[int, JournalRecord]]) -> None:
        for sequence, record in records:
            self._digest.update(msgspec.msgpack.encode(record))
            self._replica.apply(sequence, record)

    def _apply(self, records: list[tuple[int, JournalRecord]]) -> bool:
        """Write what follows from new records; False when the tables are not as this follower left them."""
        before = self._applied
        self._learn(records)
        rows = self._replica.take_rows()
        last = records[-1][0]
        done = {
            "id": 1,
            "schema_version": schema.SCHEMA,
            "engine_id": self._replica.engine_id,
            "sequence": last,
            "fingerprint": self._digest.hexdigest(),
            "journal": str(self._folder),
        }
        self._begun = False  # until the transaction is through: after an error everything is read again
        with self._engine.begin() as connection:
            if not _claim(connection, before, done):
                return False
            for table, changed in rows.items():
                _replace(connection, table, changed)
        self._begun = True
        self._applied = last
        return True


def _claim(connection: sa.Connection, before: int, done: Row) -> bool:
    """Move on from `before`, which only one of several followers can do, and lock the others out."""
    if before == 0:
        if connection.execute(sa.select(schema.progress.c.id)).first() is not None:
            return False
        connection.execute(sa.insert(schema.progress), done)
        return True
    claim = sa.update(schema.progress).where(schema.progress.c.sequence == before).values(done)
    return connection.execute(claim).rowcount == 1


def _replace(connection: sa.Connection, table: sa.Table, rows: list[Row]) -> None:
    """Delete by key, then insert: the same on every database."""
    keys = list(table.primary_key.columns)
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        wanted = [tuple(row[key.name] for key in keys) for row in chunk]
        connection.execute(sa.delete(table).where(sa.tuple_(*keys).in_(wanted)))
        connection.execute(sa.insert(table), chunk)
