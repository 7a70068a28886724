"""What single reports and answers prove about an order, and what they leave as it was."""

from decimal import Decimal

import pytest

from engine.orders.order_states import OrderState
from engine.orders.order_store import Order, OrderStore
from gateways.wire.messages import Reply
from tests.support.order_events import PREFIX, SYMBOL, intent, key, report, trade

D = Decimal


def sent(number: int = 1, **changes: object) -> tuple[OrderStore, Order]:
    store = OrderStore(PREFIX)
    order = store.intend(intent(number, **changes))
    store.mark_sent(order.client_order_id)
    return store, order


def test_a_refusal_is_a_rejection_once_and_one_that_never_arrived_is_none():
    store, _ = sent()
    assert store.apply(report("REJECTED")).is_rejection
    assert not store.apply(report("REJECTED")).is_rejection
    other, order = sent()
    settled = other.mark_refused(key(), "it never arrived")
    assert settled is not None
    assert (settled.changed, settled.is_rejection, order.state) == (True, False, OrderState.REJECTED)


def test_an_order_that_is_gone_is_closed_with_what_it_had_filled():
    store, order = sent()
    store.apply(trade(1, "0.4", "0.4"))
    gone = store.mark_gone(key(), "nobody knows it")
    assert gone is not None
    assert (gone.changed, gone.before, order.state) == (
        True,
        OrderState.PARTIALLY_FILLED,
        OrderState.EXPIRED,
    )
    assert (order.filled_base, order.unfilled_base, order.reason) == (D("0.4"), 0, "nobody knows it")
    assert list(store.open_orders()) == []
    again = store.mark_gone(key(), "another word")
    assert again is not None
    assert (again.changed, order.reason) == (False, "nobody knows it")


def test_the_first_reason_of_a_refusal_stays():
    store, order = sent()
    store.on_reply(key(), "submit", Reply(1, "refused", -2019, "Margin is insufficient."))
    store.mark_refused(key(), "the exchange does not know it")
    assert order.reason == "-2019 Margin is insufficient."
    store.mark_sent(key())
    assert order.reason == "-2019 Margin is insufficient."


def test_an_answer_of_ok_without_a_report_accepts_the_order():
    store, order = sent()
    applied = store.on_reply(key(), "submit", Reply(1, "ok"))
    assert applied is not None
    assert (applied.changed, order.state) == (True, OrderState.ACCEPTED)


def test_a_fill_without_a_status_proves_that_the_exchange_has_the_order():
    store, order = sent()
    store.mark_unknown(key())
    applied = store.apply(trade(1, "0.4", "0.4", status=""))
    assert (applied.fill is not None, order.state) == (True, OrderState.PARTIALLY_FILLED)
    bare, order = sent()
    bare.apply(report(""))
    assert order.state is OrderState.ACCEPTED


def test_fills_of_the_order_that_a_conditional_one_triggered_are_its_own():
    store, order = sent(order_type="STOP_MARKET", stop_price=D(49_000))
    store.apply(report("NEW", exchange_order_id=7, child_order_id=900))
    applied = store.apply(trade(5, "0.4", "0.4", client_order_id="", exchange_order_id=900))
    assert applied.order is order
    assert not applied.created


def test_new_terms_are_a_change_and_the_same_report_again_is_none():
    store, order = sent(order_type="LIMIT", price=D(49_000))
    store.apply(report("NEW", price=D(49_000), time_ns=2_000))
    amended = report("NEW", price=D(48_000), time_ns=3_000)
    assert store.apply(amended).changed
    assert order.price == 48_000
    assert not store.apply(amended).changed


def test_an_older_report_does_not_make_an_order_look_older():
    store, order = sent()
    store.apply(report("NEW", time_ns=5_000))
    store.apply(report("NEW", time_ns=4_000))
    assert order.updated_ns == 5_000


def test_open_orders_can_be_asked_for_by_symbol():
    store, order = sent()
    other = store.intend(intent(2, symbol="ETHUSDT"))
    assert list(store.open_orders(SYMBOL)) == [order]
    assert list(store.open_orders("ETHUSDT")) == [other]
    assert list(store.open_orders()) == [order, other]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"client_order_id": "", "exchange_order_id": 999}, True),
        ({"client_order_id": "", "exchange_order_id": 999, "symbol": "ETHUSDT"}, False),
        ({"client_order_id": "", "exchange_order_id": 101}, False),
        ({"client_order_id": "web_1", "exchange_order_id": 999}, False),
    ],
)
def test_a_nameless_report_may_belong_to_an_unsettled_order_of_its_symbol(
    changes: dict[str, object], expected: bool
):
    store, _ = sent()
    store.apply(report("NEW"))  # known as 101 at the exchange, and settled
    store.intend(intent(2))
    store.intend(intent(3, symbol="SOLUSDT"))
    assert store.may_belong_to_unsettled(trade(1, "1", "1", **changes)) is expected


def test_an_id_of_somebody_elses_open_order_is_the_same_order_whatever_number_it_gets():
    store = OrderStore(PREFIX)
    first = store.apply(report("NEW", client_order_id="web_1", exchange_order_id=50)).order
    assert store.apply(report("NEW", client_order_id="web_1", exchange_order_id=51)).order is first
    store.apply(report("CANCELED", client_order_id="web_1", exchange_order_id=51))
    assert store.apply(report("CANCELED", client_order_id="web_1", exchange_order_id=0)).order is first
    assert store.apply(report("NEW", client_order_id="web_1", exchange_order_id=52)).order is not first
