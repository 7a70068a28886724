"""What the core does when the world is not well: unknown orders, cuts, gaps, foreign hands, broken code."""

from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from engine.core.engine import Engine
from engine.core.restore import restore, snapshot_of
from engine.journal.recovered import Recovered
from engine.model.audit import CandleMarked, Notice
from engine.model.events import Command, Event, JournalState
from engine.model.records import Adjustment, Intent, JournalRecord, Settled, Signal, Unknown
from engine.orders.order_states import OrderState
from engine.strategies.slot import SlotState
from gateways.wire import messages as wire
from gateways.wire.cursor import Cursor
from gateways.wire.words import AccountChange
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

UP = (100, 99, 98, 100, 101)
"""The fifth tick closes the bar that turns the average up."""
ZERO = Decimal(0)


def unanswered(_: wire.SubmitOrder) -> list[Event]:
    return []


def fates(rig: Rig) -> list[tuple[str, str]]:
    return [(one.fate, one.rule) for one in rig.records(Signal)]


def test_an_order_without_an_answer_is_unknown_and_asked_about() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = unanswered
    rig.prices(*UP)
    (order,) = rig.sent(wire.SubmitOrder)
    rig.wait(6)
    assert rig.records(Unknown)[0].client_order_id == order.client_order_id
    assert rig.sent(wire.QueryOrder)[0].scan_since_ns > 0


def test_absence_is_believed_only_after_the_grace_time_and_never_twice_sent() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = unanswered
    rig.prices(*UP)
    rig.wait(9)
    assert not rig.records(Settled)
    rig.wait(6)
    (settled,) = rig.records(Settled)
    assert settled.client_order_id == rig.sent(wire.SubmitOrder)[0].client_order_id
    assert len(rig.sent(wire.SubmitOrder)) == 1
    assert rig.engine.account.position("BTCUSDT").qty_base == 0


def test_while_no_question_is_answered_they_become_fewer() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = unanswered
    rig.exchange.on_query = lambda one: [blocked(one)]
    rig.prices(*UP)
    rig.wait(300)
    asked = len(rig.sent(wire.QueryOrder))
    assert 15 <= asked <= 25
    rig.exchange.on_query = lambda _: None
    rig.wait(20)
    assert not list(rig.engine.store.unsettled())


def test_when_requests_are_answered_again_what_waited_is_asked_at_once() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = unanswered
    rig.exchange.on_query = lambda one: [blocked(one)]
    rig.prices(*UP)
    rig.status(budget_used=2400)
    rig.wait(49)
    rig.exchange.on_query = lambda _: None
    asked = len(rig.sent(wire.QueryOrder))
    rig.status()
    assert len(rig.sent(wire.QueryOrder)) == asked + 1
    assert not list(rig.engine.store.unsettled())


def test_a_failed_query_proves_nothing() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = unanswered
    rig.exchange.on_query = lambda query: [wire.Reply(query.request_id, "transient", -1003, "busy")]
    rig.prices(*UP)
    rig.wait(120)
    assert not rig.records(Settled)
    assert len(rig.sent(wire.QueryOrder)) > 3
    assert next(rig.engine.store.open_orders()).state is OrderState.UNKNOWN


