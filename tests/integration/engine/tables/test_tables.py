"""The tables are what the journal says, however often and from wherever they are made."""

import os
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from signal import SIGINT

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from engine.journal.journal import Journal, JournalOptions
from engine.model.records import AccountReport, Adjustment, EquityMark, OrderReport, Sent
from engine.shell.tables_process import TablesProcess
from engine.tables import schema
from engine.tables.command import keep_up
from engine.tables.database import TablesRefused, make_engine, stored_progress
from engine.tables.follower import Follower
from tests.support.journal_rig import opened
from tests.support.order_events import SYMBOL, intent, key, report, trade
from tests.support.places import ROOT
from tests.support.record_samples import account_update, signal

ONE = Decimal(1)


def contents(engine: sa.Engine) -> dict[str, list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns)).all()
            ]
            for table in schema.metadata.sorted_tables
        }


def trade_a_little(journal: Journal, number: int) -> None:
    journal.append(intent(number))
    journal.append(Sent(key(number), number, 5))
    journal.append(OrderReport(report(number=number), 6))
    journal.append(OrderReport(trade(number * 10, "0.5", "0.5", number=number), 7))
    journal.append(OrderReport(trade(number * 10 + 1, "0.5", "1", number=number, price="50001"), 8))
    journal.append(OrderReport(trade(number * 10 + 1, "0.5", "1", number=number, price="50001"), 9))
    journal.append(signal())
    journal.append(EquityMark(Decimal("9999.99"), ONE, Decimal(-2), Decimal("0.02"), 10))
    journal.flush()


def test_rows_say_what_happened(tmp_path: Path):
    journal, _ = opened(tmp_path)
    trade_a_little(journal, 1)
    engine = make_engine("", tmp_path)
    follower = Follower(engine, tmp_path)
    assert follower.catch_up() == 9
    with engine.connect() as connection:
        order = connection.execute(sa.select(schema.orders)).one()
        assert (order.client_order_id, order.state, order.filled_base) == (key(1), "FILLED", ONE)
        assert [row.trade_id for row in connection.execute(sa.select(schema.fills))] == [10, 11]
        positions = connection.execute(sa.select(schema.positions)).all()
        assert {(row.strategy, row.qty_base, row.entry_price) for row in positions} == {
            ("sma:s1", ONE, Decimal("50000.5")),
            ("", ONE, Decimal("50000.5")),
        }
        assert connection.execute(sa.select(schema.signals.c.fate)).scalar() == "traded"
        assert connection.execute(sa.select(schema.equity.c.wallet_balance)).scalar() == Decimal("9999.99")
    journal.append(signal(values=(1.5, 3400.0), value_names=("slope", "average")))
    journal.append(AccountReport(account_update(), 10))
    journal.append(Adjustment(SYMBOL, "EXTERNAL", -ONE, Decimal(0), "drift", "two snapshots", 11))
    journal.flush()
    assert follower.catch_up() == 3
    assert follower.catch_up() == 0
    with engine.connect() as connection:
        said = sa.select(schema.signals.c.signal_values).order_by(schema.signals.c.sequence)
        assert list(connection.execute(said).scalars()) == ["1.5 nan", '{"slope":1.5,"average":3400.0}']
        newest = sa.select(schema.equity).order_by(schema.equity.c.sequence.desc())
        row = connection.execute(newest).first()
        assert row is not None
        assert (row.wallet_balance, row.fees, row.time_ns) == (10_000, Decimal("0.02"), 3_000)
        net = connection.execute(sa.select(schema.positions.c.qty_base).filter_by(strategy="")).scalar()
    assert net == 0
    journal.close(1)


def test_both_sides_of_a_trade_with_oneself_are_rows(tmp_path: Path):
    journal, _ = opened(tmp_path)
    journal.append(intent(1))
    journal.append(intent(2, side="SELL"))
    journal.append(OrderReport(trade(7, "1", "1", number=1), 6))
    journal.append(OrderReport(trade(7, "1", "1", number=2, side="SELL"), 7))
    journal.flush()
    engine = make_engine("", tmp_path)
    Follower(engine, tmp_path).catch_up()
    with engine.connect() as connection:
        rows = connection.execute(sa.select(schema.fills.c.side, schema.fills.c.client_order_id)).all()
    assert sorted(map(tuple, rows)) == [("BUY", key(1)), ("SELL", key(2))]
    journal.close(1)


