"""What a newcomer sees who starts us with a Python, or a script, that will not do."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("program", ["engine.ctl", "engine.backtest", "gateways.simulator"])
def test_a_python_without_the_packages_is_told_in_one_sentence(program: str) -> None:
    # -S leaves out what is installed.
    done = subprocess.run(
        [sys.executable, "-S", "-m", program, "status"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "use .venv" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_old_python_gets_as_far_as_the_sentence_about_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "run.py").read_text("utf-8")
    ast.parse(text, feature_version=(3, 7))
    assert "from __future__ import annotations" in text
    for version in ((3, 10, 14), (3, 14, 0)):
        monkeypatch.setattr(run.sys, "version_info", version)
        assert run.main(["demo"]) == 2
        assert capsys.readouterr().err.startswith("nextbar needs Python 3.11 to 3.13, this is ")


def test_the_script_for_windows_tries_the_pythons_that_will_do() -> None:
    text = (ROOT / "run.bat").read_text("utf-8")
    tried = re.findall(r"3\.[0-9]+", text.split("in (")[1].split(")")[0])
    newest, oldest = (f"{major}.{minor}" for major, minor in (run.NEWEST_PYTHON, run.OLDEST_PYTHON))
    assert (tried[0], tried[-1]) == (newest, oldest)
    # cmd.exe puts the arguments into the text: a bracket among them would end a block.
    assert all("%*" not in block for block in re.findall(r"\(.*?\)", text, re.DOTALL))
