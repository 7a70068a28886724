"""What a cut link, a restart or a repeated word may and may not change."""

from decimal import Decimal

import pytest

from engine.account.margin import liquidation_price, maintenance_of
from engine.core.engine import Engine
from engine.core.restore import restore
from engine.journal.recovered import Recovered
from engine.model.audit import Answer, HealthChanged
from engine.model.events import Command, Event
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Rig, config, spec

UP = (100, 99, 98, 100, 101)
D = Decimal
ZERO = D(0)


def rest(rig: Rig) -> None:
    """From now on orders are taken and do not fill."""

    def take(order: wire.SubmitOrder) -> list[Event]:
        new = rig.exchange.update(order, "NEW", "NEW", ZERO, 0)
        rig.exchange.orders[order.client_order_id] = new
        return [wire.Reply(order.request_id, "ok"), new]

    rig.exchange.on_submit = take


def restarted(rig: Rig) -> Rig:
    records = tuple(enumerate((one.record for one in rig.effects if hasattr(one, "record")), 1))
    again = Rig(Engine(config()), rig.exchange)
    restore(again.engine, Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0))
    return again


def test_every_request_has_a_number_of_its_own() -> None:
    rig = Rig().up()
    rest(rig)
    rig.prices(*UP)
    rig.down().up()
    rig.wait(10)
    numbers = [
        e.message.request_id for e in rig.effects if hasattr(getattr(e, "message", None), "request_id")
    ]
    assert len(numbers) > 5
    assert len(set(numbers)) == len(numbers)


def test_a_command_given_twice_is_answered_so() -> None:
    rig = Rig().up()
    for _ in range(2):
        rig.feed(Command(rig.now_ns, "p1", "pause"))
    first, second = rig.notices(Answer)
    assert (first.ok, second.ok, second.text) == (True, False, "this command was given before")


def test_the_kill_switch_itself_is_on_after_a_restart() -> None:
    rig = Rig().up().prices(*UP)
    rig.feed(Command(rig.now_ns, "k1", "kill"))
    again = restarted(rig)
    assert str(again.engine.operator.killed).startswith("killed at ")
    again.engine.operator.is_paused = False
    again.up().prices(99, 98, 97, 99, 101, 102, start=10)
    assert again.records(Signal)[-1].rule == "kill_switch"


def test_a_bar_whose_signal_was_vetoed_is_decided_after_a_restart_too() -> None:
    rig = Rig().up()
    rig.feed(Command(rig.now_ns, "p1", "pause"))
    rig.prices(*UP)
    (signal,) = rig.records(Signal)
    assert signal.fate != "traded"
    (slot,) = restarted(rig).engine.strategies.slots
    assert slot.decided_open_ns >= signal.bar_open_time_ns


def test_an_entry_that_rests_over_a_restart_is_still_the_one_under_way() -> None:
    rig = Rig().up()
    rest(rig)
    rig.prices(*UP)
    again = restarted(rig).up()
    again.prices(99, 98, 97, 99, 101, 102, start=10)
    assert not again.sent(wire.SubmitOrder)
    assert again.records(Signal)[-1].rule == "entry_in_flight"


def test_a_cancel_the_exchange_refuses_leads_to_a_question() -> None:
    rig = Rig().up()
    rest(rig)
    rig.prices(*UP)
    (order,) = rig.engine.store.open_orders()
    rig.exchange.orders.clear()
    rig.exchange.on_query = lambda _: []
    rig.feed(Command(rig.now_ns, "c1", "cancel", argument=order.client_order_id))
    rig.wait(0.1)
    assert [one.client_order_id for one in rig.sent(wire.QueryOrder)] == [order.client_order_id]


def test_without_a_link_only_that_is_in_the_way_of_entries() -> None:
    rig = Rig().up().prices(*UP)
    rig.down()
    assert rig.notices(HealthChanged)[-1].blockers == ("no connection to the gateway",)
    assert not rig.engine.health.connected
    assert not rig.engine.health.reconciled


def test_a_private_stream_that_stays_up_is_no_reason_to_compare_again() -> None:
    rig = Rig().up().prices(*UP)
    asked = len(rig.sent(wire.RequestSnapshot))
    rig.status().status()
    assert len(rig.sent(wire.RequestSnapshot)) == asked
    rig.status(streams={"public": "up", "market": "up", "private": "down", "rest": "up"})
    rig.status()
    assert len(rig.sent(wire.RequestSnapshot)) == asked + 1


def test_history_is_asked_for_from_shortly_before_what_may_be_missing() -> None:
    rig = Rig().up().prices(*UP)
    rig.down().up()
    since = [one.fills_since_ns for one in rig.sent(wire.RequestSnapshot)]
    assert all(START_NS - 300 * SECOND_NS < one <= rig.now_ns for one in since)


def test_trade_candles_need_the_public_trades() -> None:
    rig = Rig(Engine(config(spec(candles="trade")))).up()
    assert rig.sent(wire.Subscribe)[0].streams == ("book", "mark", "trade")


BRACKETS = (
    wire.Bracket(D(0), D(50_000), 125, D("0.004"), D(0)),
    wire.Bracket(D(50_000), D(600_000), 100, D("0.005"), D(50)),
    wire.Bracket(D(600_000), D(3_000_000), 50, D("0.01"), D(3_050)),
)


@pytest.mark.parametrize("price", ["59990", "59999", "60001", "60010"])
@pytest.mark.parametrize("qty", [D(10), D(-10)])
def test_the_liquidation_price_close_to_the_edge_of_a_bracket_is_exact(price: str, qty: Decimal) -> None:
    entry, at = D(62_000), D(price)
    backing = maintenance_of(BRACKETS, abs(qty) * at) - qty * (at - entry)
    assert liquidation_price(BRACKETS, qty, entry, backing) == at
