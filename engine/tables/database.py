"""The database of the tables: reached by URL, made, dropped, and never taken from somebody else."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.journal.snapshots import replace_file
from engine.tables import schema

_CONNECT_S = 10
_SILENCE_S = 30
KEY = "engine.journal.database_url"
_NO_URL = (
    f"{KEY} is not a database URL as SQLAlchemy knows them (in a password write %40 for @, %3A for : and "
    "%2F for /)"
)


class TablesRefused(Exception):
    """The database holds something that must not be written over; one sentence."""


def make_engine(url: str, folder: Path, *, is_archive: bool = False) -> sa.Engine:
    """The database of `url`, or SQLite inside `folder`. ValueError: one sentence why it cannot be used.

    `is_archive`: it will hold what the journal no longer has, so it must survive a loss of power.
    """
    address = _address(url or f"sqlite:///{folder / 'tables.sqlite'}")
    kind = address.get_backend_name()
    if kind not in {"sqlite", "postgresql"}:
        raise ValueError(f"{KEY}: tables go to sqlite or postgresql, not to {kind}")
    try:
        engine = sa.create_engine(address, **_options(address))
    except ModuleNotFoundError as error:
        raise ValueError(f"{KEY} needs the Python package {error.name}") from None
    except sa.exc.ArgumentError:
        raise ValueError(_NO_URL) from None
    if engine.dialect.is_async:
        raise ValueError(f"{KEY}: {engine.dialect.driver} is asynchronous; postgresql+psycopg is not")
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_archive if is_archive else _prepare_sqlite)
    return engine


def _address(url: str) -> sa.URL:
    """Its errors never quote the URL: it may hold a password."""
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(_NO_URL) from None


def _options(address: sa.URL) -> dict[str, Any]:
    """A server that came back must be found again, and one that does not answer not be waited for."""
    if address.get_backend_name() == "sqlite":
        return {}
    patience: dict[str, Any] = {}
    if address.get_driver_name() in {"psycopg", "psycopg2"}:
        words = {
            "connect_timeout": _CONNECT_S,
            "tcp_user_timeout": 1000 * _SILENCE_S,
            "keepalives_idle": _SILENCE_S,
        }
        patience = {word: value for word, value in words.items() if word not in address.query}
    return {"pool_pre_ping": True, "connect_args": patience}


def _prepare_archive(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")  # with a write-ahead log: never damaged, at most late
    cursor.close()


def flush(engine: sa.Engine) -> None:
    """Bring what was committed to disk, where a commit does not do that itself. TablesRefused when it cannot
    be done now."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
        if busy:
            raise TablesRefused("somebody reads the tables at the moment")


def set_aside(engine: sa.Engine, sequence: int) -> str:
    """Keep an SQLite file, whose last record is `sequence`, under another name, which is returned; "" for a
    database that is no file. TablesRefused while somebody reads it."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return ""
    flush(engine)
    engine.dispose()
    path = Path(name)
    names = (
        f"{path.stem}-until-{sequence}{more}{path.suffix}" for more in ("", *map("-{}".format, range(2, 100)))
    )
    kept = next(one for one in map(path.with_name, names) if not one.exists())
    replace_file(path, kept)
    for left in ("-wal", "-shm"):
        path.with_name(path.name + left).unlink(missing_ok=True)
    return kept.name


def _prepare_sqlite(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=OFF")  # the journal is what survives; these are made again
    cursor.close()


def stored_progress(engine: sa.Engine) -> dict[str, Any] | None:
    """What the tables say of themselves; None without tables. Changes nothing.

    TablesRefused where there are tables of our names that we did not make.
    """
    inspector = sa.inspect(engine)
    ours = {table.name for table in schema.metadata.sorted_tables}
    present = ours.intersection(inspector.get_table_names())
    if not present:
        return None
    name = schema.progress.name
    columns = {column["name"] for column in inspector.get_columns(name)} if name in present else set()
    if not columns >= {"id", "schema_version", "engine_id", "sequence", "fingerprint"}:
        raise TablesRefused(
            f"the database has tables named {', '.join(sorted(present))} that are not of this project; give "
            f"{KEY} a database of its own"
        )
    known = [column for column in schema.progress.columns if column.name in columns]
    with engine.connect() as connection:
        row = connection.execute(sa.select(*known)).mappings().first()
    return None if row is None else {**row}


def create(engine: sa.Engine) -> None:
    """`progress` first and, in `drop`, last: tables cut off by a kill are still known as ours."""
    with engine.begin() as connection:
        schema.progress.create(connection, checkfirst=True)
        schema.metadata.create_all(connection)


def drop(engine: sa.Engine) -> None:
    """Remove the tables; TablesRefused where they are not ours."""
    stored_progress(engine)
    others = [table for table in schema.metadata.sorted_tables if table is not schema.progress]
    with engine.begin() as connection:
        schema.metadata.drop_all(connection, tables=others)
        schema.progress.drop(connection, checkfirst=True)
