"""Arrays kept on disk: whole or not at all, and never more than is allowed."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.series.store import Store

NUMBERS = np.array([1.0, np.nan, -0.0])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "values", [NUMBERS, np.array([True, False]), np.empty(0)], ids=["float", "bool", "empty"]
)
def test_an_array_comes_back_with_its_bits(tmp_path: Path, values: np.ndarray) -> None:
    store = Store(tmp_path / "made")
    store.put({"a": values})
    found = store.get("a", len(values))
    assert found is not None
    assert found.dtype == values.dtype
    assert found.tobytes() == values.tobytes()
    assert store.get("a", len(values) + 1) is None
    assert store.get("b", len(values)) is None


@pytest.mark.parametrize("at", [0, 3, 4, 5, 20, -1])
def test_a_damaged_file_is_as_if_it_were_not_there(tmp_path: Path, at: int) -> None:
    store = Store(tmp_path)
    store.put({"a": NUMBERS})
    whole = bytearray((tmp_path / "a").read_bytes())
    whole[at] ^= 1
    (tmp_path / "a").write_bytes(whole)
    assert store.get("a", 3) is None
    for cut in range(len(whole)):
        (tmp_path / "a").write_bytes(whole[:cut])
        assert store.get("a", 3) is None
    store.put({"a": NUMBERS})
    assert store.get("a", 3) is not None


def test_what_was_used_longest_ago_goes_when_there_is_no_room(tmp_path: Path) -> None:
    store = Store(tmp_path, most_bytes=100)
    for k, name in enumerate("abc"):
        store.put({name: NUMBERS})
        os.utime(tmp_path / name, (k, k))
    assert store.get("a", 3) is not None  # used now
    store.put({"d": NUMBERS})
    assert names(tmp_path) == {"a", "c", "d"}
    store.put({"large": np.zeros(100)})
    assert names(tmp_path) <= {"a", "c", "d"}


def test_what_a_process_left_half_written_goes_in_time(tmp_path: Path) -> None:
    for name in ("a.0.part", "b.0.part"):
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / "a.0.part", (0, 0))
    Store(tmp_path).put({"c": NUMBERS})
    assert names(tmp_path) == {"b.0.part", "c"}


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = Store(tmp_path / "file")
    store.put({"a": NUMBERS})
    assert store.get("a", 3) is None


def _write_and_read(folder: Path, seed: int) -> int:
    store, wrong = Store(folder, most_bytes=40_000), 0
    for k in range(60):
        name = f"n{(k + seed) % 12}"
        values = np.full(1000, float((k + seed) % 12))
        store.put({name: values})
        found = store.get(name, 1000)
        wrong += found is not None and found.tobytes() != values.tobytes()
    return wrong


def test_several_may_write_and_tidy_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(_write_and_read, [tmp_path] * 4, range(4))) == [0, 0, 0, 0]
    assert not list(tmp_path.glob("*.part"))
