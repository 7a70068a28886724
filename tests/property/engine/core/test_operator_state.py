"""The same commands make the same state, given, read from a journal or kept in a snapshot on the way."""

from typing import get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.given import given_before, given_now, record_of
from engine.model.cause import Cause
from engine.model.events import Command
from engine.model.operator_state import MAX_REMEMBERED, Given, Killed, OperatorSaved, OperatorState, OwnerKey
from engine.model.owners import strategy_name
from engine.model.records import CommandGiven
from runtime.control.commands import CommandName

CONFIGURED: tuple[OwnerKey, ...] = (
    ("rsi:s1", "BTCUSDT"),
    ("rsi:s1", "ETHUSDT"),
    ("rsi:s2", "BTCUSDT"),
    ("sma:s1", "ETHUSDT"),
)
GONE: tuple[OwnerKey, ...] = (("cci:s1", "BTCUSDT"), ("cci:s1", "ETHUSDT"), ("sma:s9", "ETHUSDT"))
"""Strategies that are not configured any more, with positions."""
OPTIONS = settings(max_examples=200, deadline=None)


def targets(strategy: str, symbol: str) -> list[OwnerKey]:
    return [
        (owner, where)
        for owner, where in CONFIGURED
        if strategy in {"", owner, strategy_name(owner)} and symbol in {"", where}
    ]


def left_by(strategy: str, symbol: str) -> list[OwnerKey]:
    return [(owner, where) for owner, where in GONE if owner == strategy and symbol in {"", where}]


def nobody(_strategy: str, _symbol: str) -> list[OwnerKey]:
    """Of another configuration: what a record says must be enough."""
    return []


commands = st.lists(
    st.builds(
        Command,
        now_ns=st.integers(1, 1_000),
        command_id=st.integers(0, 10**9).map(str),
        name=st.sampled_from([name for name in get_args(CommandName) if name != "why"]),
        strategy=st.sampled_from(("", "", "rsi", "rsi:s1", "sma:s1", "cci:s1", "sma:s9")),
        symbol=st.sampled_from(("", "", "BTCUSDT", "ETHUSDT")),
        source=st.sampled_from(("control", "telegram")),
    ),
    max_size=12,
    unique_by=lambda command: command.command_id,
)
restarts = st.lists(st.integers(0, 11), max_size=3)


def journalled(command: Command) -> tuple[Given, CommandGiven]:
    """As it is applied when it is given, and its record as the journal has it."""
    meant = given_now(command, targets, left_by)
    raw = msgspec.msgpack.encode(record_of(meant, command.argument))
    return meant, msgspec.msgpack.decode(raw, type=CommandGiven)


@OPTIONS
@given(commands)
def test_a_journal_makes_the_state_that_the_commands_made(given_commands: list[Command]) -> None:
    live, replayed = OperatorState(), OperatorState()
    for command in given_commands:
        meant, record = journalled(command)
        live.apply(meant)
        assert given_before(record, nobody, nobody) == meant
        replayed.apply(given_before(record, nobody, nobody))
        assert replayed.saved() == live.saved()
        assert str(replayed.killed) == str(live.killed)


@OPTIONS
@given(commands, restarts)
def test_snapshots_on_the_way_change_nothing(given_commands: list[Command], stops: list[int]) -> None:
    live, restarted = OperatorState(), OperatorState()
    for index, command in enumerate(given_commands):
        meant, record = journalled(command)
        live.apply(meant)
        restarted.apply(given_before(record, nobody, nobody))
        if index in stops:
            raw = msgspec.msgpack.encode(restarted.saved())
            restarted = OperatorState()
            restarted.restore(msgspec.msgpack.decode(raw, type=OperatorSaved))
        assert restarted.saved() == live.saved()
        for key in (*CONFIGURED, *GONE):
            assert restarted.is_halted(key) == live.is_halted(key)


@OPTIONS
@given(commands)
def test_resume_without_names_lets_every_configured_strategy_enter(given_commands: list[Command]) -> None:
    state = OperatorState()
    for command in given_commands:
        state.apply(journalled(command)[0])
    state.apply(journalled(Command(2_000, "last", "resume"))[0])
    assert not state.is_paused
    assert state.killed is None
    assert state.paused == []
    assert not any(state.is_halted(key) for key in CONFIGURED)
    assert not state.to_leave.keys() & set(CONFIGURED)


@OPTIONS
@given(commands)
def test_after_kill_only_resume_without_names_lets_entries_in_or_keeps_a_position(
    given_commands: list[Command],
) -> None:
    state = OperatorState()
    state.apply(journalled(Command(1, "first", "kill"))[0])
    for command in given_commands:
        if command.name == "resume" and not command.strategy and not command.symbol:
            continue
        state.apply(journalled(command)[0])
        assert state.killed is not None
        assert state.is_paused
        assert state.to_leave.keys() >= set(CONFIGURED)


def test_what_was_left_behind_is_forgotten_when_its_owner_enters_anew_and_a_flatten_is_not() -> None:
    state = OperatorState()
    state.apply(journalled(Command(1, "a", "flatten", strategy="cci:s1"))[0])
    state.apply(journalled(Command(2, "b", "flatten", strategy="rsi:s1"))[0])
    assert state.is_halted(GONE[0])
    state.forget_left_behind(GONE[0])
    state.forget_left_behind(CONFIGURED[0])
    assert not state.is_halted(GONE[0])
    assert set(state.to_leave) == {GONE[1], *CONFIGURED[:2]}


def test_a_record_of_an_earlier_version_means_whom_it_would_mean_now() -> None:
    record = CommandGiven("1", "flatten", {"strategy": "rsi", "symbol": "BTCUSDT"}, "control", 5)
    assert given_before(record, targets, left_by).targets == (CONFIGURED[0], CONFIGURED[2])
    record = CommandGiven("1", "flatten", {"strategy": "cci:s1", "given_to": ""}, "control", 5)
    assert given_before(record, targets, left_by).left_behind == GONE[:2]


def test_of_too_many_commands_the_oldest_are_forgotten() -> None:
    state = OperatorState()
    for number in range(MAX_REMEMBERED + 2):
        state.apply(Given(str(number), "cancel", "", "", "control", 1, Cause.command("1")))
    kept = state.saved().commands
    assert (len(kept), kept[0], kept[-1]) == (MAX_REMEMBERED, "2", str(MAX_REMEMBERED + 1))
    assert not state.was_given("1")


def test_the_kill_switch_says_when_and_by_whom_where_that_is_known() -> None:
    assert (
        str(Killed(1_700_000_000_000_000_000, "telegram")) == "killed at 2023-11-14 22:13:20 UTC by telegram"
    )
    assert str(Killed()) == "killed before the restart"
