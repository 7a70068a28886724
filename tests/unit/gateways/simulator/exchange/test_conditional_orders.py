"""Conditional orders: refusals, triggers, the child order, and the order of the events."""

from dataclasses import replace

import pytest

from gateways.simulator.exchange import history_queries, order_queries
from gateways.simulator.exchange.model.orders import AlgoRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, refused

STOP_SELL = AlgoRequest(SYMBOL, "SELL", "STOP_MARKET", quantity=D("0.1"), trigger_price=D("49900"))


@pytest.fixture
def rig() -> ExchangeRig:
    rig = ExchangeRig()
    rig.take("BUY", 1)
    rig.heard.trades.clear()
    rig.ex.book(SYMBOL).add("SELL", 500_000, 500)
    rig.take("BUY", 500)
    rig.heard.events.clear()
    return rig


def trade_at(rig: ExchangeRig, price: int) -> None:
    """Let a trade happen at a price in dollars, wherever the book stands."""
    rig.ex.print_trade(SYMBOL, price * 10, 1, buyer_is_maker=False, now_ms=rig.now)
    rig.ex.after_market(SYMBOL, rig.now)


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
def test_a_conditional_order_is_refused_with_the_documented_code(rig: ExchangeRig, row: str):
    request, code = REFUSALS[row]
    with refused(code):
        rig.ex.submit_algo("a", request, rig.now)
    assert order_queries.open_algo_orders(rig.state, "a") == []
    assert rig.heard.events == []


def test_an_open_client_id_cannot_be_used_again(rig: ExchangeRig):
    rig.ex.submit_algo("a", replace(STOP_SELL, client_algo_id="s1"), rig.now)
    with refused(-4116):
        rig.ex.submit_algo("a", replace(STOP_SELL, client_algo_id="s1"), rig.now)


def test_two_hundred_wait_at_most_over_all_symbols(rig: ExchangeRig):
    for _ in range(200):
        rig.ex.submit_algo("a", STOP_SELL, rig.now)
    with refused(-4045):
        rig.ex.submit_algo("a", STOP_SELL, rig.now)


def test_a_close_order_may_not_open_in_hedge_mode(rig: ExchangeRig):
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    with refused(-4136):
        rig.algo("BUY", "STOP_MARKET", trigger_price="50100", close_position=True, position_side="LONG")


TRIGGERS = {
    ("SELL", "STOP_MARKET", "49900"): (49901, 49900),
    ("BUY", "STOP_MARKET", "50100"): (50099, 50100),
    ("SELL", "TAKE_PROFIT_MARKET", "50100"): (50099, 50100),
    ("BUY", "TAKE_PROFIT_MARKET", "49900"): (49901, 49900),
}


@pytest.mark.parametrize(("side", "kind", "trigger"), TRIGGERS)
def test_a_trigger_is_reached_at_its_price_and_not_before(
    rig: ExchangeRig, side: str, kind: str, trigger: str
):
    algo = rig.algo(side, kind, trigger_price=trigger, quantity="0.1", client_algo_id="c-1")
    before, at = TRIGGERS[side, kind, trigger]
    trade_at(rig, before)
    assert rig.heard.words() == ["algo NEW"]
    trade_at(rig, at)
    assert rig.heard.words() == [
        "algo TRIGGERING",
        "NEW/NEW",
        "account ORDER",
        "TRADE/FILLED",
        "algo TRIGGERED",
        "algo FINISHED",
    ]
    done = order_queries.algo_order(rig.state, "a", algo.algo_id, None)
    child = order_queries.order(rig.state, "a", SYMBOL, None, "c-1")
    assert (child.type, child.orig_type, child.algo_id) == ("MARKET", kind, algo.algo_id)
    assert (done.actual_order_id, done.actual_type) == (child.order_id, "MARKET")
    assert (done.actual_qty, done.actual_price) == (D("0.100"), child.average_price)


def test_conditional_ids_live_in_their_own_space(rig: ExchangeRig):
    algo = rig.ex.submit_algo("a", STOP_SELL, rig.now)
    assert algo.algo_id > 1_000_000_000_000_000
    assert algo.actual_order_id == 0


