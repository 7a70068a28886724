import os
import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.journal import journal as journal_module
from engine.journal import spare
from engine.journal.crc32c import crc32c
from engine.journal.journal import Journal, JournalError, JournalFull, JournalOptions
from engine.journal.recovered import read_folder
from engine.journal.segment import header, segment_paths
from engine.journal.snapshots import snapshot_paths
from engine.model.records import SCHEMA_VERSION, JournalRecord, Start, Stop
from tests.support.journal_rig import ACCOUNT, leaving, note, opened, read_records, written
from tests.support.order_events import intent
from tests.support.record_samples import samples

BIG = JournalOptions(segment_bytes=262_144, reserve_bytes=4_096)


def only_segment(folder: Path) -> Path:
    ((_, path),) = segment_paths(folder)
    return path


def fill_up(journal: Journal, record: JournalRecord) -> None:
    while True:
        journal.append(record)


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"") == 0


def test_what_was_flushed_is_read_again_and_the_identity_stays(tmp_path: Path):
    journal, found = opened(tmp_path)
    assert (found.engine_id, found.records, journal.fencing) == ("", (), 1)
    records = [intent(1), note(2), leaving(3)]
    sequences = [journal.append(record) for record in records]
    journal.flush()
    assert sequences == [2, 3, 4]
    assert journal.durable_sequence == 4
    journal.close(99)
    second, found = opened(tmp_path, engine_id="zzzzzz")
    assert written(found) == records
    assert [type(record) for _, record in found.records] == [Start, *(type(r) for r in records), Stop]
    assert (second.engine_id, second.fencing, found.dropped_bytes, found.warnings) == ("abcdef", 2, 0, ())
    second.close(1)


def test_space_is_preallocated_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sizes: list[int] = []
    write = os.write

    def watched(fd: int, data: memoryview) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", watched)
    opened(tmp_path, options=BIG)[0].close(1)  # a new segment
    opened(tmp_path, options=BIG)[0].close(2)  # the rest of one in use
    assert max(sizes) == 4096
    assert only_segment(tmp_path).stat().st_size == BIG.segment_bytes + BIG.reserve_bytes


def test_what_was_not_flushed_may_be_lost_and_nothing_else(tmp_path: Path):
    journal, _ = opened(tmp_path)
    journal.append(note(1))
    journal.flush()
    journal.append(note(2))
    assert journal.durable_sequence == 2
    assert written(read_folder(tmp_path, None)) == [note(1)]
    journal.close(1)


def test_one_engine_a_folder(tmp_path: Path):
    journal, _ = opened(tmp_path)
    with pytest.raises(JournalError, match=rf"another engine \(process {os.getpid()}\) is using"):
        opened(tmp_path)
    journal.close(1)
    opened(tmp_path)[0].close(1)


def test_another_accounts_folder_is_refused(tmp_path: Path):
    opened(tmp_path)[0].close(1)
    with pytest.raises(JournalError, match="belongs to another account"):
        opened(tmp_path, account="live:test")


def test_a_newer_schema_is_refused(tmp_path: Path):
    journal, _ = opened(tmp_path)
    journal.append(Start("abcdef", 2, ACCOUNT, SCHEMA_VERSION + 1, 1))
    journal.close(1)
    with pytest.raises(JournalError, match="use the newer version"):
        opened(tmp_path)


def test_cut_at_every_byte_of_the_last_records_drops_only_what_is_cut(tmp_path: Path):
    journal, _ = opened(tmp_path, options=BIG)
    ends = []
    for number in range(6):
        journal.append(intent(number))
        journal.flush()
        ends.append(read_folder(tmp_path, None).end)
    journal.close(1)
    path = only_segment(tmp_path)
    whole = path.read_bytes()
    for cut in range(ends[2], ends[5] + 1):
        for data in (whole[:cut], whole[:cut].ljust(len(whole), b"\0")):
            path.write_bytes(data)
            found = read_folder(tmp_path, None)
            kept = 3 + sum(cut >= end for end in ends[3:])
            # zeros at the end of a record may be the zeros that were there before
            assert written(found) in ([intent(n) for n in range(kept)], [intent(n) for n in range(kept + 1)])
            assert (found.dropped_bytes > 0) == bool(data[found.end :].strip(b"\0"))
            is_short = len(data) < len(whole)
            assert bool(found.warnings) == (found.dropped_bytes > 0 or is_short)
            assert bool(found.lost) == is_short


