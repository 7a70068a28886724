"""What holds for a long holds for a short, and one hedge side leaves the other alone."""

from gateways.simulator.exchange import account_queries, order_queries
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, refused


def row(rig: ExchangeRig, side: str = "BOTH"):
    return next(
        one for one in account_queries.position_rows(rig.state, "a", SYMBOL) if one.position_side == side
    )


def status(rig: ExchangeRig, order_id: int) -> str:
    return order_queries.order(rig.state, "a", SYMBOL, order_id, None).status


def realised(rig: ExchangeRig) -> list[D]:
    return [event.fill.realized_pnl_quote for event in rig.heard.order_events() if event.fill]


def test_a_short_is_bought_back_in_part_and_then_turned():
    rig = ExchangeRig()
    rig.market("SELL", "1")
    rig.market("BUY", "0.4")
    assert (row(rig).position_amt, row(rig).entry_price) == (D("-0.6"), 49999)
    rig.market("BUY", "1")
    assert realised(rig) == [0, D("0.4") * -2, D("0.6") * -2, 0]
    assert (row(rig).position_amt, row(rig).entry_price) == (D("0.4"), 50002)


def test_what_is_closed_takes_its_share_of_the_commission_with_it():
    rig = ExchangeRig()
    rig.market("BUY", "2")
    before = row(rig).break_even_price
    rig.market("SELL", "0.5")
    paid_for_closing = D("0.0005") * D("0.5") * 49999
    assert row(rig).break_even_price == before + paid_for_closing / D("1.5")
    rig.market("SELL", "1.5")
    rig.ex.book(SYMBOL).set_level("SELL", 500_010, 1_000)
    rig.market("BUY", "1")
    assert row(rig).break_even_price == D("50001") * D("1.0005")


def test_the_reduce_only_buys_of_a_short_keep_the_best_price():
    rig = ExchangeRig()
    rig.market("SELL", "0.1")
    near = rig.limit("BUY", "0.05", "49500", reduce_only=True)
    far = rig.limit("BUY", "0.05", "49400", reduce_only=True)
    assert (status(rig, near.order_id), status(rig, far.order_id)) == ("NEW", "NEW")
    rig.market("BUY", "0.03")
    assert (status(rig, near.order_id), status(rig, far.order_id)) == ("NEW", "EXPIRED")
    assert rig.limit("BUY", "0.02", "49600", reduce_only=True).status == "NEW"
    assert status(rig, near.order_id) == "NEW"
    assert rig.limit("BUY", "0.02", "49700", reduce_only=True).status == "NEW"
    assert status(rig, near.order_id) == "EXPIRED"


def test_a_reduce_only_order_needs_a_position_and_may_not_be_larger():
    rig = ExchangeRig()
    for side in ("BUY", "SELL"):
        with refused(-2022):
            rig.limit(side, "0.1", "50000", reduce_only=True)
    rig.market("SELL", "0.1")
    with refused(-2022):
        rig.limit("SELL", "0.1", "51000", reduce_only=True)
    with refused(-2022):
        rig.limit("BUY", "0.101", "49000", reduce_only=True)
    assert rig.limit("BUY", "0.1", "49000", reduce_only=True).status == "NEW"


def test_a_turned_position_knocks_out_every_order_that_would_add_to_it():
    rig = ExchangeRig()
    rig.market("BUY", "0.1")
    closing = rig.limit("SELL", "0.1", "50500", reduce_only=True)
    rig.market("SELL", "0.3")
    assert rig.amount() == D("-0.2")
    assert status(rig, closing.order_id) == "EXPIRED"


def test_closing_one_hedge_side_leaves_the_orders_of_the_other():
    rig = ExchangeRig()
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    rig.market("BUY", "0.1", position_side="LONG")
    rig.market("SELL", "0.1", position_side="SHORT")
    of_long = rig.limit("SELL", "0.1", "50500", position_side="LONG")
    of_short = rig.limit("BUY", "0.1", "49500", position_side="SHORT")
    rig.market("SELL", "0.04", position_side="LONG")
    assert (status(rig, of_long.order_id), status(rig, of_short.order_id)) == ("EXPIRED", "NEW")


def test_the_queue_for_deleveraging_goes_by_profit_times_leverage():
    rig = ExchangeRig()
    for account in ("c", "d"):
        rig.ex.create_account(account, D(100_000), rig.now)
    rig.ex.set_leverage("c", SYMBOL, 50, rig.now)
    rig.market("SELL", "1", account="b")  # at 49,999
    rig.market("SELL", "0.5", account="c")  # at 49,998, but with more leverage
    rig.market("SELL", "0.5", account="d")  # at 49,998
    rig.mark("49000")
    places = {
        account: account_queries.position_rows(rig.state, account, SYMBOL)[0].adl
        for account in ("b", "c", "d")
    }
    assert places["c"] > places["b"] > places["d"]
