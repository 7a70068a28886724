"""The machine's clock is set ahead and later back: it is said, and trading goes on."""

from decimal import Decimal

from engine.model.audit import Notice
from engine.model.cause import Cause
from engine.model.events import Timer
from engine.model.leg import ENTRY
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig

UP = (100, 99, 98, 100, 101)
HOUR_NS = 3600 * SECOND_NS


def jumped() -> Rig:
    """An engine with a position whose clock has been an hour ahead and is right again."""
    rig = Rig().up().prices(*UP)
    assert rig.exchange.position
    rig.feed(Timer(rig.now_ns))
    rig.feed(Timer(rig.now_ns + HOUR_NS))
    rig.feed(Timer(rig.now_ns + HOUR_NS + SECOND_NS))
    rig.now_ns = rig.exchange.now_ns = rig.now_ns + 2 * SECOND_NS
    rig.feed(Timer(rig.now_ns))
    return rig


def test_a_clock_that_was_set_back_is_named_until_all_is_compared_again() -> None:
    rig = jumped()
    assert "the machine's clock was set back" in rig.engine.health.blockers()
    assert any("set back by 3" in one.text and one.severity == "critical" for one in rig.notices(Notice))
    rig.status()
    rig.tick(7, 100)
    rig.wait(3)
    assert rig.engine.health.blockers() == ()


def test_no_entry_goes_out_after_the_clock_was_set_back_until_it_is_known_again() -> None:
    rig = jumped()
    assert rig.engine.health.reconciled
    gate = rig.engine.gate
    entry = gate.intent("s", "BTCUSDT", "BUY", "MARKET", Decimal("0.1"), cause=Cause.bar(1, 1), leg=ENTRY)
    assert gate.verdict_on_terms(entry).rule == "clock_set_back"


def test_strategies_trade_again_soon_after_the_clock_was_set_back() -> None:
    rig = jumped().status()
    before = rig.exchange.position
    rig.prices(101, 102, 103, 102, 101, 100, 99, 100, 101, 102, start=8)
    assert rig.exchange.position == -before or any(
        one.fate == "traded" and one.time_ns > rig.now_ns - 10 * SECOND_NS for one in rig.records(Signal)
    )


def test_a_question_asked_while_the_clock_was_ahead_is_asked_again_soon() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = rig.exchange.on_query = lambda _: []
    rig.prices(*UP)
    rig.feed(Timer(rig.now_ns))
    rig.feed(Timer(rig.now_ns + HOUR_NS))
    asked = len(rig.sent(wire.QueryOrder))
    assert asked
    rig.now_ns = rig.exchange.now_ns = rig.now_ns + SECOND_NS
    rig.feed(Timer(rig.now_ns))
    rig.wait(8)
    assert len(rig.sent(wire.QueryOrder)) > asked


def test_time_from_before_the_set_back_that_arrives_late_does_not_stay() -> None:
    rig = jumped()
    rig.status(time_ns=rig.now_ns + HOUR_NS)
    rig.feed(Timer(rig.now_ns + SECOND_NS))
    assert rig.engine.clock.now_ns == rig.now_ns + SECOND_NS


def test_a_clock_that_is_only_adjusted_stands_still() -> None:
    rig = Rig().up().prices(*UP)
    rig.feed(Timer(rig.now_ns + SECOND_NS // 2))
    now_ns = rig.engine.clock.now_ns
    rig.feed(Timer(rig.now_ns))
    assert rig.engine.clock.now_ns == now_ns
    assert rig.engine.health.blockers() == ()


def test_the_same_events_give_the_same_effects() -> None:
    rig = jumped().status()
    rig.prices(101, 102, 103, 102, 101, 100, 99, 100, 101, 102, start=8)
    again = Rig()
    effects = [effect for event in rig.events for effect in again.engine.process(event)]
    assert effects == rig.effects
    assert any(isinstance(one, wire.Reply) for one in rig.events)
