"""`python -m engine.backtest strategies`, where some files are broken."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.backtest import cli
from engine.strategies.base import registry
from runtime.settings.environment import HOME_VARIABLE


def test_files_that_cannot_be_imported_are_named_below_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "broken.py").write_text("def (", "utf-8")
    (tmp_path / "of_the_project").mkdir()
    (tmp_path / "of_the_project" / "streak.py").write_text("import no_such_module", "utf-8")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    registry.get("rsi")
    monkeypatch.setattr(registry, "package", "of_the_project")
    listed = CliRunner().invoke(cli.app, ["strategies"])
    assert listed.exit_code == 0
    assert "rsi: rsi(source, length)" in listed.stdout
    first, second = listed.stderr.splitlines()
    assert first.startswith("of_the_project/streak.py cannot be imported: ModuleNotFoundError: No module")
    assert second.startswith("strategy broken cannot be imported: SyntaxError: ")


def test_a_first_word_that_is_no_command_is_told_with_the_commands(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        cli.main(["sampl", "--out", "x"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "there is no command 'sampl' (did you mean sample?); allowed: run, sample, strategies\n"
    )
