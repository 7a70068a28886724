"""What each kind of order does, and the user events it sends, in their order."""

from dataclasses import replace

import pytest

from gateways.simulator.exchange import history_queries, order_queries
from gateways.simulator.exchange.model.events import AccountEvent, OrderEvent
from gateways.simulator.exchange.model.orders import AmendRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, refused


@pytest.fixture
def rig() -> ExchangeRig:
    return ExchangeRig()


def test_a_limit_order_rests_fills_in_parts_and_is_filled(rig: ExchangeRig):
    order = rig.limit("BUY", "0.010", "49999")
    assert order.status == "NEW"
    assert rig.heard.words() == ["NEW/NEW"]
    rig.take("SELL", 1004)
    assert rig.heard.words() == ["account ORDER", "TRADE/PARTIALLY_FILLED"]
    rig.take("SELL", 10)
    assert rig.heard.words() == ["account ORDER", "TRADE/FILLED"]
    done = order_queries.order(rig.state, "a", SYMBOL, order.order_id, None)
    assert (done.executed_qty, done.cum_quote, done.average_price) == (
        D("0.010"),
        D("499.99"),
        D(49999),
    )


def test_a_fill_and_its_account_update_bear_the_same_time(rig: ExchangeRig):
    rig.market("BUY", "0.5")
    account, trade = (event for _, event in rig.heard.events[1:3])
    assert isinstance(account, AccountEvent)
    assert isinstance(trade, OrderEvent)
    assert account.time_ms == trade.time_ms == trade.order.update_time_ms


def test_a_marketable_limit_takes_what_its_price_allows_and_rests(rig: ExchangeRig):
    order = rig.limit("BUY", "2.5", "50002")
    assert (order.status, order.executed_qty) == ("PARTIALLY_FILLED", D("2.000"))
    assert rig.heard.words() == ["NEW/NEW", *["account ORDER", "TRADE/PARTIALLY_FILLED"] * 2]
    assert rig.ex.book(SYMBOL).best_bid() == 500_020
    assert rig.ex.book(SYMBOL).size_at("BUY", 500_020) == 500


def test_a_market_order_walks_the_book(rig: ExchangeRig):
    order = rig.market("BUY", "1.5")
    assert (order.status, order.time_in_force, order.price) == ("FILLED", "GTC", 0)
    assert [fill.price_ticks for fill in rig.heard.trades] == [500_010, 500_020]
    assert rig.heard.words()[0] == "NEW/NEW"


def test_what_a_market_order_cannot_fill_expires_with_reason_9():
    rig = ExchangeRig(wallet="10000000")
    order = rig.market("BUY", "11")
    assert (order.status, order.executed_qty) == ("EXPIRED", D("10.000"))
    assert rig.heard.words()[-1] == "EXPIRED/EXPIRED er=9"


def test_a_market_order_stops_at_the_take_bound():
    spec = replace(default_symbols()[SYMBOL], market_take_bound=D("0.0001"))
    rig = ExchangeRig(spec=spec)
    order = rig.market("BUY", "6.5")
    assert (order.status, order.executed_qty) == ("EXPIRED", D("5.000"))


def test_a_market_order_into_an_empty_book_expires(rig: ExchangeRig):
    rig.empty_book()
    assert rig.market("BUY", "0.5").status == "EXPIRED"
    assert rig.heard.words() == ["NEW/NEW", "EXPIRED/EXPIRED er=9"]


def test_the_rest_of_an_immediate_order_expires_with_reason_2(rig: ExchangeRig):
    order = rig.limit("BUY", "1.2", "50001", time_in_force="IOC")
    assert (order.status, order.executed_qty) == ("EXPIRED", D("1.000"))
    assert rig.heard.words()[-1] == "EXPIRED/EXPIRED er=2"
    assert rig.limit("BUY", "0.2", "49000", time_in_force="IOC").status == "EXPIRED"
    assert rig.heard.words() == ["NEW/NEW", "EXPIRED/EXPIRED er=2"]


