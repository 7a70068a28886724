"""Margin, profit and liquidation prices against numbers computed by hand."""

from dataclasses import replace

import pytest

from gateways.simulator.exchange import account_queries
from gateways.simulator.exchange.model.orders import AmendRequest, OrderRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, refused

BTC_CUMS = [0, 300, 1500, 12000, 132000, 482000, 2982000, 14482000, 26482000, 41482000, 121482000, 421482000]


def row(rig: ExchangeRig, side: str = "BOTH", account: str = "a"):
    rows = account_queries.position_rows(rig.state, account, SYMBOL)
    return next(r for r in rows if r.position_side == side)


def test_bracket_amounts_follow_from_floors_and_ratios():
    spec = default_symbols()[SYMBOL]
    assert [b.cum for b in spec.brackets] == BTC_CUMS
    assert spec.max_notional(125) == 300_000
    assert spec.max_notional(21) == 70_000_000
    assert spec.max_notional(20) == 100_000_000


def test_a_position_reserves_notional_over_leverage():
    rig = ExchangeRig()
    rig.market("BUY", "1")
    total = account_queries.account_summary(rig.state, "a").total
    assert total.wallet_balance == D("99974.9995")
    assert total.unrealized_profit == -1
    assert total.margin_balance == D("99973.9995")
    assert total.position_initial_margin == 2500
    assert total.open_order_initial_margin == 0
    assert total.maint_margin == 200
    assert total.available_balance == D("97473.9995")
    assert total.max_withdraw_amount == D("97473.9995")
    assert (row(rig).entry_price, row(rig).break_even_price) == (50001, D("50026.0005"))


def test_profit_raises_what_is_available_but_not_what_can_be_withdrawn():
    rig = ExchangeRig()
    rig.market("BUY", "1")
    rig.mark("50101")
    total = account_queries.account_summary(rig.state, "a").total
    assert total.unrealized_profit == 100
    assert total.available_balance == D("99974.9995") + 100 - D("2505.05")
    assert total.max_withdraw_amount == total.available_balance - 100


OPEN_ORDERS = {
    "a buy without a position": ([("BUY", "1", "49000")], "2450"),
    "a sell without a position": ([("SELL", "1", "51000")], "2550"),
    "the larger side counts": ([("BUY", "1", "49000"), ("SELL", "1", "51000")], "2550"),
}


@pytest.mark.parametrize("case", OPEN_ORDERS)
def test_open_orders_reserve_the_larger_side(case: str):
    orders, reserved = OPEN_ORDERS[case]
    rig = ExchangeRig()
    for side, qty, price in orders:
        rig.limit(side, qty, price)
    assert account_queries.account_summary(rig.state, "a").total.open_order_initial_margin == D(reserved)


def test_open_orders_beside_a_position():
    rig = ExchangeRig()
    rig.market("BUY", "1")
    rig.limit("SELL", "1", "51000")
    assert row(rig).open_order_initial_margin == 0
    rig.limit("BUY", "1", "49000")
    assert row(rig).open_order_initial_margin == 2450
    assert row(rig).initial_margin == 4950
    assert (row(rig).bid_notional, row(rig).ask_notional) == (49000, 51000)


def test_reduce_only_orders_reserve_nothing():
    rig = ExchangeRig()
    rig.market("BUY", "1")
    rig.limit("SELL", "1", "52000", reduce_only=True)
    assert row(rig).ask_notional == 0


def test_hedge_sides_are_counted_separately():
    rig = ExchangeRig()
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    rig.market("BUY", "1", position_side="LONG")
    rig.market("SELL", "0.4", position_side="SHORT")
    rig.limit("BUY", "1", "49000", position_side="LONG")
    rig.limit("SELL", "0.5", "51000", position_side="LONG")
    rig.limit("SELL", "1", "51000", position_side="SHORT")
    total = account_queries.account_summary(rig.state, "a").total
    assert total.position_initial_margin == 2500 + 1000
    assert total.open_order_initial_margin == 2450 + 2550
    assert (rig.amount(side="LONG"), rig.amount(side="SHORT")) == (1, D("-0.4"))


@pytest.mark.parametrize(("wallet", "accepted"), [("2500", True), ("2499.99999999", False)])
def test_an_order_needs_exactly_its_initial_margin(wallet: str, *, accepted: bool):
    rig = ExchangeRig(wallet=wallet)
    if accepted:
        assert rig.limit("BUY", "1", "50000").status == "NEW"
        return
    with refused(-2019):
        rig.limit("BUY", "1", "50000")


@pytest.mark.parametrize(("wallet", "accepted"), [("3025", True), ("3024.99", False)])
def test_an_order_beyond_the_mark_price_needs_its_open_loss_too(wallet: str, *, accepted: bool):
    rig = ExchangeRig(wallet=wallet)
    rig.empty_book()
    if accepted:
        assert rig.limit("BUY", "1", "50500").status == "NEW"
        return
    with refused(-2019):
        rig.limit("BUY", "1", "50500")


