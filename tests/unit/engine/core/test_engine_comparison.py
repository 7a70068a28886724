"""What went past the engine unheard is noticed by looking again: positions, orders, on a timer."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.model.audit import Notice
from engine.model.cause import Cause
from engine.model.config import EngineConfig
from engine.model.events import Timer
from engine.model.leg import ENTRY
from engine.model.records import Adjustment, Fill, Intent, Sent
from engine.model.timeframes import SECOND_NS
from engine.orders.client_ids import client_order_id
from gateways.wire import messages as wire
from tests.support.engine_rig import ENGINE_ID, START_NS, Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, journal_of, restarted

PROTECTED = spec(protective_stop_percent=Decimal(5))


def warnings(rig: Rig) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and one.level == "warning"]


def looks(rig: Rig) -> int:
    """Snapshots asked for without history."""
    asked = rig.sent(wire.RequestSnapshot)
    return sum(isinstance(one, wire.RequestSnapshot) and not one.fills_since_ns for one in asked)


def by_hand(rig: Rig, side: wire.Side, qty: str) -> None:
    """A trade in the exchange's own app of which no event reaches the engine."""
    order = wire.SubmitOrder(0, "BTCUSDT", f"ios_{rig.exchange.trades}", side, "MARKET", Decimal(qty))
    before = rig.exchange.sequence
    rig.exchange.execute(order)
    rig.exchange.sequence = before


def test_a_quiet_hour_is_looked_at_once_a_minute_and_nothing_is_said() -> None:
    rig = Rig().up().prices(*UP)
    said = len(rig.notices(Notice))
    for _ in range(60):
        rig.wait(60)
        rig.status()
    assert looks(rig) == 60
    assert len(rig.notices(Notice)) == said
    assert rig.engine.health.reconciled


def test_the_looks_can_be_switched_off() -> None:
    rig = Rig(Engine(config(compare_every_ns=0))).up().prices(*UP)
    rig.wait(3600)
    assert looks(rig) == 0


def test_a_trade_made_by_hand_that_no_event_told_is_noticed_with_both_numbers() -> None:
    rig = Rig().up()
    rig.wait(10)
    by_hand(rig, "BUY", "0.5")
    rig.wait(70)
    assert warnings(rig) == [
        "BTCUSDT: the exchange holds 0.5, our fills make 0",
        "fill 1 of BTCUSDT belongs to no order of this engine",
    ]
    assert rig.engine.account.position("BTCUSDT").qty_base == Decimal("0.5")
    assert [one.strategy for one in rig.records(Fill) if isinstance(one, Fill)] == ["EXTERNAL"]
    assert rig.records(Adjustment) == []
    assert rig.engine.health.reconciled


def test_a_lost_fill_of_ours_counts_for_the_strategy_and_its_stop_follows() -> None:
    rig = Rig(Engine(config(PROTECTED))).up()
    lost: list[object] = []

    def swallow(order: wire.SubmitOrder) -> list[object] | None:
        if order.order_type != "MARKET":
            return None
        before = rig.exchange.sequence
        reply, new, *rest = rig.exchange.execute(order)
        rig.exchange.sequence = before + 1
        lost.extend(rest)
        return [reply, new]

    rig.exchange.on_submit = swallow  # type: ignore[assignment]  # events are what it returns
    rig.exchange.on_query = lambda one: [wire.Reply(one.request_id, "transient", 0, "busy")]
    rig.prices(*UP)
    assert lost
    assert rig.engine.account.position("BTCUSDT").qty_base == 0
    rig.exchange.on_submit = lambda _: None
    rig.wait(70)
    assert warnings(rig)[0].startswith("BTCUSDT: the exchange holds 0.1, our fills make 0; BTCUSDT: order nb")
    assert rig.engine.account.strategy_position("sma_crossover_inflection:s1", "BTCUSDT").qty_base == Decimal(
        "0.1"
    )
    assert rig.records(Adjustment) == []
    assert [one.order_type for one in rig.exchange.orders.values()] == ["STOP_MARKET"]


def test_a_cancel_by_hand_that_no_event_told_is_noticed_and_the_stop_placed_again() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    (stop,) = rig.exchange.orders
    rig.wait(10)
    del rig.exchange.orders[stop]
    rig.wait(90)
    assert warnings(rig)[0] == (f"BTCUSDT: order {stop} is ACCEPTED here and does not rest at the exchange")
    (again,) = rig.exchange.orders
    assert again != stop
    assert rig.engine.health.reconciled