def test_a_market_order_whose_end_was_never_told_is_asked_about_and_its_fill_counted() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up()
    before = rig.exchange.sequence

    def accepted(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "MARKET":
            return None
        answered = rig.exchange.execute(order)[:2]
        rig.exchange.sequence = before + 1
        return answered

    rig.exchange.on_submit = accepted
    rig.prices(*UP)
    assert rig.engine.account.position("BTCUSDT").qty_base == ZERO
    rig.wait(5)
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position == Decimal("0.1")
    assert [one.order_type for one in rig.exchange.orders.values()] == ["STOP_MARKET"]


def test_an_unknown_order_that_was_carried_out_is_found_and_counted_once() -> None:
    rig = Rig().up()
    carried_out: list[Event] = []

    def lost_answer(order: wire.SubmitOrder) -> list[Event]:
        carried_out.extend(rig.exchange.execute(order))
        return [wire.Reply(order.request_id, "unknown", -1007, "timeout")]

    rig.exchange.on_submit = lost_answer
    rig.prices(*UP)
    assert rig.engine.account.position("BTCUSDT").qty_base == Decimal("0.1")
    for late in carried_out:
        rig.feed(late)
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position == Decimal("0.1")
    assert len(rig.sent(wire.SubmitOrder)) == 1


@pytest.mark.parametrize(
    "trouble", ["stale", "unsynced", "clock", "private", "weight", "journal", "paused", "gap"]
)
def test_entries_need_everything_well_and_exits_only_a_connection(trouble: str) -> None:
    rig = Rig().up().prices(*UP)
    assert rig.exchange.position == Decimal("0.1")
    rig.exchange.complete = trouble != "gap"
    make_trouble(rig, trouble)
    if trouble == "stale":
        rig.engine.health.fresh_symbols = frozenset()
    rig.prices(101, 100, 99, 98, start=5)
    close, *rest = rig.sent(wire.SubmitOrder)[1:]
    assert close.reduce_only
    assert rest == []
    assert rig.exchange.position == 0
    assert fates(rig)[-1][0] == "vetoed"


def make_trouble(rig: Rig, trouble: str) -> None:
    if trouble == "unsynced":
        rig.status(fresh=())
    elif trouble == "clock":
        rig.status(clock_uncertainty_ns=600_000_000)
    elif trouble == "weight":
        rig.status(budget_used=2300)
    elif trouble == "private":
        rig.status(streams={"private": "down", "rest": "up"})
    elif trouble == "journal":
        rig.feed(JournalState(rig.now_ns, accepts_entries=False))
    elif trouble == "paused":
        rig.feed(Command(rig.now_ns, "c1", "pause"))
    elif trouble == "gap":
        rig.feed(wire.Gap(1, 99, "replay buffer"))


def test_a_cancel_the_exchange_does_not_take_now_is_asked_about_and_sent_again_when_it_does() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up().prices(*UP)
    (stop,) = rig.exchange.orders
    usual, rig.exchange.cancel = rig.exchange.cancel, lambda one: [blocked(one)]  # type: ignore[method-assign]
    rig.exchange.on_query = lambda one: [blocked(one)]
    rig.prices(101, 100, 99, 98, 97, 96, 97, 96, 95, 94, start=5)
    assert len(rig.sent(wire.CancelOrder)) == 1
    assert stop in rig.exchange.orders
    rig.exchange.cancel = usual  # type: ignore[method-assign]
    rig.exchange.on_query = lambda _: None
    rig.wait(10)
    assert len(rig.sent(wire.CancelOrder)) == 2
    assert stop not in rig.exchange.orders


def blocked(request: wire.CancelOrder | wire.QueryOrder) -> wire.Reply:
    return wire.Reply(request.request_id, "transient", 0, "not sent: request limit or ban for another 30.0 s")


def test_nothing_is_sent_without_a_connection_and_the_signal_says_so() -> None:
    rig = Rig().up().prices(*UP[:4])
    rig.down()
    rig.tick(4, 100)
    assert not rig.sent(wire.SubmitOrder)
    assert fates(rig)[-1][0] == "suspect"


def test_a_cut_link_makes_orders_unknown_and_a_new_one_settles_them() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = lambda order: rig.exchange.execute(order) and []
    rig.prices(*UP)
    rig.down()
    (order,) = rig.engine.store.unsettled()
    assert order.state is OrderState.UNKNOWN
    rig.up()
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position == Decimal("0.1")
    assert rig.engine.health.reconciled


def test_an_order_that_never_arrived_is_proven_so_without_a_flood_of_requests() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = lambda _: []
    rig.prices(*UP)
    rig.down()
    assert len(list(rig.engine.store.unsettled())) == 1
    before = len(rig.exchange.requests)
    rig.up()
    rig.wait(30)
    (settled,) = rig.records(Settled)
    assert "does not know it" in settled.reason
    assert rig.engine.health.reconciled
    asked = Counter(type(request) for request in rig.exchange.requests[before:])
    assert asked[wire.RequestSnapshot] <= 8
    assert asked[wire.QueryOrder] <= 12
    assert rig.engine.order_events.rejects == 0


@pytest.mark.parametrize(("seconds", "level"), [(5, "warning"), (7200, "critical")])
def test_a_ban_is_told_once_and_again_when_there_is_a_new_one(seconds: int, level: str) -> None:
    rig = Rig().up()
    until_ns = rig.now_ns + seconds * 1_000_000_000
    for banned_until_ns in (until_ns, until_ns, 0, until_ns):
        rig.status(banned_until_ns=banned_until_ns)
    told = [one for one in rig.notices(Notice) if "takes no requests" in one.text]
    assert [one.level for one in told] == [level, level]
    assert f"{seconds} s" in told[0].text


def test_a_margin_call_is_told_as_critical() -> None:
    rig = Rig().up()
    rig.feed(wire.AccountUpdate(1, 99, "", (), (), START_NS, START_NS, AccountChange.MARGIN_CALL))
    assert any(one.level == "critical" and "margin call" in one.text for one in rig.notices(Notice))


def test_a_foreign_position_is_shown_taken_as_external_and_not_traded() -> None:
    exchange = Exchange()
    exchange.position, exchange.entry_price = Decimal("0.5"), Decimal(90)
    rig = Rig(exchange=exchange).up()
    assert not rig.engine.health.reconciled
    rig.wait(3)
    (adjustment,) = rig.records(Adjustment)
    assert (adjustment.strategy, adjustment.qty_base) == ("EXTERNAL", Decimal("0.5"))
    assert rig.engine.health.reconciled
    assert any(one.level == "critical" for one in rig.notices(Notice))
    assert not rig.sent(wire.SubmitOrder)
    slot = rig.engine.strategies.slots[0]
    assert rig.engine.account.strategy_position(slot.owner, "BTCUSDT").qty_base == 0


def recovered(records: list[JournalRecord]) -> Recovered:
    return Recovered("aaaaaa", 1, None, tuple(enumerate(records, 1)), 0, (), len(records) + 1, None, 0)


@pytest.mark.parametrize("kept", range(1, 30))
def test_a_restart_from_any_record_of_the_journal_doubles_no_order(kept: int) -> None:
    """The engine dies after `kept` records are durable; orders went out up to the last durable intent."""
    first = Rig().up().prices(*UP, 99, 98, 97)
    records = [effect.record for effect in first.effects if hasattr(effect, "record")][:kept]
    exchange = first.exchange
    alive = {one.client_order_id for one in records if isinstance(one, Intent)}
    rig = Rig(Engine(config()), Exchange())
    rig.exchange = surviving(exchange, alive)
    rig.now_ns = exchange.now_ns
    restore(rig.engine, recovered(records))
    rig.up()
    rig.wait(30)
    assert rig.engine.health.reconciled
    assert not rig.sent(wire.SubmitOrder)
    assert not rig.records(Adjustment)
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position
    assert not list(rig.engine.store.unsettled())


def surviving(exchange: Exchange, alive: set[str]) -> Exchange:
    """The exchange as it would be had only those orders reached it."""
    left = Exchange()
    left.now_ns, left.sequence, left.trades = exchange.now_ns, exchange.sequence, exchange.trades
    left.fills = [fill for fill in exchange.fills if fill.client_order_id in alive]
    left.position = sum(
        (fill.last_qty_base if fill.side == "BUY" else -fill.last_qty_base for fill in left.fills), Decimal(0)
    )
    return left


def test_a_command_is_carried_out_once() -> None:
    rig = Rig().up().prices(*UP)
    for _ in range(2):
        rig.feed(Command(rig.now_ns, "f1", "flatten"))
    assert [one.reduce_only for one in rig.sent(wire.SubmitOrder)] == [False, True]
    assert rig.exchange.position == 0
    assert rig.engine.strategies.slots[0].state is SlotState.PAUSED


def test_kill_leaves_everything_and_stays_after_a_restart_until_resume() -> None:
    rig = Rig().up().prices(*UP)
    rig.feed(Command(rig.now_ns, "k1", "kill"))
    assert rig.exchange.position == 0
    records = [effect.record for effect in rig.effects if hasattr(effect, "record")]
    again = Rig(Engine(config()), rig.exchange)
    restore(again.engine, recovered(records))
    again.up().prices(*[price + 10 for price in UP], start=20)
    assert not again.sent(wire.SubmitOrder)
    again.feed(Command(again.now_ns, "r1", "resume"))
    again.prices(101, 100, 99, 100, 101, start=25)
    assert again.sent(wire.SubmitOrder)


def test_a_refused_order_is_a_reject_and_the_strategy_may_try_on_its_next_signal() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "refused", -2019, "Margin")]
    rig.prices(*UP)
    assert rig.engine.order_events.rejects == 1
    rig.exchange.on_submit = lambda _: None
    rig.prices(99, 98, 97, start=5)
    assert rig.exchange.position == Decimal("-0.1")


