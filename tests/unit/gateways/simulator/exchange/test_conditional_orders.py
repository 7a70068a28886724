"""Conditional orders: refusals, triggers, the child order, and the order of the events."""

from dataclasses import replace

import pytest

from gateways.simulator.exchange import history_queries, order_queries
from gateways.simulator.exchange.model.orders import AlgoRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import SYMBOL, D, Desk, refused

STOP_SELL = AlgoRequest(SYMBOL, "SELL", "STOP_MARKET", quantity=D("0.1"), trigger_price=D("49900"))


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.take("BUY", 1)
    desk.heard.trades.clear()
    desk.ex.book(SYMBOL).add("SELL", 500_000, 500)
    desk.take("BUY", 500)
    desk.heard.events.clear()
    return desk


def trade_at(desk: Desk, price: int) -> None:
    """Let a trade happen at a price in dollars, wherever the book stands."""
    desk.ex.print_trade(SYMBOL, price * 10, 1, buyer_is_maker=False, now_ms=desk.now)
    desk.ex.after_market(SYMBOL, desk.now)


REFUSALS = {
    "unknown symbol": (replace(STOP_SELL, symbol="X"), -1121),
    "kind of algorithm": (replace(STOP_SELL, algo_type="VP"), -1130),
    "plain type": (replace(STOP_SELL, type="LIMIT"), -1116),
    "side": (replace(STOP_SELL, side="X"), -1117),
    "time in force": (replace(STOP_SELL, time_in_force="DAY"), -1115),
    "working type": (replace(STOP_SELL, working_type="INDEX"), -1130),
    "no trigger": (replace(STOP_SELL, trigger_price=None), -1102),
    "no quantity": (replace(STOP_SELL, quantity=None), -1102),
    "stop without a price": (replace(STOP_SELL, type="STOP"), -1102),
    "stop market with a price": (replace(STOP_SELL, price=D(1)), -1106),
    "trigger decimals": (replace(STOP_SELL, trigger_price=D("49900.001")), -1111),
    "trigger tick": (replace(STOP_SELL, trigger_price=D("49900.05")), -4014),
    "trigger zero": (replace(STOP_SELL, trigger_price=D(0)), -4006),
    "trigger above the maximum": (replace(STOP_SELL, trigger_price=D(9999999)), -4007),
    "quantity decimals": (replace(STOP_SELL, quantity=D("0.0001")), -1111),
    "notional": (replace(STOP_SELL, quantity=D("0.001")), -4164),
    "already reached": (replace(STOP_SELL, trigger_price=D(50000)), -2021),
    "buy stop already reached": (replace(STOP_SELL, side="BUY", trigger_price=D(50000)), -2021),
    "take profit already reached": (
        replace(STOP_SELL, type="TAKE_PROFIT_MARKET", trigger_price=D(50000)),
        -2021,
    ),
    "close with a quantity": (replace(STOP_SELL, close_position=True), -4137),
    "close with reduce-only": (
        replace(STOP_SELL, close_position=True, quantity=None, reduce_only=True),
        -4138,
    ),
    "close with a limit type": (
        replace(STOP_SELL, type="STOP", close_position=True, quantity=None),
        -4136,
    ),
    "client id": (replace(STOP_SELL, client_algo_id="a b"), -4015),
    "trailing without a rate": (replace(STOP_SELL, type="TRAILING_STOP_MARKET", trigger_price=None), -1102),
    "trailing rate too small": (
        replace(STOP_SELL, type="TRAILING_STOP_MARKET", trigger_price=None, callback_rate=D("0.05")),
        -1130,
    ),
    "trailing rate too large": (
        replace(STOP_SELL, type="TRAILING_STOP_MARKET", trigger_price=None, callback_rate=D("20.1")),
        -1130,
    ),
    "trailing activation behind the price": (
        replace(
            STOP_SELL,
            type="TRAILING_STOP_MARKET",
            trigger_price=None,
            callback_rate=D(1),
            activate_price=D(49999),
        ),
        -4135,
    ),
    "position side in one-way mode": (replace(STOP_SELL, position_side="LONG"), -4061),
}


