"""Liquidation: who is liquidated, at what price, who pays; margin calls and ADL."""

from decimal import Decimal

import pytest

from gateways.simulator.exchange import account_queries, history_queries, order_queries
from gateways.simulator.exchange.model.events import MarginCallEvent
from gateways.simulator.exchange.model.orders import OrderRequest
from gateways.simulator.exchange.model.symbols import make_brackets
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig


def long_at_the_edge(*, isolated: bool = False, wallet: str = "1000") -> ExchangeRig:
    """Account "a" is long 1 BTC at 50,001 with 125x leverage."""
    rig = ExchangeRig(wallet=wallet)
    if isolated:
        rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("BUY", "1")
    rig.heard.events.clear()
    return rig


def test_nothing_happens_above_the_liquidation_price():
    rig = long_at_the_edge()
    rig.mark("49222.90")
    assert rig.amount() == 1


def test_below_it_the_position_is_closed_in_the_book():
    rig = long_at_the_edge()
    rig.limit("BUY", "0.01", "49000")
    rig.heard.events.clear()
    rig.mark("49222.89")
    assert rig.amount() == 0
    assert rig.heard.words() == [
        "EXPIRED/EXPIRED er=5",
        "NEW/NEW er=5",
        "account ORDER",
        "TRADE/FILLED",
        "account INSURANCE_CLEAR",
    ]
    forced = rig.heard.forced[0]
    assert forced.order.client_order_id.startswith("autoclose-")
    assert (forced.order.time_in_force, forced.average_price) == ("IOC", 49999)
    assert forced.order.price == D("49026.1")
    fee = D("0.0125") * 49999
    assert rig.wallet() == D("974.9995") - 2 - fee


def test_without_a_book_the_insurance_fund_takes_over_at_the_bankruptcy_price():
    rig = long_at_the_edge()
    rig.empty_book()
    fund = rig.state.counters.insurance_fund
    rig.mark("49000")
    assert (rig.amount(), rig.wallet()) == (0, 0)
    assert rig.heard.words() == [
        "NEW/NEW er=5",
        "account ORDER",
        "CALCULATED/FILLED er=5",
        "account INSURANCE_CLEAR",
    ]
    assert rig.heard.trades[-1].insurance
    loss = D("49026.1") - 49000
    assert rig.state.counters.insurance_fund == fund - loss + D("0.0995")


def test_the_clearance_fee_goes_to_the_insurance_fund():
    rig = long_at_the_edge()
    fund = rig.state.counters.insurance_fund
    rig.mark("49222.89")
    assert rig.heard.forced[0].average_price == 49999
    assert rig.state.counters.insurance_fund == fund + D("0.0125") * 49999


def test_taking_over_above_the_bankruptcy_price_neither_costs_nor_pays_the_fund():
    rig = long_at_the_edge()
    rig.empty_book()
    fund = rig.state.counters.insurance_fund
    rig.mark("49200")
    assert rig.heard.forced[0].average_price == D("49026.1")
    fee = -history_queries.income(rig.state, "a", rig.now)[-1].income
    assert rig.state.counters.insurance_fund == fund + fee


@pytest.mark.parametrize(("short_of", "deleveraged"), [(D(0), False), (D("0.00000001"), True)])
def test_the_fund_takes_over_with_its_last_money_and_not_with_less(short_of: Decimal, deleveraged: bool):
    rig = long_at_the_edge()
    rig.market("SELL", "0.01", account="b")
    rig.empty_book()
    loss = D("49026.1") - 49000
    rig.state.counters.insurance_fund = loss - short_of
    rig.mark("49000")
    assert (rig.amount("b") == 0) is deleveraged
    fee = -history_queries.income(rig.state, "a", rig.now)[-1].income
    assert rig.state.counters.insurance_fund == fee + (loss - short_of if deleveraged else 0)