def test_an_account_in_hedge_mode_gets_no_entries() -> None:
    rig = Rig()
    take = rig.exchange.snapshot
    rig.exchange.snapshot = lambda *asked: msgspec.structs.replace(take(*asked), hedge_mode=True)
    rig.up().prices(*UP)
    assert fates(rig) == [("vetoed", "hedge_mode")]
    assert any("hedge mode" in blocker for blocker in rig.engine.health.blockers())


def test_multi_assets_mode_in_a_run_stops_entries_until_it_is_undone() -> None:
    rig = Rig().up()
    rig.status(multi_assets_margin=True)
    assert any("multi-assets mode" in blocker for blocker in rig.engine.health.blockers())
    rig.prices(*UP)
    (signal,) = rig.records(Signal)
    assert (signal.fate, signal.rule) == ("vetoed", "multi_assets")
    assert "multi-assets mode" in signal.detail
    rig.status(multi_assets_margin=False)
    assert rig.engine.health.blockers() == ()
    rig.prices(100, 98, 97, start=5)
    assert rig.exchange.position == Decimal("-0.1")


def test_multi_assets_mode_lets_a_position_go() -> None:
    rig = Rig().up().prices(*UP)
    assert rig.exchange.position > 0
    rig.status(multi_assets_margin=True)
    rig.feed(Command(rig.now_ns, "f1", "flatten"))
    assert rig.exchange.position == 0


