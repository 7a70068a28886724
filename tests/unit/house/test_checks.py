"""`python run.py test` runs every check, on the files that are named or on everything."""

import subprocess

import pytest

import run


def test_checks_of_named_files_look_at_those_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    environments: list[dict[str, str]] = []

    def note(
        command: list[str], env: dict[str, str], **options: object
    ) -> "subprocess.CompletedProcess[str]":
        commands.append(command[2:])
        environments.append(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", note)
    named = "tests/unit/house/test_tidy.py"
    assert run.run_checks(["-q", f"{named}::test_x", "-k", "no such file"]) == 0
    assert commands == [
        ["ruff", "format", "--check", named],
        ["ruff", "check", named],
        ["pytest", "-q", f"{named}::test_x", "-k", "no such file"],
    ]
    commands.clear()
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run.run_checks(["-x"]) == 0
    assert [one[0] for one in commands[:2]] == ["ruff", "ruff"]
    assert sorted(commands[2:-1]) == sorted(run.BEFORE_TESTS.values())
    assert not any("PYTHONDONTWRITEBYTECODE" in one for one in environments[3:])
    assert commands[-1] == ["pytest", *run.SEVERAL_AT_ONCE, "-x"]


def test_one_failed_check_of_several_fails_them_all_and_each_output_is_told_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(command: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
        wrong = "win32" in command
        return subprocess.CompletedProcess(command, int(wrong), f"said by {command[2]}\n")

    monkeypatch.setattr(subprocess, "run", answer)
    assert run.run_checks([]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[2:] == [
        "== compiled functions",
        "said by tests.support.compile_all",
        "== mypy",
        "said by mypy",
        "== mypy, as on Windows",
        "said by mypy",
        "== pytest",
        "FAILED: mypy, as on Windows",
    ]
