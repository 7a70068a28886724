"""What `run.py` knows about its environment and tells about an install."""

import subprocess
import sys
from pathlib import Path

import pytest

import run
from runtime.settings.environment import HOME_VARIABLE, MARKER, Home
from runtime.supervisor import command
from tests.support.places import ROOT


def test_an_environment_that_has_lost_its_python_or_its_programs_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "VENV", tmp_path)
    assert not run.is_usable(), "nothing is there"
    config = tmp_path / "pyvenv.cfg"
    config.write_text(f"home = {Path(sys.executable).parent}\n")
    assert not run.lost_its_python()
    assert not run.is_usable(), "its programs have gone"
    config.write_text("home = /no/such/python\n")
    assert run.lost_its_python()
    assert not run.is_usable()


def test_what_keeps_an_environment_from_being_made_is_said_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "It was not made because ensurepip is not\navailable.  Use\n\n    apt install python3-venv\n"
    failed: subprocess.CompletedProcess[str] = subprocess.CompletedProcess([], 1, text, "")
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: failed)
    assert run.make_venv().endswith("ensurepip is not available. Use apt install python3-venv")
    full = ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"]
    assert run.reason(full) == run.NO_ROOM
    monkeypatch.setattr(run, "ROOT", tmp_path / "file")
    (tmp_path / "file").touch()
    assert "cannot be written" in run.prepare("no such lock")


def test_what_can_be_compiled_is_compiled_when_the_environment_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "is_installed", lambda lock: lock in done)
    monkeypatch.setattr(run, "is_usable", lambda: True)
    monkeypatch.setattr(run, "install", lambda lock: done.append(lock) or "")
    commands: list[list[str]] = []
    monkeypatch.setattr(run.subprocess, "run", lambda command, **_: commands.append(command))
    for _ in range(2):
        assert run.prepare("base") == ""
    assert [command[1:] for command in commands] == [["-m", "nextbar", "compile"]]
    assert run.prepare("base", "test") == ""
    assert len(commands) == 1, "the checks compile on their own"


def test_a_checkout_that_is_run_is_its_own_folder_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / MARKER).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(run.INSIDE_VARIABLE, str(run.VENV))
    monkeypatch.setenv(HOME_VARIABLE, "")  # put back as it was afterwards
    monkeypatch.delenv(HOME_VARIABLE)
    found: list[Home] = []
    monkeypatch.setattr(command, "main", lambda _: found.append(Home.find()))
    assert Home.find() == Home(tmp_path)
    run.main(["demo"])
    assert found == [Home(ROOT)]


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("Collecting aiohttp==3.1 (from -r locks/base.txt (line 7))", "aiohttp==3.1"),
        (
            "Requirement already satisfied: idna==3 in ./.venv/lib/site-packages (from x)",
            "idna==3 (is there)",
        ),
        ("Processing /a folder/tiny-1-py3-none-any.whl (from -r x)", "tiny-1-py3-none-any.whl"),
        ("Ignoring colorama: markers 'sys_platform' don't match", "colorama (not for this system)"),
        ("  Downloading aiohttp-3.1.whl (1.7 MB)", ""),
    ],
)
def test_the_progress_of_an_install_names_packages(line: str, package: str) -> None:
    assert run.package_in(line) == package
