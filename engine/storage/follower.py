"""Keeps the tables up to the journal, from a process of its own: the journal's files are the queue.

Nothing here is in the path of an order. A database that is down, locked or behind costs nothing but lag;
tables that do not fit the journal are dropped and made again.
"""

import hashlib
from pathlib import Path

import msgspec
import sqlalchemy as sa

from engine.storage import schema
from engine.storage.records import JournalRecord
from engine.storage.replica import Replica, Row
from engine.storage.tail import JournalTail

_BATCH = 2_000
_CHUNK = 200


def make_engine(url: str, folder: Path) -> sa.Engine:
    """The database of `url`, or SQLite inside `folder`. ValueError: one sentence why it cannot be used."""
    try:
        engine = sa.create_engine(url or f"sqlite:///{folder / 'tables.sqlite'}")
    except sa.exc.ArgumentError:
        raise ValueError(
            "engine.journal.database_url is not a database URL as SQLAlchemy knows them"
        ) from None
    except ModuleNotFoundError as error:
        raise ValueError(f"engine.journal.database_url needs the Python package {error.name}") from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=OFF")  # the journal is what survives; these are made again
    cursor.close()


class Follower:
    """Applies the journal of `folder` to a database. Call `catch_up` again and again."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
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
        schema.metadata.drop_all(self._engine)
        self._begin()

    def catch_up(self) -> int:
        """Apply everything new; returns how many records that was. Database errors come out."""
        if not self._begun:
            self._begin()
        count = 0
        while records := self._tail.read(_BATCH):
            count += len(records)
            self._apply(records)
        return count

    def _begin(self) -> None:
        schema.metadata.create_all(self._engine)
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(schema.progress)).first()
        self._tail, self._replica = JournalTail(self._folder), Replica()
        self._digest = hashlib.blake2b(digest_size=16)
        self._applied = 0
        self._begun = True
        if row is not None and not self._skip_to(row.sequence, row.fingerprint, row.schema_version):
            schema.metadata.drop_all(self._engine)
            self._begin()

    def _skip_to(self, sequence: int, fingerprint: str, version: int) -> bool:
        """Read without writing up to what the tables hold; False when they are of another journal."""
        if version != schema.SCHEMA:
            return False
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

    def _apply(self, records: list[tuple[int, JournalRecord]]) -> None:
        self._learn(records)
        rows = self._replica.take_rows()
        last = records[-1][0]
        done = {
            "id": 1,
            "schema_version": schema.SCHEMA,
            "engine_id": self._replica.engine_id,
            "sequence": last,
            "fingerprint": self._digest.hexdigest(),
        }
        self._begun = False  # until the transaction is through: after an error everything is read again
        with self._engine.begin() as connection:
            for table, changed in rows.items():
                _replace(connection, table, changed)
            _replace(connection, schema.progress, [done])
        self._begun = True
        self._applied = last


def _replace(connection: sa.Connection, table: sa.Table, rows: list[Row]) -> None:
    """Delete by key, then insert: the same on every database."""
    keys = list(table.primary_key.columns)
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        wanted = [tuple(row[key.name] for key in keys) for row in chunk]
        connection.execute(sa.delete(table).where(sa.tuple_(*keys).in_(wanted)))
        connection.execute(sa.insert(table), chunk)
