"""What holds for a long holds for a short, and one hedge side leaves the other alone."""

from gateways.simulator.exchange import account_queries, order_queries
from tests.support.simulator_rig import SYMBOL, D, Desk, refused


def row(desk: Desk, side: str = "BOTH"):
    return next(
        one for one in account_queries.position_rows(desk.state, "a", SYMBOL) if one.position_side == side
    )


def status(desk: Desk, order_id: int) -> str:
    return order_queries.order(desk.state, "a", SYMBOL, order_id, None).status


def realised(desk: Desk) -> list[D]:
    return [event.fill.realized_pnl_quote for event in desk.heard.order_events() if event.fill]


def test_a_short_is_bought_back_in_part_and_then_turned():
    desk = Desk()
    desk.market("SELL", "1")
    desk.market("BUY", "0.4")
    assert (row(desk).position_amt, row(desk).entry_price) == (D("-0.6"), 49999)
    desk.market("BUY", "1")
    assert realised(desk) == [0, D("0.4") * -2, D("0.6") * -2, 0]
    assert (row(desk).position_amt, row(desk).entry_price) == (D("0.4"), 50002)


def test_what_is_closed_takes_its_share_of_the_commission_with_it():
    desk = Desk()
    desk.market("BUY", "2")
    before = row(desk).break_even_price
    desk.market("SELL", "0.5")
    paid_for_closing = D("0.0005") * D("0.5") * 49999
    assert row(desk).break_even_price == before + paid_for_closing / D("1.5")
    desk.market("SELL", "1.5")
    desk.ex.book(SYMBOL).set_level("SELL", 500_010, 1_000)
    desk.market("BUY", "1")
    assert row(desk).break_even_price == D("50001") * D("1.0005")


def test_the_reduce_only_buys_of_a_short_keep_the_best_price():
    desk = Desk()
    desk.market("SELL", "0.1")
    near = desk.limit("BUY", "0.05", "49500", reduce_only=True)
    far = desk.limit("BUY", "0.05", "49400", reduce_only=True)
    assert (status(desk, near.order_id), status(desk, far.order_id)) == ("NEW", "NEW")
    desk.market("BUY", "0.03")
    assert (status(desk, near.order_id), status(desk, far.order_id)) == ("NEW", "EXPIRED")
    assert desk.limit("BUY", "0.02", "49600", reduce_only=True).status == "NEW"
    assert status(desk, near.order_id) == "NEW"
    assert desk.limit("BUY", "0.02", "49700", reduce_only=True).status == "NEW"
    assert status(desk, near.order_id) == "EXPIRED"


def test_a_reduce_only_order_needs_a_position_and_may_not_be_larger():
    desk = Desk()
    for side in ("BUY", "SELL"):
        with refused(-2022):
            desk.limit(side, "0.1", "50000", reduce_only=True)
    desk.market("SELL", "0.1")
    with refused(-2022):
        desk.limit("SELL", "0.1", "51000", reduce_only=True)
    with refused(-2022):
        desk.limit("BUY", "0.101", "49000", reduce_only=True)
    assert desk.limit("BUY", "0.1", "49000", reduce_only=True).status == "NEW"


def test_a_turned_position_knocks_out_every_order_that_would_add_to_it():
    desk = Desk()
    desk.market("BUY", "0.1")
    closing = desk.limit("SELL", "0.1", "50500", reduce_only=True)
    desk.market("SELL", "0.3")
    assert desk.amount() == D("-0.2")
    assert status(desk, closing.order_id) == "EXPIRED"


def test_closing_one_hedge_side_leaves_the_orders_of_the_other():
    desk = Desk()
    desk.ex.set_position_mode("a", hedge_mode=True, now_ms=desk.now)
    desk.market("BUY", "0.1", position_side="LONG")
    desk.market("SELL", "0.1", position_side="SHORT")
    of_long = desk.limit("SELL", "0.1", "50500", position_side="LONG")
    of_short = desk.limit("BUY", "0.1", "49500", position_side="SHORT")
    desk.market("SELL", "0.04", position_side="LONG")
    assert (status(desk, of_long.order_id), status(desk, of_short.order_id)) == ("EXPIRED", "NEW")


def test_the_queue_for_deleveraging_goes_by_profit_times_leverage():
    desk = Desk()
    for account in ("c", "d"):
        desk.ex.create_account(account, D(100_000), desk.now)
    desk.ex.set_leverage("c", SYMBOL, 50, desk.now)
    desk.market("SELL", "1", account="b")  # at 49,999
    desk.market("SELL", "0.5", account="c")  # at 49,998, but with more leverage
    desk.market("SELL", "0.5", account="d")  # at 49,998
    desk.mark("49000")
    places = {
        account: account_queries.position_rows(desk.state, account, SYMBOL)[0].adl
        for account in ("b", "c", "d")
    }
    assert places["c"] > places["b"] > places["d"]
