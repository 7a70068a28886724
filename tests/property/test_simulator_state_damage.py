"""A simulator's journal with records missing is refused, and they are named."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateways.simulator.journal import StateDamagedError
from tests.property.test_simulator_persistence import Persistence, journal_of, restored, written
from tests.simulator_rig import Desk


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    while Persistence.held:
        Persistence.held.pop().abandon()


@pytest.mark.parametrize("lost", [1, 3, 15])
def test_a_hole_of_any_length_is_refused_and_its_records_are_named(tmp_path: Path, lost: int):
    folder = tmp_path / "s"
    sizes = sorted(set(written(folder)[2]))  # some steps change nothing
    path = journal_of(folder)
    data = path.read_bytes()
    path.write_bytes(data[: sizes[3]] + bytes(sizes[3 + lost] - sizes[3]) + data[sizes[3 + lost] :])
    which = "record 3 is" if lost == 1 else f"records 3 to {2 + lost} are"
    with pytest.raises(StateDamagedError, match=f"{path.name}: {which} damaged but record {3 + lost} behind"):
        restored(folder)


def test_files_of_two_states_are_not_mixed(tmp_path: Path):
    for name in ("a", "b"):
        written(tmp_path / name)
    (newest,) = (tmp_path / "a").glob("snapshot-*.bin")
    newest.write_bytes((tmp_path / "b" / newest.name).read_bytes())
    with pytest.raises(
        StateDamagedError, match=r"journal-000000000\.log: of another state than the snapshot"
    ):
        restored(tmp_path / "a")


def test_a_torn_record_is_named(tmp_path: Path):
    folder = tmp_path / "s"
    sizes = sorted(set(written(folder)[2]))
    path = journal_of(folder)
    os.truncate(path, sizes[-1] - 1)
    _, store = restored(folder)
    assert store.torn == f"record {len(sizes) - 2} at the end of {path.name} was not finished and is dropped"


def test_a_newest_journal_that_is_missing_is_refused(tmp_path: Path):
    folder = tmp_path / "s"
    desk = Desk()
    store = Persistence(folder, desk.ex)
    store.restore()
    desk.market("BUY", "1")
    store.begin_snapshot()
    desk.market("BUY", "1")
    store.commit()  # the snapshot is not finished: only the journal knows of the second order
    journal_of(folder).unlink()
    with pytest.raises(StateDamagedError, match=r"journal-000000001.log: missing"):
        restored(folder)
    written(tmp_path / "t")
    journal_of(tmp_path / "t").unlink()
    with pytest.raises(StateDamagedError, match=r"journal-000000000.log: missing"):
        restored(tmp_path / "t")
