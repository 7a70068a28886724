"""What an install brings: the command, from any folder, and nothing of the user's among the packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

TYPED = "from nextbar.cli import main; main()"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of a wheel, as pip unpacks it."""
    pytest.importorskip("setuptools", reason="builds with setuptools, which Python 3.12 lacks")
    folder = tmp_path_factory.mktemp("site packages ü")
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", str(folder / "base")]
    done = subprocess.run(
        [*command, "--build-lib", str(folder / "lib")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "lib"


def test_an_installed_package_works_from_a_folder_of_the_users_own(packages: Path, tmp_path: Path):
    assert (packages / "engine" / "series" / "ta.pyi").is_file()
    assert (packages / "nextbar" / "py.typed").is_file()
    before = sorted(packages.rglob("*"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEXTBAR_")},
        "PYTHONPATH": str(packages),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "LOCALAPPDATA": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
    environment.pop("NUMBA_CACHE_DIR", None)

    def typed(cwd: Path, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", TYPED, *words],
            cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    folder = tmp_path / "Käufe und mehr"
    assert "configs/demo.toml" in typed(tmp_path, "init", folder.name, "--no-compile")
    inside = folder / "notebooks"
    assert "two_words.py" in typed(inside, "new", "two_words", "--kind", "script")
    said = typed(inside, "backtest", "--strategy", "two_words", "--data", "sample-1h", "--out", "results")
    assert "total return %" in said
    assert (inside / "results" / "report.html").is_file()
    if sys.platform == "linux":  # the folder of other systems is not read from the environment
        assert any((tmp_path / "cache").rglob("*.nbi"))
    assert sorted(packages.rglob("*")) == before