@pytest.mark.parametrize("is_reconciled", [False, True])
def test_a_snapshot_tells_the_asset_mode_too(is_reconciled: bool) -> None:
    """The one taken when the link comes up, and those taken now and then."""
    rig = Rig()
    take = rig.exchange.snapshot
    multi = lambda *asked: msgspec.structs.replace(take(*asked), multi_assets_margin=True)  # noqa: E731  # put in a place of the same shape
    if not is_reconciled:
        rig.exchange.snapshot = multi
    rig.up()
    if is_reconciled:
        rig.exchange.snapshot = multi
        rig.wait(61)
    assert rig.engine.health.multi_assets


def test_a_late_tick_is_told_with_the_bar_it_marks() -> None:
    rig = Rig().up().prices(100, 99)
    rig.tick(0.5, 98)
    rig.tick(2, 97)
    assert [one.bar.open_time_ns for one in rig.notices(CandleMarked)] == [START_NS]


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_what_was_flattened_stays_paused_over_a_restart_until_resume(by_snapshot: bool) -> None:
    rig = Rig().up().prices(*UP)
    rig.feed(Command(rig.now_ns, "f1", "flatten"))
    found = recovered([effect.record for effect in rig.effects if hasattr(effect, "record")])
    if by_snapshot:
        found = Recovered("aaaaaa", 1, snapshot_of(rig.engine, Cursor(1, 7)), (), 0, (), 99, None, 0)
    again = Rig(Engine(config()), rig.exchange)
    cursor = restore(again.engine, found)
    assert cursor.sequence == (7 if by_snapshot else cursor.sequence)
    again.up().prices(*[price + 10 for price in UP], start=20)
    assert again.engine.strategies.slots[0].state is SlotState.PAUSED
    assert not again.sent(wire.SubmitOrder)
    again.feed(Command(again.now_ns, "r1", "resume"))
    assert again.engine.strategies.slots[0].state is SlotState.RUNNING
