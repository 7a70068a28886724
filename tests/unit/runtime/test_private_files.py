"""Others read nothing of an environment, and its folders are gone through once a start."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.process.files import PRIVATE_VARIABLE, keep_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")


@pytest.fixture(autouse=True)
def _umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(PRIVATE_VARIABLE, "")  # restored behind the test
    monkeypatch.delenv(PRIVATE_VARIABLE)
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o644)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_others_lose_what_is_there_and_get_nothing_new(tmp_path: Path) -> None:
    old = open_file(tmp_path / "data" / "engine" / "journal" / "1.seg")
    vault = tmp_path / "vault"
    keep_private(tmp_path / "data", vault)
    assert (mode(old), mode(old.parent), mode(vault)) == (0o600, 0o700, 0o700)
    (tmp_path / "new").touch()
    assert mode(tmp_path / "new") == 0o600


def test_a_child_does_not_go_through_the_folder_again_that_its_parent_has(tmp_path: Path) -> None:
    keep_private(tmp_path / "data")
    inside = open_file(tmp_path / "data" / "engine" / "file")
    beside = open_file(tmp_path / "elsewhere" / "file")
    keep_private(tmp_path / "data" / "engine")
    assert mode(inside) == 0o644
    assert mode(inside.parent) == 0o700, "the folder itself keeps others out"
    keep_private(tmp_path / "elsewhere")
    assert mode(beside) == 0o600
