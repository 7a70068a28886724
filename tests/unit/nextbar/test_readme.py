"""The first screen of the README: the strategy and the numbers that it prints."""

import re

import pytest

from nextbar.cli import app
from tests.support.places import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_the_strategy_of_the_first_screen_prints_what_stands_below_it(capsys: pytest.CaptureFixture[str]):
    [(program, printed)] = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", README, re.DOTALL)
    assert README.index(program) < 500
    exec(program, {"__name__": "readme"})
    assert capsys.readouterr().out == printed


def test_the_commands_of_the_readme_exist():
    known = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    used = set(re.findall(r"(?:^|`)nextbar (\w+)", README, re.MULTILINE)) - {"COMMAND"}
    assert used <= known
    assert {"init", "new", "backtest", "run", "ctl"} <= used
