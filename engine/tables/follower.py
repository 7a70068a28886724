"""Keeps the tables up to the journal, from a process of its own: the journal's files are the queue.

Nothing here is in the path of an order. A database that is down, locked or behind costs nothing but lag;
tables that do not fit the journal are dropped and made again.
"""

from pathlib import Path

import sqlalchemy as sa

from engine.journal.tail import JournalTail
from engine.tables import schema
from engine.tables.database import KEY, TablesRefused, create, drop, flush, set_aside, stored_progress
from engine.tables.reading import Reading
from engine.tables.replica import Row

REBUILD = "python -m engine.tables rebuild"
ACCEPT_LOSS = "--accept-loss"
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
        self._reading: Reading | None = None
        self._applied = 0
        self.notes: list[str] = []
        """What a person should know of the last `catch_up`; taken away by whoever tells it."""

    @property
    def applied(self) -> int:
        """Sequence of the last record the tables hold."""
        return self._applied

    def drop(self) -> None:
        """Begin from nothing."""
        drop(self._engine)
        self._begin()

    def refuse_loss(self) -> None:
        """TablesRefused when tables made anew would hold less than those there are; JournalError when a part
        of the journal cannot be read. Nothing is changed."""
        row = stored_progress(self._engine)
        reading = Reading(self._folder)
        while reading.read(_BATCH):
            reading.replica.take_rows()
        if row is None or not self._is_of_this_journal(row, reading):
            return
        if reading.sequence < row["sequence"]:
            raise TablesRefused(
                f"the tables hold records up to {row['sequence']}, the journal in {self._folder} only up to "
                f"{reading.sequence}: they stay as they are; {ACCEPT_LOSS} replaces them all the same"
            )
        if reading.begins_after:
            raise TablesRefused(
                f"records 1 to {reading.begins_after} were deleted from {self._folder} for their age, and "
                f"only these tables have their rows: they stay as they are; {ACCEPT_LOSS} replaces them"
            )

    def lag(self) -> int:
        """How many records the journal has beyond the tables."""
        try:
            newest = JournalTail(self._folder).newest_sequence()
        except OSError:
            return 0
        return max(0, newest - self._applied)

    def catch_up(self) -> int:
        """Apply everything new; returns how many records that was. Database errors come out."""
        reading = self._reading or self._begin()
        count = 0
        while records := reading.read(_BATCH):
            if self._apply(reading):
                count += records
            else:
                reading = self._begin()  # somebody else wrote the tables meanwhile: go on from there
        return count

    def make_durable(self) -> None:
        """What the tables hold must now survive a loss of power: the journal will not have it any more."""
        flush(self._engine)

    def _begin(self) -> Reading:
        row = stored_progress(self._engine)
        reading = Reading(self._folder)
        if row is not None:
            is_ours = row["schema_version"] == schema.SCHEMA
            if is_ours and self._skip_to(reading, row["sequence"], row["fingerprint"]):
                create(self._engine)
                self._applied = row["sequence"]
                self._reading = reading
                return reading
            self._refuse_to_replace(row, is_ours=is_ours, deleted=reading.begins_after)
            if is_ours and self._is_of_this_journal(row, reading):
                self._keep_the_old(row)
            reading = Reading(self._folder)
        drop(self._engine)
        create(self._engine)
        self._applied = 0
        self._reading = reading
        return reading

    def _is_of_this_journal(self, row: Row, reading: Reading) -> bool:
        return row.get("journal") == str(self._folder) and row["engine_id"] == reading.replica.engine_id

    def _keep_the_old(self, row: Row) -> None:
        """Tables of records that this journal no longer has, or has otherwise: it was restored from a copy,
        or lost its end. Their rows exist nowhere else. TablesRefused where both cannot be kept."""
        held = f"the tables hold records up to {row['sequence']}"
        what = f"{held} that the journal in {self._folder} does not have"
        kept = set_aside(self._engine, row["sequence"]) if self._is_own else ""
        if not kept:
            raise TablesRefused(f"{what}: they stay as they are; `{REBUILD} ENV {ACCEPT_LOSS}` replaces them")
        self.notes.append(f"{what}: they are kept as {kept}, and new ones are made")

    def _refuse_to_replace(self, row: Row, *, is_ours: bool, deleted: int) -> None:
        """TablesRefused where dropping the tables would lose what nothing can make again."""
        if is_ours and not self._is_own and row["journal"] != str(self._folder):
            raise TablesRefused(
                f"the database holds the tables of {row['journal']}; give {KEY} another one, or replace them "
                f"by `{REBUILD} ENV`"
            )
        if deleted:
            raise TablesRefused(
                f"the tables do not fit the journal in {self._folder}, whose records 1 to {deleted} were "
                f"deleted for their age; `{REBUILD} ENV {ACCEPT_LOSS}` makes them of the rest"
            )

    @staticmethod
    def _skip_to(reading: Reading, sequence: int, fingerprint: str) -> bool:
        """Read without writing up to what the tables hold; False when they are of another journal."""
        while reading.sequence < sequence:
            if not reading.read(min(_BATCH, sequence - reading.sequence)):
                return False
        reading.replica.take_rows()
        return reading.sequence == sequence and reading.fingerprint == fingerprint

    def _apply(self, reading: Reading) -> bool:
        """Write what follows from new records; False when the tables are not as this follower left them."""
        before, last = self._applied, reading.sequence
        rows = reading.replica.take_rows()
        done = {
            "id": 1,
            "schema_version": schema.SCHEMA,
            "engine_id": reading.replica.engine_id,
            "sequence": last,
            "fingerprint": reading.fingerprint,
            "journal": str(self._folder),
        }
        self._reading = None  # until the transaction is through: after an error everything is read again
        with self._engine.begin() as connection:
            if not _claim(connection, before, done):
                return False
            for table, changed in rows.items():
                _replace(connection, table, changed)
        self._reading = reading
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