def test_a_batch_torn_in_its_middle_is_dropped_and_its_bytes_never_come_back(tmp_path: Path):
    journal, _ = opened(tmp_path, options=BIG)
    start = read_folder(tmp_path, None).end
    for number in range(4):
        journal.append(note(number))
    journal.flush()
    end = read_folder(tmp_path, None).end
    journal.close(1)
    path = only_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[start + (end - start) // 4 + 30] ^= 1  # the second of four; two whole ones follow it
    path.write_bytes(data[:end].ljust(len(data), b"\0"))
    again, found = opened(tmp_path, options=BIG)
    assert written(found) == [note(0)]
    assert found.dropped_bytes > (end - start) // 2
    again.append(note(9))
    again.flush()
    found = read_folder(tmp_path, None)
    assert written(found) == [note(0), note(9)]
    assert not path.read_bytes()[found.end :].strip(b"\0")
    again.close(1)


def test_every_flipped_bit_in_the_middle_is_named_and_refused(tmp_path: Path):
    journal, _ = opened(tmp_path, options=BIG)
    ends = []
    for number in range(8):
        journal.append(intent(number))
        journal.flush()
        ends.append(read_folder(tmp_path, None).end)
    journal.close(1)
    path = only_segment(tmp_path)
    whole = path.read_bytes()
    chosen = random.Random(7).sample(range(ends[0] * 8, ends[6] * 8), 300)
    for bit in chosen:
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        record = 3 + sum(bit // 8 >= end for end in ends[1:])
        with pytest.raises(JournalError, match=f"record {record} in journal-0000000000000001.log"):
            read_folder(tmp_path, None)


def test_a_flipped_bit_in_the_header_or_in_an_older_file_refuses(tmp_path: Path):
    journal, _ = opened(tmp_path)
    while len(segment_paths(tmp_path)) < 3:
        journal.append(note(1, 200))
        journal.flush()
    journal.close(1)
    (_, first), (second_starts, _), _ = segment_paths(tmp_path)
    whole = first.read_bytes()
    first.write_bytes(whole[:20] + b"?" + whole[21:])
    with pytest.raises(JournalError, match="damaged header"):
        read_folder(tmp_path, None)
    first.write_bytes(whole[:-3])
    with pytest.raises(
        JournalError, match=f"record {second_starts - 1} in {first.name} is damaged or missing"
    ):
        read_folder(tmp_path, None)
    first.unlink()
    with pytest.raises(JournalError, match=f"records 1 to {second_starts - 1} .* are missing"):
        read_folder(tmp_path, None)


def test_records_go_on_over_several_files(tmp_path: Path):
    journal, _ = opened(tmp_path)
    records = [note(number, number % 300) for number in range(300)]
    for record in records:
        journal.append(record)
        if record.time_ns % 5 == 0:
            journal.flush()
    journal.close(1)
    assert len(segment_paths(tmp_path)) > 5
    again, found = opened(tmp_path)
    assert written(found) == records
    assert [sequence for sequence, _ in read_records(tmp_path, after=250)] == list(range(251, 304))
    again.close(1)


def test_after_a_rotation_only_what_follows_is_read(tmp_path: Path):
    journal, _ = opened(tmp_path)
    for number in range(5):
        journal.append(note(number))
    journal.rotate(b"state at 6")
    journal.append(note(5))
    journal.close(1)
    again, found = opened(tmp_path)
    assert found.state == b"state at 6"
    assert written(found) == [note(5)]
    assert (again.engine_id, again.fencing) == ("abcdef", 2)
    again.rotate(b"state at 9")
    again.close(1)
    third, found = opened(tmp_path)
    assert (found.state, written(found), third.fencing) == (b"state at 9", [], 3)
    third.close(1)


def test_a_snapshot_without_room_for_a_new_file_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(path: Path, size: int) -> None:
        raise OSError(28, "No space left on device")

    journal, _ = opened(tmp_path)
    journal.append(note(1))
    monkeypatch.setattr(spare, "make_zeroed", full)
    with pytest.raises(JournalFull, match="No space left on device"):
        journal.rotate(b"state at 2")
    assert not journal.accepts_entries
    journal.append(leaving(2))
    journal.close(1)
    found = read_folder(tmp_path, None)
    assert (found.state, written(found)) == (b"state at 2", [leaving(2)])


def test_a_full_segment_asks_for_rotation(tmp_path: Path):
    journal, _ = opened(tmp_path, options=JournalOptions(segment_bytes=4_096, reserve_bytes=1_024))
    assert not journal.wants_rotation
    while not journal.wants_rotation:
        journal.append(note(1, 100))
    journal.rotate(b"")
    assert not journal.wants_rotation
    journal.close(1)


def test_a_damaged_snapshot_falls_back_to_the_one_before(tmp_path: Path):
    journal, _ = opened(tmp_path)
    journal.append(note(1))
    journal.rotate(b"first")
    journal.append(note(2))
    journal.rotate(b"second")
    journal.append(note(3))
    journal.close(1)
    (_, newest), (_, older) = snapshot_paths(tmp_path)
    data = bytearray(newest.read_bytes())
    data[-1] ^= 4
    newest.write_bytes(data)
    found = read_folder(tmp_path, None)
    assert (found.state, written(found)) == (b"first", [note(2), note(3)])
    assert newest.name in found.warnings[0]
    older.unlink()
    found = read_folder(tmp_path, None)
    assert (found.state, written(found)) == (None, [note(1), note(2), note(3)])


def test_a_snapshot_newer_than_the_journal_or_without_one_is_refused(tmp_path: Path):
    journal, _ = opened(tmp_path)
    for number in range(5):
        journal.append(note(number))
    journal.flush()
    early = only_segment(tmp_path).read_bytes()
    for number in range(5):
        journal.append(note(number))
    journal.rotate(b"later")
    journal.close(1)
    (_, first), (_, second) = segment_paths(tmp_path)
    second.unlink()
    first.write_bytes(early)
    with pytest.raises(JournalError, match="older than its snapshot"):
        read_folder(tmp_path, None)
    first.unlink()
    with pytest.raises(JournalError, match="has no journal beside it"):
        read_folder(tmp_path, None)


def test_another_accounts_snapshot_is_refused(tmp_path: Path):
    for name, account in (("a", ACCOUNT), ("b", "other")):
        journal, _ = opened(tmp_path / name, account=account)
        journal.rotate(b"state")
        journal.close(1)
    ((_, ours),) = snapshot_paths(tmp_path / "a")
    ((_, theirs),) = snapshot_paths(tmp_path / "b")
    ours.write_bytes(theirs.read_bytes())
    with pytest.raises(JournalError, match=f"{ours.name} belongs to another account"):
        opened(tmp_path / "a")


def test_a_full_disk_stops_entries_first_and_leaves_room_for_exits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(path: Path, size: int) -> None:
        raise OSError(28, "No space left on device")

    journal, _ = opened(tmp_path)
    monkeypatch.setattr(spare, "make_zeroed", full)
    with pytest.raises(JournalFull):
        fill_up(journal, intent(1))
    assert not journal.accepts_entries
    assert not journal.check_space()
    exits = [journal.append(leaving(number)) for number in range(3)]
    journal.flush()
    assert journal.durable_sequence == exits[-1]
    with pytest.raises(JournalFull):
        journal.append(intent(1))
    with pytest.raises(JournalError, match="reserve is used up"):
        fill_up(journal, leaving(1))
    monkeypatch.undo()
    assert journal.check_space()
    last = journal.append(intent(5))
    journal.close(1)
    assert read_folder(tmp_path, None).records[-2][0] == last


def test_a_failed_sync_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal, _ = opened(tmp_path)

    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal_module, "sync_data", broken)
    journal.append(note(1))
    with pytest.raises(JournalError, match="Input/output error"):
        journal.flush()
    monkeypatch.undo()
    assert not journal.accepts_entries
    with pytest.raises(JournalError, match="the journal failed"):
        journal.append(leaving(1))
    with pytest.raises(JournalError, match="the journal failed"):
        journal.flush()
    journal.close(1)
    opened(tmp_path)[0].close(1)


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError, match="cannot be used for the journal"):
        opened(tmp_path / "file")