@pytest.mark.parametrize("row", REFUSALS, ids=list(REFUSALS))
def test_a_conditional_order_is_refused_with_the_documented_code(desk: Desk, row: str):
    request, code = REFUSALS[row]
    with refused(code):
        desk.ex.submit_algo("a", request, desk.now)
    assert order_queries.open_algo_orders(desk.state, "a") == []
    assert desk.heard.events == []


def test_an_open_client_id_cannot_be_used_again(desk: Desk):
    desk.ex.submit_algo("a", replace(STOP_SELL, client_algo_id="s1"), desk.now)
    with refused(-4116):
        desk.ex.submit_algo("a", replace(STOP_SELL, client_algo_id="s1"), desk.now)


def test_two_hundred_wait_at_most_over_all_symbols(desk: Desk):
    for _ in range(200):
        desk.ex.submit_algo("a", STOP_SELL, desk.now)
    with refused(-4045):
        desk.ex.submit_algo("a", STOP_SELL, desk.now)


def test_a_close_order_may_not_open_in_hedge_mode(desk: Desk):
    desk.ex.set_position_mode("a", hedge_mode=True, now_ms=desk.now)
    with refused(-4136):
        desk.algo("BUY", "STOP_MARKET", trigger_price="50100", close_position=True, position_side="LONG")


TRIGGERS = {
    ("SELL", "STOP_MARKET", "49900"): (49901, 49900),
    ("BUY", "STOP_MARKET", "50100"): (50099, 50100),
    ("SELL", "TAKE_PROFIT_MARKET", "50100"): (50099, 50100),
    ("BUY", "TAKE_PROFIT_MARKET", "49900"): (49901, 49900),
}


@pytest.mark.parametrize(("side", "kind", "trigger"), TRIGGERS)
def test_a_trigger_is_reached_at_its_price_and_not_before(desk: Desk, side: str, kind: str, trigger: str):
    algo = desk.algo(side, kind, trigger_price=trigger, quantity="0.1", client_algo_id="c-1")
    before, at = TRIGGERS[side, kind, trigger]
    trade_at(desk, before)
    assert desk.heard.words() == ["algo NEW"]
    trade_at(desk, at)
    assert desk.heard.words() == [
        "algo TRIGGERING",
        "NEW/NEW",
        "account ORDER",
        "TRADE/FILLED",
        "algo TRIGGERED",
        "algo FINISHED",
    ]
    done = order_queries.algo_order(desk.state, "a", algo.algo_id, None)
    child = order_queries.order(desk.state, "a", SYMBOL, None, "c-1")
    assert (child.type, child.orig_type, child.algo_id) == ("MARKET", kind, algo.algo_id)
    assert (done.actual_order_id, done.actual_type) == (child.order_id, "MARKET")
    assert (done.actual_qty, done.actual_price) == (D("0.100"), child.average_price)


def test_conditional_ids_live_in_their_own_space(desk: Desk):
    algo = desk.ex.submit_algo("a", STOP_SELL, desk.now)
    assert algo.algo_id > 1_000_000_000_000_000
    assert algo.actual_order_id == 0


def test_a_mark_price_trigger_ignores_trades(desk: Desk):
    desk.algo("SELL", "STOP_MARKET", trigger_price="49900", quantity="0.1", working_type="MARK_PRICE")
    trade_at(desk, 49800)
    assert desk.heard.words() == ["algo NEW"]
    desk.mark("49900")
    assert desk.heard.words()[0] == "algo TRIGGERING"


def test_a_stop_limit_rests_after_its_trigger_and_finishes_when_filled(desk: Desk):
    algo = desk.algo("SELL", "STOP", trigger_price="49900", price="50000.5", quantity="0.1")
    trade_at(desk, 49900)
    child = order_queries.open_orders(desk.state, "a")[0]
    assert child.client_order_id == algo.client_algo_id
    assert order_queries.algo_order(desk.state, "a", algo.algo_id, None).algo_status == "TRIGGERED"
    desk.heard.words()
    desk.ex.cancel("a", SYMBOL, child.order_id, None, desk.now)
    assert desk.heard.words() == ["CANCELED/CANCELED", "algo FINISHED"]


