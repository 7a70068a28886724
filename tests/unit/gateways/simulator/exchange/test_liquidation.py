"""Liquidation: who is liquidated, at what price, who pays; margin calls and ADL."""

from decimal import Decimal

import pytest

from gateways.simulator.exchange import account_queries, history_queries, order_queries
from gateways.simulator.exchange.model.events import MarginCallEvent
from gateways.simulator.exchange.model.orders import OrderRequest
from gateways.simulator.exchange.model.symbols import make_brackets
from tests.support.simulator_rig import SYMBOL, D, Desk


def long_at_the_edge(*, isolated: bool = False, wallet: str = "1000") -> Desk:
    """Account "a" is long 1 BTC at 50,001 with 125x leverage."""
    desk = Desk(wallet=wallet)
    if isolated:
        desk.ex.set_margin_type("a", SYMBOL, "ISOLATED", desk.now)
    desk.ex.set_leverage("a", SYMBOL, 125, desk.now)
    desk.market("BUY", "1")
    desk.heard.events.clear()
    return desk


def test_nothing_happens_above_the_liquidation_price():
    desk = long_at_the_edge()
    desk.mark("49222.90")
    assert desk.amount() == 1


def test_below_it_the_position_is_closed_in_the_book():
    desk = long_at_the_edge()
    desk.limit("BUY", "0.01", "49000")
    desk.heard.events.clear()
    desk.mark("49222.89")
    assert desk.amount() == 0
    assert desk.heard.words() == [
        "EXPIRED/EXPIRED er=5",
        "NEW/NEW er=5",
        "account ORDER",
        "TRADE/FILLED",
        "account INSURANCE_CLEAR",
    ]
    forced = desk.heard.forced[0]
    assert forced.order.client_order_id.startswith("autoclose-")
    assert (forced.order.time_in_force, forced.average_price) == ("IOC", 49999)
    assert forced.order.price == D("49026.1")
    fee = D("0.0125") * 49999
    assert desk.wallet() == D("974.9995") - 2 - fee


def test_without_a_book_the_insurance_fund_takes_over_at_the_bankruptcy_price():
    desk = long_at_the_edge()
    desk.empty_book()
    fund = desk.state.counters.insurance_fund
    desk.mark("49000")
    assert (desk.amount(), desk.wallet()) == (0, 0)
    assert desk.heard.words() == [
        "NEW/NEW er=5",
        "account ORDER",
        "CALCULATED/FILLED er=5",
        "account INSURANCE_CLEAR",
    ]
    assert desk.heard.trades[-1].insurance
    loss = D("49026.1") - 49000
    assert desk.state.counters.insurance_fund == fund - loss + D("0.0995")


def test_the_clearance_fee_goes_to_the_insurance_fund():
    desk = long_at_the_edge()
    fund = desk.state.counters.insurance_fund
    desk.mark("49222.89")
    assert desk.heard.forced[0].average_price == 49999
    assert desk.state.counters.insurance_fund == fund + D("0.0125") * 49999


def test_taking_over_above_the_bankruptcy_price_neither_costs_nor_pays_the_fund():
    desk = long_at_the_edge()
    desk.empty_book()
    fund = desk.state.counters.insurance_fund
    desk.mark("49200")
    assert desk.heard.forced[0].average_price == D("49026.1")
    fee = -history_queries.income(desk.state, "a", desk.now)[-1].income
    assert desk.state.counters.insurance_fund == fund + fee


@pytest.mark.parametrize(("short_of", "deleveraged"), [(D(0), False), (D("0.00000001"), True)])
def test_the_fund_takes_over_with_its_last_money_and_not_with_less(short_of: Decimal, deleveraged: bool):
    desk = long_at_the_edge()
    desk.market("SELL", "0.01", account="b")
    desk.empty_book()
    loss = D("49026.1") - 49000
    desk.state.counters.insurance_fund = loss - short_of
    desk.mark("49000")
    assert (desk.amount("b") == 0) is deleveraged
    fee = -history_queries.income(desk.state, "a", desk.now)[-1].income
    assert desk.state.counters.insurance_fund == fee + (loss - short_of if deleveraged else 0)


