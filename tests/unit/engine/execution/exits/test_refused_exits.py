"""Exits that the exchange refuses: each ends flat, or it is told why not."""

from decimal import Decimal

import msgspec
import pytest

from engine.core.engine import Engine
from engine.model.audit import Notice
from engine.model.cause import Cause
from engine.model.events import Event
from engine.model.exit_rules import ExitRules
from engine.model.leg import CLOSE
from engine.model.timeframes import SECOND_NS
from engine.orders.refusals import RULES, Reaction
from gateways.binance.protocol.classify import REFUSALS
from gateways.wire import messages as wire
from tests.support.engine_rig import Exchange, Rig, config, instrument, spec
from tests.support.places import ROOT
from tests.unit.engine.core.test_commands_in_each_state import command
from tests.unit.engine.core.test_engine_restarts import UP, restarted

ZERO, TENTH = Decimal(0), Decimal("0.1")
OWNER = "sma_crossover_inflection:s1"
WITH_TARGET = config(
    spec(
        exit_rules=ExitRules(stop_kind="resting", take_profit_percent=5.0),
        protective_stop_percent=Decimal(5),
    )
)
WITH_STOP = config(spec(protective_stop_percent=Decimal(5)))
RULES_CHANGED = msgspec.structs.replace(
    instrument(), qty_step_base=Decimal("0.04"), min_qty_base=Decimal("0.04"), price_tick=Decimal("0.5")
)


def critical(rig: Rig) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and one.level == "critical"]


def refused(order: wire.SubmitOrder, code: int, text: str = "no") -> list[Event]:
    return [wire.Reply(order.request_id, "refused", code, text)]


def conflicts(exchange: Exchange, order: wire.SubmitOrder, code: int) -> list[Event] | None:
    """A reduce-only market order is refused while an ordinary order rests on its side."""
    in_way = any(one.side == order.side and one.order_type == "LIMIT" for one in exchange.orders.values())
    return refused(order, code) if order.order_type == "MARKET" and order.reduce_only and in_way else None


def with_target(code: int = -2022) -> Rig:
    """A position with its stop and its target, at an exchange where the target reserves the position."""
    rig = Rig(Engine(WITH_TARGET)).up()
    rig.exchange.on_submit = lambda order: conflicts(rig.exchange, order, code)
    rig.prices(*UP)
    assert sorted(one.order_type for one in rig.exchange.orders.values()) == ["LIMIT", "STOP_MARKET"]
    return rig


def placed_after(rig: Rig, before: int) -> list[wire.SubmitOrder]:
    return [one for one in rig.sent(wire.SubmitOrder) if isinstance(one, wire.SubmitOrder)][before:]


@pytest.mark.parametrize("name", ["flatten", "kill"])
@pytest.mark.parametrize("code", [-2022, -4118])
def test_our_own_target_is_taken_out_of_the_way_of_an_exit(code: int, name: str) -> None:
    rig = with_target(code)
    before = len(rig.sent(wire.SubmitOrder))
    command(rig, name)
    rig.wait(1)
    assert rig.exchange.position == ZERO
    assert not rig.exchange.orders
    rig.wait(120)
    assert {one.order_type for one in placed_after(rig, before)} == {"MARKET"}


def test_a_strategys_own_exit_takes_its_target_out_of_the_way_and_keeps_the_stop_until_flat() -> None:
    rig = with_target()
    rests: list[list[str]] = []

    def noting(order: wire.SubmitOrder) -> list[Event] | None:
        rests.append(sorted(one.order_type for one in rig.exchange.orders.values()))
        return conflicts(rig.exchange, order, -2022)

    rig.exchange.on_submit = noting
    rig.engine.trades.exits.leave(OWNER, "BTCUSDT", cause=Cause.bar(1, 1), leg=CLOSE, signal="Out")
    rig.wait(1)
    assert rig.exchange.position == ZERO
    assert rests == [["LIMIT", "STOP_MARKET"], ["STOP_MARKET"]]
    assert not rig.exchange.orders


def test_a_partial_exit_that_needed_the_way_gets_its_target_back_for_the_rest() -> None:
    rig = with_target()
    rig.engine.trades.exits.leave(
        OWNER, "BTCUSDT", qty_base=Decimal("0.04"), cause=Cause.bar(1, 1), leg=CLOSE, signal="Half"
    )
    rig.wait(1)
    assert rig.exchange.position == Decimal("0.06")
    (target,) = [one for one in rig.exchange.orders.values() if one.order_type == "LIMIT"]
    assert target.qty_base == Decimal("0.06")