def test_a_waiting_order_reserves_nothing_and_a_poor_one_is_rejected_at_its_trigger(desk: Desk):
    free = desk.available()
    algo = desk.algo("BUY", "STOP_MARKET", trigger_price="50100", quantity="100")
    assert desk.available() == free
    trade_at(desk, 50100)
    done = order_queries.algo_order(desk.state, "a", algo.algo_id, None)
    assert (done.algo_status, done.reject_reason) == ("REJECTED", "Margin is insufficient.")
    assert desk.heard.words() == ["algo NEW", "algo TRIGGERING", "algo REJECTED"]
    assert history_queries.all_orders(desk.state, "a", SYMBOL, desk.now) == []


def test_a_reduce_only_stop_without_a_position_is_rejected_at_its_trigger(desk: Desk):
    algo = desk.ex.submit_algo("a", replace(STOP_SELL, reduce_only=True), desk.now)
    trade_at(desk, 49900)
    assert (
        order_queries.algo_order(desk.state, "a", algo.algo_id, None).reject_reason
        == "ReduceOnly Order is rejected."
    )


def test_cancelling_ends_the_wait(desk: Desk):
    algo = desk.ex.submit_algo("a", replace(STOP_SELL, client_algo_id="s1"), desk.now)
    assert desk.ex.cancel_algo("a", None, "s1", desk.now).algo_status == "CANCELED"
    with refused(-2011):
        desk.ex.cancel_algo("a", algo.algo_id, None, desk.now)
    trade_at(desk, 49000)
    assert desk.heard.words() == ["algo NEW", "algo CANCELED"]


def test_cancel_all_spares_ordinary_orders(desk: Desk):
    desk.limit("BUY", "0.1", "49000")
    desk.ex.submit_algo("a", STOP_SELL, desk.now)
    assert len(desk.ex.cancel_all_algo("a", SYMBOL, desk.now)) == 1
    assert (
        len(order_queries.open_orders(desk.state, "a")),
        order_queries.open_algo_orders(desk.state, "a"),
    ) == (1, [])


def test_close_position_closes_what_is_held_at_the_trigger(desk: Desk):
    desk.market("BUY", "0.3")
    algo = desk.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    desk.market("BUY", "0.2")
    trade_at(desk, 49900)
    child = order_queries.order(desk.state, "a", SYMBOL, None, algo.client_algo_id)
    assert (child.orig_qty, child.close_position, desk.amount()) == (D("0.500"), True, 0)


def test_one_stop_and_one_take_profit_may_close_a_position(desk: Desk):
    desk.market("BUY", "0.1")
    stop = desk.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    desk.algo("SELL", "TAKE_PROFIT_MARKET", trigger_price="50900", close_position=True)
    desk.algo("BUY", "STOP_MARKET", trigger_price="50900", close_position=True)
    desk.algo("SELL", "STOP_MARKET", trigger_price="49800", close_position=True, account="b")
    desk.algo("SELL", "STOP_MARKET", trigger_price="49800", quantity="0.1")
    with refused(-4130):
        desk.algo("SELL", "STOP_MARKET", trigger_price="49800", close_position=True)
    desk.ex.cancel_algo("a", stop.algo_id, None, desk.now)
    desk.algo("SELL", "STOP_MARKET", trigger_price="49800", close_position=True)


def test_an_order_good_till_its_position_ends_needs_a_position_or_an_open_order(desk: Desk):
    tied = {"trigger_price": "49900", "quantity": "0.1", "time_in_force": "GTE_GTC"}
    with refused(-4509):
        desk.algo("SELL", "STOP_MARKET", **tied)
    entry = desk.limit("BUY", "0.1", "49500")
    desk.algo("SELL", "STOP_MARKET", **tied)
    desk.ex.cancel("a", SYMBOL, entry.order_id, None, desk.now)
    desk.market("BUY", "0.1")
    desk.algo("SELL", "STOP_MARKET", **tied)


