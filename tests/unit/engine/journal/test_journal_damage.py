"""What is missing or foreign in a journal is named; only a write that never finished is dropped."""

import shutil
import struct
from pathlib import Path

import pytest

from engine.journal import spare
from engine.journal.crc32c import crc32c
from engine.journal.journal import JournalError, JournalFull, JournalOptions
from engine.journal.recovered import read_folder
from engine.journal.segment import HEADER_BYTES, account_digest, segment_paths
from engine.journal.snapshots import snapshot_paths
from engine.model.records import RecordsLost
from engine.tables.reading import base_paths
from tests.support.journal_rig import ACCOUNT, SMALL, note, opened, written

LONG = JournalOptions(segment_bytes=1 << 20, reserve_bytes=4_096, sync=False)


def journal_of(
    folder: Path, records: int, *, options: JournalOptions = SMALL, engine_id: str = "abcdef"
) -> list[int]:
    """Each record flushed by itself; returns the places in the first file where records 2, 3, ... end."""
    journal, _ = opened(folder, options=options, engine_id=engine_id)
    ends = []
    for number in range(records):
        journal.append(note(number))
        journal.flush()
        ends.append(journal._used)
    journal.close(1)
    return ends


def as_format_1(path: Path) -> None:
    """The header as versions before wrote it."""
    data = path.read_bytes()
    (first,) = struct.unpack_from("<Q", data, 12)
    body = struct.pack("<8sIQ32s", b"NEXTBARJ", 1, first, account_digest(ACCOUNT))
    path.write_bytes(
        (body + struct.pack("<I", crc32c(body))).ljust(HEADER_BYTES, b"\0") + data[HEADER_BYTES:]
    )


@pytest.mark.parametrize("filling", [b"\0", b"\xa5"])
@pytest.mark.parametrize("lost", [1, 2, 999, 1_000, 1_001, 2_500])
def test_a_hole_of_any_length_is_refused_and_names_the_records_lost(
    tmp_path: Path, lost: int, filling: bytes
):
    ends = journal_of(tmp_path, lost + 20, options=LONG)
    ((_, path),) = segment_paths(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: ends[9]] + filling * (ends[9 + lost] - ends[9]) + whole[ends[9 + lost] :])
    damaged = path.read_bytes()
    which = "record 12" if lost == 1 else f"records 12 to {11 + lost}"
    with pytest.raises(
        JournalError, match=rf"^{which} in {path.name} (is|are) damaged: record {12 + lost} is"
    ):
        opened(tmp_path, options=LONG)
    assert path.read_bytes() == damaged


def test_one_record_behind_the_damage_is_enough(tmp_path: Path):
    ends = journal_of(tmp_path, 3, options=LONG)
    ((_, path),) = segment_paths(tmp_path)
    data = bytearray(path.read_bytes())
    data[ends[1] + 30] ^= 1  # the last before Stop
    path.write_bytes(data)
    with pytest.raises(JournalError, match=f"^record 4 in {path.name} is damaged: record 5 is whole"):
        read_folder(tmp_path, None)


def test_a_file_is_cut_to_its_records_only_when_the_next_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(path: Path, size: int) -> None:
        raise OSError(28, "No space left on device")

    journal, _ = opened(tmp_path)
    monkeypatch.setattr(spare, "make_zeroed", full)
    with pytest.raises(JournalFull):
        journal.rotate(b"state")
    journal.close(1)
    ((_, path),) = segment_paths(tmp_path)
    assert path.stat().st_size == SMALL.segment_bytes + SMALL.reserve_bytes
    assert not read_folder(tmp_path, None).lost


def test_two_holes_are_both_named(tmp_path: Path):
    ends = journal_of(tmp_path, 30, options=LONG)
    ((_, path),) = segment_paths(tmp_path)
    data = bytearray(path.read_bytes())
    for at in (ends[4], ends[10], ends[11]):
        data[at + 30] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"^record 7 and records 13 to 14 in .* are damaged"):
        read_folder(tmp_path, None)


def test_a_torn_batch_is_dropped_and_its_records_are_named(tmp_path: Path):
    journal, _ = opened(tmp_path, options=LONG)
    start = journal._used
    for number in range(4):
        journal.append(note(number))
    journal.flush()
    size = (journal._used - start) // 4
    end = journal._used
    journal.close(1)
    ((_, path),) = segment_paths(tmp_path)
    data = bytearray(path.read_bytes())
    data[start + size + 30] ^= 1
    path.write_bytes(data[:end].ljust(len(data), b"\0"))
    found = read_folder(tmp_path, None)
    assert written(found) == [note(0)]
    assert found.warnings == (
        f"records 3 to 5 at the end of {path.name} are dropped: the write was cut off before it was finished",
    )
    assert not found.lost


@pytest.mark.parametrize("is_old", [False, True])
def test_a_last_file_that_is_missing_is_noticed(tmp_path: Path, is_old: bool):
    journal_of(tmp_path, 300)
    *_, (_, before), (first, last) = segment_paths(tmp_path)
    last.unlink()
    if is_old:
        as_format_1(before)
    found = read_folder(tmp_path, account_digest(ACCOUNT))
    assert found.next_sequence == first
    assert found.lost.startswith(f"the records after {first - 1} are lost: {before.name} ends there")
    assert found.lost in found.warnings
    journal, _ = opened(tmp_path)
    journal.close(1)
    again = read_folder(tmp_path, account_digest(ACCOUNT))
    assert not again.lost
    assert [one.text for _, one in again.records if isinstance(one, RecordsLost)] == [found.lost]