def test_an_exit_refused_for_a_moment_after_its_way_is_free_follows_within_seconds() -> None:
    rig = with_target()
    refusals = iter(range(3))
    rig.exchange.on_submit = lambda order: (
        refused(order, -2022) if order.order_type == "MARKET" and next(refusals, None) is not None else None
    )
    command(rig, "flatten")
    rig.wait(4)
    assert rig.exchange.position == ZERO
    assert critical(rig) == []


def test_a_cancel_that_is_not_answered_does_not_hold_the_exit_up_for_ever() -> None:
    rig = with_target()
    cancel = rig.exchange.cancel
    rig.exchange.cancel = lambda _: []  # type: ignore[method-assign]  # the answer is lost
    command(rig, "flatten")
    rig.wait(4)
    assert rig.exchange.position == TENTH
    rig.exchange.cancel = cancel  # type: ignore[method-assign]  # as it was
    rig.wait(60)
    assert rig.exchange.position == ZERO
    assert not rig.exchange.orders


def test_somebody_elses_order_in_the_way_is_named() -> None:
    rig = Rig().up().prices(*UP)
    by_hand = wire.SubmitOrder(
        0, "BTCUSDT", "web_7", "SELL", "LIMIT", TENTH, price=Decimal(200), reduce_only=True
    )
    for event in rig.exchange.execute(by_hand)[1:]:
        rig.feed(event)
    rig.exchange.on_submit = lambda order: conflicts(rig.exchange, order, -2022)
    command(rig, "flatten")
    rig.wait(20)
    assert "web_7" in rig.exchange.orders
    (told,) = critical(rig)
    assert "on BTCUSDT cannot be closed: -2022 no; in its way may be web_7 of somebody else" in told


def test_the_page_about_refused_exits_names_every_refusal_and_code_that_has_a_rule_of_its_own() -> None:
    page = (ROOT / "docs" / "refused_exits.md").read_text("utf-8")
    rows = {
        reaction: next(row for row in page.splitlines() if word in row) for reaction, word in ROWS.items()
    }
    assert [word for word, reaction in RULES.items() if f"`{word}`" not in rows[reaction]] == []
    codes = [(code, RULES[word]) for code, word in REFUSALS.items() if word in RULES]
    assert [code for code, reaction in codes if f"`{code}`" not in rows[reaction]] == []


def test_kill_waits_for_the_cancel_of_somebody_elses_order_no_longer_than_it_takes() -> None:
    rig = Rig().up()
    hand = wire.SubmitOrder(0, "BTCUSDT", "web_1", "BUY", "MARKET", TENTH)
    target = wire.SubmitOrder(
        0, "BTCUSDT", "web_77", "SELL", "LIMIT", TENTH, price=Decimal(200), reduce_only=True
    )
    for event in (*rig.exchange.execute(hand)[1:], *rig.exchange.execute(target)[1:]):
        rig.feed(event)
    late: list[wire.CancelOrder] = []
    cancel = rig.exchange.cancel
    rig.exchange.cancel = lambda message: late.append(message) or []  # type: ignore[method-assign, func-returns-value]
    rig.exchange.on_submit = lambda order: conflicts(rig.exchange, order, -2022)
    command(rig, "kill")
    assert rig.exchange.position == TENTH
    for event in cancel(late[0]):
        rig.feed(event)
    assert rig.exchange.position == ZERO


@pytest.mark.parametrize("code", [-2015, -1121, -4140, -1106])
def test_what_only_a_person_can_mend_is_told_at_once_and_tried_on(code: int) -> None:
    rig = Rig().up().prices(*UP)
    rig.exchange.on_submit = lambda order: refused(order, code)
    command(rig, "flatten")
    assert len(critical(rig)) == 1
    rig.wait(600)
    assert len(critical(rig)) == 1
    rig.exchange.on_submit = lambda _: None
    rig.wait(70)
    assert rig.exchange.position == ZERO


ROWS = {
    Reaction.COMPARE: "| nothing to reduce",
    Reaction.REGRID: "| off the grid",
    Reaction.PERSON: "| only a person can mend it",
}
EXIT_CODES = (
    -1000, -1008, -1015, -1021, -1102, -1106, -1111, -1121, -2015, -2018, -2019, -2022, -2023, -2027, -4003,
    -4004, -4005, -4023, -4061, -4087, -4118, -4131, -4140, -4164, -4192, -4400, -9999,
)  # fmt: skip


