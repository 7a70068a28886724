"""Operators' commands keep their promise in whatever state they are given, over restarts too."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine.core.engine import Engine
from engine.model.audit import Answer
from engine.model.events import Command, Event, JournalState
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, restarted
from tests.unit.engine.execution.scripts.test_engine_scripts import scripted

SETTINGS = config(spec(protective_stop_percent=Decimal(5)))
TENTH = Decimal("0.1")
State = Callable[[], tuple[Rig, list[Event]]]
"""A rig in some state, and events of the exchange that are still on their way."""


def command(rig: Rig, name: str, number: int = 1, **narrow: str) -> Answer:
    rig.feed(Command(rig.now_ns, f"c{number}", name, **narrow))  # type: ignore[arg-type]  # a command's name
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    return answer


def fresh() -> Rig:
    return Rig(Engine(SETTINGS))


def never_connected() -> tuple[Rig, list[Event]]:
    return fresh(), []


def not_yet_reconciled() -> tuple[Rig, list[Event]]:
    rig = fresh()
    rig.exchange.complete = False
    rig.up()
    rig.exchange.complete = True
    return rig, []


def flat() -> tuple[Rig, list[Event]]:
    return fresh().up(), []


def holding() -> tuple[Rig, list[Event]]:
    return fresh().up().prices(*UP), []


def disconnected() -> tuple[Rig, list[Event]]:
    return fresh().up().prices(*UP).down(), []


def stale() -> tuple[Rig, list[Event]]:
    return fresh().up().prices(*UP).status(fresh=()), []


def disk_full() -> tuple[Rig, list[Event]]:
    rig = fresh().up().prices(*UP)
    rig.feed(JournalState(rig.now_ns, accepts_entries=False))
    return rig, []


def entry_in_flight() -> tuple[Rig, list[Event]]:
    """Accepted, the fill is still on its way."""
    rig = fresh().up()
    late: list[Event] = []

    def slow(order: wire.SubmitOrder) -> list[Event] | None:
        if order.reduce_only or late:
            return None
        reply, new, *rest = rig.exchange.execute(order)
        late.extend(rest)
        return [reply, new]

    rig.exchange.on_submit = slow
    rig.prices(*UP)
    assert late
    return rig, late


def entry_unanswered() -> tuple[Rig, list[Event]]:
    """Sent, and nothing heard of it yet, though it happened."""
    rig = fresh().up()
    late: list[Event] = []

    def silent(order: wire.SubmitOrder) -> list[Event] | None:
        if order.reduce_only or late:
            return None
        late.extend(rig.exchange.execute(order))
        return []

    rig.exchange.on_submit = silent
    rig.prices(*UP)
    assert late
    return rig, late


def exit_in_flight() -> tuple[Rig, list[Event]]:
    """A flatten was given a moment ago, its fill is on its way."""
    rig = fresh().up().prices(*UP)
    late: list[Event] = []

    def slow(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "MARKET" or late:
            return None
        reply, new, *rest = rig.exchange.execute(order)
        late.extend(rest)
        return [reply, new]

    rig.exchange.on_submit = slow
    command(rig, "flatten", 90)
    assert late
    return rig, late


STATES = (
    never_connected, not_yet_reconciled, flat, holding, disconnected, stale, disk_full, entry_in_flight,
    entry_unanswered, exit_in_flight,
)  # fmt: skip
RESTARTS = {"none": None, "from records": False, "from a snapshot": True}


def went_on(rig: Rig, late: list[Event], restart: str) -> Rig:
    """What was on its way arrives, perhaps at a new engine, and all is well again."""
    by_snapshot = RESTARTS[restart]
    if by_snapshot is not None:
        rig.down()
        rig = restarted(rig, SETTINGS, by_snapshot=by_snapshot)
        rig.now_ns = rig.exchange.now_ns
    else:
        rig.exchange.on_submit = lambda _: None
    for event in late:
        rig.feed(event)
    rig.down().up()
    rig.feed(JournalState(rig.now_ns, accepts_entries=True))
    rig.wait(90)
    rig.status()
    return rig


def entries(rig: Rig, start: float) -> int:
    """How many entries go out when the market gives a signal."""
    before = len(rig.sent(wire.SubmitOrder))
    rig.prices(100, 98, 96, 99, 102, 104, 106, start=start)
    return sum(not one.reduce_only for one in rig.sent(wire.SubmitOrder)[before:])


@pytest.mark.parametrize("restart", RESTARTS)
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("name", ["flatten", "kill"])
@pytest.mark.parametrize("state", STATES)
def test_flatten_and_kill_end_flat_without_orders_and_enter_nothing_until_resume(
    state: State, name: str, twice: bool, restart: str
) -> None:
    rig, late = state()
    first = command(rig, name, 1)
    assert "until resume" in first.text
    if twice:
        command(rig, name, 2)
    rig = went_on(rig, late, restart)
    assert rig.exchange.position == 0
    assert rig.engine.account.position("BTCUSDT").qty_base == 0
    assert not rig.exchange.orders
    assert entries(rig, 200) == 0
    assert (rig.engine.operator.killed is not None) == (name == "kill")
    assert command(rig, "resume", 3).text == "everything is running again"
    assert entries(rig, 300) > 0


@pytest.mark.parametrize("restart", RESTARTS)
@pytest.mark.parametrize("narrow", [{}, {"symbol": "BTCUSDT"}, {"strategy": "sma_crossover_inflection"}])
@pytest.mark.parametrize("state", STATES)
def test_pause_leaves_the_position_and_enters_nothing_until_resume(
    state: State, narrow: dict[str, str], restart: str
) -> None:
    rig, late = state()
    assert command(rig, "pause", 1, **narrow).ok
    rig = went_on(rig, late, restart)
    assert rig.exchange.position == (TENTH if state not in _FLAT else 0)
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position
    assert entries(rig, 200) == 0
    command(rig, "resume", 3)
    assert entries(rig, 300) > 0


_FLAT = (never_connected, not_yet_reconciled, flat, exit_in_flight)


@pytest.mark.parametrize("state", STATES)
def test_the_same_command_is_done_once_and_over_a_restart_too(state: State) -> None:
    rig, late = state()
    command(rig, "pause", 1)
    assert command(rig, "pause", 1).text == "this command was given before"
    for by_snapshot in (False, True):
        again = restarted(rig, SETTINGS, by_snapshot=by_snapshot)
        assert command(again, "pause", 1).text == "this command was given before"
    went_on(rig, late, "none")


def resting_by_hand(rig: Rig) -> str:
    """A limit order that somebody else has placed."""
    order = wire.SubmitOrder(0, "BTCUSDT", "web_9", "BUY", "LIMIT", TENTH, price=Decimal(50))
    for event in rig.exchange.execute(order)[1:]:
        rig.feed(event)
    return order.client_order_id


def test_cancel_names_what_is_not_open_and_cancels_what_is() -> None:
    rig, _ = holding()
    hand = resting_by_hand(rig)
    unknown = command(rig, "cancel", 1, argument="web_8")
    assert (unknown.ok, unknown.text) == (
        False,
        "there is no order 'web_8' (did you mean web_9?); `status` shows those that are open",
    )
    assert command(rig, "cancel", 2, argument=hand).text == f"cancelling {hand}"
    assert hand not in rig.exchange.orders
    said = command(rig, "cancel", 3, argument=hand)
    assert (said.ok, said.text) == (False, f"order {hand} is no longer open: canceled")


def test_cancel_of_a_stop_that_would_come_back_is_refused_and_says_what_to_do() -> None:
    rig, _ = holding()
    (stop,) = rig.exchange.orders
    said = command(rig, "cancel", 1, argument=stop)
    assert not said.ok
    assert said.text == (
        f"{stop} is a stop of sma_crossover_inflection:s1 on BTCUSDT and would be placed again at once; "
        "flatten closes the position and cancels its stops and targets"
    )
    assert list(rig.exchange.orders) == [stop]


def two_entries() -> Rig:
    acts = {
        1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0),
        2: lambda _, b: b.entry("M", "long", 0.1, limit=90.0),
    }
    rig = scripted(acts, "entry", "entry.limit")
    return rig.prices(100, 101, 102, 103, 104)


def test_a_cancelled_entry_does_not_come_back_and_the_other_one_stays() -> None:
    rig = two_entries()
    first, second = rig.exchange.orders
    assert command(rig, "cancel", 1, argument=first).text == (
        f"cancelling {first}, which a strategy that is not paused may place again at its next bar"
    )
    rig.prices(105, 106, start=5)
    rig.wait(70)
    assert list(rig.exchange.orders) == [second]


def test_cancel_all_takes_the_entries_and_touches_neither_stops_nor_orders_of_others() -> None:
    rig, _ = holding()
    (stop,) = rig.exchange.orders
    hand = resting_by_hand(rig)
    said = command(rig, "cancel_all", 1)
    assert said.text == (
        "cancelling 0 resting entries; 1 stop or target of positions kept; 1 order of somebody else kept, "
        "cancel ORDER cancels one"
    )
    rig.wait(70)
    assert list(rig.exchange.orders) == [stop, hand]
    rig = two_entries()
    assert command(rig, "cancel_all", 1).text == (
        "cancelling 2 resting entries, which a strategy that is not paused may place again at its next bar"
    )
    rig.prices(105, 106, start=5)
    rig.wait(70)
    assert not rig.exchange.orders


def test_kill_cancels_what_others_have_resting_and_flatten_does_not() -> None:
    rig, _ = holding()
    hand = resting_by_hand(rig)
    command(rig, "flatten", 1)
    rig.wait(10)
    assert (rig.exchange.position, list(rig.exchange.orders)) == (0, [hand])
    assert command(rig, "kill", 2).text == (
        "cancelling 1 order; nothing to close: already flat; killed: no strategy enters anything until resume"
    )
    assert not rig.exchange.orders


def test_pause_and_flatten_say_that_they_cancel_entries() -> None:
    rig = two_entries()
    assert command(rig, "pause", 1).text == (
        "everything is paused, entries are off until resume, cancelling 2 resting entries"
    )
    assert not rig.exchange.orders
    rig = two_entries()
    assert command(rig, "flatten", 1).text.startswith("cancelling 2 resting entries; nothing to close")
    assert not rig.exchange.orders


def test_resume_of_what_is_not_paused_touches_no_order() -> None:
    rig = two_entries()
    before = list(rig.exchange.orders)
    command(rig, "resume", 1)
    command(rig, "resume", 2, symbol="BTCUSDT")
    assert list(rig.exchange.orders) == before


def test_after_kill_and_resume_a_position_that_could_not_be_left_has_its_stop_again() -> None:
    rig, _ = holding()
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "refused", -4140, "halted")]
    command(rig, "kill", 1)
    (stop,) = rig.exchange.orders
    rig.feed(rig.exchange.cancel(wire.CancelOrder(0, "BTCUSDT", stop))[1])
    rig.wait(60)
    assert not rig.exchange.orders
    rig.exchange.on_submit = lambda _: None
    command(rig, "resume", 2)
    assert [one.order_type for one in rig.exchange.orders.values()] == ["STOP_MARKET"]


@pytest.mark.parametrize("name", ["cancel", "cancel_all"])
def test_cancel_without_a_connection_is_refused_and_not_promised(name: str) -> None:
    rig = two_entries().down()
    first, _ = rig.exchange.orders
    said = command(rig, name, 1, argument=first if name == "cancel" else "")
    assert (said.ok, said.text) == (
        False,
        "no connection to the gateway: nothing was cancelled, try again later",
    )
    rig.up()
    assert command(rig, name, 2, argument=first if name == "cancel" else "").ok
    assert first not in rig.exchange.orders


@pytest.mark.parametrize("restart", RESTARTS)
@pytest.mark.parametrize("name", ["pause", "flatten", "kill"])
def test_an_entry_that_rests_is_withdrawn_though_the_word_was_given_without_a_connection(
    name: str, restart: str
) -> None:
    rig = scripted({1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0)}, "entry", "entry.limit")
    rig.prices(100, 101, 102)
    assert len(rig.exchange.orders) == 1
    rig.down()
    command(rig, name)
    if restart != "none":
        rig = restarted(rig, rig.engine.config, by_snapshot=RESTARTS[restart] is True)
    rig.up()
    rig.prices(103, 104, start=3)
    assert not rig.exchange.orders


@pytest.mark.parametrize(("name", "word"), [("kill", "killed"), ("pause", "paused")])
def test_a_resume_in_part_says_that_everything_is_still_off(name: str, word: str) -> None:
    rig, _ = flat()
    command(rig, name, 1)
    said = command(rig, "resume", 2, symbol="BTCUSDT")
    assert (said.ok, said.text) == (
        False,
        f"1 strategy is running again, but everything is {word} until resume without strategy and symbol",
    )
    assert entries(rig, 100) == 0
    command(rig, "resume", 3)
    assert entries(rig, 200) > 0
    assert command(rig, "resume", 4, symbol="BTCUSDT").ok
