"""A journal that cannot be read to its end: the tables name where, say how far they are behind, and stay."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from engine.journal.segment import FRAME_BYTES, HEADER_BYTES, JournalError, segment_paths
from engine.journal.tail import JournalTail
from engine.tables.command import app, keep_up
from engine.tables.database import TablesRefused, make_engine
from engine.tables.follower import Follower
from engine.tables.retention import drop_up_to
from tests.integration.engine.tables.test_tables import contents, trade_a_little
from tests.support.journal_rig import note, opened
from tests.support.places import ROOT


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo's journal of several files."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    path = tmp_path / "data" / "demo" / "engine" / "journal"
    path.mkdir(parents=True)
    journal, _ = opened(path)
    for number in range(1, 40):
        trade_a_little(journal, number)
    journal.close(1)
    assert len(segment_paths(path)) > 3
    return path


@pytest.fixture
def tables(folder: Path) -> sa.Engine:
    return make_engine("", folder.parent)


def damage_old_file(folder: Path) -> str:
    """One bit of the second file; returns how the record is named."""
    first, path = segment_paths(folder)[1]
    flip(path, HEADER_BYTES + FRAME_BYTES + 2)
    return f"record {first} in {path.name} is damaged"


def test_a_flipped_bit_in_an_old_file_is_named_with_the_lag(
    folder: Path, tables: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = damage_old_file(folder)
    follower = Follower(tables, folder)
    stop = threading.Event()
    stop.set()
    keep_up(follower, stop, 0.01)
    last = JournalTail(folder).newest_sequence()
    lag = last - follower.applied
    assert follower.applied == segment_paths(folder)[1][0] - 1
    assert capsys.readouterr().err.startswith(f"tables lag {lag} records behind the journal: {sentence}")
    said = CliRunner().invoke(app, ["status", "demo"])
    assert said.exit_code == 2
    assert said.stdout == f"journal {last}, tables {follower.applied}, lag {lag} records\n"
    assert said.stderr.startswith(sentence)


def test_a_whole_file_damaged_to_its_end_is_named_by_the_one_after_it(
    folder: Path, tables: sa.Engine
) -> None:
    (first, path), (following, _) = segment_paths(folder)[1:3]
    path.write_bytes(path.read_bytes()[:HEADER_BYTES] + bytes(path.stat().st_size - HEADER_BYTES))
    named = f"records {first} to {following - 1} in {path.name} are damaged or missing"
    with pytest.raises(JournalError, match=named):
        Follower(tables, folder).catch_up()


def test_a_rebuild_from_a_damaged_journal_leaves_good_tables_as_they_are(
    folder: Path, tables: sa.Engine
) -> None:
    Follower(tables, folder).catch_up()
    before = contents(tables)
    sentence = damage_old_file(folder)
    said = CliRunner().invoke(app, ["rebuild", "demo"])
    assert said.exit_code == 2
    assert said.stderr.startswith(sentence)
    assert said.stderr.count("\n") == 1
    assert contents(tables) == before


def test_a_rebuild_from_a_shorter_journal_is_refused_unless_told_so(folder: Path, tables: sa.Engine) -> None:
    follower = Follower(tables, folder)
    follower.catch_up()
    before = contents(tables)
    for _, path in segment_paths(folder)[2:]:
        path.unlink()
    said = CliRunner().invoke(app, ["rebuild", "demo"])
    assert said.exit_code == 2
    assert said.stderr.startswith(
        f"the tables hold records up to {follower.applied}, the journal in {folder}"
    )
    assert contents(tables) == before
    assert CliRunner().invoke(app, ["rebuild", "demo", "--accept-loss"]).exit_code == 0
    assert len(contents(tables)["orders"]) < len(before["orders"])


@pytest.mark.parametrize("goes_on", [False, True])
def test_tables_ahead_of_a_restored_journal_are_kept_beside_the_new_ones(
    folder: Path, tables: sa.Engine, capsys: pytest.CaptureFixture[str], goes_on: bool
) -> None:
    """Whether the follower looks before the journal has grown past them or after."""
    Follower(tables, folder).catch_up()
    before = contents(tables)
    last = before["progress"][0][3]
    for _, path in segment_paths(folder)[2:]:
        path.unlink()
    journal, _ = opened(folder)
    for number in range(50, 100 if goes_on else 52):
        trade_a_little(journal, number)
    journal.close(1)
    stop = threading.Event()
    stop.set()
    keep_up(Follower(tables, folder), stop, 0.01)
    kept = f"tables-until-{last}.sqlite"
    assert (
        f"records up to {last} that the journal in {folder} does not have: they are kept as {kept}, and"
        in (capsys.readouterr().err)
    )
    assert contents(make_engine(f"sqlite:///{folder.parent / kept}", folder)) == before
    whole = make_engine("sqlite://", folder)
    Follower(whole, folder).catch_up()
    assert contents(tables) == contents(whole)


def test_tables_of_a_given_database_that_are_ahead_are_left_as_they_are(folder: Path, tmp_path: Path) -> None:
    database = make_engine(f"sqlite:///{tmp_path / 'given.sqlite'}", folder)
    Follower(database, folder, is_own=False).catch_up()
    before = contents(database)
    for _, path in segment_paths(folder)[2:]:
        path.unlink()
    with pytest.raises(TablesRefused, match=r"they stay as they are; `python -m engine.tables rebuild"):
        Follower(database, folder, is_own=False).catch_up()
    assert contents(database) == before


def test_rows_of_files_that_were_deleted_are_not_dropped_by_a_rebuild(
    folder: Path, tables: sa.Engine
) -> None:
    follower = Follower(tables, folder)
    follower.catch_up()
    drop_up_to(folder, segment_paths(folder)[2][0] - 1)
    with pytest.raises(TablesRefused, match="only these tables have their rows"):
        follower.refuse_loss()


def test_tables_of_another_journal_are_no_loss(folder: Path, tables: sa.Engine, tmp_path: Path) -> None:
    Follower(tables, folder).catch_up()
    (tmp_path / "other").mkdir()
    journal, _ = opened(tmp_path / "other")
    journal.close(1)
    Follower(tables, tmp_path / "other").refuse_loss()


def test_what_was_read_before_the_damage_counts(folder: Path) -> None:
    damage_old_file(folder)
    tail = JournalTail(folder)
    read = tail.read()
    assert [sequence for sequence, _ in read] == list(range(1, segment_paths(folder)[1][0]))
    for _ in range(2):
        with pytest.raises(JournalError, match="is damaged"):
            tail.read()


def test_a_write_that_is_under_way_is_no_damage(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    journal.append(note(1))
    journal.flush()
    tail = JournalTail(tmp_path)
    assert len(tail.read()) == 2
    ((_, path),) = segment_paths(tmp_path)
    with path.open("r+b") as file:
        file.seek(journal._used)
        file.write(b"half of a frame")
    assert tail.read() == []
    journal.append(note(2))
    journal.flush()
    assert [sequence for sequence, _ in tail.read()] == [3]
    journal.close(1)