def test_close_position_expires_with_its_position(desk: Desk):
    desk.market("BUY", "0.3")
    algo = desk.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    desk.market("SELL", "0.3")
    assert order_queries.algo_order(desk.state, "a", algo.algo_id, None).algo_status == "EXPIRED"


def test_an_order_good_till_its_position_ends_expires_with_it(desk: Desk):
    desk.market("BUY", "0.3")
    algo = desk.algo(
        "SELL",
        "STOP_MARKET",
        trigger_price="49900",
        quantity="0.3",
        reduce_only=True,
        time_in_force="GTE_GTC",
    )
    desk.market("SELL", "0.3")
    assert order_queries.algo_order(desk.state, "a", algo.algo_id, None).algo_status == "EXPIRED"


def test_price_protection_waits_while_last_and_mark_differ(desk: Desk):
    desk.ex.set_spec(replace(desk.state.specs[SYMBOL], trigger_protect=D("0.001")), desk.now)
    desk.ex.submit_algo("a", replace(STOP_SELL, price_protect=True), desk.now)
    trade_at(desk, 49900)
    assert desk.heard.words() == ["algo NEW"]
    desk.mark("49930")
    trade_at(desk, 49900)
    assert desk.heard.words()[0] == "algo TRIGGERING"


@pytest.mark.parametrize(("side", "price"), [("SELL", "49950"), ("BUY", "50050")])
def test_price_protection_lets_a_difference_of_just_the_share_of_the_mark_trigger(
    desk: Desk, side: str, price: str
):
    desk.ex.set_spec(replace(desk.state.specs[SYMBOL], trigger_protect=D("0.001")), desk.now)
    desk.algo(side, "STOP_MARKET", trigger_price=price, quantity="0.1", price_protect=True)
    beyond = D("0.1") if side == "BUY" else D("-0.1")
    desk.ex.print_trade(SYMBOL, int((D(price) + beyond) * 10), 1, buyer_is_maker=False, now_ms=desk.now)
    desk.ex.after_market(SYMBOL, desk.now)
    assert desk.heard.words() == ["algo NEW"]
    trade_at(desk, int(price))
    assert desk.heard.words()[0] == "algo TRIGGERING"


def test_price_protection_does_not_wait_for_a_first_trade(desk: Desk):
    eth = "ETHUSDT"
    desk.ex.book(eth).add("BUY", 299_900, 10_000)
    desk.ex.set_mark_price(eth, D(3000), desk.now)
    stop = replace(STOP_SELL, symbol=eth, quantity=D(1), trigger_price=D(2990), price_protect=True)
    desk.ex.submit_algo("a", replace(stop, working_type="MARK_PRICE"), desk.now)
    desk.ex.set_mark_price(eth, D(2990), desk.now)
    assert desk.heard.words()[:2] == ["algo NEW", "algo TRIGGERING"]


def test_a_position_that_another_trigger_of_the_batch_has_closed_leaves_nothing_to_close(desk: Desk):
    desk.market("BUY", "0.3")
    stop = desk.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    target = desk.algo("SELL", "TAKE_PROFIT_MARKET", trigger_price="50100", close_position=True)
    desk.heard.events.clear()
    for ticks in (499_000, 501_000):
        desk.ex.print_trade(SYMBOL, ticks, 1, buyer_is_maker=False, now_ms=desk.now)
    desk.ex.after_market(SYMBOL, desk.now)
    assert desk.amount() == 0
    assert desk.heard.words()[-2:] == ["algo TRIGGERING", "algo EXPIRED"]
    assert order_queries.algo_order(desk.state, "a", stop.algo_id, None).algo_status == "FINISHED"
    late = order_queries.algo_order(desk.state, "a", target.algo_id, None)
    assert (late.algo_status, late.actual_order_id, late.reject_reason) == ("EXPIRED", 0, "")