def test_a_mark_price_trigger_ignores_trades(rig: ExchangeRig):
    rig.algo("SELL", "STOP_MARKET", trigger_price="49900", quantity="0.1", working_type="MARK_PRICE")
    trade_at(rig, 49800)
    assert rig.heard.words() == ["algo NEW"]
    rig.mark("49900")
    assert rig.heard.words()[0] == "algo TRIGGERING"


def test_a_stop_limit_rests_after_its_trigger_and_finishes_when_filled(rig: ExchangeRig):
    algo = rig.algo("SELL", "STOP", trigger_price="49900", price="50000.5", quantity="0.1")
    trade_at(rig, 49900)
    child = order_queries.open_orders(rig.state, "a")[0]
    assert child.client_order_id == algo.client_algo_id
    assert order_queries.algo_order(rig.state, "a", algo.algo_id, None).algo_status == "TRIGGERED"
    rig.heard.words()
    rig.ex.cancel("a", SYMBOL, child.order_id, None, rig.now)
    assert rig.heard.words() == ["CANCELED/CANCELED", "algo FINISHED"]


def test_a_waiting_order_reserves_nothing_and_a_poor_one_is_rejected_at_its_trigger(rig: ExchangeRig):
    free = rig.available()
    algo = rig.algo("BUY", "STOP_MARKET", trigger_price="50100", quantity="100")
    assert rig.available() == free
    trade_at(rig, 50100)
    done = order_queries.algo_order(rig.state, "a", algo.algo_id, None)
    assert (done.algo_status, done.reject_reason) == ("REJECTED", "Margin is insufficient.")
    assert rig.heard.words() == ["algo NEW", "algo TRIGGERING", "algo REJECTED"]
    assert history_queries.all_orders(rig.state, "a", SYMBOL, rig.now) == []


def test_a_reduce_only_stop_without_a_position_is_rejected_at_its_trigger(rig: ExchangeRig):
    algo = rig.ex.submit_algo("a", replace(STOP_SELL, reduce_only=True), rig.now)
    trade_at(rig, 49900)
    assert (
        order_queries.algo_order(rig.state, "a", algo.algo_id, None).reject_reason
        == "ReduceOnly Order is rejected."
    )


def test_cancelling_ends_the_wait(rig: ExchangeRig):
    algo = rig.ex.submit_algo("a", replace(STOP_SELL, client_algo_id="s1"), rig.now)
    assert rig.ex.cancel_algo("a", None, "s1", rig.now).algo_status == "CANCELED"
    with refused(-2011):
        rig.ex.cancel_algo("a", algo.algo_id, None, rig.now)
    trade_at(rig, 49000)
    assert rig.heard.words() == ["algo NEW", "algo CANCELED"]


def test_cancel_all_spares_ordinary_orders(rig: ExchangeRig):
    rig.limit("BUY", "0.1", "49000")
    rig.ex.submit_algo("a", STOP_SELL, rig.now)
    assert len(rig.ex.cancel_all_algo("a", SYMBOL, rig.now)) == 1
    assert (
        len(order_queries.open_orders(rig.state, "a")),
        order_queries.open_algo_orders(rig.state, "a"),
    ) == (1, [])


def test_close_position_closes_what_is_held_at_the_trigger(rig: ExchangeRig):
    rig.market("BUY", "0.3")
    algo = rig.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    rig.market("BUY", "0.2")
    trade_at(rig, 49900)
    child = order_queries.order(rig.state, "a", SYMBOL, None, algo.client_algo_id)
    assert (child.orig_qty, child.close_position, rig.amount()) == (D("0.500"), True, 0)


def test_one_stop_and_one_take_profit_may_close_a_position(rig: ExchangeRig):
    rig.market("BUY", "0.1")
    stop = rig.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    rig.algo("SELL", "TAKE_PROFIT_MARKET", trigger_price="50900", close_position=True)
    rig.algo("BUY", "STOP_MARKET", trigger_price="50900", close_position=True)
    rig.algo("SELL", "STOP_MARKET", trigger_price="49800", close_position=True, account="b")
    rig.algo("SELL", "STOP_MARKET", trigger_price="49800", quantity="0.1")
    with refused(-4130):
        rig.algo("SELL", "STOP_MARKET", trigger_price="49800", close_position=True)
    rig.ex.cancel_algo("a", stop.algo_id, None, rig.now)
    rig.algo("SELL", "STOP_MARKET", trigger_price="49800", close_position=True)