def test_a_fill_or_kill_order_fills_wholly_or_leaves_no_trace(rig: ExchangeRig):
    assert rig.limit("BUY", "2", "50002", time_in_force="FOK").status == "FILLED"
    rig.heard.words()
    with refused(-5021):
        rig.limit("BUY", "2", "50003", time_in_force="FOK")
    assert rig.heard.words() == []
    assert len(history_queries.all_orders(rig.state, "a", SYMBOL, rig.now)) == 1


def test_a_post_only_order_rests_or_leaves_no_trace(rig: ExchangeRig):
    with refused(-5022):
        rig.limit("SELL", "0.1", "49999", time_in_force="GTX")
    assert history_queries.all_orders(rig.state, "a", SYMBOL, rig.now) == []
    assert rig.limit("SELL", "0.1", "50000", time_in_force="GTX").status == "NEW"


def test_a_dated_order_expires_at_its_second(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49000", time_in_force="GTD", good_till_date=rig.now + 700_999)
    assert order.good_till_date == rig.now + 700_000
    rig.advance(699_999)
    assert order_queries.open_orders(rig.state, "a") != []
    assert rig.ex.next_deadline_ms() <= order.good_till_date
    rig.advance(1)
    assert rig.heard.words()[-1] == "EXPIRED/EXPIRED"
    assert order_queries.open_orders(rig.state, "a") == []


def test_cancelling_echoes_the_order_and_frees_the_level(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49500")
    rig.heard.words()
    cancelled = rig.ex.cancel("a", SYMBOL, order.order_id, None, rig.now)
    assert cancelled.status == "CANCELED"
    assert rig.heard.words() == ["CANCELED/CANCELED"]
    assert rig.ex.book(SYMBOL).size_at("BUY", 495_000) == 0
    with refused(-2011):
        rig.ex.cancel("a", SYMBOL, order.order_id, None, rig.now)


def test_cancel_all_spares_conditional_orders_and_other_symbols(rig: ExchangeRig):
    rig.limit("BUY", "0.1", "49500")
    rig.limit("BUY", "0.1", "49400")
    rig.algo("SELL", "STOP_MARKET", trigger_price="49000", quantity="0.1")
    assert len(rig.ex.cancel_all("a", SYMBOL, rig.now)) == 2
    assert order_queries.open_orders(rig.state, "a") == []
    assert len(order_queries.open_algo_orders(rig.state, "a")) == 1


def test_reserved_notionals_travel_with_the_order_event(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49500")
    rig.limit("SELL", "0.2", "50500")
    rig.ex.cancel("a", SYMBOL, order.order_id, None, rig.now)
    seen = [(event.bid_notional, event.ask_notional) for event in rig.heard.order_events()]
    assert seen == [(4950, 0), (4950, 10100), (0, 10100)]


def test_orders_of_two_accounts_match_in_price_time_order(rig: ExchangeRig):
    rig.limit("SELL", "0.1", "50000.5", account="b")
    late = rig.limit("SELL", "0.1", "50000.5", account="b")
    taken = rig.market("BUY", "0.15")
    assert taken.average_price == D("50000.5")
    assert order_queries.order(rig.state, "b", SYMBOL, late.order_id, None).executed_qty == D("0.050")
    fills = [e.fill for e in rig.heard.order_events("b") if e.fill]
    assert [fill.is_maker for fill in fills] == [True, True]
    assert [fill.commission_quote for fill in fills] == [D("1.00001"), D("0.500005")]


STP = {
    "EXPIRE_MAKER": ("FILLED", "EXPIRED_IN_MATCH", ["NEW/NEW", "EXPIRED/EXPIRED_IN_MATCH er=1"]),
    "EXPIRE_TAKER": ("EXPIRED_IN_MATCH", "NEW", ["NEW/NEW", "EXPIRED/EXPIRED_IN_MATCH er=1"]),
    "EXPIRE_BOTH": (
        "EXPIRED_IN_MATCH",
        "EXPIRED_IN_MATCH",
        ["NEW/NEW"] + 2 * ["EXPIRED/EXPIRED_IN_MATCH er=1"],
    ),
    "NONE": ("FILLED", "FILLED", ["NEW/NEW", "account ORDER", "TRADE/FILLED"]),
}


@pytest.mark.parametrize("mode", STP)
def test_self_trade_prevention_follows_the_takers_mode(rig: ExchangeRig, mode: str):
    maker = rig.limit("SELL", "0.1", "50000.5")
    rig.heard.words()
    taker = rig.limit("BUY", "0.1", "50001", stp_mode=mode)
    taker_status, maker_status, first_words = STP[mode]
    assert taker.status == taker_status
    assert order_queries.order(rig.state, "a", SYMBOL, maker.order_id, None).status == maker_status
    assert rig.heard.words()[: len(first_words)] == first_words


def test_an_immediate_order_stopped_by_self_trade_prevention_says_reason_3(rig: ExchangeRig):
    rig.limit("SELL", "0.1", "50000.5")
    rig.heard.words()
    rig.limit("BUY", "0.1", "50001", stp_mode="EXPIRE_TAKER", time_in_force="IOC")
    assert rig.heard.words() == ["NEW/NEW", "EXPIRED/EXPIRED_IN_MATCH er=3"]


def test_fill_or_kill_is_not_subject_to_self_trade_prevention(rig: ExchangeRig):
    rig.limit("SELL", "0.1", "50000.5")
    assert rig.limit("BUY", "0.1", "50001", time_in_force="FOK").average_price == D("50000.5")


MATCHES = {
    ("BUY", "OPPONENT"): "50001.0",
    ("BUY", "OPPONENT_5"): "50005.0",
    ("BUY", "QUEUE"): "49999.0",
    ("BUY", "QUEUE_10"): "49990.0",
    ("SELL", "OPPONENT"): "49999.0",
    ("SELL", "QUEUE_5"): "50005.0",
}


@pytest.mark.parametrize(("side", "match"), MATCHES)
def test_price_match_takes_the_price_from_the_book(rig: ExchangeRig, side: str, match: str):
    order = rig.limit(side, "0.1", None, price_match=match)
    assert (order.price, order.price_match) == (D(MATCHES[side, match]), match)


# Modifications.


def amend(rig: ExchangeRig, order_id: int, qty: str, price: str, side: str = "BUY", **more: object):
    request = AmendRequest(SYMBOL, side, order_id=order_id, quantity=D(qty), price=D(price), **more)  # type: ignore[arg-type]  # a table of fields
    return rig.ex.amend("a", request, rig.now)


def test_a_modified_order_goes_to_the_back_of_the_queue(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49998.5")
    rig.limit("BUY", "0.1", "49998.5", account="b")
    rig.heard.words()
    changed = amend(rig, order.order_id, "0.2", "49998.5", modify_id=77)
    assert (changed.order_id, changed.status, changed.orig_qty) == (order.order_id, "NEW", D("0.200"))
    assert rig.heard.order_events()[0].modify_id == 77
    assert rig.heard.words() == ["AMENDMENT/NEW"]
    rig.take("SELL", 1000 + 50)
    assert rig.heard.words("a") == []
    rows = history_queries.amendments(rig.state, "a", SYMBOL, order.order_id, None)
    assert [(row.qty_before, row.qty_after, row.count, row.modify_id) for row in rows] == [
        (D("0.100"), D("0.200"), 1, 77)
    ]


def test_a_modification_may_trade(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49990")
    rig.heard.words()
    assert amend(rig, order.order_id, "0.1", "50001").status == "FILLED"
    assert rig.heard.words() == ["AMENDMENT/NEW", "account ORDER", "TRADE/FILLED"]


def test_a_modification_resets_self_trade_prevention(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49990")
    assert amend(rig, order.order_id, "0.1", "49991").stp_mode == "NONE"


def test_a_quantity_not_above_what_has_filled_cancels(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "50000.5")
    rig.take("SELL", 40)
    rig.heard.words()
    assert amend(rig, order.order_id, "0.04", "50000.5").status == "CANCELED"
    assert rig.heard.words() == ["CANCELED/CANCELED"]


def test_a_post_only_order_modified_across_the_book_is_cancelled(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49990", time_in_force="GTX")
    assert amend(rig, order.order_id, "0.1", "50001").status == "CANCELED"


def test_a_partly_filled_order_keeps_what_has_filled(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "50000.5")
    rig.take("SELL", 40)
    changed = amend(rig, order.order_id, "0.09", "50000.4")
    assert (changed.status, changed.executed_qty, changed.remaining_lots) == (
        "PARTIALLY_FILLED",
        D("0.040"),
        50,
    )


# Reduce-only.


def test_reduce_only_orders_never_add_up_to_more_than_the_position(rig: ExchangeRig):
    rig.market("BUY", "0.1")
    far = rig.limit("SELL", "0.06", "50600", reduce_only=True)
    with refused(-2022):
        rig.limit("SELL", "0.05", "50700", reduce_only=True)
    with refused(-2022):
        rig.limit("SELL", "0.11", "50100", reduce_only=True)
    rig.heard.words()
    near = rig.limit("SELL", "0.05", "50500", reduce_only=True)
    assert rig.heard.words() == ["EXPIRED/EXPIRED er=4", "NEW/NEW"]
    assert order_queries.order(rig.state, "a", SYMBOL, far.order_id, None).status == "EXPIRED"
    assert near.status == "NEW"


def test_a_reduce_only_order_in_the_direction_of_the_position_is_refused(rig: ExchangeRig):
    rig.market("BUY", "0.1")
    with refused(-2022):
        rig.limit("BUY", "0.1", "49000", reduce_only=True)


def test_a_reduce_only_market_order_is_clipped_to_the_position(rig: ExchangeRig):
    rig.market("BUY", "0.1")
    closed = rig.market("SELL", "5", reduce_only=True)
    assert (closed.status, closed.orig_qty, rig.amount()) == ("FILLED", D("0.100"), 0)


def test_a_shrinking_position_knocks_out_reduce_only_orders_of_low_priority(rig: ExchangeRig):
    rig.market("BUY", "0.1")
    near = rig.limit("SELL", "0.05", "50500", reduce_only=True)
    far = rig.limit("SELL", "0.05", "50600", reduce_only=True)
    rig.heard.words()
    rig.market("SELL", "0.03")
    assert rig.heard.words() == ["NEW/NEW", "account ORDER", "TRADE/FILLED", "EXPIRED/EXPIRED er=4"]
    assert order_queries.order(rig.state, "a", SYMBOL, far.order_id, None).status == "EXPIRED"
    assert order_queries.order(rig.state, "a", SYMBOL, near.order_id, None).status == "NEW"


def test_one_sweep_cannot_fill_a_reduce_only_order_after_the_position_is_gone(rig: ExchangeRig):
    rig.market("BUY", "0.1")
    plain = rig.limit("SELL", "0.1", "50000.3")
    reducing = rig.limit("SELL", "0.1", "50000.4", reduce_only=True)
    rig.take("BUY", 500)
    assert order_queries.order(rig.state, "a", SYMBOL, plain.order_id, None).status == "FILLED"
    assert order_queries.order(rig.state, "a", SYMBOL, reducing.order_id, None).status == "EXPIRED"
    assert rig.amount() == 0


def test_one_printed_trade_cannot_fill_a_reduce_only_order_after_the_position_is_gone(rig: ExchangeRig):
    rig.market("BUY", "0.1")
    rig.limit("SELL", "0.1", "50000.3")
    reducing = rig.limit("SELL", "0.1", "50000.4", reduce_only=True)
    rig.ex.print_trade(SYMBOL, 500_005, 500, buyer_is_maker=False, now_ms=rig.now)
    rig.ex.after_market(SYMBOL, rig.now)
    assert order_queries.order(rig.state, "a", SYMBOL, reducing.order_id, None).status == "EXPIRED"
    assert rig.amount() == 0


def test_hedge_closing_orders_are_knocked_out_like_reduce_only_ones(rig: ExchangeRig):
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    rig.market("BUY", "0.1", position_side="LONG")
    closing = rig.limit("SELL", "0.1", "50500", position_side="LONG")
    rig.market("SELL", "0.04", position_side="LONG")
    assert rig.heard.words()[-1] == "EXPIRED/EXPIRED er=4"
    assert order_queries.order(rig.state, "a", SYMBOL, closing.order_id, None).status == "EXPIRED"
    with refused(-2022):
        rig.limit("SELL", "0.07", "50500", position_side="LONG")
    assert rig.limit("SELL", "0.06", "50500", position_side="LONG").status == "NEW"


# Dead man's switch.


def test_the_countdown_cancels_the_symbols_orders_when_it_is_not_renewed(rig: ExchangeRig):
    rig.limit("BUY", "0.1", "49000")
    rig.algo("SELL", "STOP_MARKET", trigger_price="49000", quantity="0.1")
    rig.ex.countdown_cancel_all("a", SYMBOL, 5_000, rig.now)
    rig.advance(4_000)
    rig.ex.countdown_cancel_all("a", SYMBOL, 5_000, rig.now)
    rig.advance(4_999)
    assert len(order_queries.open_orders(rig.state, "a")) == 1
    rig.advance(1)
    assert order_queries.open_orders(rig.state, "a") == []
    assert len(order_queries.open_algo_orders(rig.state, "a")) == 1


def test_a_countdown_of_zero_stops_the_switch(rig: ExchangeRig):
    rig.limit("BUY", "0.1", "49000")
    rig.ex.countdown_cancel_all("a", SYMBOL, 5_000, rig.now)
    rig.ex.countdown_cancel_all("a", SYMBOL, 0, rig.now)
    rig.advance(60_000)
    assert len(order_queries.open_orders(rig.state, "a")) == 1


# Recordings.


def test_a_recorded_trade_fills_the_order_after_the_size_in_front_of_it(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "49999")
    rig.heard.trades.clear()
    rig.ex.print_trade(SYMBOL, 499_990, 1_030, buyer_is_maker=True, now_ms=rig.now, trade_id=555)
    assert [(t.trade_id, t.printed, t.lots) for t in rig.heard.trades] == [(555, True, 1_030)]
    assert order_queries.order(rig.state, "a", SYMBOL, order.order_id, None).executed_qty == D("0.030")


def test_recorded_liquidity_taken_by_a_user_is_gone_until_its_level_is_updated(rig: ExchangeRig):
    rig.market("BUY", "1")
    book = rig.ex.book(SYMBOL)
    assert book.best_ask() == 500_020
    book.set_level("SELL", 500_010, 800)
    rig.ex.after_market(SYMBOL, rig.now)
    assert (book.best_ask(), book.size_at("SELL", 500_010)) == (500_010, 800)


def test_an_order_that_recorded_liquidity_crosses_fills_at_its_own_price(rig: ExchangeRig):
    order = rig.limit("BUY", "0.1", "50000.5")
    book = rig.ex.book(SYMBOL)
    book.set_level("SELL", 499_995, 60)
    rig.ex.after_market(SYMBOL, rig.now)
    filled = order_queries.order(rig.state, "a", SYMBOL, order.order_id, None)
    assert (filled.executed_qty, filled.average_price) == (D("0.060"), D("50000.5"))
    assert book.size_at("SELL", 499_995) == 0
    assert not book.is_crossed()
    assert rig.heard.order_events()[-1].fill.is_maker
