"""A halt is told as it is, and belongs to the strategy it was given to."""

from dataclasses import replace

import pytest

from engine.model.audit import Answer
from engine.model.events import Command
from engine.model.limits import RiskLimits
from engine.shell.status import StatusKeeper
from runtime.control.commands import CommandName
from runtime.control.status import EngineStatus, StrategyStatus
from runtime.control.status_tables import entries, strategies
from tests.support.engine_rig import Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, restarted

OWNER = "sma_crossover_inflection:s1"
OTHER = config(replace(spec(), owner="other:s1"))


def give(rig: Rig, name: CommandName, **narrow: str) -> str:
    rig.feed(Command(rig.now_ns, f"{name}{rig.now_ns}", name, **narrow))
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    return answer.text


def status(rig: Rig) -> EngineStatus:
    return StatusKeeper(rig.engine).status(rig.now_ns)


def state(rig: Rig) -> str:
    (one,) = status(rig).strategies
    return one.state


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_strategy_inherits_no_flatten_of_another_and_the_other_keeps_it(by_snapshot: bool) -> None:
    rig = Rig().up().prices(*UP)
    give(rig, "flatten")
    rig.wait(1)
    assert state(rig) == "flat; paused by flatten until resume"
    swapped = restarted(rig, OTHER, by_snapshot=by_snapshot)
    assert status(swapped).paused_strategies == ()
    swapped.up()
    assert "paused" not in give(swapped, "why")
    back = restarted(swapped, config(), by_snapshot=True)
    assert status(back).paused_strategies == (f"{OWNER} on BTCUSDT",)
    give(swapped, "resume")
    assert status(restarted(swapped, config(), by_snapshot=True)).paused_strategies == ()


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_general_pause_holds_for_every_strategy_and_says_since_when(by_snapshot: bool) -> None:
    rig = Rig().up()
    give(rig, "pause")
    swapped = restarted(rig, OTHER, by_snapshot=by_snapshot).up()
    said = give(swapped, "why").splitlines()[0]
    assert "entries wait: trading is paused since 2023-11-14 22:13:20 UTC" in said
    give(swapped, "resume")
    assert "paused" not in give(swapped, "why")


def test_after_kill_a_flat_strategy_is_flat_and_killed() -> None:
    rig = Rig().up().prices(*UP)
    give(rig, "kill")
    rig.wait(1)
    assert state(rig) == "flat; killed until resume"
    give(rig, "resume")
    assert state(rig) == "running"


def test_a_position_that_is_being_left_is_said_to_be() -> None:
    rig = Rig().up().prices(*UP)
    rig.exchange.on_submit = lambda _: []
    give(rig, "flatten")
    assert state(rig) == "is closing its position; paused by flatten until resume"


def test_entries_are_not_said_to_be_open_where_no_strategy_may_enter() -> None:
    rig = Rig().up().prices(*UP)
    assert entries(status(rig)) == "entries open"
    give(rig, "flatten", strategy=OWNER)
    rig.wait(1)
    assert status(rig).blockers == ()
    assert (
        entries(status(rig)) == "no entries: every strategy is waiting, paused or stopped, as its state says"
    )


def test_why_says_that_a_position_left_behind_is_in_the_way() -> None:
    rig = Rig().up().prices(*UP)
    limits = RiskLimits(max_order_notional_quote=None)
    other = replace(spec(params={"short": 2, "long": 5, "smoothing": 2}), owner="other:s1")
    swapped = restarted(rig, config(other, limits=limits)).up()
    first = give(swapped, "why").splitlines()[0]
    assert "nothing else is in the way" not in first
    assert first.endswith(f"; those against the position that {OWNER} left behind")


def test_a_strategy_without_a_stop_has_none() -> None:
    one = StrategyStatus("rsi:s1", "BTCUSDT", "1h", "running")
    table = strategies(EngineStatus(strategies=(one,)), 5, 160)
    assert list(table.columns[4].cells) == ["none"]


@pytest.mark.parametrize(("source", "who"), [("control", "ctl"), ("telegram", "telegram")])
def test_kill_is_told_with_its_time_and_giver_as_the_one_cause_over_a_restart_too(
    source: str, who: str
) -> None:
    rig = Rig().up().prices(*UP)
    rig.feed(Command(rig.now_ns, "ctl-46cc", "kill", source=source))
    cause = f"killed at 2023-11-14 22:13:24 UTC by {who}"
    assert rig.engine.health.blockers() == (cause,)
    assert f"entries wait: {cause}" in give(rig, "why").splitlines()[0]
    assert str(restarted(rig, config(), by_snapshot=False).engine.operator.killed) == cause