def test_a_difference_that_is_gone_at_the_second_look_was_an_event_under_way() -> None:
    rig = Rig().up()
    take = rig.exchange.snapshot
    early = [True]

    def ahead_once(*asked: int) -> wire.Snapshot:
        snapshot = take(*asked)
        if not early or asked[1]:
            return snapshot
        early.clear()
        (position,) = snapshot.positions
        changed = msgspec.structs.replace(position, qty_base=Decimal("0.3"))
        return msgspec.structs.replace(snapshot, positions=(changed,))

    rig.exchange.snapshot = ahead_once  # type: ignore[method-assign]  # the one answer that is ahead
    rig.wait(61)
    assert looks(rig) == 1
    rig.wait(6)
    assert looks(rig) == 2
    assert warnings(rig) == []
    assert rig.engine.account.venue_base("BTCUSDT") == 0


def test_an_incomplete_answer_proves_nothing() -> None:
    rig = Rig().up()
    by_hand(rig, "SELL", "0.5")
    rig.exchange.complete = False
    rig.wait(600)
    assert warnings(rig) == []
    assert rig.engine.health.reconciled


def test_an_answer_that_never_comes_is_asked_for_again() -> None:
    rig = Rig().up()
    rig.connected = False
    rig.wait(61)
    asked = looks(rig)
    rig.wait(61)
    assert looks(rig) == asked + 1


def test_balances_of_an_older_moment_do_not_replace_newer_ones() -> None:
    rig = Rig().up()
    old = rig.exchange.snapshot(0)
    rig.exchange.wallet = Decimal(12_345)
    rig.feed(rig.exchange.account("DEPOSIT"))
    rig.engine.account.on_snapshot(old)
    assert rig.engine.account.wallet_balance == Decimal(12_345)


def other_symbol(settings: EngineConfig) -> EngineConfig:
    return replace(settings, symbols=("ETHUSDT",), strategies=(replace(PROTECTED, symbols=("ETHUSDT",)),))


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_symbol_taken_out_of_the_configuration_keeps_its_position_on_record(by_snapshot: bool) -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    assert rig.engine.account.position("BTCUSDT").qty_base == Decimal("0.1")
    again = restarted(rig, other_symbol(config(PROTECTED)), by_snapshot=by_snapshot)
    take = again.exchange.snapshot

    def without_btc(*asked: int) -> wire.Snapshot:
        return msgspec.structs.replace(take(*asked), positions=(), open_orders=(), fills=())

    again.exchange.snapshot = without_btc  # type: ignore[method-assign]  # a snapshot is of claimed symbols
    again.up()
    again.wait(120)
    assert again.engine.health.reconciled
    assert again.records(Adjustment) == []
    assert again.engine.account.position("BTCUSDT").qty_base == Decimal("0.1")
    left = [text for text in warnings(again) if "no longer among the symbols" in text]
    assert len(left) == 1
    assert again.sent(wire.QueryOrder) == []


def test_the_stop_of_a_symbol_taken_out_of_the_configuration_may_fill() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    (stop,) = rig.exchange.orders.values()
    again = restarted(rig, other_symbol(config(PROTECTED)))
    again.feed(
        msgspec.structs.replace(
            stop, sequence=99, execution="TRADE", status="FILLED", filled_base=stop.qty_base,
            last_qty_base=stop.qty_base, last_price=Decimal(95), trade_id=77,
        )
    )  # fmt: skip
    assert again.engine.account.position("BTCUSDT").qty_base == 0


def test_an_order_in_doubt_on_a_symbol_taken_out_holds_nothing_up() -> None:
    key = client_order_id(ENGINE_ID, strategy="old", symbol="BTCUSDT", cause=Cause("bar:1"), leg=ENTRY)
    intent = Intent(key, "old", "BTCUSDT", "BUY", "MARKET", Decimal(1), "bar:1", "entry", 0, START_NS)
    rig = Rig()
    found = journal_of(rig)
    found = msgspec.structs.replace(found, records=((1, intent), (2, Sent(key, 1, START_NS))))
    again = Rig(Engine(other_symbol(config(PROTECTED))))
    restore(again.engine, found)
    again.up()
    assert again.engine.health.reconciled


def test_a_hand_trade_of_a_symbol_not_ours_disturbs_nothing() -> None:
    rig = Rig().up().prices(*UP)
    other = wire.PositionReport("SOLUSDT", "BOTH", Decimal(7), Decimal(20), Decimal(0), "cross", Decimal(0))
    rig.feed(msgspec.structs.replace(rig.exchange.account(), positions=(other,)))
    rig.wait(30)
    rig.feed(Timer(rig.now_ns + SECOND_NS))
    assert warnings(rig) == []
    assert rig.records(Adjustment) == []
    assert rig.engine.health.reconciled