@pytest.mark.parametrize("code", EXIT_CODES)
def test_an_exit_refused_by_any_code_is_told_and_ends_flat_once_it_can(code: int) -> None:
    rig = Rig().up().prices(*UP)
    rig.exchange.on_submit = lambda order: refused(order, code)
    command(rig, "flatten")
    rig.wait(180)
    assert any("on BTCUSDT cannot be closed" in text and str(code) in text for text in critical(rig))
    rig.exchange.on_submit = lambda _: None
    rig.wait(70)
    assert rig.exchange.position == ZERO


@pytest.mark.parametrize("by_snapshot", [None, False, True])
def test_kill_leaves_what_others_hold_though_it_was_refused_at_first(by_snapshot: bool | None) -> None:
    rig = Rig().up()
    for event in rig.exchange.execute(wire.SubmitOrder(0, "BTCUSDT", "web_1", "BUY", "MARKET", TENTH))[1:]:
        rig.feed(event)
    rig.exchange.on_submit = lambda order: refused(order, -1008, "busy")
    command(rig, "kill")
    rig.wait(3)
    if by_snapshot is not None:
        rig = restarted(rig.down(), rig.engine.config, by_snapshot=by_snapshot)
        rig.now_ns = rig.exchange.now_ns
        rig.up()
    rig.exchange.on_submit = lambda _: None
    rig.wait(70)
    assert rig.exchange.position == ZERO


@pytest.mark.parametrize("restart", [False, True])
def test_after_resume_kill_leaves_nothing_of_others_any_more(restart: bool) -> None:
    rig = Rig().up()
    for event in rig.exchange.execute(wire.SubmitOrder(0, "BTCUSDT", "web_1", "BUY", "MARKET", TENTH))[1:]:
        rig.feed(event)
    rig.exchange.on_submit = lambda order: refused(order, -1008, "busy")
    command(rig, "kill", 1)
    rig.wait(3)
    command(rig, "resume", 2)
    rig.exchange.on_submit = lambda _: None
    if restart:
        rig = restarted(rig.down(), rig.engine.config)
        rig.now_ns = rig.exchange.now_ns
        rig.up()
    rig.wait(120)
    assert rig.exchange.position == TENTH


def change_rules(rig: Rig, rules: wire.Instrument = RULES_CHANGED) -> None:
    rig.exchange.rules = rules
    rig.feed(rules)


def test_an_exit_off_a_new_step_is_rounded_up_and_cut_down_to_the_position() -> None:
    rig = Rig().up().prices(*UP)
    change_rules(rig)

    def cut(order: wire.SubmitOrder) -> list[Event] | None:
        assert order.qty_base == Decimal("0.12")
        return rig.exchange.execute(msgspec.structs.replace(order, qty_base=rig.exchange.position))

    rig.exchange.on_submit = cut
    command(rig, "flatten")
    assert rig.exchange.position == ZERO


def test_where_the_exchange_cuts_nothing_down_the_rest_is_named_as_dust_once() -> None:
    rig = Rig().up().prices(*UP)
    change_rules(rig)
    rig.exchange.on_submit = lambda order: (
        refused(order, -2022) if order.qty_base > rig.exchange.position else None
    )
    command(rig, "flatten", 1)
    rig.wait(60)
    assert rig.exchange.position == Decimal("0.02")
    before = len(rig.sent(wire.SubmitOrder))
    assert "dust" in command(rig, "flatten", 2).text
    rig.wait(600)
    assert len(rig.sent(wire.SubmitOrder)) == before
    told = [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and "dust" in one.text]
    assert told == [f"{OWNER}: 0.02 of BTCUSDT is dust: the exchange takes no order that leaves it"]


def test_a_quantity_refused_for_its_step_is_sent_on_the_step_learnt_meanwhile() -> None:
    rig = Rig().up().prices(*UP)

    def new_step(order: wire.SubmitOrder) -> list[Event] | None:
        return refused(order, -4023) if order.qty_base % Decimal("0.04") else None

    rig.exchange.on_submit = new_step
    command(rig, "flatten")
    change_rules(rig)
    rig.exchange.on_submit = lambda order: (
        new_step(order)
        or rig.exchange.execute(msgspec.structs.replace(order, qty_base=rig.exchange.position))
    )
    rig.wait(1)
    assert rig.exchange.position == ZERO


