"""`python run.py test` runs every check, on the files that are named or on everything."""

import subprocess

import pytest

import run
from tests.support.places import ROOT


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
        "said by nextbar",
        "== mypy",
        "said by mypy",
        "== mypy, as on Windows",
        "said by mypy",
        "== pytest",
        "FAILED: mypy, as on Windows",
    ]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was started, without the interpreter."""
    started: list[list[str]] = []

    def note(command: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
        started.append(command[2:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", note)
    return started


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nope.py"], "there is no file nope.py; nothing was checked\n"),
        (["-q", "nope.py::test_x"], "there is no file nope.py; nothing was checked\n"),
        (["nope"], "there is no file nope; nothing was checked\n"),
        (["test_tidy.py"], "there is no file test_tidy.py (did you mean tests/unit/house/test_tidy.py?); "),
        (["tests/unit/house/test_tdy.py"], "(did you mean tests/unit/house/test_tidy.py?)"),
    ],
)
def test_a_file_that_is_not_there_is_said_and_nothing_is_checked(
    commands: list[list[str]], capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert run.run_checks(words) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert commands == []


def test_the_value_of_an_option_is_no_file(commands: list[list[str]]) -> None:
    assert run.run_checks(["-k", "test_x.py", "-m", "not long", "--durations", "5"]) == 0
    assert commands[-1][-6:] == ["-k", "test_x.py", "-m", "not long", "--durations", "5"]


def test_a_source_file_is_typed_and_tested_by_what_mirrors_it(commands: list[list[str]]) -> None:
    source = "runtime/suggestions.py"
    assert run.run_checks([source, "-q"]) == 0
    assert commands == [
        ["ruff", "format", "--check", source],
        ["ruff", "check", source],
        ["mypy", source],
        ["pytest", "-q", "tests/unit/runtime/test_suggestions.py"],
    ]
    without_own = "engine/risk/manager.py"
    commands.clear()
    assert run.run_checks([without_own]) == 0
    assert commands[-1] == ["pytest", *run.mirrors("engine/risk")]
    assert "tests/unit/engine/risk" in commands[-1]


def test_a_source_file_without_tests_is_said(
    commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    alone = "benchmarks/prices.py"
    assert run.run_checks([alone]) == 0
    assert [one[0] for one in commands] == ["ruff", "ruff", "mypy"]
    said = capsys.readouterr().out
    assert f"no test mirrors {alone}: format, lint and types are all that is checked" in said


def test_a_source_by_its_whole_path_is_the_same_file() -> None:
    whole = str(ROOT / "runtime" / "suggestions.py")
    assert run.mirrors(whole) == run.mirrors("runtime/suggestions.py")
