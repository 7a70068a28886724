"""`nextbar`, the command: one list of commands, each described with an example."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from nextbar import cli
from tests.support.places import ROOT

COMMANDS = ("backtest", "compile", "ctl", "init", "new", "run", "show", "validate", "why")


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli.app, list(words), prog_name="nextbar", env={"COLUMNS": "100"})


def test_the_help_lists_every_command():
    done = typed("--help")
    assert done.exit_code == 0
    for name in COMMANDS:
        assert f" {name} " in done.output


def test_the_help_loads_no_module_of_the_commands():
    program = "import sys\nsys.argv = ['nextbar', '--help']\nfrom nextbar.cli import main\ntry:\n    main()\n"
    program += "finally:\n    print({'numpy', 'numba', 'pydantic', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("set()")


@pytest.mark.parametrize(
    "name", ["backtest", "compile", "ctl", "init", "new", "run", "show", "validate", "why"]
)
def test_the_help_of_each_command_shows_an_example(name: str, capfd: pytest.CaptureFixture[str]):
    done = typed(name, "--help")
    assert done.exit_code == 0
    said = " ".join((done.output + capfd.readouterr().out).split())
    assert f"nextbar {name}" in said.partition("Example: ")[2]


def test_a_mistyped_command_is_one_sentence_with_a_suggestion():
    done = typed("bactest")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("there is no command 'bactest' (did you mean backtest?); allowed: ")
    assert "(did you mean --strategy?)" in typed("backtest", "run", "--stratgy", "rsi").stderr
    assert "(did you mean paper?)" in typed("run", "papr").stderr + typed("run", "papr").output


def test_a_backtest_takes_the_words_of_its_module(tmp_path: Path):
    done = typed(
        "backtest", "--strategy", "rsi", "cci", "--data", "sample-1h", "--no-page", "--out", str(tmp_path)
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "cci" / "summary.json").is_file()
    assert "cci: " in typed("backtest", "strategies", "cci").stdout


def test_a_strategy_is_shown_with_its_rules(tmp_path: Path):
    (tmp_path / "away.py").write_text(
        "import nextbar as nb\nfrom nextbar import ta\n\n\nclass Away(nb.Strategy):\n"
        '    """Away from the average."""\n\n    length = nb.param(20, ge=1, doc="bars")\n\n'
        "    def define(self, bar):\n        average = ta.ema(bar.close, self.length)\n"
        "        return nb.Rules(enter_long=bar.close > average, exit_long=bar.close < average)\n",
        "utf-8",
    )
    done = typed("show", f"{tmp_path / 'away.py'}:Away", "--param", "length=30")
    assert done.exit_code == 0, done.output
    assert "Away from the average." in done.stdout
    assert "average = ema(close, 30)" in done.stdout
    assert "enter_long = close > average" in done.stdout
    wrong = typed("show", "rsy")
    assert (wrong.exit_code, wrong.stderr.startswith("there is no strategy 'rsy'")) == (2, True)


def test_the_help_of_backtest_shows_the_options_that_may_follow_directly(capfd: pytest.CaptureFixture[str]):
    said = typed("backtest", "--help").output + capfd.readouterr().out
    assert "its options follow directly" in " ".join(said.split())
    assert {"--strategy", "--data", "--param", "strategies"} <= set(said.split())


def test_a_strategy_in_the_place_of_a_command_is_told_its_option():
    assert "(did you mean --strategy my_donchian?); allowed: run, " in typed("backtest", "my_donchian").stderr
    assert "(did you mean strategies?)" in typed("backtest", "strategys").stderr


def all_commands() -> dict[str, str]:
    """The example of each command that a person can type, by its words."""
    examples: dict[str, str] = {}
    top = typer.main.get_command(cli.app)
    for name, command in top.commands.items():  # type: ignore[attr-defined]  # a group
        whole = cli._ELSEWHERE[name]() if name in cli._ELSEWHERE else command
        for word, inner in getattr(whole, "commands", {}).items():
            if not inner.hidden:
                examples[f"{name} {word}"] = inner.epilog or ""
        examples[name] = command.epilog or ""
    return examples


@pytest.mark.parametrize(("words", "example"), all_commands().items())
def test_each_command_has_an_example_of_itself(words: str, example: str):
    allowed = f"Example: nextbar {words.removesuffix(' run')}"
    assert example.startswith(allowed)


@pytest.mark.parametrize(
    "words", ["why", "show", "backtest", "backtest run", "backtest sample", "backtest strategies"]
)
def test_an_example_that_needs_no_running_engine_works_as_it_is_typed(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    done = typed(*all_commands()[words].removeprefix("Example: nextbar ").split())
    assert done.exit_code == 0, done.output


def test_the_help_of_run_names_no_command_of_a_checkout(capfd: pytest.CaptureFixture[str]):
    said = typed("run", "--help").output + capfd.readouterr().out
    assert "nextbar run demo" in said
    assert "run.py" not in said
