"""What one fill leaves behind at the exchange: history, prices of the position, margin of each side."""

from dataclasses import replace

import pytest

from gateways.simulator.api.formats.events import order_trade_update
from gateways.simulator.api.formats.orders import user_trade
from gateways.simulator.exchange import account_queries, history_queries, order_queries
from gateways.simulator.exchange.model.orders import OrderRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import NOW, SYMBOL, D, Desk, refused

TICK = D("0.1")


def row(desk: Desk, side: str = "BOTH"):
    return next(
        one for one in account_queries.position_rows(desk.state, "a", SYMBOL) if one.position_side == side
    )


def buy_eth(desk: Desk, qty: str, price: str = "2000") -> None:
    desk.ex.set_mark_price("ETHUSDT", D(price), desk.now)
    book = desk.ex.book("ETHUSDT")
    book.add("SELL", int(D(price) * 100), 100_000)
    desk.ex.submit("a", OrderRequest("ETHUSDT", "BUY", "MARKET", quantity=D(qty)), desk.now)


def test_a_fill_is_kept_whole_in_the_history():
    desk = Desk()
    desk.market("BUY", "0.4")
    desk.advance(1_000)
    desk.market("SELL", "0.4")
    bought, sold = history_queries.user_trades(desk.state, "a", SYMBOL, desk.now)
    assert (bought.price, bought.qty_base, bought.quote_qty) == (50001, D("0.4"), D("20000.4"))
    assert (bought.realized_pnl, bought.commission, bought.commission_asset) == (0, D("10.0002"), "USDT")
    assert (bought.is_buyer, bought.is_maker, bought.side, bought.time_ms) == (True, False, "BUY", NOW)
    assert (sold.price, sold.realized_pnl, sold.commission) == (49999, D("-0.8"), D("9.9998"))
    assert (sold.is_buyer, sold.side, sold.time_ms) == (False, "SELL", NOW + 1_000)


def test_a_rebate_is_paid_to_the_maker_and_stays_negative_on_every_path():
    spec = replace(default_symbols()[SYMBOL], maker_fee=D("-0.0001"))
    desk = Desk(spec=spec)
    desk.limit("BUY", "1", "50000")
    before = account_queries.account_summary(desk.state, "a").total.wallet_balance
    desk.take("SELL", 1_000)
    rebate = D("5.00000000")
    (bought,) = history_queries.user_trades(desk.state, "a", SYMBOL, desk.now)
    assert (bought.is_maker, bought.commission) == (True, -rebate)
    assert account_queries.account_summary(desk.state, "a").total.wallet_balance == before + rebate
    (income,) = history_queries.income(desk.state, "a", desk.now, income_type="COMMISSION")
    assert income.income == rebate
    (fill,) = [one for one in desk.heard.order_events() if one.fill is not None]
    assert order_trade_update(spec, fill, desk.now)["o"]["n"] == "-5.00000000"
    assert user_trade(spec, bought)["commission"] == "-5.00000000"


def test_a_fill_and_an_end_bear_the_time_at_which_they_happened():
    desk = Desk()
    order = desk.limit("BUY", "1", "49000")
    desk.advance(500)
    opened = desk.market("BUY", "0.1")
    assert row(desk).update_time_ms == opened.update_time_ms == NOW + 500
    desk.advance(500)
    desk.ex.cancel("a", SYMBOL, order.order_id, None, desk.now)
    assert order_queries.order(desk.state, "a", SYMBOL, order.order_id, None).update_time_ms == NOW + 1_000


def test_the_break_even_price_carries_every_commission_since_the_position_was_opened():
    desk = Desk()
    desk.market("BUY", "1")
    desk.market("BUY", "1")
    fees = D("0.0005") * (50001 + 50002)
    assert row(desk).break_even_price == (50001 + 50002 + fees) / 2
    desk.market("SELL", "2")
    desk.market("SELL", "1")
    opened = row(desk)
    assert opened.break_even_price == opened.entry_price - D("0.0005") * opened.entry_price


def test_a_filled_order_is_no_longer_in_the_book():
    desk = Desk()
    desk.limit("BUY", "0.1", "50000")
    assert desk.take("SELL", 100) == 0
    assert desk.state.market(SYMBOL).entries == {}
    assert desk.ex.book(SYMBOL).best_bid() == 499_990


def test_recorded_liquidity_at_the_very_price_of_an_order_fills_it():
    for side, other in (("BUY", "SELL"), ("SELL", "BUY")):
        desk = Desk()
        order = desk.limit(side, "0.1", "50000")
        desk.ex.book(SYMBOL).set_level(other, 500_000, 40)
        desk.ex.after_market(SYMBOL, desk.now)
        assert order_queries.order(desk.state, "a", SYMBOL, order.order_id, None).executed_qty == D("0.040")


def test_a_recorded_trade_without_a_number_gets_the_next_one():
    desk = Desk()
    desk.market("BUY", "0.1")
    before = desk.heard.trades[-1].trade_id
    desk.ex.print_trade(SYMBOL, 500_000, 5, buyer_is_maker=True, now_ms=desk.now)
    assert desk.heard.trades[-1].trade_id == before + 1