def test_an_isolated_position_takes_only_its_own_margin():
    rig = long_at_the_edge(isolated=True, wallet="5000")
    rig.empty_book()
    outside = account_queries.account_summary(rig.state, "a").total.cross_wallet_balance
    rig.mark("49000")
    assert rig.amount() == 0
    after = account_queries.account_summary(rig.state, "a").total
    assert after.cross_wallet_balance == after.wallet_balance == outside


def test_isolated_liquidation_leaves_other_symbols_orders_alone():
    rig = long_at_the_edge(isolated=True, wallet="5000")
    rig.ex.book("ETHUSDT").add("BUY", 200_000, 1_000)
    rig.ex.set_mark_price("ETHUSDT", D(2000), rig.now)
    eth = OrderRequest("ETHUSDT", "BUY", "LIMIT", time_in_force="GTC", quantity=D(1), price=D(1990))
    rig.ex.submit("a", eth, rig.now)
    rig.mark("49000")
    assert rig.amount() == 0
    assert len(order_queries.open_orders(rig.state, "a")) == 1


def test_a_short_is_liquidated_upwards():
    rig = ExchangeRig(wallet="1000")
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("SELL", "1")
    rig.mark("50770.91")
    assert rig.amount() == -1
    rig.mark("50770.92")
    assert rig.amount() == 0


def test_an_isolated_position_closed_in_the_book_takes_only_its_own_margin_too():
    rig = long_at_the_edge(isolated=True, wallet="5000")
    rig.empty_book()
    rig.ex.book(SYMBOL).add("BUY", 496_500, 1_000)
    outside = account_queries.account_summary(rig.state, "a").total.cross_wallet_balance
    rig.mark("49000")
    after = account_queries.account_summary(rig.state, "a").total
    left = D("400.008") + D("49650") - D("50001")
    assert after.wallet_balance == outside + left - min(left, D("0.0125") * 49650)


def test_a_wallet_left_below_zero_by_fees_is_filled_up_by_the_fund():
    rig = ExchangeRig(wallet="401.008")
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.limit("BUY", "1", "50001")
    assert account_queries.account_summary(rig.state, "a").total.cross_wallet_balance == D("401.008") - D(
        "400.008"
    ) - D("25.0005")
    rig.empty_book()
    fund = rig.state.counters.insurance_fund
    rig.mark("49000")
    assert rig.wallet() == 0
    assert history_queries.income(rig.state, "a", rig.now)[-1].income == D("24.0005")
    loss = rig.heard.forced[0].average_price - 49000
    rows = history_queries.income(rig.state, "a", rig.now, income_type="INSURANCE_CLEAR")
    assert rig.state.counters.insurance_fund == fund - loss - sum(row.income for row in rows)


def test_when_the_fund_is_empty_opposite_positions_are_deleveraged():
    rig = long_at_the_edge()
    rig.market("SELL", "0.01", account="b")
    rig.empty_book()
    rig.state.counters.insurance_fund = D(0)
    rig.heard.events.clear()
    rig.mark("49000")
    assert (rig.amount("a"), rig.amount("b")) == (0, 0)
    words = rig.heard.words("b")
    assert words == ["NEW/NEW", "account ORDER", "CALCULATED/FILLED er=5"]
    closed = order_queries.order(rig.state, "b", SYMBOL, None, "adl_autoclose")
    assert closed.average_price == D("49026.1")


def test_a_margin_call_is_sent_once_until_the_danger_is_over():
    rig = long_at_the_edge()

    def calls() -> int:
        return sum(isinstance(e, MarginCallEvent) for _, e in rig.heard.events)

    rig.mark("49300")
    assert calls() == 0
    rig.mark("49270")
    rig.mark("49268")
    assert calls() == 1
    rig.mark("50000")
    rig.mark("49268")
    assert calls() == 2
    event = next(e for _, e in rig.heard.events if isinstance(e, MarginCallEvent))
    assert (event.cross_wallet, event.positions[0].margin_type) == (D("974.9995"), "CROSSED")