@pytest.mark.parametrize(("wallet", "accepted"), [("2527.300525", True), ("2527.30052499", False)])
def test_a_market_buy_is_reckoned_at_the_ask_plus_five_hundredths_of_a_percent(
    wallet: str, *, accepted: bool
):
    # 50001 * 1.0005 = 50026.0005; margin 2501.300025, open loss 26.0005.
    rig = ExchangeRig(wallet=wallet)
    if accepted:
        assert rig.market("BUY", "1").status == "FILLED"
        return
    with refused(-2019):
        rig.market("BUY", "1")


def test_an_order_that_only_reduces_needs_no_margin():
    rig = ExchangeRig(wallet="2600")
    rig.market("BUY", "1")
    rig.mark("49900")
    assert rig.market("SELL", "1").status == "FILLED"


def test_a_modification_is_charged_only_the_difference():
    rig = ExchangeRig(wallet="2500")
    order = rig.limit("BUY", "1", "50000")
    request = AmendRequest(SYMBOL, "BUY", order_id=order.order_id, quantity=D("0.9"), price=D(50000))
    assert rig.ex.amend("a", request, rig.now).orig_qty == D("0.9")
    with refused(-2019):
        rig.ex.amend("a", replace(request, quantity=D("1.001")), rig.now)


def test_realised_profit_of_a_reduction_leaves_the_entry_price():
    rig = ExchangeRig()
    rig.market("BUY", "2")
    assert row(rig).entry_price == D("50001.5")
    rig.market("SELL", "0.5")
    assert row(rig).entry_price == D("50001.5")
    fill = rig.heard.order_events()[-1].fill
    assert fill.realized_pnl_quote == D("0.5") * (D(49999) - D("50001.5"))


def test_a_flip_closes_first_and_opens_at_the_fill_price():
    rig = ExchangeRig()
    rig.market("BUY", "0.4")
    rig.market("SELL", "1")
    assert (row(rig).position_amt, row(rig).entry_price) == (D("-0.6"), 49999)
    assert rig.heard.order_events()[-1].fill.realized_pnl_quote == D("0.4") * -2


# Liquidation prices.


def test_cross_long():
    rig = ExchangeRig(wallet="1000")
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("BUY", "1")
    expected = (D("974.9995") - 50001) / (D("0.004") - 1)
    assert row(rig).liquidation_price == expected


def test_cross_short():
    rig = ExchangeRig(wallet="1000")
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("SELL", "1")
    assert row(rig).liquidation_price == (D("975.0005") + 49999) / (D("0.004") + 1)


def test_isolated_long():
    rig = ExchangeRig()
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, 10, rig.now)
    rig.market("BUY", "1")
    assert row(rig).isolated_wallet == D("5000.1")
    assert row(rig).isolated_margin == D("4999.1")
    assert row(rig).liquidation_price == (D("5000.1") - 50001) / (D("0.004") - 1)


def test_the_bracket_at_the_liquidation_price_counts():
    rig = ExchangeRig(wallet="12000")
    rig.ex.set_leverage("a", SYMBOL, 50, rig.now)
    rig.market("BUY", "9")
    # At the mark the notional 450,000 is in bracket 2 (0.5 %, cum 300), and so it is at LP.
    cost = sum((D(50000 + n) for n in range(1, 10)), D(0))
    wallet = D(12000) - cost * D("0.0005")
    expected = (wallet + 300 - cost) / (9 * D("0.005") - 9)
    assert row(rig).liquidation_price == expected
    assert D(300_000) < 9 * expected < D(800_000)


def test_a_bracket_that_ends_between_mark_and_liquidation_price_does_not_count():
    rig = ExchangeRig(wallet="200000")
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, 5, rig.now)
    rig.market("BUY", "7")
    # 350,000 at the mark is in bracket 2; 7 * 40,164 = 281,000 at the liquidation price is in bracket 1.
    cost = sum((D(50000 + n) for n in range(1, 8)), D(0))
    assert row(rig).liquidation_price == (cost / 5 - cost) / (7 * D("0.004") - 7)


def test_an_account_too_rich_to_be_liquidated_has_no_liquidation_price():
    rig = ExchangeRig()
    rig.market("BUY", "1")
    assert row(rig).liquidation_price == 0


def test_both_hedge_sides_share_one_cross_liquidation_price():
    rig = ExchangeRig(wallet="1000")
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("BUY", "1", position_side="LONG")
    rig.market("SELL", "0.4", position_side="SHORT")
    wallet = rig.wallet()
    cost = D(50001) - D("0.4") * 49999
    expected = (wallet - cost) / (D("1.4") * D("0.004") - D("0.6"))
    assert row(rig, "LONG").liquidation_price == row(rig, "SHORT").liquidation_price == expected


def test_another_cross_position_changes_the_price():
    rig = ExchangeRig(wallet="4000")
    rig.ex.set_mark_price("ETHUSDT", D(2000), rig.now)
    rig.ex.book("ETHUSDT").add("SELL", 200_000, 10_000)
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("BUY", "1")
    alone = row(rig).liquidation_price
    rig.ex.submit("a", OrderRequest("ETHUSDT", "BUY", "MARKET", quantity=D(5)), rig.now)
    rig.ex.set_mark_price("ETHUSDT", D(1990), rig.now)
    wallet = rig.wallet()
    expected = (wallet - 5 * D(1990) * D("0.004") - 50 - 50001) / (D("0.004") - 1)
    assert row(rig).liquidation_price == expected > alone
