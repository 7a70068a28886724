"""Results in an output folder are replaced whole, told, and nothing of anybody else's is touched."""

import json
from pathlib import Path

import pytest

from engine.backtest.data.loaders import DataError
from engine.backtest.report.earlier import earlier_run, write_summary


def a_run(out: Path, *names: str) -> None:
    """Several strategies' results as a run lays them out."""
    for name in names:
        (out / name).mkdir(parents=True)
        (out / name / "report.txt").write_text(f"{name}\n")
        write_summary(out / name, {"name": name, "x": 0.1})
    write_summary(out, {"runs": [{"name": name} for name in names]})


def test_what_the_run_before_wrote_is_removed_and_nothing_else(tmp_path: Path):
    a_run(tmp_path, "rsi", "cci")
    (tmp_path / "cci" / "notes.md").write_text("mine")
    earlier = earlier_run(tmp_path, ["summary.json", "report.txt"])
    assert earlier.names == ("rsi", "cci")
    earlier.remove_all_but(["summary.json"])
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"summary.json", "cci", "cci/notes.md"}


def test_an_empty_folder_has_no_earlier_run(tmp_path: Path):
    assert earlier_run(tmp_path / "new", ["summary.json"]).names == ()
    (tmp_path / "notes.md").write_text("mine")
    assert earlier_run(tmp_path, ["summary.json"]).files == frozenset()


@pytest.mark.parametrize("changed", ["rsi/report.txt", "rsi/summary.json", "summary.json"])
def test_what_was_changed_since_is_not_replaced(tmp_path: Path, changed: str):
    a_run(tmp_path, "rsi")
    path = tmp_path / changed
    if path.suffix == ".json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"note": "mine"}))
    else:
        path.write_text("mine")
    with pytest.raises(DataError, match=f"{changed}: was changed since .* mv "):
        earlier_run(tmp_path, ["summary.json"])


@pytest.mark.parametrize("text", ["[]", "no json", '{"name": "a"}', '{"name": "a", "files": {"../x": "0"}}'])
def test_a_file_in_the_way_that_is_not_ours_is_not_overwritten(tmp_path: Path, text: str):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(DataError, match=r"summary\.json: already exists .* give another --out"):
        earlier_run(tmp_path, ["summary.json"])


def test_a_link_is_not_followed(tmp_path: Path):
    a_run(tmp_path / "out", "rsi")
    (tmp_path / "out" / "rsi").rename(tmp_path / "elsewhere")
    (tmp_path / "out" / "rsi").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="is a link"):
        earlier_run(tmp_path / "out", ["summary.json"])
