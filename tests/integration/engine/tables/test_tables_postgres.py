"""The tables in a real PostgreSQL server are those of SQLite, whatever happens to either side."""

import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.journal.journal import JournalOptions
from engine.model.records import EquityMark
from engine.tables import schema
from engine.tables.command import keep_up
from engine.tables.database import TablesRefused, drop, make_engine, stored_progress
from engine.tables.follower import Follower
from tests.integration.engine.tables.test_tables import contents, trade_a_little
from tests.support.journal_rig import opened
from tests.support.order_events import intent, key
from tests.support.places import ROOT
from tests.support.postgres_rig import (
    PASSWORD,
    PASSWORD_IN_URL,
    PostgresServer,
    driver_folder,
    postgres_server,
)
from tests.support.record_samples import signal

pytestmark = pytest.mark.postgres
ONE_FILE = JournalOptions(segment_bytes=1 << 22, reserve_bytes=4_096)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def database(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """An engine on an empty database."""
    monkeypatch.syspath_prepend(str(driver_folder()))
    engine = make_engine(server.url(), tmp_path)
    yield engine
    server.start_again()
    with engine.begin() as connection:
        for name in sa.inspect(connection).get_table_names():
            connection.execute(sa.text(f'DROP TABLE "{name}"'))
    engine.dispose()


def sqlite(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What SQLite says of the journal in `folder`."""
    engine = make_engine("sqlite://", folder)
    Follower(engine, folder).catch_up()
    found = contents(engine)
    engine.dispose()
    return found


def test_rows_are_those_of_sqlite_in_pieces_and_after_restarts(database: sa.Engine, tmp_path: Path):
    journal, _ = opened(tmp_path)
    follower = Follower(database, tmp_path)
    for number in range(1, 60):
        trade_a_little(journal, number)
        if number % 7 == 0:
            follower.catch_up()
        if number == 30:
            follower = Follower(database, tmp_path)  # as a new process would
    journal.append(
        intent(60, price=Decimal("1E+3"), stop_price=Decimal("0.000000000000000012345678901234567890"))
    )
    journal.append(EquityMark(Decimal(10) ** 30 + Decimal("0.1"), Decimal(-1), Decimal(0), Decimal(0), 2**62))
    journal.append(
        signal(tag="a\0b", detail="Übergrößen 'quoted' \\ %s :x", time_ns=1_763_000_000_123_456_789)
    )
    journal.append(signal(price=float("inf"), values=(float("inf"), 1e-300)))
    journal.close(1)
    follower.catch_up()
    ours = contents(database)
    assert ours == sqlite(tmp_path)
    assert len(ours["orders"]) == 60
    with database.connect() as connection:
        tag, time_ns = connection.execute(
            sa.select(schema.signals.c.tag, schema.signals.c.time_ns).where(schema.signals.c.tag != "")
        ).one()
        kind = connection.execute(sa.text("SELECT pg_typeof(qty_base)::text FROM fills LIMIT 1")).scalar()
        total = connection.execute(sa.text("SELECT sum(qty_base * price) FROM fills")).scalar()
    assert (tag, time_ns) == ("a\ufffdb", 1_763_000_000_123_456_789)
    assert kind == "numeric"
    assert total == sum(Decimal("0.5") * (50_000 + 50_001) for _ in range(59))


def test_the_columns_that_are_searched_have_indices(database: sa.Engine, tmp_path: Path):
    Follower(database, tmp_path).catch_up()
    found = {
        (table.name, index["column_names"][0])
        for table in schema.metadata.sorted_tables
        for index in sa.inspect(database).get_indexes(table.name)
    }
    assert found >= {
        ("orders", "symbol"), ("orders", "state"), ("orders", "intended_ns"), ("fills", "client_order_id"),
        ("fills", "time_ns"), ("signals", "fate"), ("signals", "bar_open_time_ns"), ("equity", "time_ns"),
    }  # fmt: skip


def test_a_server_that_is_gone_for_a_while_costs_only_lag(
    database: sa.Engine, server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    journal, _ = opened(tmp_path)
    trade_a_little(journal, 1)
    follower = Follower(database, tmp_path)
    follower.catch_up()
    server.kill()
    trade_a_little(journal, 2)
    journal.close(1)
    stop = threading.Event()
    told: list[str] = []

    def wait(seconds: float) -> bool:
        told.append(capsys.readouterr().err)
        if len(told) == 3:
            server.start()
        stop_now = follower.applied > 9
        if stop_now:
            stop.set()
        return stop_now

    stop.wait = wait  # type: ignore[method-assign,assignment]  # time passes at once
    keep_up(follower, stop, 0.01)
    assert contents(database) == sqlite(tmp_path)
    said = "".join(told).splitlines()
    assert [line for line in said if re.match("tables lag [0-9]+ records? behind", line)] == said[:-1]
    assert 1 <= len(said[:-1]) <= 2  # the cut connection, then the refused one; each once
    assert said[-1] == "tables are up to the journal again"
    assert PASSWORD not in "".join(told)


def home(folder: Path, url: str) -> dict[str, str]:
    """A home whose demo writes to `url`; the environment of a process that runs there."""
    (folder / "configs").mkdir(exist_ok=True)
    demo = (ROOT / "configs" / "demo.toml").read_text("utf-8")
    text = f'{demo}\n[engine.journal]\ndatabase_url = "{url}"\n'
    tomllib.loads(text)
    (folder / "configs" / "demo.toml").write_text(text, "utf-8")
    return os.environ | {"NEXTBAR_HOME": str(folder), "PYTHONPATH": str(driver_folder())}


def tables(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine.tables", *arguments],
        cwd=ROOT,
        env=environment,
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("password", "name", "said"),
    [
        ("wro%40ng", "postgres", "password authentication failed"),
        (PASSWORD_IN_URL, "nowhere", 'database "nowhere" does not exist'),
        ("wro@ng:1", "postgres", "is not a database URL"),
    ],
)
def test_a_server_that_refuses_is_one_sentence_without_the_password(
    server: PostgresServer, tmp_path: Path, password: str, name: str, said: str
):
    environment = home(tmp_path, server.url(password, name))
    for words in (("rebuild", "demo"), ("status", "demo")):
        done = tables(environment, *words)
        assert done.returncode == 2
        assert done.stdout == ""
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        for part in (PASSWORD, password, "wro", "ng:1", "Traceback"):
            assert part not in done.stderr


def test_kill_9_of_the_tables_process_doubles_and_loses_nothing(
    database: sa.Engine, server: PostgresServer, tmp_path: Path
):
    environment = home(tmp_path, server.url())
    folder = tmp_path / "data" / "demo" / "engine" / "journal"
    journal, _ = opened(folder, options=ONE_FILE)
    seen = [0]
    for first in (1, 301, 601):
        for number in range(first, first + 300):
            trade_a_little(journal, number)
        child = subprocess.Popen(
            [sys.executable, "-m", "engine.tables", "follow", "demo"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
        )
        while stored_sequence(database) <= seen[-1]:
            assert child.poll() is None
        child.kill()
        child.communicate()
        seen.append(stored_sequence(database))
    journal.close(1)
    assert seen == sorted(set(seen))
    assert tables(environment, "follow", "demo").returncode == 0
    assert contents(database) == sqlite(folder)


def stored_sequence(engine: sa.Engine) -> int:
    """How far the tables are; 0 while they are being made."""
    try:
        row = stored_progress(engine)
    except (TablesRefused, sa.exc.SQLAlchemyError):
        return 0
    return 0 if row is None else int(row["sequence"])


def test_two_followers_at_once_end_with_the_same_rows_as_one(
    database: sa.Engine, server: PostgresServer, tmp_path: Path
):
    journal, _ = opened(tmp_path, options=ONE_FILE)
    second = make_engine(server.url(), tmp_path)
    followers = [Follower(database, tmp_path), Follower(second, tmp_path)]
    for number in range(1, 40):
        trade_a_little(journal, number)
        followers[number % 2].catch_up()
        if number == 20:
            followers[0].drop()  # a rebuild beside a running process
    journal.close(1)
    threads = [threading.Thread(target=one.catch_up) for one in followers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(database) == sqlite(tmp_path)
    second.dispose()


def test_tables_of_somebody_else_are_left_alone(database: sa.Engine, tmp_path: Path):
    with database.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (id integer, what text)"))
        connection.execute(sa.text("INSERT INTO orders VALUES (1, 'coffee')"))
    follower = Follower(database, tmp_path, is_own=False)
    for action in (follower.catch_up, follower.drop, lambda: drop(database)):
        with pytest.raises(TablesRefused, match="tables named orders that are not of this project"):
            action()
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT what FROM orders")).scalar() == "coffee"
    assert sa.inspect(database).get_table_names() == ["orders"]


def test_two_environments_in_one_database_do_not_drop_each_others_tables(database: sa.Engine, tmp_path: Path):
    for name, number in (("live", 1), ("paper", 2)):
        journal, _ = opened(tmp_path / name)
        trade_a_little(journal, number)
        journal.close(1)
    Follower(database, tmp_path / "live", is_own=False).catch_up()
    paper = Follower(database, tmp_path / "paper", is_own=False)
    for _ in range(2):
        with pytest.raises(TablesRefused, match=f"holds the tables of {tmp_path / 'live'}; give"):
            paper.catch_up()
    assert [row[0] for row in contents(database)["orders"]] == [key(1)]
    paper.drop()  # what `rebuild` does
    paper.catch_up()
    assert [row[0] for row in contents(database)["orders"]] == [key(2)]
