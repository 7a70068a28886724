"""What order, trade and income queries remember and return."""

from gateways.simulator.exchange import account_queries, history_queries, order_queries
from gateways.simulator.exchange.model.orders import OrderRequest
from tests.support.simulator_rig import SYMBOL, D, Desk, refused

DAY = 86_400_000


def test_a_cancelled_order_is_forgotten_after_three_days_and_a_filled_one_after_ninety():
    desk = Desk()
    cancelled = desk.limit("BUY", "0.1", "49000")
    desk.ex.cancel("a", SYMBOL, cancelled.order_id, None, desk.now)
    filled = desk.market("BUY", "0.1")
    desk.advance(3 * DAY)
    assert order_queries.order(desk.state, "a", SYMBOL, cancelled.order_id, None).status == "CANCELED"
    desk.advance(1)
    with refused(-2013):
        order_queries.order(desk.state, "a", SYMBOL, cancelled.order_id, None)
    desk.advance(86 * DAY)
    assert order_queries.order(desk.state, "a", SYMBOL, filled.order_id, None).status == "FILLED"
    desk.advance(2 * DAY)
    with refused(-2013):
        order_queries.order(desk.state, "a", SYMBOL, filled.order_id, None)


def test_open_orders_are_remembered_for_ever():
    desk = Desk()
    order = desk.limit("BUY", "0.1", "49000")
    desk.advance(200 * DAY)
    assert order_queries.open_order(desk.state, "a", SYMBOL, order.order_id, None).status == "NEW"


def test_all_orders_come_oldest_first_from_an_id_or_from_a_time():
    desk = Desk()
    ids = []
    for _ in range(5):
        ids.append(desk.limit("BUY", "0.1", "49000").order_id)
        desk.advance(1_000)
    listed = [o.order_id for o in history_queries.all_orders(desk.state, "a", SYMBOL, desk.now)]
    assert listed == ids
    assert [
        o.order_id for o in history_queries.all_orders(desk.state, "a", SYMBOL, desk.now, limit=2)
    ] == ids[-2:]
    assert [
        o.order_id
        for o in history_queries.all_orders(desk.state, "a", SYMBOL, desk.now, order_id=ids[1], limit=2)
    ] == ids[1:3]
    start = desk.now - 3_000
    assert [
        o.order_id for o in history_queries.all_orders(desk.state, "a", SYMBOL, desk.now, start_ms=start)
    ] == ids[2:]
    assert [o.order_id for o in history_queries.all_orders(desk.state, "a", None, desk.now)] == ids
    assert history_queries.all_orders(desk.state, "b", SYMBOL, desk.now) == []


def test_user_trades_are_found_by_order_id_time_and_id():
    desk = Desk()
    first = desk.market("BUY", "1.5")
    desk.advance(10_000)
    desk.market("SELL", "0.5")
    trades = history_queries.user_trades(desk.state, "a", SYMBOL, desk.now)
    assert [t.qty_base for t in trades] == [D("1.000"), D("0.500"), D("0.500")]
    assert [t.is_buyer for t in trades] == [True, True, False]
    assert (
        history_queries.user_trades(desk.state, "a", SYMBOL, desk.now, order_id=first.order_id) == trades[:2]
    )
    assert (
        history_queries.user_trades(desk.state, "a", SYMBOL, desk.now, from_id=trades[1].trade_id)
        == trades[1:]
    )
    assert history_queries.user_trades(desk.state, "a", SYMBOL, desk.now, start_ms=desk.now) == trades[2:]
    assert trades[0].quote_qty == 50001
    assert trades[0].commission == D("25.0005")


def test_income_is_filtered_by_type_symbol_and_time():
    desk = Desk()
    desk.market("BUY", "1")
    desk.market("SELL", "1")
    rows = history_queries.income(desk.state, "a", desk.now)
    assert [r.income_type for r in rows] == ["TRANSFER", "COMMISSION", "REALIZED_PNL", "COMMISSION"]
    assert sum(r.income for r in rows) == desk.wallet()
    pnl = history_queries.income(desk.state, "a", desk.now, income_type="REALIZED_PNL")
    assert [(r.income, r.symbol) for r in pnl] == [(D(-2), SYMBOL)]
    assert pnl[0].trade_id == str(history_queries.user_trades(desk.state, "a", SYMBOL, desk.now)[-1].trade_id)
    assert len({r.tran_id for r in rows}) == 4
    desk.advance(8 * DAY)
    assert history_queries.income(desk.state, "a", desk.now) == []
    assert len(history_queries.income(desk.state, "a", desk.now, start_ms=0)) == 4


def test_answers_are_copies():
    desk = Desk()
    order = desk.limit("BUY", "0.1", "49000")
    order.status = "FILLED"
    assert order_queries.order(desk.state, "a", SYMBOL, order.order_id, None).status == "NEW"


def test_a_checked_order_leaves_no_trace():
    desk = Desk()

    request = OrderRequest(SYMBOL, "BUY", "MARKET", quantity=D("0.1"))
    assert desk.ex.test_order("a", request, desk.now).status == "NEW"
    assert desk.heard.events == []
    assert desk.amount() == 0
    with refused(-2019):
        desk.ex.test_order("a", OrderRequest(SYMBOL, "BUY", "MARKET", quantity=D(50)), desk.now)


def test_adl_quantile_grows_with_the_place_in_the_queue():
    desk = Desk()
    desk.market("BUY", "0.1")
    desk.ex.set_leverage("b", SYMBOL, 50, desk.now)
    desk.market("BUY", "0.1", account="b")
    desk.mark("51000")
    rows = {
        account: account_queries.position_rows(desk.state, account, SYMBOL)[0].adl for account in ("a", "b")
    }
    assert rows == {"a": 2, "b": 4}
