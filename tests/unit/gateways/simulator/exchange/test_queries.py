"""What order, trade and income queries remember and return."""

from gateways.simulator.exchange import account_queries, history_queries, order_queries
from gateways.simulator.exchange.model.orders import OrderRequest
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, refused

DAY = 86_400_000


def test_a_cancelled_order_is_forgotten_after_three_days_and_a_filled_one_after_ninety():
    rig = ExchangeRig()
    cancelled = rig.limit("BUY", "0.1", "49000")
    rig.ex.cancel("a", SYMBOL, cancelled.order_id, None, rig.now)
    filled = rig.market("BUY", "0.1")
    rig.advance(3 * DAY)
    assert order_queries.order(rig.state, "a", SYMBOL, cancelled.order_id, None).status == "CANCELED"
    rig.advance(1)
    with refused(-2013):
        order_queries.order(rig.state, "a", SYMBOL, cancelled.order_id, None)
    rig.advance(86 * DAY)
    assert order_queries.order(rig.state, "a", SYMBOL, filled.order_id, None).status == "FILLED"
    rig.advance(2 * DAY)
    with refused(-2013):
        order_queries.order(rig.state, "a", SYMBOL, filled.order_id, None)


def test_open_orders_are_remembered_for_ever():
    rig = ExchangeRig()
    order = rig.limit("BUY", "0.1", "49000")
    rig.advance(200 * DAY)
    assert order_queries.open_order(rig.state, "a", SYMBOL, order.order_id, None).status == "NEW"


def test_all_orders_come_oldest_first_from_an_id_or_from_a_time():
    rig = ExchangeRig()
    ids = []
    for _ in range(5):
        ids.append(rig.limit("BUY", "0.1", "49000").order_id)
        rig.advance(1_000)
    listed = [o.order_id for o in history_queries.all_orders(rig.state, "a", SYMBOL, rig.now)]
    assert listed == ids
    assert [o.order_id for o in history_queries.all_orders(rig.state, "a", SYMBOL, rig.now, limit=2)] == ids[
        -2:
    ]
    assert [
        o.order_id
        for o in history_queries.all_orders(rig.state, "a", SYMBOL, rig.now, order_id=ids[1], limit=2)
    ] == ids[1:3]
    start = rig.now - 3_000
    assert [
        o.order_id for o in history_queries.all_orders(rig.state, "a", SYMBOL, rig.now, start_ms=start)
    ] == ids[2:]
    assert [o.order_id for o in history_queries.all_orders(rig.state, "a", None, rig.now)] == ids
    assert history_queries.all_orders(rig.state, "b", SYMBOL, rig.now) == []


def test_user_trades_are_found_by_order_id_time_and_id():
    rig = ExchangeRig()
    first = rig.market("BUY", "1.5")
    rig.advance(10_000)
    rig.market("SELL", "0.5")
    trades = history_queries.user_trades(rig.state, "a", SYMBOL, rig.now)
    assert [t.qty_base for t in trades] == [D("1.000"), D("0.500"), D("0.500")]
    assert [t.is_buyer for t in trades] == [True, True, False]
    assert history_queries.user_trades(rig.state, "a", SYMBOL, rig.now, order_id=first.order_id) == trades[:2]
    assert (
        history_queries.user_trades(rig.state, "a", SYMBOL, rig.now, from_id=trades[1].trade_id) == trades[1:]
    )
    assert history_queries.user_trades(rig.state, "a", SYMBOL, rig.now, start_ms=rig.now) == trades[2:]
    assert trades[0].quote_qty == 50001
    assert trades[0].commission == D("25.0005")


def test_income_is_filtered_by_type_symbol_and_time():
    rig = ExchangeRig()
    rig.market("BUY", "1")
    rig.market("SELL", "1")
    rows = history_queries.income(rig.state, "a", rig.now)
    assert [r.income_type for r in rows] == ["TRANSFER", "COMMISSION", "REALIZED_PNL", "COMMISSION"]
    assert sum(r.income for r in rows) == rig.wallet()
    pnl = history_queries.income(rig.state, "a", rig.now, income_type="REALIZED_PNL")
    assert [(r.income, r.symbol) for r in pnl] == [(D(-2), SYMBOL)]
    assert pnl[0].trade_id == str(history_queries.user_trades(rig.state, "a", SYMBOL, rig.now)[-1].trade_id)
    assert len({r.tran_id for r in rows}) == 4
    rig.advance(8 * DAY)
    assert history_queries.income(rig.state, "a", rig.now) == []
    assert len(history_queries.income(rig.state, "a", rig.now, start_ms=0)) == 4


def test_answers_are_copies():
    rig = ExchangeRig()
    order = rig.limit("BUY", "0.1", "49000")
    order.status = "FILLED"
    assert order_queries.order(rig.state, "a", SYMBOL, order.order_id, None).status == "NEW"


def test_a_checked_order_leaves_no_trace():
    rig = ExchangeRig()

    request = OrderRequest(SYMBOL, "BUY", "MARKET", quantity=D("0.1"))
    assert rig.ex.test_order("a", request, rig.now).status == "NEW"
    assert rig.heard.events == []
    assert rig.amount() == 0
    with refused(-2019):
        rig.ex.test_order("a", OrderRequest(SYMBOL, "BUY", "MARKET", quantity=D(50)), rig.now)


def test_adl_quantile_grows_with_the_place_in_the_queue():
    rig = ExchangeRig()
    rig.market("BUY", "0.1")
    rig.ex.set_leverage("b", SYMBOL, 50, rig.now)
    rig.market("BUY", "0.1", account="b")
    rig.mark("51000")
    rows = {
        account: account_queries.position_rows(rig.state, account, SYMBOL)[0].adl for account in ("a", "b")
    }
    assert rows == {"a": 2, "b": 4}