def test_in_pieces_at_once_and_after_a_restart_they_are_the_same(tmp_path: Path):
    journal, _ = opened(tmp_path)
    pieces = make_engine("", tmp_path)
    follower = Follower(pieces, tmp_path)
    for number in range(1, 60):
        trade_a_little(journal, number)
        if number % 7 == 0:
            follower.catch_up()
        if number == 30:
            follower = Follower(pieces, tmp_path)  # as a new process would
        if number == 40:
            journal.close(1)
            journal, _ = opened(tmp_path)
    follower.catch_up()
    journal.close(1)
    follower.catch_up()
    whole = make_engine(f"sqlite:///{tmp_path / 'whole.sqlite'}", tmp_path)
    assert Follower(whole, tmp_path).catch_up() == follower.applied
    assert contents(whole) == contents(pieces)
    assert len(contents(whole)["orders"]) == 59
    assert len(list(tmp_path.glob("journal-*"))) > 3


def test_tables_of_another_journal_are_made_again(tmp_path: Path):
    for name, number in (("a", 1), ("b", 2)):
        journal, _ = opened(tmp_path / name)
        trade_a_little(journal, number)
        journal.close(1)
    engine = make_engine("", tmp_path)
    Follower(engine, tmp_path / "a").catch_up()
    assert Follower(engine, tmp_path / "b").catch_up() == 10
    assert [row[0] for row in contents(engine)["orders"]] == [key(2)]


def test_a_database_that_fails_for_a_while_costs_only_lag(tmp_path: Path):
    journal, _ = opened(tmp_path)
    trade_a_little(journal, 1)
    engine = make_engine("", tmp_path)
    follower = Follower(engine, tmp_path)
    follower.catch_up()
    trade_a_little(journal, 2)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE fills"))
    with pytest.raises(sa.exc.OperationalError):
        follower.catch_up()
    with engine.begin() as connection:
        schema.fills.create(connection)
    follower.catch_up()
    stop = threading.Event()
    stop.set()
    keep_up(follower, stop, 0.01)
    assert follower.applied == journal.last_sequence
    assert len(contents(engine)["orders"]) == 2
    journal.close(1)


def test_postgresql_gets_exact_numbers():
    text = str(CreateTable(schema.fills).compile(dialect=postgresql.dialect()))
    assert "qty_base NUMERIC NOT NULL" in text


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "is not a database URL as SQLAlchemy knows them"),
        ("postgresql://me:se@cr:et@host/db", "is not a database URL as SQLAlchemy knows them"),
        ("postgresql://me:secret@host:port/db", "is not a database URL as SQLAlchemy knows them"),
        ("oracles://me:secret@host/db", "go to sqlite or postgresql, not to oracles"),
        ("mysql+pymysql://me:secret@host/db", "go to sqlite or postgresql, not to mysql"),
        ("postgresql+pg9000://me:secret@host/db", "is not a database URL as SQLAlchemy knows them"),
        ("sqlite+aiosqlite:///x", "needs the Python package aiosqlite"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_one_sentence(tmp_path: Path, url: str, sentence: str):
    with pytest.raises(ValueError, match=sentence) as caught:
        make_engine(url, tmp_path)
    assert str(caught.value).startswith("engine.journal.database_url")
    for part in ("secret", "et@host", "cr:et", url):
        assert part not in str(caught.value)


def test_tables_of_an_earlier_form_are_made_again(tmp_path: Path):
    journal, _ = opened(tmp_path)
    trade_a_little(journal, 1)
    journal.close(1)
    engine = make_engine("", tmp_path)
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE progress (id integer, schema_version integer, engine_id, sequence, fingerprint)",
            "INSERT INTO progress VALUES (1, 1, 'abcdef', 5, 'x')",
            "CREATE TABLE orders (client_order_id text)",
        ):
            connection.execute(sa.text(statement))
    assert Follower(engine, tmp_path).catch_up() == 10
    assert [row[0] for row in contents(engine)["orders"]] == [key(1)]


