"""What one fill leaves behind at the exchange: history, prices of the position, margin of each side."""

from dataclasses import replace

import pytest

from gateways.simulator.api.formats.events import order_trade_update
from gateways.simulator.api.formats.orders import user_trade
from gateways.simulator.exchange import account_queries, history_queries, order_queries
from gateways.simulator.exchange.model.orders import OrderRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import NOW, SYMBOL, D, ExchangeRig, refused

TICK = D("0.1")


def row(rig: ExchangeRig, side: str = "BOTH"):
    return next(
        one for one in account_queries.position_rows(rig.state, "a", SYMBOL) if one.position_side == side
    )


def buy_eth(rig: ExchangeRig, qty: str, price: str = "2000") -> None:
    rig.ex.set_mark_price("ETHUSDT", D(price), rig.now)
    book = rig.ex.book("ETHUSDT")
    book.add("SELL", int(D(price) * 100), 100_000)
    rig.ex.submit("a", OrderRequest("ETHUSDT", "BUY", "MARKET", quantity=D(qty)), rig.now)


def test_a_fill_is_kept_whole_in_the_history():
    rig = ExchangeRig()
    rig.market("BUY", "0.4")
    rig.advance(1_000)
    rig.market("SELL", "0.4")
    bought, sold = history_queries.user_trades(rig.state, "a", SYMBOL, rig.now)
    assert (bought.price, bought.qty_base, bought.quote_qty) == (50001, D("0.4"), D("20000.4"))
    assert (bought.realized_pnl, bought.commission, bought.commission_asset) == (0, D("10.0002"), "USDT")
    assert (bought.is_buyer, bought.is_maker, bought.side, bought.time_ms) == (True, False, "BUY", NOW)
    assert (sold.price, sold.realized_pnl, sold.commission) == (49999, D("-0.8"), D("9.9998"))
    assert (sold.is_buyer, sold.side, sold.time_ms) == (False, "SELL", NOW + 1_000)


def test_a_rebate_is_paid_to_the_maker_and_stays_negative_on_every_path():
    spec = replace(default_symbols()[SYMBOL], maker_fee=D("-0.0001"))
    rig = ExchangeRig(spec=spec)
    rig.limit("BUY", "1", "50000")
    before = account_queries.account_summary(rig.state, "a").total.wallet_balance
    rig.take("SELL", 1_000)
    rebate = D("5.00000000")
    (bought,) = history_queries.user_trades(rig.state, "a", SYMBOL, rig.now)
    assert (bought.is_maker, bought.commission) == (True, -rebate)
    assert account_queries.account_summary(rig.state, "a").total.wallet_balance == before + rebate
    (income,) = history_queries.income(rig.state, "a", rig.now, income_type="COMMISSION")
    assert income.income == rebate
    (fill,) = [one for one in rig.heard.order_events() if one.fill is not None]
    assert order_trade_update(spec, fill, rig.now)["o"]["n"] == "-5.00000000"
    assert user_trade(spec, bought)["commission"] == "-5.00000000"


def test_a_fill_and_an_end_bear_the_time_at_which_they_happened():
    rig = ExchangeRig()
    order = rig.limit("BUY", "1", "49000")
    rig.advance(500)
    opened = rig.market("BUY", "0.1")
    assert row(rig).update_time_ms == opened.update_time_ms == NOW + 500
    rig.advance(500)
    rig.ex.cancel("a", SYMBOL, order.order_id, None, rig.now)
    assert order_queries.order(rig.state, "a", SYMBOL, order.order_id, None).update_time_ms == NOW + 1_000


def test_the_break_even_price_carries_every_commission_since_the_position_was_opened():
    rig = ExchangeRig()
    rig.market("BUY", "1")
    rig.market("BUY", "1")
    fees = D("0.0005") * (50001 + 50002)
    assert row(rig).break_even_price == (50001 + 50002 + fees) / 2
    rig.market("SELL", "2")
    rig.market("SELL", "1")
    opened = row(rig)
    assert opened.break_even_price == opened.entry_price - D("0.0005") * opened.entry_price


def test_a_filled_order_is_no_longer_in_the_book():
    rig = ExchangeRig()
    rig.limit("BUY", "0.1", "50000")
    assert rig.take("SELL", 100) == 0
    assert rig.state.market(SYMBOL).entries == {}
    assert rig.ex.book(SYMBOL).best_bid() == 499_990


def test_recorded_liquidity_at_the_very_price_of_an_order_fills_it():
    for side, other in (("BUY", "SELL"), ("SELL", "BUY")):
        rig = ExchangeRig()
        order = rig.limit(side, "0.1", "50000")
        rig.ex.book(SYMBOL).set_level(other, 500_000, 40)
        rig.ex.after_market(SYMBOL, rig.now)
        assert order_queries.order(rig.state, "a", SYMBOL, order.order_id, None).executed_qty == D("0.040")


