"""A stop that cannot be placed keeps entries of its symbol out until one can be."""

from decimal import Decimal
from itertools import pairwise

import pytest

from engine.core.engine import Engine
from engine.execution.exits.stop_check import FIRST_NS, OWNER
from engine.model.audit import Notice
from engine.model.events import Command, Event
from engine.model.records import Intent, Signal
from engine.model.timeframes import SECOND_NS
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import restarted

D = Decimal
UP = (100, 99, 98, 100, 101)
PROTECTED = config(spec(protective_stop_percent=D(5)))
REFUSED = (-4045, "Reach max stop order limit.")
GATE = "BTCUSDT: a stop could not be placed, and none was placed since"


def refusing(rig: Rig, code: int = REFUSED[0], text: str = REFUSED[1]) -> Rig:
    def answer(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET":
            return None
        return [wire.Reply(order.request_id, "refused", code, text)]

    rig.exchange.on_submit = answer
    return rig


def accepting(rig: Rig) -> Rig:
    rig.exchange.on_submit = lambda _: None
    return rig


def told(rig: Rig, word: str) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and word in one.text]


def tried(rig: Rig) -> list[int]:
    """When stops were sent only to be tried, in seconds."""
    intents = [one for one in rig.records(Intent) if isinstance(one, Intent) and one.strategy == OWNER]
    return [(one.time_ns - START_NS) // SECOND_NS for one in intents]


def live(rig: Rig, seconds: int) -> Rig:
    """Time passes with ticks that lead to no signal."""
    for _ in range(seconds):
        rig.tick((rig.now_ns - START_NS) / SECOND_NS + 1, 101)
        rig.wait(0)
    return rig


def left() -> Rig:
    """The position was closed because it had no stop."""
    rig = refusing(Rig(Engine(PROTECTED)).up()).prices(*UP)
    assert rig.exchange.position == D("0.1")
    live(rig, 32)
    assert rig.exchange.position == 0
    return rig


def test_entries_wait_after_a_position_without_its_stop_was_closed() -> None:
    rig = left()
    assert rig.engine.health.blockers() == (GATE,)
    start = (rig.now_ns - START_NS) // SECOND_NS + 1
    rig.prices(100, 99, 100, 101, start=start)
    signals = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    assert (signals[-1].fate, signals[-1].rule) == ("vetoed", "stop")
    assert rig.exchange.position == 0


def test_it_is_told_once_with_the_exchanges_reason() -> None:
    rig = live(left(), 120)
    (text,) = told(rig, "a stop could not be placed")
    why = "-4045 Reach max stop order limit."
    assert text == f"BTCUSDT: a stop could not be placed ({why}): entries wait until one can be"


def test_a_stop_that_is_refused_again_and_again_is_told_once() -> None:
    assert len(told(left(), "order was not placed")) == 1


def test_a_stop_that_is_accepted_opens_entries_again_and_is_cancelled() -> None:
    rig = accepting(left())
    live(rig, 40)
    assert len(tried(rig)) == 1
    (probe,) = [one for one in rig.records(Intent) if isinstance(one, Intent) and one.strategy == OWNER]
    assert (probe.order_type, probe.side, probe.reduce_only) == ("STOP_MARKET", "SELL", True)
    assert probe.stop_price is not None
    assert probe.stop_price < 101
    assert rig.engine.health.blockers() == ()
    assert rig.exchange.orders == {}
    assert told(rig, "can be placed again")


def test_it_is_tried_ever_less_often_while_it_is_refused() -> None:
    rig = live(left(), 600)
    times = tried(rig)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:3] == [60, 120, 240]
    assert rig.engine.health.blockers() == (GATE,)
    assert rig.exchange.orders == {}


def test_resume_tries_one_at_once() -> None:
    rig = accepting(live(left(), 600))
    before = len(tried(rig))
    rig.feed(Command(rig.now_ns, "r1", "resume"))
    live(rig, 2)
    assert len(tried(rig)) == before + 1
    assert rig.engine.health.blockers() == ()


def test_the_stop_of_a_position_that_is_placed_at_last_opens_entries_too() -> None:
    rig = refusing(Rig(Engine(PROTECTED)).up()).prices(*UP)
    assert rig.engine.health.blockers() == (GATE,)
    accepting(rig)
    live(rig, 4)
    assert rig.engine.health.blockers() == ()
    assert rig.exchange.position == D("0.1")
    assert tried(rig) == []


@pytest.mark.parametrize("code", [-2021, -2022, -4118])
def test_a_refusal_that_says_nothing_against_stops_keeps_nothing_out(code: int) -> None:
    rig = refusing(Rig(Engine(PROTECTED)).up(), code, "would trigger, or nothing to reduce").prices(*UP)
    assert GATE not in rig.engine.health.blockers()


def test_a_stop_that_never_comes_to_rest_keeps_entries_out_too() -> None:
    """Without an answer nothing is refused; the position is left all the same."""
    rig = Rig(Engine(PROTECTED)).up()
    rig.exchange.on_submit = lambda order: [] if order.order_type == "STOP_MARKET" else None
    rig.exchange.on_query = lambda query: [wire.Reply(query.request_id, "transient")]
    rig.prices(*UP)
    live(rig, 40)
    assert rig.exchange.position == 0
    assert GATE in rig.engine.health.blockers()


@pytest.mark.parametrize("command", ["kill", "pause"])
def test_nothing_is_tried_after_a_kill_or_while_paused(command: str) -> None:
    rig = accepting(left())
    rig.feed(Command(rig.now_ns, "c1", command))
    live(rig, 200)
    assert tried(rig) == []
    rig.feed(Command(rig.now_ns, "c2", "resume"))
    live(rig, 10)
    assert len(tried(rig)) == 1


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_entries_still_wait_after_a_restart(by_snapshot: bool) -> None:
    rig = left()
    again = restarted(rig, PROTECTED, by_snapshot=by_snapshot).up()
    assert GATE in again.engine.health.blockers()
    accepting(again)
    live(again, FIRST_NS // SECOND_NS + 2)
    assert again.engine.health.blockers() == ()


def test_a_stop_that_was_only_tried_and_outlived_a_crash_is_cancelled() -> None:
    rig = accepting(left())
    hear = rig.exchange.cancel
    rig.exchange.cancel = lambda _: []  # type: ignore[method-assign]  # the engine dies before it is heard
    live(rig, 40)
    assert len(rig.exchange.orders) == 1
    rig.exchange.cancel = hear  # type: ignore[method-assign]
    again = restarted(rig, PROTECTED).up()
    assert rig.exchange.orders == {}
    assert GATE not in again.engine.health.blockers()


def test_after_the_clock_was_set_back_a_stop_is_tried_soon() -> None:
    rig = left()
    rig.engine.stop_check.on_set_back(7)
    assert rig.engine.stop_check.deadline_ns <= 7 + FIRST_NS


def test_a_stop_that_never_reached_the_exchange_says_nothing_against_stops() -> None:
    rig = Rig(Engine(PROTECTED)).up()
    lost = iter([True])

    def answer(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET" or not next(lost, False):
            return None
        return [wire.Reply(order.request_id, "transient", 0, "not sent: no connection to the exchange")]

    rig.exchange.on_submit = answer
    rig.prices(*UP)
    assert rig.engine.health.blockers() == ()
    live(rig, 5)
    (stop,) = rig.exchange.orders.values()
    assert stop.order_type == "STOP_MARKET"
    assert told(rig, "could not be placed") == []