def test_a_last_file_that_is_missing_behind_a_snapshot_is_noticed(tmp_path: Path):
    journal, _ = opened(tmp_path)
    journal.append(note(1))
    journal.rotate(b"state at 2")
    journal.append(note(2))
    journal.close(1)
    segment_paths(tmp_path)[-1][1].unlink()
    found = read_folder(tmp_path, None)
    assert (found.state, found.next_sequence) == (b"state at 2", 3)
    assert "the records after 2 are lost" in found.lost


def test_a_file_shorter_than_it_was_allocated_is_noticed(tmp_path: Path):
    ends = journal_of(tmp_path, 5, options=LONG)
    ((_, path),) = segment_paths(tmp_path)
    whole = path.read_bytes()
    for size, lost in (
        (ends[2], "the records after 4 are lost"),
        (ends[2] + 10, f"record 5 and all after it are lost: the end of {path.name} was cut off"),
    ):
        path.write_bytes(whole[:size])
        assert read_folder(tmp_path, None).lost.startswith(lost)
    path.write_bytes(whole[:-1000])
    found = read_folder(tmp_path, None)
    assert not found.lost
    assert found.warnings == (f"{path.name} is shorter than it was allocated; no record of it is missing",)
    opened(tmp_path, options=LONG)[0].close(1)
    assert path.stat().st_size == len(whole)


def test_files_of_the_version_before_are_read_and_gone_on_with(tmp_path: Path):
    journal_of(tmp_path, 300)
    for _, path in segment_paths(tmp_path):
        as_format_1(path)
    journal, found = opened(tmp_path)
    assert (written(found), found.warnings) == ([note(number) for number in range(300)], ())
    for number in range(300, 600):
        journal.append(note(number))
        journal.flush()
    journal.rotate(b"state")
    journal.close(1)
    found = read_folder(tmp_path, account_digest(ACCOUNT))
    assert (found.state, found.warnings) == (b"state", ())


@pytest.mark.parametrize("is_old", [False, True])
def test_a_snapshot_of_another_journal_is_refused(tmp_path: Path, is_old: bool):
    for name, engine_id in (("a", "aaaaaa"), ("b", "bbbbbb")):
        journal, _ = opened(tmp_path / name, engine_id=engine_id)
        journal.append(note(1))
        journal.rotate(engine_id.encode())
        journal.close(1)
    ((_, ours),) = snapshot_paths(tmp_path / "a")
    ((_, theirs),) = snapshot_paths(tmp_path / "b")
    ours.write_bytes(theirs.read_bytes())
    if is_old:
        for _, path in segment_paths(tmp_path / "a"):
            as_format_1(path)
    with pytest.raises(JournalError, match=r"of another (engine|run)"):
        opened(tmp_path / "a")


def branches(tmp_path: Path) -> tuple[Path, Path]:
    """One journal that went on in two ways from a copy."""
    one, other = tmp_path / "one", tmp_path / "other"
    journal_of(one, 3)
    shutil.copytree(one, other)
    for folder, text in ((one, 10), (other, 11)):
        journal, _ = opened(folder)
        journal.append(note(text))
        journal.rotate(str(text).encode())
        journal.append(note(4))
        journal.close(1)
    return one, other


def test_files_of_another_branch_of_the_same_journal_are_refused(tmp_path: Path):
    one, other = branches(tmp_path)
    shutil.copy(snapshot_paths(other)[0][1], snapshot_paths(one)[0][1])
    with pytest.raises(JournalError, match="snapshot 7 is of another run than the journal beside it"):
        read_folder(one, None)
    snapshot_paths(one)[0][1].unlink()
    last = segment_paths(one)[-1][1]
    shutil.copy(segment_paths(other)[-1][1], last)
    with pytest.raises(JournalError, match=f"{last.name} does not follow the records before it"):
        read_folder(one, None)


def test_a_segment_of_another_engine_is_refused(tmp_path: Path):
    for name, engine_id in (("a", "aaaaaa"), ("b", "bbbbbb")):
        journal_of(tmp_path / name, 500, engine_id=engine_id)
    (_, first), (_, second), *_ = segment_paths(tmp_path / "a")
    shutil.copy(segment_paths(tmp_path / "b")[1][1], second)
    with pytest.raises(JournalError, match=f"{second.name} is of another engine than aaaaaa"):
        read_folder(tmp_path / "a", None)
    shutil.copy(segment_paths(tmp_path / "b")[0][1], first)
    with pytest.raises(JournalError, match="of another engine than bbbbbb"):
        read_folder(tmp_path / "a", None)


@pytest.mark.parametrize("name", ["journal-0000000000000001.log", "next-segment.tmp"])
def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    with pytest.raises(JournalError, match=rf"{name} cannot be used for the journal"):
        opened(tmp_path)


def test_foreign_files_are_named_and_left_alone(tmp_path: Path):
    journal_of(tmp_path, 3)
    names = ["base-copy.bin", "journal-1.log", "journal-old.log", "snapshot-best.bin"]
    for name in [*names, "notes.tmp"]:
        (tmp_path / name).write_text("mine")
    journal, found = opened(tmp_path)
    journal.close(1)
    assert found.warnings == tuple(
        f"{name} in {tmp_path} is no file of the journal: not read" for name in names
    )
    assert base_paths(tmp_path) == []
    assert (tmp_path / "notes.tmp").read_text() == "mine"
