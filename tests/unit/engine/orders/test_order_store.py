from decimal import Decimal

import pytest

from engine.model.records import EXTERNAL, Intent, OrderReport, Replied, Sent, Settled, Unknown
from engine.orders.fill_ids import FillIds, SymbolFillIds
from engine.orders.order_states import OrderState
from engine.orders.order_store import OrderStore
from engine.orders.reconcile import reconcile_orders
from gateways.wire.messages import OrderUpdate, Reply
from tests.support.order_events import PREFIX, SYMBOL, intent, key, report, snapshot, trade


def stored(*numbers: int) -> OrderStore:
    store = OrderStore(PREFIX)
    for number in numbers or (1,):
        store.intend(intent(number))
    return store


def test_an_id_is_used_once_for_ever():
    store = stored()
    with pytest.raises(KeyError):
        store.intend(intent())
    store.apply(trade(1, "1", "1"))
    with pytest.raises(KeyError):
        store.intend(intent())


def test_evicted_orders_leave_their_id_behind():
    store = OrderStore(PREFIX, closed_capacity=2)
    for number in range(1, 6):
        store.intend(intent(number))
        store.apply(trade(number, "1", "1", number=number))
    assert [order.client_order_id for order in store.closed_orders()] == [key(4), key(5)]
    assert store.get(key(1)) is None
    assert store.was_used(key(1))


def test_only_a_submits_answer_is_evidence_about_the_order():
    store = stored()
    store.mark_sent(key())
    for request in ("cancel", "query", "amend"):
        assert store.on_reply(key(), request, Reply(1, "refused", -2011)) is None
    for outcome in ("transient", "not_found"):
        assert store.on_reply(key(), "submit", Reply(1, outcome)) is None
    order = store.get(key())
    assert order is not None
    assert order.state is OrderState.SENT
    store.on_reply(key(), "submit", Reply(1, "unknown", -1007))
    assert order.state is OrderState.UNKNOWN
    store.on_reply(key(), "query", Reply(2, "ok", order=report()))
    assert order.state is OrderState.ACCEPTED


def test_a_fill_known_only_by_the_exchanges_count_is_missing_not_invented():
    store = stored()
    applied = store.apply(report("PARTIALLY_FILLED", filled_base=Decimal("0.4")))
    assert applied.fill is None
    assert applied.order.filled_base == Decimal("0.4")
    assert applied.order.evidence.missing_base == Decimal("0.4")
    late = store.apply(trade(1, "0.4", "0.4"))
    assert late.fill is not None
    assert late.order.evidence.missing_base == 0


def test_fills_of_account_history_find_their_order_by_exchange_id():
    store = stored()
    store.apply(report())
    applied = store.apply(trade(1, "1", "1", client_order_id="", status=""))
    assert applied.order.client_order_id == key()
    assert applied.order.state is OrderState.FILLED
    assert applied.fill is not None
    assert applied.fill.strategy == "sma:s1"


def test_what_we_did_not_send_is_external():
    store = OrderStore(PREFIX)
    applied = store.apply(report(client_order_id="web_123", exchange_order_id=5))
    assert applied.created
    assert applied.order.intent.strategy == EXTERNAL
    assert not store.is_ours("web_123")
    fill = store.apply(trade(1, "1", "1", client_order_id="web_123", exchange_order_id=5)).fill
    assert fill is not None
    assert fill.strategy == EXTERNAL


def test_an_external_id_used_again_is_another_order():
    store = OrderStore(PREFIX)
    first = store.apply(trade(1, "1", "1", client_order_id="adl_autoclose", exchange_order_id=5))
    second = store.apply(trade(2, "1", "1", client_order_id="adl_autoclose", exchange_order_id=6))
    assert first.order is not second.order
    assert second.fill is not None
    again = store.apply(trade(2, "1", "1", client_order_id="adl_autoclose", exchange_order_id=6))
    assert again.order is second.order
    assert not again.changed


def test_a_close_position_stop_is_filled_only_when_the_exchange_says_so():
    store = OrderStore(PREFIX)
    store.intend(intent(qty_base=Decimal(0), order_type="STOP_MARKET", close_position=True))
    store.apply(report("NEW", qty_base=Decimal(0), is_conditional=True))
    order = store.get(key())
    assert order is not None
    assert order.state is OrderState.ACCEPTED
    store.apply(trade(1, "0.5", "0.5", exchange_order_id=9, qty_base=Decimal("0.5"), status="FILLED"))
    assert order.state is OrderState.FILLED


def test_unfilled_quantity_follows_fills_and_amendments():
    store = stored()
    store.apply(trade(1, "0.25", "0.25"))
    order = store.get(key())
    assert order is not None
    assert order.unfilled_base == Decimal("0.75")
    store.apply(report("PARTIALLY_FILLED", time_ns=9_000, qty_base=Decimal(3), filled_base=Decimal("0.25")))
    assert order.unfilled_base == Decimal("2.75")
    store.apply(report("CANCELED", time_ns=9_500, qty_base=Decimal(3), filled_base=Decimal("0.25")))
    assert order.unfilled_base == 0


def test_after_a_restart_what_was_on_its_way_is_unknown():
    store = stored(1, 2, 3)
    store.mark_sent(key(2))
    store.apply(report(number=3))
    assert [order.client_order_id for order in store.after_restart()] == [key(1), key(2)]
    assert {order.state for order in store.unsettled()} == {OrderState.UNKNOWN}


