"""Compiled code is kept between processes, and never used after its sources have changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from engine.compiled.functions import kernel_sources, source_hash
from tests.support.places import ROOT

_PROGRAM = """
from engine.compiled.functions import CACHE_FOLDER, cache_is_cold
from engine.indicators.averages import Ema
cold = cache_is_cold()
print(Ema(2).run([1.0, 2.0, 4.0, 8.0])[-1], CACHE_FOLDER.name, cold)
"""


def _run(tree: Path, cache: Path) -> tuple[str, str, str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    value, folder, cold = done.stdout.split()
    return value, folder, cold


def _copy_engine(tree: Path) -> None:
    """A checkout of what compiled code needs."""
    shutil.copytree(ROOT / "runtime", tree / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run.py", tree / "run.py")
    (tree / "configs").mkdir()
    for path in kernel_sources(ROOT):
        target = tree / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        package = path.parent / "__init__.py"
        if package.read_text(encoding="utf-8") == "":
            (target.parent / "__init__.py").touch()
    (tree / "engine" / "__init__.py").touch()
    for name in ("strategies", "indicators"):
        (tree / "engine" / name / "__init__.py").write_text("")


def test_editing_a_callee_in_another_file_recompiles_its_callers(tmp_path: Path):
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    _copy_engine(tree)
    value, folder, cold = _run(tree, cache)
    assert (value, cold) == (repr(1.5 + 2 / 3 * 2.5 + 2 / 3 * (8 - (1.5 + 2 / 3 * 2.5))), "True")
    assert _run(tree, cache) == (value, folder, "False")
    callee = tree / "engine" / "indicators" / "averages.py"
    callee.write_text(callee.read_text().replace("2.0 / (length + 1.0)", "1.0 / (length + 1.0)"))
    changed, other_folder, cold = _run(tree, cache)
    assert changed != value
    assert other_folder != folder
    assert cold == "True"


def test_the_folder_of_a_parent_process_is_not_nested_into(tmp_path: Path):
    tree = tmp_path / "tree"
    _copy_engine(tree)
    folder = f"nextbar-{source_hash(tree)}"
    _run(tree, tmp_path / "nextbar-0123")
    assert (tmp_path / folder).is_dir()


def test_an_unwritable_cache_folder_falls_back_to_another(tmp_path: Path):
    tree, blocked = tmp_path / "tree", tmp_path / "file"
    _copy_engine(tree)
    blocked.touch()
    _run(tree, blocked)
    assert list((tree / "data" / "numba").glob("nextbar-*/**/*.nbi"))


def test_sources_include_what_kernel_files_import():
    names = {path.relative_to(ROOT).as_posix() for path in kernel_sources(ROOT)}
    assert {"engine/compiled/functions.py", "engine/indicators/sums.py", "engine/model/bars.py"} <= names


def test_a_file_that_is_no_text_or_not_there_keeps_nothing_else_from_being_found(tmp_path: Path):
    folder = tmp_path / "engine"
    folder.mkdir()
    kernel = folder / "kernel.py"
    kernel.write_text("from engine.compiled.functions import compiled\n")
    (folder / "broken.py").write_bytes(b"\xd4\x00\xff")
    (folder / ".#kernel.py").symlink_to("somebody@somewhere.1")
    assert kernel_sources(tmp_path) == [kernel]
