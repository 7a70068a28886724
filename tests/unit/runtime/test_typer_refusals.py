"""A wrong command line is answered with one sentence, without the words of a library."""

import pytest
from typer.testing import CliRunner

from engine import ctl
from engine.backtest import cli as backtest
from engine.backtest.parity import command as parity
from engine.tables import command as tables

TRADES = "python -m engine.ctl trades"


def refusal(app: object, path: str, words: str) -> str:
    result = CliRunner().invoke(app, words.split(), prog_name=path)  # type: ignore[arg-type]  # a Typer
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "trads",
            (
                "there is no command 'trads' (did you mean trades?); allowed: pause, resume, flatten, "
                "kill, cancel, cancel-all, rebuild, why, status, trades, profit, watch"
            ),
        ),
        ("trades --symbl BTCUSDT", "there is no option --symbl (did you mean --symbol?)"),
        ("trades --frobnicate", "there is no option --frobnicate"),
        ("trades --last x", "--last: expected a whole number of 1 or more, not 'x'"),
        ("trades --last 0", "--last: expected a whole number of 1 or more, not '0'"),
        ("trades --last 1.5", "--last: expected a whole number of 1 or more, not '1.5'"),
        ("trades --last", "--last needs a value"),
        ("trades --json=1", "--json takes no value"),
        ("trades rsi", f"{TRADES} takes no 'rsi'"),
        ("cancel", "CLIENT_ORDER_ID is missing: id of an open order, as `status` shows it"),
    ],
)
def test_ctl(words: str, said: str) -> None:
    assert refusal(ctl.app, "python -m engine.ctl", words).partition("; python")[0] == said


@pytest.mark.parametrize(
    ("app", "words", "said"),
    [
        (backtest.app, "run --jobs 0", "--jobs: expected a whole number of 1 or more, not '0'"),
        (backtest.app, "sample", "--out is missing: Folder"),
        (backtest.app, "run --startegy rsi", "there is no option --startegy (did you mean --strategy?)"),
        (parity.app, "--confg x", "there is no option --confg (did you mean --config?)"),
        (tables.app, "follow --every nan", "--every: expected a number of 0.01 or more, not 'nan'"),
        (tables.app, "folow", "there is no command 'folow' (did you mean follow?)"),
    ],
)
def test_other_programs(app: object, words: str, said: str) -> None:
    assert refusal(app, "python -m it", words).startswith(said)


def test_where_all_that_is_allowed_can_be_read_is_said() -> None:
    assert refusal(ctl.app, "python -m engine.ctl", "trades --jsn").endswith(
        "; python -m engine.ctl trades --help lists what it takes"
    )


def test_help_and_a_command_line_without_words_are_no_mistakes() -> None:
    shown = CliRunner().invoke(ctl.app, ["trades", "--help"])
    assert shown.exit_code == 0
    assert "--symbol" in shown.stdout
    assert "Control a running engine" in CliRunner().invoke(ctl.app, []).output
