"""`nextbar`, the command: one list of commands, each described with an example."""

import subprocess
import sys
from pathlib import Path

import pytest
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