def test_an_order_good_till_its_position_ends_needs_a_position_or_an_open_order(rig: ExchangeRig):
    tied = {"trigger_price": "49900", "quantity": "0.1", "time_in_force": "GTE_GTC"}
    with refused(-4509):
        rig.algo("SELL", "STOP_MARKET", **tied)
    entry = rig.limit("BUY", "0.1", "49500")
    rig.algo("SELL", "STOP_MARKET", **tied)
    rig.ex.cancel("a", SYMBOL, entry.order_id, None, rig.now)
    rig.market("BUY", "0.1")
    rig.algo("SELL", "STOP_MARKET", **tied)


def test_close_position_expires_with_its_position(rig: ExchangeRig):
    rig.market("BUY", "0.3")
    algo = rig.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    rig.market("SELL", "0.3")
    assert order_queries.algo_order(rig.state, "a", algo.algo_id, None).algo_status == "EXPIRED"


def test_an_order_good_till_its_position_ends_expires_with_it(rig: ExchangeRig):
    rig.market("BUY", "0.3")
    algo = rig.algo(
        "SELL",
        "STOP_MARKET",
        trigger_price="49900",
        quantity="0.3",
        reduce_only=True,
        time_in_force="GTE_GTC",
    )
    rig.market("SELL", "0.3")
    assert order_queries.algo_order(rig.state, "a", algo.algo_id, None).algo_status == "EXPIRED"


def test_price_protection_waits_while_last_and_mark_differ(rig: ExchangeRig):
    rig.ex.set_spec(replace(rig.state.specs[SYMBOL], trigger_protect=D("0.001")), rig.now)
    rig.ex.submit_algo("a", replace(STOP_SELL, price_protect=True), rig.now)
    trade_at(rig, 49900)
    assert rig.heard.words() == ["algo NEW"]
    rig.mark("49930")
    trade_at(rig, 49900)
    assert rig.heard.words()[0] == "algo TRIGGERING"


@pytest.mark.parametrize(("side", "price"), [("SELL", "49950"), ("BUY", "50050")])
def test_price_protection_lets_a_difference_of_just_the_share_of_the_mark_trigger(
    rig: ExchangeRig, side: str, price: str
):
    rig.ex.set_spec(replace(rig.state.specs[SYMBOL], trigger_protect=D("0.001")), rig.now)
    rig.algo(side, "STOP_MARKET", trigger_price=price, quantity="0.1", price_protect=True)
    beyond = D("0.1") if side == "BUY" else D("-0.1")
    rig.ex.print_trade(SYMBOL, int((D(price) + beyond) * 10), 1, buyer_is_maker=False, now_ms=rig.now)
    rig.ex.after_market(SYMBOL, rig.now)
    assert rig.heard.words() == ["algo NEW"]
    trade_at(rig, int(price))
    assert rig.heard.words()[0] == "algo TRIGGERING"


def test_price_protection_does_not_wait_for_a_first_trade(rig: ExchangeRig):
    eth = "ETHUSDT"
    rig.ex.book(eth).add("BUY", 299_900, 10_000)
    rig.ex.set_mark_price(eth, D(3000), rig.now)
    stop = replace(STOP_SELL, symbol=eth, quantity=D(1), trigger_price=D(2990), price_protect=True)
    rig.ex.submit_algo("a", replace(stop, working_type="MARK_PRICE"), rig.now)
    rig.ex.set_mark_price(eth, D(2990), rig.now)
    assert rig.heard.words()[:2] == ["algo NEW", "algo TRIGGERING"]


def test_a_position_that_another_trigger_of_the_batch_has_closed_leaves_nothing_to_close(rig: ExchangeRig):
    rig.market("BUY", "0.3")
    stop = rig.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True)
    target = rig.algo("SELL", "TAKE_PROFIT_MARKET", trigger_price="50100", close_position=True)
    rig.heard.events.clear()
    for ticks in (499_000, 501_000):
        rig.ex.print_trade(SYMBOL, ticks, 1, buyer_is_maker=False, now_ms=rig.now)
    rig.ex.after_market(SYMBOL, rig.now)
    assert rig.amount() == 0
    assert rig.heard.words()[-2:] == ["algo TRIGGERING", "algo EXPIRED"]
    assert order_queries.algo_order(rig.state, "a", stop.algo_id, None).algo_status == "FINISHED"
    late = order_queries.algo_order(rig.state, "a", target.algo_id, None)
    assert (late.algo_status, late.actual_order_id, late.reject_reason) == ("EXPIRED", 0, "")