def test_a_trailing_stop_follows_the_best_price_after_its_activation(desk: Desk):
    algo = desk.algo(
        "SELL", "TRAILING_STOP_MARKET", callback_rate="1", activate_price="50500", quantity="0.1"
    )
    assert not algo.is_activated
    trade_at(desk, 49000)
    assert desk.heard.words() == ["algo NEW"]
    trade_at(desk, 50500)
    assert desk.heard.words() == ["algo NEW"]
    assert order_queries.algo_order(desk.state, "a", algo.algo_id, None).is_activated
    trade_at(desk, 51000)
    trade_at(desk, 50491)
    assert desk.heard.words() == []
    trade_at(desk, 50490)
    assert desk.heard.words()[0] == "algo TRIGGERING"


def test_a_trailing_stop_without_activation_price_follows_from_the_start(desk: Desk):
    algo = desk.algo("BUY", "TRAILING_STOP_MARKET", callback_rate="0.5", quantity="0.1")
    assert desk.heard.words() == ["algo NEW", "algo NEW"]
    trade_at(desk, 49000)
    trade_at(desk, 49244)
    assert order_queries.algo_order(desk.state, "a", algo.algo_id, None).algo_status == "NEW"
    trade_at(desk, 49245)
    assert order_queries.algo_order(desk.state, "a", algo.algo_id, None).algo_status == "FINISHED"


def test_a_touch_inside_a_batch_triggers(desk: Desk):
    desk.ex.submit_algo("a", STOP_SELL, desk.now)
    for ticks in (499_500, 498_990, 500_200):
        desk.ex.print_trade(SYMBOL, ticks, 1, buyer_is_maker=False, now_ms=desk.now)
    desk.ex.after_market(SYMBOL, desk.now)
    assert "algo FINISHED" in desk.heard.words()


def test_a_childs_trades_trigger_the_next_order_in_the_same_step(desk: Desk):
    desk.algo("SELL", "STOP_MARKET", trigger_price="49998.5", quantity="1.5")
    second = desk.algo("SELL", "STOP_MARKET", trigger_price="49998", quantity="0.1")
    desk.take("SELL", 1)
    assert order_queries.algo_order(desk.state, "a", second.algo_id, None).algo_status == "NEW"
    trade_at(desk, 49998)
    assert order_queries.algo_order(desk.state, "a", second.algo_id, None).algo_status == "FINISHED"


def test_conditional_orders_trigger_oldest_first(desk: Desk):
    first = desk.algo("SELL", "STOP_MARKET", trigger_price="49900", quantity="0.1")
    second = desk.algo("SELL", "STOP_MARKET", trigger_price="49950", quantity="0.1", account="b")
    trade_at(desk, 49000)
    ids = [
        order_queries.algo_order(desk.state, o, a.algo_id, None).actual_order_id
        for o, a in (("a", first), ("b", second))
    ]
    assert ids == sorted(ids)


def test_a_dated_stop_limit_expires(desk: Desk):
    algo = desk.algo(
        "SELL",
        "STOP",
        trigger_price="49900",
        price="49900",
        quantity="0.1",
        time_in_force="GTD",
        good_till_date=desk.now + 700_000,
    )
    desk.advance(700_000)
    assert order_queries.algo_order(desk.state, "a", algo.algo_id, None).algo_status == "EXPIRED"


def test_all_conditional_orders_are_listed_from_an_id_on(desk: Desk):
    ids = [desk.ex.submit_algo("a", STOP_SELL, desk.now).algo_id for _ in range(3)]
    listed = history_queries.all_algo_orders(desk.state, "a", SYMBOL, desk.now, algo_id=ids[1])
    assert [algo.algo_id for algo in listed] == ids[1:]
    with refused(-2013):
        order_queries.algo_order(desk.state, "b", ids[0], None)


def test_the_protective_values_of_the_default_symbols_are_sane():
    for spec in default_symbols().values():
        assert 0 < spec.trigger_protect < 1
        assert spec.min_price % spec.tick_size == 0
