"""A simulator's journal with records missing is refused, and they are named."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateways.simulator.__main__ import main
from gateways.simulator.store.journal import StateDamagedError
from runtime.process.child import EXIT_CONFIGURATION
from tests.property.gateways.simulator.store.test_persistence import (
    Persistence,
    journal_of,
    restored,
    written,
)
from tests.support.simulator_rig import ExchangeRig


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
    with pytest.raises(StateDamagedError, match=f"{path.name}: {which} damaged but record {3 + lost} after"):
        restored(folder)


def test_journals_without_any_snapshot_are_no_empty_folder(tmp_path: Path):
    written(tmp_path)
    for path in tmp_path.glob("snapshot-*.bin"):
        path.unlink()
    with pytest.raises(StateDamagedError, match=r"journal-000000000\.log: the snapshot it continues"):
        restored(tmp_path)


def test_files_of_two_states_are_not_mixed(tmp_path: Path):
    for name in ("a", "b"):
        written(tmp_path / name)
    (newest,) = (tmp_path / "a").glob("snapshot-*.bin")
    newest.write_bytes((tmp_path / "b" / newest.name).read_bytes())
    with pytest.raises(
        StateDamagedError, match=r"journal-000000000\.log: belongs to another state folder than the snapshot"
    ):
        restored(tmp_path / "a")


def test_a_torn_record_is_named(tmp_path: Path):
    folder = tmp_path / "s"
    sizes = sorted(set(written(folder)[2]))
    path = journal_of(folder)
    os.truncate(path, sizes[-1] - 1)
    _, store = restored(folder)
    assert store.torn == f"record {len(sizes) - 2} at the end of {path.name} is incomplete and was dropped"


def test_a_newest_journal_that_is_missing_is_refused(tmp_path: Path):
    folder = tmp_path / "s"
    rig = ExchangeRig()
    store = Persistence(folder, rig.ex)
    store.restore()
    rig.market("BUY", "1")
    store.begin_snapshot()
    rig.market("BUY", "1")
    store.commit()  # the snapshot is not finished: only the journal knows of the second order
    journal_of(folder).unlink()
    with pytest.raises(StateDamagedError, match=r"journal-000000001.log: missing"):
        restored(folder)
    written(tmp_path / "t")
    journal_of(tmp_path / "t").unlink()
    with pytest.raises(StateDamagedError, match=r"journal-000000000.log: missing"):
        restored(tmp_path / "t")


@pytest.mark.skipif(os.name == "nt", reason="Windows says of a folder that access is denied to it")
@pytest.mark.parametrize("name", ["snapshot-000000000.bin", "snapshot-1.tmp", "clock.json"])
def test_a_folder_in_the_place_of_a_file_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
):
    (tmp_path / name).mkdir()
    assert main(["--state", str(tmp_path), "--port", "0"]) == EXIT_CONFIGURATION
    assert capsys.readouterr().err == f"simulator: {tmp_path / name}: Is a directory\n"
