"""The diffs of docs/extending.md are applied to one copy of the program, where the tests they bring pass."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
DIFFS = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
COPIED = ("engine", "gateways", "runtime", "configs", "tests/support", "tests/conftest.py", "pyproject.toml")


def copy_of_the_program(to: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, to / name)


def run(*command: str, cwd: Path, stdin: str = "") -> None:
    env = os.environ | {"GIT_CEILING_DIRECTORIES": str(cwd.parent)}  # a repository around it is none of ours
    done = subprocess.run(
        command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_page_adds_passes_its_tests(tmp_path: Path) -> None:
    copy_of_the_program(tmp_path)
    for diff in DIFFS:
        run("git", "apply", "-", cwd=tmp_path, stdin=diff)
    tests = re.findall(r"^\+\+\+ b/(tests/\S*/test_\w+\.py)$", PAGE, re.MULTILINE)
    assert len(tests) == len(DIFFS)
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=tmp_path)