def test_a_stop_sees_each_price_of_a_sweep_and_not_only_its_last():
    desk = Desk()
    stop = desk.algo("BUY", "STOP_MARKET", quantity="0.1", trigger_price="50003")
    target = desk.algo("SELL", "TAKE_PROFIT_MARKET", quantity="0.1", trigger_price="50002")
    desk.market("BUY", "2.5", account="b")
    desk.ex.after_market(SYMBOL, desk.now)
    statuses = [
        order_queries.algo_order(desk.state, "a", one.algo_id, None).algo_status for one in (stop, target)
    ]
    assert statuses == ["FINISHED", "FINISHED"]


def test_an_open_loss_lessens_what_new_orders_may_use():
    desk = Desk(wallet="10000")
    desk.market("BUY", "1")
    desk.mark("48001")
    left = D(10_000) - D("25.0005") - 2_000 - D("2400.05")
    assert desk.available() == left
    with refused(-2019):
        desk.limit("BUY", "2.4", "48000")  # 5,760 of margin; without the loss there would be enough
    assert desk.limit("BUY", "2.3", "48000").status == "NEW"


@pytest.mark.parametrize(("wallet", "accepted"), [("2500", True), ("2499.99999999", False)])
@pytest.mark.parametrize(("side", "position_side"), [("BUY", "LONG"), ("SELL", "SHORT")])
def test_in_hedge_mode_an_order_needs_its_own_sides_margin(
    side: str, position_side: str, wallet: str, *, accepted: bool
):
    desk = Desk(wallet=wallet)
    desk.ex.set_position_mode("a", hedge_mode=True, now_ms=desk.now)
    desk.empty_book()
    if accepted:
        assert desk.limit(side, "1", "50000", position_side=position_side).status == "NEW"
        return
    with refused(-2019):
        desk.limit(side, "1", "50000", position_side=position_side)


def test_the_notionals_of_both_hedge_sides_add_up():
    desk = Desk()
    desk.ex.set_position_mode("a", hedge_mode=True, now_ms=desk.now)
    desk.limit("BUY", "1", "49000", position_side="LONG")
    desk.limit("SELL", "1", "51000", position_side="SHORT")
    desk.market("BUY", "1", position_side="LONG")
    desk.limit("SELL", "0.5", "52000", position_side="LONG")
    assert (row(desk, "LONG").bid_notional, row(desk, "LONG").ask_notional) == (49000, 51000 + 26000)


def test_a_short_needs_margin_as_a_long_does():
    desk = Desk()
    desk.market("SELL", "1")
    assert row(desk).position_initial_margin == 2500
    assert row(desk).open_order_initial_margin == 0
    desk.limit("SELL", "1", "51000")
    assert row(desk).open_order_initial_margin == 2550
    assert desk.available() == D(100_000) - D("24.9995") - 1 - 5050


def test_without_a_position_there_is_no_liquidation_price():
    assert row(Desk()).liquidation_price == 0


def test_an_isolated_position_of_another_symbol_does_not_touch_a_cross_liquidation_price():
    desk = Desk(wallet="4000")
    desk.ex.set_leverage("a", SYMBOL, 125, desk.now)
    desk.market("BUY", "1")
    desk.ex.set_margin_type("a", "ETHUSDT", "ISOLATED", desk.now)
    buy_eth(desk, "5")
    desk.ex.set_mark_price("ETHUSDT", D(1990), desk.now)
    wallet = account_queries.account_summary(desk.state, "a").total.cross_wallet_balance
    assert row(desk).liquidation_price == (wallet - 50001) / (D("0.004") - 1)


@pytest.mark.parametrize("other", ["", "isolated"])
def test_the_insurance_fund_takes_over_where_the_positions_own_margin_is_used_up(other: str):
    desk = Desk(wallet="2000")
    desk.ex.set_leverage("a", SYMBOL, 125, desk.now)
    desk.market("BUY", "2")
    if other:
        desk.ex.set_margin_type("a", "ETHUSDT", "ISOLATED", desk.now)
        buy_eth(desk, "2")
        desk.ex.set_mark_price("ETHUSDT", D(1990), desk.now)
    summary = account_queries.account_summary(desk.state, "a").total
    backing = summary.cross_wallet_balance
    desk.empty_book()
    desk.mark("48000")
    assert desk.amount() == 0
    exact = (50001 + 50002 - backing) / 2
    assert exact <= desk.heard.forced[-1].average_price < exact + TICK


def test_the_insurance_fund_takes_an_isolated_position_over_at_its_own_bankruptcy():
    desk = Desk(wallet="5000")
    desk.ex.set_margin_type("a", SYMBOL, "ISOLATED", desk.now)
    desk.ex.set_leverage("a", SYMBOL, 125, desk.now)
    desk.market("BUY", "2")
    margin = row(desk).isolated_wallet
    desk.empty_book()
    desk.mark("48000")
    exact = (50001 + 50002 - margin) / 2
    assert exact <= desk.heard.forced[-1].average_price < exact + TICK