def test_a_recorded_trade_without_a_number_gets_the_next_one():
    rig = ExchangeRig()
    rig.market("BUY", "0.1")
    before = rig.heard.trades[-1].trade_id
    rig.ex.print_trade(SYMBOL, 500_000, 5, buyer_is_maker=True, now_ms=rig.now)
    assert rig.heard.trades[-1].trade_id == before + 1


def test_a_stop_sees_each_price_of_a_sweep_and_not_only_its_last():
    rig = ExchangeRig()
    stop = rig.algo("BUY", "STOP_MARKET", quantity="0.1", trigger_price="50003")
    target = rig.algo("SELL", "TAKE_PROFIT_MARKET", quantity="0.1", trigger_price="50002")
    rig.market("BUY", "2.5", account="b")
    rig.ex.after_market(SYMBOL, rig.now)
    statuses = [
        order_queries.algo_order(rig.state, "a", one.algo_id, None).algo_status for one in (stop, target)
    ]
    assert statuses == ["FINISHED", "FINISHED"]


def test_an_open_loss_lessens_what_new_orders_may_use():
    rig = ExchangeRig(wallet="10000")
    rig.market("BUY", "1")
    rig.mark("48001")
    left = D(10_000) - D("25.0005") - 2_000 - D("2400.05")
    assert rig.available() == left
    with refused(-2019):
        rig.limit("BUY", "2.4", "48000")  # 5,760 of margin; without the loss there would be enough
    assert rig.limit("BUY", "2.3", "48000").status == "NEW"


@pytest.mark.parametrize(("wallet", "accepted"), [("2500", True), ("2499.99999999", False)])
@pytest.mark.parametrize(("side", "position_side"), [("BUY", "LONG"), ("SELL", "SHORT")])
def test_in_hedge_mode_an_order_needs_its_own_sides_margin(
    side: str, position_side: str, wallet: str, *, accepted: bool
):
    rig = ExchangeRig(wallet=wallet)
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    rig.empty_book()
    if accepted:
        assert rig.limit(side, "1", "50000", position_side=position_side).status == "NEW"
        return
    with refused(-2019):
        rig.limit(side, "1", "50000", position_side=position_side)


def test_the_notionals_of_both_hedge_sides_add_up():
    rig = ExchangeRig()
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    rig.limit("BUY", "1", "49000", position_side="LONG")
    rig.limit("SELL", "1", "51000", position_side="SHORT")
    rig.market("BUY", "1", position_side="LONG")
    rig.limit("SELL", "0.5", "52000", position_side="LONG")
    assert (row(rig, "LONG").bid_notional, row(rig, "LONG").ask_notional) == (49000, 51000 + 26000)


def test_a_short_needs_margin_as_a_long_does():
    rig = ExchangeRig()
    rig.market("SELL", "1")
    assert row(rig).position_initial_margin == 2500
    assert row(rig).open_order_initial_margin == 0
    rig.limit("SELL", "1", "51000")
    assert row(rig).open_order_initial_margin == 2550
    assert rig.available() == D(100_000) - D("24.9995") - 1 - 5050


def test_without_a_position_there_is_no_liquidation_price():
    assert row(ExchangeRig()).liquidation_price == 0


def test_an_isolated_position_of_another_symbol_does_not_touch_a_cross_liquidation_price():
    rig = ExchangeRig(wallet="4000")
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("BUY", "1")
    rig.ex.set_margin_type("a", "ETHUSDT", "ISOLATED", rig.now)
    buy_eth(rig, "5")
    rig.ex.set_mark_price("ETHUSDT", D(1990), rig.now)
    wallet = account_queries.account_summary(rig.state, "a").total.cross_wallet_balance
    assert row(rig).liquidation_price == (wallet - 50001) / (D("0.004") - 1)


@pytest.mark.parametrize("other", ["", "isolated"])
def test_the_insurance_fund_takes_over_where_the_positions_own_margin_is_used_up(other: str):
    rig = ExchangeRig(wallet="2000")
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("BUY", "2")
    if other:
        rig.ex.set_margin_type("a", "ETHUSDT", "ISOLATED", rig.now)
        buy_eth(rig, "2")
        rig.ex.set_mark_price("ETHUSDT", D(1990), rig.now)
    summary = account_queries.account_summary(rig.state, "a").total
    backing = summary.cross_wallet_balance
    rig.empty_book()
    rig.mark("48000")
    assert rig.amount() == 0
    exact = (50001 + 50002 - backing) / 2
    assert exact <= rig.heard.forced[-1].average_price < exact + TICK


def test_the_insurance_fund_takes_an_isolated_position_over_at_its_own_bankruptcy():
    rig = ExchangeRig(wallet="5000")
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    rig.market("BUY", "2")
    margin = row(rig).isolated_wallet
    rig.empty_book()
    rig.mark("48000")
    exact = (50001 + 50002 - margin) / 2
    assert exact <= rig.heard.forced[-1].average_price < exact + TICK
