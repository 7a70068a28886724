"""What an operator's command is answered: what is off until resume, and what nobody here knows."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from engine.core.commands import Commands
from engine.core.engine import Engine
from engine.ctl import app
from engine.model.audit import Answer
from engine.model.events import Command
from engine.model.records import CommandGiven, Replied
from engine.shell.chat import IN_CHAT
from engine.shell.log_lines import line_of
from gateways.wire.messages import Reply
from runtime.control.commands import COMMANDS, CommandName
from runtime.control.shown import as_it_is
from tests.support.engine_rig import Rig, config, spec
from tests.support.order_events import report
from tests.support.places import ROOT

OWNER = "sma_crossover_inflection:s1"


def answer(rig: Rig, name: str, **arguments: str) -> Answer:
    rig.feed(Command(rig.now_ns, f"{name} {arguments}", name, **arguments))  # type: ignore[arg-type]  # a name
    found = rig.notices(Answer)[-1]
    assert isinstance(found, Answer)
    return found


def test_kill_and_flatten_say_what_is_off_until_resume() -> None:
    rig = Rig().up()
    assert "paused until resume: " in answer(rig, "flatten").text
    assert "no strategy enters anything until resume" in answer(rig, "kill").text
    assert "entries are off until resume" in answer(rig, "pause").text
    assert answer(rig, "resume").text == "everything is running again"
    assert answer(rig, "pause", symbol="BTCUSDT").text == "1 strategy is paused"
    assert answer(rig, "cancel_all").text == "cancelling 0 resting entries"


@pytest.mark.parametrize("name", ["kill", "pause", "flatten", "cancel_all", "resume", "why"])
def test_a_symbol_nobody_trades_changes_nothing_and_is_not_written_down(name: str) -> None:
    rig = Rig().up()
    said = answer(rig, name, symbol="BTCUSD")
    assert (said.ok, said.text) == (
        False,
        "BTCUSD is not traded here (did you mean BTCUSDT?); symbols are BTCUSDT",
    )
    assert not rig.engine.operator.is_paused
    assert not rig.engine.operator.killed
    assert not rig.records(CommandGiven)


def test_a_strategy_nobody_runs_is_said() -> None:
    said = answer(Rig().up(), "pause", strategy="sma_crossover_inflexion")
    assert (said.ok, said.text) == (
        False,
        (
            "there is no strategy 'sma_crossover_inflexion' (did you mean sma_crossover_inflection?); "
            "strategies are sma_crossover_inflection, sma_crossover_inflection:s1"
        ),
    )


@pytest.mark.parametrize("name", ["pause", "resume", "flatten", "why"])
def test_a_strategy_that_does_not_trade_the_symbol_is_said(name: str) -> None:
    specs = (spec(), spec("ema_cross", owner="ema_cross:s2", symbols=("ETHUSDT",), params={}))
    rig = Rig(Engine(config(*specs, symbols=("BTCUSDT", "ETHUSDT")))).up()
    said = answer(rig, name, strategy="ema_cross", symbol="BTCUSDT")
    assert (said.ok, said.text) == (False, "ema_cross does not trade BTCUSDT; it trades ETHUSDT")
    assert not rig.records(CommandGiven)


def test_a_command_is_logged_in_words() -> None:
    record = CommandGiven(
        "c",
        "flatten",
        {"strategy": "", "symbol": "BTCUSDT", "argument": "", "given_to": "a:s1 X"},
        "control",
        1,
    )
    assert line_of(record, as_it_is) == ("warning", "command", "flatten BTCUSDT from control")


def test_a_cancel_that_comes_after_the_end_is_no_warning() -> None:
    reply = Reply(1, "not_found", -2011, "Unknown order sent.", report("FILLED"))
    assert line_of(Replied("k", "cancel", reply, 1), as_it_is) == (
        "info",
        "reply",
        "cancel of k: it was already FILLED",
    )
    unknown = Reply(1, "not_found", -2011, "Unknown order sent.")
    line = line_of(Replied("k", "cancel", unknown, 1), as_it_is)
    assert line == ("warning", "reply", "cancel of k: not_found -2011 Unknown order sent.")
    lost = Reply(1, "unknown", 0, "the connection was lost")
    line = line_of(Replied("k", "submit", lost, 1), as_it_is)
    assert line == ("warning", "reply", "submit of k: unknown the connection was lost")


@pytest.mark.parametrize("words", [["--env", "paper", "why"], ["why", "--env", "paper"]])
def test_an_environment_that_does_not_run_is_said_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert done.output == "paper is not running\n"
    assert [path.name for path in tmp_path.iterdir()] == ["configs"]


def test_every_command_says_what_it_touches_and_the_engine_carries_it_out() -> None:
    assert set(COMMANDS) == set(get_args(CommandName))
    assert all(about.touches for about in COMMANDS.values())
    methods = {name for name in COMMANDS if callable(getattr(Commands, f"_{name}", None))}
    assert methods | {"kill"} == set(COMMANDS)


def test_the_operating_page_has_every_command_of_the_terminal_and_of_the_chat() -> None:
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    rows = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("|"))
    shown = (one for one in app.registered_commands if not one.hidden)
    names = {one.name or str(getattr(one.callback, "__name__", "")).replace("_", "-") for one in shown}
    assert {name for name in names if not re.search(rf"`{name}\b", rows)} == set()
    assert {name for name in (*IN_CHAT, "status") if not re.search(rf"`/{name}\b", rows)} == set()
    assert "user_ids" in rows


def test_a_command_waits_for_no_compiler() -> None:
    asked = "import sys, engine.ctl; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], cwd=ROOT, check=False).returncode == 0
