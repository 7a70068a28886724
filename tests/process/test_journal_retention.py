"""Old journal files go without taking anything along: recovery and tables are what they were."""

import os
import shutil
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from engine.journal.journal import Journal
from engine.journal.recovered import read_folder
from engine.journal.segment import JournalError, segment_paths
from engine.journal.snapshots import snapshot_paths
from engine.tables.database import TablesRefused, make_engine
from engine.tables.follower import Follower
from engine.tables.reading import Reading, base_paths
from engine.tables.retention import Retention, drop_up_to
from tests.integration.engine.tables.test_tables import contents, trade_a_little
from tests.process.test_engine_end_to_end import CONFIG
from tests.support.journal_rig import opened

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LATER_S = 10_000_000_000.0


def written(folder: Path, *, until: int = 40, since: int = 1) -> None:
    """A journal of several segments and snapshots."""
    journal, _ = opened(folder)
    for number in range(since, until):
        trade_a_little(journal, number)
        if journal.wants_rotation:
            journal.rotate(str(journal.last_sequence).encode())
    journal.close(5)


def table_of(folder: Path, at: Path) -> tuple[sa.Engine, Follower]:
    engine = make_engine("", at, is_archive=True)
    follower = Follower(engine, folder)
    follower.catch_up()
    return engine, follower


def rows(engine: sa.Engine) -> dict[str, list[tuple[object, ...]]]:
    """All but the name of the folder."""
    found = contents(engine)
    found["progress"] = [row[:-1] for row in found["progress"]]
    return found


def recovered(folder: Path) -> tuple[object, ...]:
    found = read_folder(folder, None)
    records = msgspec.msgpack.encode(found.records)  # a signal's values may be nan, which equals nothing
    return found.engine_id, found.fencing, found.state, records, found.next_sequence, found.end


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "journal"
    folder.mkdir()
    written(folder)
    assert len(segment_paths(folder)) > 4
    assert len(snapshot_paths(folder)) == 3
    return folder


def test_what_is_gone_changes_neither_recovery_nor_tables(journal: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(journal, whole)
    engine, follower = table_of(journal, tmp_path)
    before = recovered(journal)
    look = Retention(journal, 60.0, lambda: LATER_S)
    gone = look.look(follower)
    assert gone == len(segment_paths(whole)) - len(segment_paths(journal))
    assert gone > 1
    oldest_snapshot = snapshot_paths(journal)[-1][0]
    assert segment_paths(journal)[0][0] == oldest_snapshot + 1
    assert recovered(journal) == before
    for path in (journal, whole):
        written(path, since=40, until=60)
    follower.catch_up()
    again = Follower(engine, journal)  # a new start of the tables process
    assert again.catch_up() == 0
    (tmp_path / "b").mkdir()
    reference, _ = table_of(whole, tmp_path / "b")
    assert rows(engine) == rows(reference)


def test_nothing_goes_that_somebody_still_needs(journal: Path, tmp_path: Path) -> None:
    _, follower = table_of(journal, tmp_path)
    segments = segment_paths(journal)
    assert Retention(journal, 0.0, lambda: LATER_S).look(follower) == 0  # kept for ever
    newest = segments[-1][1].stat().st_mtime
    assert Retention(journal, 3600.0, lambda: newest).look(follower) == 0  # too young
    behind = Follower(make_engine("", tmp_path / "elsewhere"), journal)
    assert Retention(journal, 1.0, lambda: LATER_S).look(behind) == 0  # the tables have read nothing
    for _, path in snapshot_paths(journal)[1:]:
        path.write_bytes(b"damaged")
    assert Retention(journal, 1.0, lambda: LATER_S).look(follower) == 0  # one snapshot is not enough
    assert segment_paths(journal) == segments


def test_tables_lost_with_old_files_gone_begin_with_the_orders_and_positions_of_then(
    journal: Path, tmp_path: Path
) -> None:
    engine, follower = table_of(journal, tmp_path)
    positions = contents(engine)["positions"]
    assert Retention(journal, 1.0, lambda: LATER_S).look(follower)
    (tmp_path / "b").mkdir()
    anew, _ = table_of(journal, tmp_path / "b")
    assert contents(anew)["positions"] == positions
    assert Decimal(str(positions[0][2])) > 0
    assert len(contents(anew)["fills"]) < len(contents(engine)["fills"])


def test_tables_that_do_not_fit_are_not_dropped_when_nothing_could_make_them_again(
    journal: Path, tmp_path: Path
) -> None:
    engine, follower = table_of(journal, tmp_path)
    assert Retention(journal, 1.0, lambda: LATER_S).look(follower)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE progress SET fingerprint = 'of another journal'"))
    before = contents(engine)
    with pytest.raises(TablesRefused, match="were deleted for their age"):
        Follower(engine, journal).catch_up()
    assert contents(engine) == before
    Follower(engine, journal).drop()


def test_a_journal_whose_beginning_is_gone_without_a_base_is_refused(journal: Path) -> None:
    drop_up_to(journal, segment_paths(journal)[1][0] - 1)
    ((_, base),) = base_paths(journal)
    base.write_bytes(base.read_bytes()[:-1])
    with pytest.raises(JournalError, match=r"records 1 to [0-9]+ in .* are missing and no usable base"):
        Reading(journal)


@pytest.mark.skipif(os.name != "posix", reason="kills itself by a signal")
def test_a_kill_before_any_change_of_a_file_is_harmless(journal: Path, tmp_path: Path) -> None:
    engine, follower = table_of(journal, tmp_path)
    tables, before = contents(engine), recovered(journal)
    last = segment_paths(journal)[-3][0] - 1
    drop_up_to(
        journal_copy(journal, tmp_path), segment_paths(journal)[1][0] - 1
    )  # so that there is an older base
    kill_at = 0
    while True:
        kill_at += 1
        folder = tmp_path / f"killed-{kill_at}"
        shutil.copytree(tmp_path / "copy", folder)
        command = [sys.executable, str(HERE / "journal_dropper.py"), str(folder), str(last), str(kill_at)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert recovered(folder) == before
        reading = Reading(folder)
        while reading.read(1_000):
            pass
        assert reading.fingerprint == tables["progress"][0][4]
        drop_up_to(folder, last)
        assert segment_paths(folder)[0][0] == last + 1
        assert [sequence for sequence, _ in base_paths(folder)] == [last]
        if done.returncode == 0:
            assert int(done.stdout) == kill_at - 1
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert kill_at > 4
    assert follower.catch_up() == 0


def journal_copy(journal: Path, tmp_path: Path) -> Path:
    shutil.copytree(journal, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_tables_process_deletes_what_is_old(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    kept = "[engine.journal]\nkeep_days = 0.000001\n[risk]"
    (tmp_path / "configs" / "demo.toml").write_text(CONFIG.replace("[risk]", kept))
    folder = tmp_path / "data" / "demo" / "engine" / "journal"
    folder.mkdir(parents=True)
    written(folder)
    before = recovered(folder)
    segments = len(segment_paths(folder))
    process = subprocess.run(
        [sys.executable, "-m", "engine.tables", "follow", "demo"],
        cwd=ROOT,
        env={**os.environ, "NEXTBAR_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    left = len(segment_paths(folder))
    assert left < segments
    assert process.stderr == f"{segments - left} old journal files deleted: tables and snapshots hold them\n"
    assert recovered(folder) == before
    following, found = opened(folder)
    assert isinstance(following, Journal)
    assert msgspec.msgpack.encode(found.records) == before[3]
    following.close(9)
