"""What is renamed into place is on disk before, and its name after."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.journal import journal as journal_module
from engine.journal import segment, snapshots
from gateways.simulator.store import journal as simulator_journal
from gateways.simulator.store.persistence import Persistence
from tests.support.journal_rig import note, opened
from tests.support.simulator_rig import ExchangeRig

Done = list[tuple[str, str]]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Done:
    """Syncs and renames in their order: what was done, and to which file or folder."""
    log: Done = []
    names: dict[int, str] = {}
    open_file, replace, fsync = segment.open_file, Path.replace, os.fsync

    def opening(path: Path, flags: int) -> int:
        fd = open_file(path, flags)
        names[fd] = path.name
        return fd

    def renaming(source: Path, target: Path) -> Path:
        log.append(("rename", target.name))
        return replace(source, target)

    def noting(what: str, name: Callable[[Any], str]) -> Callable[[Any], None]:
        return lambda handle: log.append((what, name(handle)))

    def syncing(handle: int) -> None:
        log.append(("sync", Path(f"/proc/self/fd/{handle}").readlink().name))
        fsync(handle)

    for module in (segment, snapshots, journal_module):
        monkeypatch.setattr(module, "open_file", opening)
        monkeypatch.setattr(module, "sync_data", noting("sync", lambda fd: names[fd]))
        monkeypatch.setattr(module, "sync_folder", noting("sync folder", lambda path: Path(path).name))
    monkeypatch.setattr(Path, "replace", renaming)
    monkeypatch.setattr(simulator_journal, "sync_folder", noting("sync folder", lambda path: path.name))
    if Path("/proc/self/fd").is_dir():
        monkeypatch.setattr(os, "fsync", syncing)
    return log


def test_a_snapshot_is_on_disk_before_its_name_and_its_name_before_anything_relies_on_it(
    tmp_path: Path, done: Done
) -> None:
    journal, _ = opened(tmp_path)
    journal.append(note(1))
    journal.flush()
    done.clear()
    journal.rotate(b"state")
    assert done == [
        ("sync", "snapshot-0000000000000002.tmp"),
        ("rename", "snapshot-0000000000000002.bin"),
        ("sync folder", tmp_path.name),
        ("sync", "next-segment.tmp"),  # its space
        ("sync folder", tmp_path.name),
        ("sync", "next-segment.tmp"),  # its header
        ("rename", "journal-0000000000000003.log"),
        ("sync folder", tmp_path.name),
    ]
    journal.close(1)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux for the name of an open file")
def test_a_simulators_snapshot_is_on_disk_before_its_name_and_its_name_after(
    tmp_path: Path, done: Done
) -> None:
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    rig.market("BUY", "1")
    store.commit()
    done.clear()
    store.snapshot()
    renamed = done.index(("rename", "snapshot-000000001.bin"))
    assert done[:3] == [
        ("sync", "journal-000000001.log"),
        ("sync folder", tmp_path.name),
        ("sync", "journal-000000000.log"),  # which says that it goes on in the next
    ]
    assert done[renamed - 1] == ("sync", "snapshot-000000001.tmp")
    assert done[renamed + 1] == ("sync folder", tmp_path.name)
    store.abandon()