def test_a_trailing_stop_follows_the_best_price_after_its_activation(rig: ExchangeRig):
    algo = rig.algo("SELL", "TRAILING_STOP_MARKET", callback_rate="1", activate_price="50500", quantity="0.1")
    assert not algo.is_activated
    trade_at(rig, 49000)
    assert rig.heard.words() == ["algo NEW"]
    trade_at(rig, 50500)
    assert rig.heard.words() == ["algo NEW"]
    assert order_queries.algo_order(rig.state, "a", algo.algo_id, None).is_activated
    trade_at(rig, 51000)
    trade_at(rig, 50491)
    assert rig.heard.words() == []
    trade_at(rig, 50490)
    assert rig.heard.words()[0] == "algo TRIGGERING"


def test_a_trailing_stop_without_activation_price_follows_from_the_start(rig: ExchangeRig):
    algo = rig.algo("BUY", "TRAILING_STOP_MARKET", callback_rate="0.5", quantity="0.1")
    assert rig.heard.words() == ["algo NEW", "algo NEW"]
    trade_at(rig, 49000)
    trade_at(rig, 49244)
    assert order_queries.algo_order(rig.state, "a", algo.algo_id, None).algo_status == "NEW"
    trade_at(rig, 49245)
    assert order_queries.algo_order(rig.state, "a", algo.algo_id, None).algo_status == "FINISHED"


def test_a_touch_inside_a_batch_triggers(rig: ExchangeRig):
    rig.ex.submit_algo("a", STOP_SELL, rig.now)
    for ticks in (499_500, 498_990, 500_200):
        rig.ex.print_trade(SYMBOL, ticks, 1, buyer_is_maker=False, now_ms=rig.now)
    rig.ex.after_market(SYMBOL, rig.now)
    assert "algo FINISHED" in rig.heard.words()


def test_a_childs_trades_trigger_the_next_order_in_the_same_step(rig: ExchangeRig):
    rig.algo("SELL", "STOP_MARKET", trigger_price="49998.5", quantity="1.5")
    second = rig.algo("SELL", "STOP_MARKET", trigger_price="49998", quantity="0.1")
    rig.take("SELL", 1)
    assert order_queries.algo_order(rig.state, "a", second.algo_id, None).algo_status == "NEW"
    trade_at(rig, 49998)
    assert order_queries.algo_order(rig.state, "a", second.algo_id, None).algo_status == "FINISHED"


def test_conditional_orders_trigger_oldest_first(rig: ExchangeRig):
    first = rig.algo("SELL", "STOP_MARKET", trigger_price="49900", quantity="0.1")
    second = rig.algo("SELL", "STOP_MARKET", trigger_price="49950", quantity="0.1", account="b")
    trade_at(rig, 49000)
    ids = [
        order_queries.algo_order(rig.state, o, a.algo_id, None).actual_order_id
        for o, a in (("a", first), ("b", second))
    ]
    assert ids == sorted(ids)


def test_a_dated_stop_limit_expires(rig: ExchangeRig):
    algo = rig.algo(
        "SELL",
        "STOP",
        trigger_price="49900",
        price="49900",
        quantity="0.1",
        time_in_force="GTD",
        good_till_date=rig.now + 700_000,
    )
    rig.advance(700_000)
    assert order_queries.algo_order(rig.state, "a", algo.algo_id, None).algo_status == "EXPIRED"


def test_all_conditional_orders_are_listed_from_an_id_on(rig: ExchangeRig):
    ids = [rig.ex.submit_algo("a", STOP_SELL, rig.now).algo_id for _ in range(3)]
    listed = history_queries.all_algo_orders(rig.state, "a", SYMBOL, rig.now, algo_id=ids[1])
    assert [algo.algo_id for algo in listed] == ids[1:]
    with refused(-2013):
        order_queries.algo_order(rig.state, "b", ids[0], None)


def test_the_protective_values_of_the_default_symbols_are_sane():
    for spec in default_symbols().values():
        assert 0 < spec.trigger_protect < 1
        assert spec.min_price % spec.tick_size == 0