def test_an_isolated_position_takes_only_its_own_margin():
    desk = long_at_the_edge(isolated=True, wallet="5000")
    desk.empty_book()
    outside = account_queries.account_summary(desk.state, "a").total.cross_wallet_balance
    desk.mark("49000")
    assert desk.amount() == 0
    after = account_queries.account_summary(desk.state, "a").total
    assert after.cross_wallet_balance == after.wallet_balance == outside


def test_isolated_liquidation_leaves_other_symbols_orders_alone():
    desk = long_at_the_edge(isolated=True, wallet="5000")
    desk.ex.book("ETHUSDT").add("BUY", 200_000, 1_000)
    desk.ex.set_mark_price("ETHUSDT", D(2000), desk.now)
    eth = OrderRequest("ETHUSDT", "BUY", "LIMIT", time_in_force="GTC", quantity=D(1), price=D(1990))
    desk.ex.submit("a", eth, desk.now)
    desk.mark("49000")
    assert desk.amount() == 0
    assert len(order_queries.open_orders(desk.state, "a")) == 1


def test_a_short_is_liquidated_upwards():
    desk = Desk(wallet="1000")
    desk.ex.set_leverage("a", SYMBOL, 125, desk.now)
    desk.market("SELL", "1")
    desk.mark("50770.91")
    assert desk.amount() == -1
    desk.mark("50770.92")
    assert desk.amount() == 0


def test_an_isolated_position_closed_in_the_book_takes_only_its_own_margin_too():
    desk = long_at_the_edge(isolated=True, wallet="5000")
    desk.empty_book()
    desk.ex.book(SYMBOL).add("BUY", 496_500, 1_000)
    outside = account_queries.account_summary(desk.state, "a").total.cross_wallet_balance
    desk.mark("49000")
    after = account_queries.account_summary(desk.state, "a").total
    left = D("400.008") + D("49650") - D("50001")
    assert after.wallet_balance == outside + left - min(left, D("0.0125") * 49650)


def test_a_wallet_left_below_zero_by_fees_is_filled_up_by_the_fund():
    desk = Desk(wallet="401.008")
    desk.ex.set_margin_type("a", SYMBOL, "ISOLATED", desk.now)
    desk.ex.set_leverage("a", SYMBOL, 125, desk.now)
    desk.limit("BUY", "1", "50001")
    assert account_queries.account_summary(desk.state, "a").total.cross_wallet_balance == D("401.008") - D(
        "400.008"
    ) - D("25.0005")
    desk.empty_book()
    fund = desk.state.counters.insurance_fund
    desk.mark("49000")
    assert desk.wallet() == 0
    assert history_queries.income(desk.state, "a", desk.now)[-1].income == D("24.0005")
    loss = desk.heard.forced[0].average_price - 49000
    rows = history_queries.income(desk.state, "a", desk.now, income_type="INSURANCE_CLEAR")
    assert desk.state.counters.insurance_fund == fund - loss - sum(row.income for row in rows)


def test_when_the_fund_is_empty_opposite_positions_are_deleveraged():
    desk = long_at_the_edge()
    desk.market("SELL", "0.01", account="b")
    desk.empty_book()
    desk.state.counters.insurance_fund = D(0)
    desk.heard.events.clear()
    desk.mark("49000")
    assert (desk.amount("a"), desk.amount("b")) == (0, 0)
    words = desk.heard.words("b")
    assert words == ["NEW/NEW", "account ORDER", "CALCULATED/FILLED er=5"]
    closed = order_queries.order(desk.state, "b", SYMBOL, None, "adl_autoclose")
    assert closed.average_price == D("49026.1")


def test_a_margin_call_is_sent_once_until_the_danger_is_over():
    desk = long_at_the_edge()

    def calls() -> int:
        return sum(isinstance(e, MarginCallEvent) for _, e in desk.heard.events)

    desk.mark("49300")
    assert calls() == 0
    desk.mark("49270")
    desk.mark("49268")
    assert calls() == 1
    desk.mark("50000")
    desk.mark("49268")
    assert calls() == 2
    event = next(e for _, e in desk.heard.events if isinstance(e, MarginCallEvent))
    assert (event.cross_wallet, event.positions[0].margin_type) == (D("974.9995"), "CROSSED")