def test_what_rests_is_put_on_a_new_grid_at_once() -> None:
    rig = Rig(Engine(WITH_TARGET)).up().prices(*UP)
    change_rules(rig)
    rests = {one.order_type: one for one in rig.exchange.orders.values()}
    assert rests["STOP_MARKET"].stop_price % Decimal("0.5") == 0
    assert rests["LIMIT"].price % Decimal("0.5") == 0
    # The stop covers the whole position, its market order is cut down to it; the target takes what it can.
    assert (rests["STOP_MARKET"].qty_base, rests["LIMIT"].qty_base) == (Decimal("0.12"), Decimal("0.08"))
    assert len(rig.exchange.orders) == 2


def ended(rig: Rig, status: str, reason: str, child: int = 0) -> None:
    """The stop that rests has been triggered, and its market order has come to nothing."""
    (stop,) = [one for one in rig.exchange.orders.values() if one.is_conditional]
    rig.exchange.orders.pop(stop.client_order_id)
    rig.exchange.sequence += 1
    told = msgspec.structs.replace(
        stop,
        sequence=rig.exchange.sequence,
        execution=status,
        status=status,
        reason=reason,
        child_order_id=child,
        event_time_ns=rig.now_ns,
    )
    rig.feed(told)


@pytest.mark.parametrize(
    ("status", "reason", "child"),
    [("REJECTED", "-2019 Margin is insufficient.", 0), ("EXPIRED", "9", 4711)],
)
def test_a_stop_that_was_triggered_in_vain_is_told_as_that_and_the_position_left_at_once(
    status: str, reason: str, child: int
) -> None:
    rig = Rig(Engine(WITH_STOP)).up().prices(*UP)
    before = len(rig.sent(wire.SubmitOrder))
    ended(rig, status, reason, child)
    assert [one.order_type for one in placed_after(rig, before)] == ["MARKET"]
    assert rig.exchange.position == ZERO
    what = f"the stop at 96.1 was triggered and did not fill ({reason}): closing the position at market"
    assert critical(rig) == [f"{OWNER} on BTCUSDT: {what}"]


def test_a_stop_that_the_exchange_only_took_away_is_placed_again() -> None:
    rig = Rig(Engine(WITH_STOP)).up().prices(*UP)
    ended(rig, "EXPIRED", "")
    assert rig.exchange.position == TENTH
    assert [one.order_type for one in rig.exchange.orders.values()] == ["STOP_MARKET"]


def stop_requests(rig: Rig, seconds: int) -> None:
    """As the gateway tells it."""
    streams = {"public": "up", "market": "up", "private": "up", "rest": "down"}
    rig.status(banned_until_ns=rig.now_ns + seconds * SECOND_NS, streams=streams)


def stopped() -> tuple[Rig, int]:
    """A position while the exchange has stopped all requests for 100 s, and how many orders were sent."""
    rig = Rig(Engine(WITH_STOP)).up()
    rig.prices(*UP)
    assert rig.exchange.position == TENTH
    rig.exchange.on_submit = lambda order: [
        wire.Reply(order.request_id, "transient", 0, "not sent: request limit or ban for another 99.0 s")
    ]
    stop_requests(rig, 100)
    return rig, len(rig.sent(wire.SubmitOrder))


def test_while_all_requests_are_stopped_an_exit_is_not_tried_each_bar_and_is_told_once() -> None:
    rig, before = stopped()
    for second in range(90):
        rig.engine.trades.exits.leave(OWNER, "BTCUSDT", cause=Cause.bar(second, 1), leg=CLOSE, signal="Out")
        rig.wait(1)
    assert len(placed_after(rig, before)) == 1
    assert len([text for text in critical(rig) if "on BTCUSDT cannot be closed" in text]) == 1


@pytest.mark.parametrize("by_word", [False, True])
def test_an_exit_leaves_as_soon_as_requests_are_answered_again(by_word: bool) -> None:
    rig, _ = stopped()
    command(rig, "flatten")
    rig.wait(30)
    rig.exchange.on_submit = lambda _: None
    if by_word:
        rig.status()
        rig.wait(0)
    else:
        rig.wait(71)
    assert rig.exchange.position == ZERO
    assert not rig.exchange.orders


def test_an_exit_that_was_to_be_tried_long_after_a_ban_is_tried_at_its_end() -> None:
    rig = Rig(Engine(WITH_STOP)).up()
    rig.prices(*UP)
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "transient", -1003, "Too many")]
    command(rig, "flatten")
    rig.wait(100)
    stop_requests(rig, 5)
    rig.exchange.on_submit = lambda _: None
    rig.status()
    rig.wait(0)
    assert rig.exchange.position == ZERO