def test_what_moved_while_the_answer_was_made_is_no_difference() -> None:
    rig = Rig().up()
    take = rig.exchange.snapshot

    def overtaken(*asked: int) -> wire.Snapshot:
        return msgspec.structs.replace(
            take(*asked), cursor_sequence=0, positions=(), open_orders=(stray,) if not asked[1] else ()
        )

    stray = rig.exchange.update(
        wire.SubmitOrder(0, "BTCUSDT", "ios_1", "BUY", "LIMIT", Decimal(1)), "NEW", "NEW", Decimal(0), 0
    )
    rig.prices(*UP)
    rig.exchange.snapshot = overtaken  # type: ignore[method-assign]  # always older than what is known here
    rig.wait(300)
    assert warnings(rig) == []
    assert looks(rig) > 5


def believed_cancelled(rig: Rig) -> wire.OrderUpdate:
    """The stop is told to be cancelled, though it rests on."""
    (stop,) = [one for one in rig.exchange.orders.values() if one.order_type == "STOP_MARKET"]
    rig.exchange.sequence += 1
    rig.feed(
        msgspec.structs.replace(stop, execution="CANCELED", status="CANCELED", sequence=rig.exchange.sequence)
    )
    return stop


def test_an_order_that_rests_though_it_was_told_to_have_ended_is_cancelled_again_and_told() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up().prices(*UP)
    stop = believed_cancelled(rig)
    assert len(rig.exchange.orders) == 2
    rig.wait(80)
    assert stop.client_order_id not in rig.exchange.orders
    assert len(rig.exchange.orders) == 1
    key = stop.client_order_id
    text = f"BTCUSDT: order {key} rests at the exchange and is CANCELED here: it is cancelled again"
    assert warnings(rig) == [text]


def test_one_that_the_exchange_does_not_let_go_is_told_once_and_cancelled_at_each_look() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up().prices(*UP)
    stop = believed_cancelled(rig)
    rig.exchange.cancel = lambda message: [  # type: ignore[method-assign]  # it knows nothing of it
        wire.Reply(message.request_id, "not_found", -2011, "Unknown order sent.")
    ]
    rig.wait(600)
    assert len(warnings(rig)) == 1
    cancels = [one for one in rig.sent(wire.CancelOrder) if one.client_order_id == stop.client_order_id]  # type: ignore[attr-defined]
    assert 5 < len(cancels) < 120
    by_hand(rig, "SELL", "0.05")
    rig.wait(120)
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position


@pytest.mark.parametrize("code", [-2011, -2013, -4117])
def test_a_cancel_refused_though_the_order_rests_is_sent_again_until_it_is_gone(code: int) -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up().prices(*UP)
    cancel = rig.exchange.cancel
    outcome = "refused" if code == -4117 else "not_found"
    rig.exchange.cancel = lambda message: [  # type: ignore[method-assign]  # wrong, as it happens
        wire.Reply(message.request_id, outcome, code, "Unknown order sent.")  # type: ignore[arg-type]
    ]
    by_hand(rig, "SELL", "0.1")
    rig.feed(rig.exchange.account())
    rig.wait(60)
    assert len(rig.exchange.orders) == 1
    assert 3 < len(rig.sent(wire.CancelOrder)) < 20
    assert len([text for text in warnings(rig) if "its cancel is refused" in text]) == 1
    rig.exchange.cancel = cancel  # type: ignore[method-assign]  # as it was
    rig.wait(30)
    assert not rig.exchange.orders


def test_an_order_taken_as_gone_that_rests_all_the_same_is_cancelled_when_it_is_seen() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up().prices(*UP)
    cancel = rig.exchange.cancel
    rig.exchange.cancel = lambda message: [  # type: ignore[method-assign]  # wrong, as it happens
        wire.Reply(message.request_id, "not_found", -2011, "Unknown order sent.")
    ]
    rig.exchange.on_query = lambda message: [
        wire.Reply(message.request_id, "not_found", -2013, "Order does not exist.")
    ]
    by_hand(rig, "SELL", "0.1")
    rig.feed(rig.exchange.account())
    rig.wait(40)
    assert [one.state for one in rig.engine.store.closed_orders() if one.intent.is_conditional] == ["EXPIRED"]
    assert len(rig.exchange.orders) == 1
    rig.exchange.cancel = cancel  # type: ignore[method-assign]  # as it was
    rig.wait(80)
    assert not rig.exchange.orders
    assert any(
        "rests at the exchange and is EXPIRED here: it is cancelled again" in one for one in warnings(rig)
    )