def test_tables_somebody_else_made_are_never_dropped(tmp_path: Path):
    engine = make_engine("", tmp_path)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE fills (what text)"))
    for follower in (Follower(engine, tmp_path), Follower(engine, tmp_path, is_own=False)):
        with pytest.raises(TablesRefused, match="tables named fills that are not of this project"):
            follower.catch_up()
        with pytest.raises(TablesRefused):
            follower.drop()
    assert sa.inspect(engine).get_table_names() == ["fills"]


def test_a_rebuild_beside_a_running_follower_loses_no_row(tmp_path: Path):
    journal, _ = opened(tmp_path)
    engine = make_engine("", tmp_path)
    running, other = Follower(engine, tmp_path), Follower(engine, tmp_path)
    trade_a_little(journal, 1)
    running.catch_up()
    trade_a_little(journal, 2)
    other.drop()
    other.catch_up()
    trade_a_little(journal, 3)
    running.catch_up()  # finds the tables not as it left them
    trade_a_little(journal, 4)
    other.catch_up()
    journal.close(1)
    running.catch_up()
    whole = make_engine("sqlite://", tmp_path)
    Follower(whole, tmp_path).catch_up()
    assert contents(engine) == contents(whole)


def test_the_command_line_follows_until_stdin_closes_and_rebuilds(tmp_path: Path):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    folder = tmp_path / "data" / "demo" / "engine" / "journal"
    journal, _ = opened(folder, options=JournalOptions(segment_bytes=65_536, reserve_bytes=4_096))
    trade_a_little(journal, 1)
    command = [sys.executable, "-m", "engine.tables"]
    environment = os.environ | {"NEXTBAR_HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env=environment,
            input="",
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    run("follow", "demo")
    assert run("status", "demo") == "journal 9, tables 9, lag 0 records"
    trade_a_little(journal, 2)
    assert run("status", "demo") == "journal 17, tables 9, lag 8 records"
    journal.close(1)
    assert run("rebuild", "demo") == f"18 records of {folder} are in the tables"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("option", ["", "--forever"])
def test_ctrl_c_ends_the_command_line_in_order(tmp_path: Path, option: str):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    folder = tmp_path / "data" / "demo" / "engine"
    journal, _ = opened(folder / "journal")
    trade_a_little(journal, 1)
    following = subprocess.Popen(
        [sys.executable, "-m", "engine.tables", "follow", "demo", *option.split()],
        cwd=ROOT,
        env=os.environ | {"NEXTBAR_HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with following:
        engine = make_engine("", folder)
        while stored_progress(engine) is None:
            assert following.poll() is None
        following.send_signal(SIGINT)
        assert following.stdout is not None
        assert following.stdout.read() == b""
        assert following.wait() == 0
    journal.close(1)


def test_ctrl_c_in_the_terminal_of_the_engine_does_not_reach_the_tables_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    tables = TablesProcess("demo")
    if os.name != "nt":
        assert os.getpgid(tables._child.pid) != os.getpgid(0)
    assert tables.stop(30) == 0


def test_a_tables_process_that_was_killed_is_started_again_and_a_refused_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "configs").mkdir()
    config = tmp_path / "configs" / "demo.toml"
    config.write_text((ROOT / "configs" / "demo.toml").read_text("utf-8"), "utf-8")
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    tables = TablesProcess("demo")
    for now_s, is_running in ((1.0, False), (10.0, True), (11.0, True)):
        if now_s != 11.0:
            tables.kill()
        tables.revive(now_s)
        assert tables.is_running == is_running
    config.write_text('symbols = "nonsense"', "utf-8")
    tables.kill()
    tables.revive(31.0)
    assert tables.stop(30) == 2
    tables.revive(10_000.0)
    assert not tables.is_running


def test_the_process_beside_the_engine_catches_up_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    folder = tmp_path / "data" / "demo" / "engine"
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    journal, _ = opened(folder / "journal")
    tables = TablesProcess("demo")
    for number in range(1, 20):
        trade_a_little(journal, number)
    journal.close(1)
    assert tables.is_running
    assert tables.stop(30) == 0
    assert not tables.is_running
    assert len(contents(make_engine("", folder))["orders"]) == 19