@pytest.mark.parametrize("mark", ["49222.89", "49100", "48000", "30000"])
def test_wallet_changes_are_explained_to_the_last_digit(mark: str):
    desk = long_at_the_edge()
    desk.mark(mark)
    rows = history_queries.income(desk.state, "a", desk.now, limit=1000)
    assert sum(row.income for row in rows) == desk.wallet() >= 0


STEPS = ((100, 10_000, "0.01"), (20, 100_000, "0.04"))
"""Up to 10,000 a maintenance margin of 1 %, above it 4 % less 300."""


def long_in_the_second_bracket(*, isolated: bool = False) -> Desk:
    """Account "a" is long 1 BTC at 50,001 with some 5,000 behind it: due at a mark price of 46,589."""
    desk = Desk(wallet="5000")
    desk.ex.set_brackets(SYMBOL, make_brackets(list(STEPS)), desk.now)
    if isolated:
        desk.ex.set_margin_type("a", SYMBOL, "ISOLATED", desk.now)
    desk.ex.set_leverage("a", SYMBOL, 20, desk.now)
    desk.market("BUY", "1")
    if isolated:
        free = account_queries.account_summary(desk.state, "a").total.available_balance
        desk.ex.modify_position_margin("a", SYMBOL, None, free, 1, desk.now)
    desk.heard.events.clear()
    return desk


@pytest.mark.parametrize("isolated", [False, True])
def test_a_large_position_goes_down_to_the_lower_bracket_and_lives_on(isolated: bool):
    desk = long_in_the_second_bracket(isolated=isolated)
    desk.mark("46590")
    assert desk.amount() == 1
    desk.heard.events.clear()
    desk.mark("46589")
    assert desk.amount() == D("0.214")  # 0.214 * 46589 = 9,970, and 0.215 would be above 10,000
    assert desk.heard.words() == ["NEW/NEW er=5", "account ORDER", "TRADE/FILLED", "account INSURANCE_CLEAR"]
    (forced,) = desk.heard.forced
    assert (forced.order.status, forced.order.executed_qty) == ("FILLED", D("0.786"))
    fee = D("0.0125") * D("0.786") * 49999
    assert history_queries.income(desk.state, "a", desk.now, income_type="INSURANCE_CLEAR")[
        0
    ].income == -fee.quantize(D("1e-8"))


def test_what_is_still_short_of_margin_after_the_step_goes_whole():
    desk = long_in_the_second_bracket()
    desk.empty_book()
    desk.ex.book(SYMBOL).add("BUY", 451_000, 1_000)  # the fee of the step takes all that is left
    desk.mark("45100")
    assert desk.amount() == 0
    assert [row.order.executed_qty for row in desk.heard.forced] == [D("0.779"), D("0.221")]
    names = {row.order.client_order_id for row in desk.heard.forced}
    assert len(names) == 2


def test_a_step_that_the_book_does_not_fill_ends_with_the_insurance_fund():
    desk = long_in_the_second_bracket()
    desk.empty_book()
    desk.mark("46589")
    assert desk.amount() == 0
    assert desk.heard.words() == [
        "NEW/NEW er=5",
        "EXPIRED/EXPIRED er=2",
        "NEW/NEW er=5",
        "account ORDER",
        "CALCULATED/FILLED er=5",
        "account INSURANCE_CLEAR",
    ]
    assert len(desk.heard.forced) == 1


def test_a_step_filled_in_part_is_repeated_until_the_margin_suffices():
    desk = long_in_the_second_bracket()
    desk.empty_book()
    desk.ex.book(SYMBOL).add("BUY", 499_990, 300)
    desk.mark("46589")
    assert desk.amount() == D("0.700")
    assert desk.heard.words()[-2:] == ["EXPIRED/EXPIRED er=2", "account INSURANCE_CLEAR"]


def test_a_fill_that_leaves_too_little_margin_is_followed_by_liquidation_at_once():
    desk = Desk(wallet="100000")
    desk.ex.set_margin_type("a", SYMBOL, "ISOLATED", desk.now)
    desk.ex.set_leverage("a", SYMBOL, 125, desk.now)
    desk.mark("49600")  # bought at 50,001 with 400 of margin: 401 lost already
    desk.heard.events.clear()
    desk.market("BUY", "1")
    assert desk.amount() == 0
    assert desk.heard.forced[0].order.executed_qty == 1