def test_replaying_records_rebuilds_the_same_store():
    live = OrderStore(PREFIX)
    records = [
        intent(1),
        Sent(key(1), 1, 5),
        Replied(key(1), "submit", Reply(1, "unknown"), 6),
        OrderReport(report(), 7),
        OrderReport(trade(1, "0.5", "0.5"), 8),
        intent(2),
        Unknown(key(2), "link", 9),
        Settled(key(2), "complete scan", 10),
        OrderReport(trade(1, "0.5", "0.5"), 11),
    ]
    live.intend(records[0])  # type: ignore[arg-type]
    live.mark_sent(key(1))
    live.on_reply(key(1), "submit", Reply(1, "unknown"))
    live.apply(report())
    live.apply(trade(1, "0.5", "0.5"))
    live.intend(records[5])  # type: ignore[arg-type]
    live.mark_unknown(key(2))
    live.mark_refused(key(2), "complete scan")
    again = OrderStore(PREFIX)
    for record in (*records, *(r for r in records if isinstance(r, Intent))):
        again.replay(record)
    assert again.state() == live.state()


def test_a_complete_snapshot_asks_about_what_it_lacks_and_settles_nothing():
    store = stored(1, 2)
    store.apply(report(number=1))
    result = reconcile_orders(store, snapshot(open_orders=(report(number=1),)))
    assert result.to_query == (key(2),)
    assert [finding.kind for finding in result.findings] == ["absent_order"]
    assert store.get(key(2)).state is OrderState.INTENDED  # type: ignore[union-attr]


def test_an_incomplete_snapshot_proves_nothing_absent():
    result = reconcile_orders(stored(1), snapshot(complete=False))
    assert result.to_query == ()
    assert [finding.kind for finding in result.findings] == ["incomplete"]


def test_an_order_younger_than_the_snapshot_is_not_expected_in_it():
    store = OrderStore(PREFIX)
    store.intend(intent(1, time_ns=20_000))
    result = reconcile_orders(store, snapshot(time_ns=10_000))
    assert (result.complete, result.to_query, result.deferred_fills) == (True, (), 0)


def test_a_snapshot_brings_missed_fills_once_and_shows_foreign_ones():
    store = stored(1)
    store.apply(report())
    fills = (
        trade(1, "1", "1"),
        trade(1, "1", "1"),
        trade(9, "2", "2", client_order_id="web_1", exchange_order_id=77, status="FILLED"),
    )
    result = reconcile_orders(store, snapshot(fills=fills))
    assert [one.fill.trade_id for one in result.applied if one.fill] == [1, 9]
    assert [finding.kind for finding in result.findings] == ["external_fill"]
    assert reconcile_orders(store, snapshot(fills=fills)).applied == ()


def test_nameless_fills_wait_while_an_order_is_unsettled():
    store = stored(1)
    store.mark_unknown(key())
    nameless = trade(1, "1", "1", client_order_id="", status="", exchange_order_id=101)
    first = reconcile_orders(store, snapshot(fills=(nameless,)))
    assert (first.deferred_fills, first.applied, first.to_query) == (1, (), (key(),))
    store.apply(report("FILLED", filled_base=Decimal(1)))
    second = reconcile_orders(store, snapshot(fills=(nameless,)))
    assert [one.fill.strategy for one in second.applied if one.fill] == ["sma:s1"]
    assert (second.complete, second.to_query, second.deferred_fills) == (True, (), 0)


def test_hedge_mode_is_found():
    result = reconcile_orders(OrderStore(PREFIX), snapshot(hedge_mode=True))
    assert [finding.kind for finding in result.findings] == ["hedge_mode"]


def test_forgotten_fill_ids_count_as_seen():
    ids = FillIds(3)
    assert [ids.add(SYMBOL, "BUY", number) for number in (5, 1, 9, 7)] == [True] * 4
    assert not ids.add(SYMBOL, "BUY", 1)
    assert not ids.add(SYMBOL, "BUY", 5)
    assert ids.add("ETHUSDT", "BUY", 1)
    assert ids.add(SYMBOL, "BUY", 6)
    other = FillIds(3)
    other.restore(ids.state())
    assert not other.add(SYMBOL, "BUY", 6)
    assert not other.add(SYMBOL, "BUY", 5)
    assert other.add(SYMBOL, "BUY", 10)


def both_sides() -> tuple[OrderUpdate, OrderUpdate]:
    """Two of our orders have met: one trade, one id, two fills."""
    return trade(7, "1", "1", number=1), trade(7, "1", "1", number=2, side="SELL")


def test_both_sides_of_a_trade_with_oneself_count_once_each():
    store = OrderStore(PREFIX)
    store.intend(intent(1))
    store.intend(intent(2, side="SELL"))
    fills = [store.apply(update).fill for update in both_sides()]
    assert [(fill.client_order_id, fill.signed_base) for fill in fills if fill] == [(key(1), 1), (key(2), -1)]
    restored = OrderStore(PREFIX)
    restored.restore(store.state())
    for each in (store, restored):
        assert not any(order.evidence.missing_base for order in each.closed_orders())
        assert [each.apply(update).fill for update in both_sides()] == [None, None]


def test_a_replayed_journal_and_the_history_bring_both_sides_of_a_trade_with_oneself():
    first, second = both_sides()
    store = OrderStore(PREFIX)
    for record in (intent(1), intent(2, side="SELL"), OrderReport(first, 1)):
        store.replay(record)
    result = reconcile_orders(store, snapshot(fills=(first, second)))
    assert [one.fill.client_order_id for one in result.applied if one.fill] == [key(2)]


def test_ids_of_an_old_snapshot_count_for_both_sides():
    ids = FillIds(3)
    ids.restore({SYMBOL: SymbolFillIds([7, 9], 5)})
    assert not any(ids.add(SYMBOL, side, number) for side in ("BUY", "SELL") for number in (5, 7, 9))
    assert all(ids.add(SYMBOL, side, 8) for side in ("BUY", "SELL"))