@pytest.mark.parametrize("mark", ["49222.89", "49100", "48000", "30000"])
def test_wallet_changes_are_explained_to_the_last_digit(mark: str):
    rig = long_at_the_edge()
    rig.mark(mark)
    rows = history_queries.income(rig.state, "a", rig.now, limit=1000)
    assert sum(row.income for row in rows) == rig.wallet() >= 0


STEPS = ((100, 10_000, "0.01"), (20, 100_000, "0.04"))
"""Up to 10,000 a maintenance margin of 1 %, above it 4 % less 300."""


def long_in_the_second_bracket(*, isolated: bool = False) -> ExchangeRig:
    """Account "a" is long 1 BTC at 50,001 with some 5,000 behind it: due at a mark price of 46,589."""
    rig = ExchangeRig(wallet="5000")
    rig.ex.set_brackets(SYMBOL, make_brackets(list(STEPS)), rig.now)
    if isolated:
        rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, 20, rig.now)
    rig.market("BUY", "1")
    if isolated:
        free = account_queries.account_summary(rig.state, "a").total.available_balance
        rig.ex.modify_position_margin("a", SYMBOL, None, free, 1, rig.now)
    rig.heard.events.clear()
    return rig


@pytest.mark.parametrize("isolated", [False, True])
def test_a_large_position_goes_down_to_the_lower_bracket_and_lives_on(isolated: bool):
    rig = long_in_the_second_bracket(isolated=isolated)
    rig.mark("46590")
    assert rig.amount() == 1
    rig.heard.events.clear()
    rig.mark("46589")
    assert rig.amount() == D("0.214")  # 0.214 * 46589 = 9,970, and 0.215 would be above 10,000
    assert rig.heard.words() == ["NEW/NEW er=5", "account ORDER", "TRADE/FILLED", "account INSURANCE_CLEAR"]
    (forced,) = rig.heard.forced
    assert (forced.order.status, forced.order.executed_qty) == ("FILLED", D("0.786"))
    fee = D("0.0125") * D("0.786") * 49999
    assert history_queries.income(rig.state, "a", rig.now, income_type="INSURANCE_CLEAR")[
        0
    ].income == -fee.quantize(D("1e-8"))


def test_what_is_still_short_of_margin_after_the_step_goes_whole():
    rig = long_in_the_second_bracket()
    rig.empty_book()
    rig.ex.book(SYMBOL).add("BUY", 451_000, 1_000)  # the fee of the step takes all that is left
    rig.mark("45100")
    assert rig.amount() == 0
    assert [row.order.executed_qty for row in rig.heard.forced] == [D("0.779"), D("0.221")]
    names = {row.order.client_order_id for row in rig.heard.forced}
    assert len(names) == 2


def test_a_step_that_the_book_does_not_fill_ends_with_the_insurance_fund():
    rig = long_in_the_second_bracket()
    rig.empty_book()
    rig.mark("46589")
    assert rig.amount() == 0
    assert rig.heard.words() == [
        "NEW/NEW er=5",
        "EXPIRED/EXPIRED er=2",
        "NEW/NEW er=5",
        "account ORDER",
        "CALCULATED/FILLED er=5",
        "account INSURANCE_CLEAR",
    ]
    assert len(rig.heard.forced) == 1


def test_a_step_filled_in_part_is_repeated_until_the_margin_suffices():
    rig = long_in_the_second_bracket()
    rig.empty_book()
    rig.ex.book(SYMBOL).add("BUY", 499_990, 300)
    rig.mark("46589")
    assert rig.amount() == D("0.700")
    assert rig.heard.words()[-2:] == ["EXPIRED/EXPIRED er=2", "account INSURANCE_CLEAR"]


def test_a_fill_that_leaves_too_little_margin_is_followed_by_liquidation_at_once():
    rig = ExchangeRig(wallet="100000")
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.mark("49600")  # bought at 50,001 with 400 of margin: 401 lost already
    rig.heard.events.clear()
    rig.market("BUY", "1")
    assert rig.amount() == 0
    assert rig.heard.forced[0].order.executed_qty == 1