def test_every_record_kind_survives_the_file(tmp_path: Path):
    records = samples()
    kinds = {type(record) for record in records}
    assert kinds == set(JournalRecord.__args__)  # type: ignore[attr-defined]
    journal, _ = opened(tmp_path, options=BIG)
    for record in records:
        journal.append(record)
    journal.close(1)
    found = [record for _, record in read_folder(tmp_path, None).records]
    assert msgspec.msgpack.encode(found[1:-1]) == msgspec.msgpack.encode(records)


def test_every_flipped_bit_of_a_snapshot_is_noticed(tmp_path: Path):
    journal, _ = opened(tmp_path)
    journal.rotate(b"state")
    journal.close(1)
    ((_, path),) = snapshot_paths(tmp_path)
    whole = path.read_bytes()
    for bit in range(len(whole) * 8):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        found = read_folder(tmp_path, None)
        assert found.state is None
        assert found.warnings
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_folder(tmp_path, None).state is None


@given(st.binary(max_size=400))
def test_any_bytes_are_a_refusal_or_nothing(garbage: bytes):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "journal-0000000000000001.log"
        path.write_bytes(garbage)
        with pytest.raises(JournalError, match="damaged header"):
            read_folder(folder, None)
        path.write_bytes(header(1, bytes(32)) + garbage)
        found = read_folder(folder, None)
        assert found.records == ()
        assert found.dropped_bytes == len(garbage.rstrip(b"\0"))
