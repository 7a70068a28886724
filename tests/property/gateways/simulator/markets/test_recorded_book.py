"""Accounts' orders in a recorded book: random diffs, crossing ones too, and random printed trades."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.simulator.exchange import order_queries
from gateways.simulator.exchange.model.errors import ApiError
from tests.support.simulator_rig import SYMBOL, ExchangeRig

SIDES = st.sampled_from(["BUY", "SELL"])
OFFSETS = st.integers(-40, 40)
STEPS = st.one_of(
    st.tuples(st.just("set"), SIDES, OFFSETS, st.integers(0, 2_000)),
    st.tuples(st.just("print"), SIDES, OFFSETS, st.integers(1, 3_000)),
    st.tuples(st.just("limit"), SIDES, OFFSETS, st.integers(10, 2_000)),
    st.tuples(st.just("market"), SIDES, st.just(0), st.integers(10, 2_000)),
    st.tuples(st.just("cancel"), SIDES, st.integers(0, 9), st.just(0)),
    st.tuples(st.just("restart"), SIDES, st.just(0), st.just(0)),
)


def perform(rig: ExchangeRig, step: tuple[str, str, int, int], account: str) -> None:
    kind, side, offset, lots = step
    ticks = 500_000 + 5 * offset
    price, qty = (
        str(rig.state.specs[SYMBOL].ticks_to_price(ticks)),
        str(rig.state.specs[SYMBOL].lots_to_qty(lots)),
    )
    book = rig.ex.book(SYMBOL)
    if kind == "set":
        book.set_level(side, ticks, lots)
    elif kind == "print":
        filled = executed(rig)
        rig.ex.print_trade(SYMBOL, ticks, lots, buyer_is_maker=side == "BUY", now_ms=rig.now)
        assert executed(rig) - filled <= lots
    elif kind == "limit":
        rig.limit(side, qty, price, account=account)
    elif kind == "market":
        rig.market(side, qty, account=account)
    elif kind == "cancel":
        orders = order_queries.open_orders(rig.state, account)
        if orders:
            rig.ex.cancel(account, SYMBOL, orders[offset % len(orders)].order_id, None, rig.now)
    else:
        book.clear_anonymous()
    rig.ex.after_market(SYMBOL, rig.now)


def executed(rig: ExchangeRig) -> int:
    """Return the lots filled so far in both accounts."""
    users = (rig.state.user(account) for account in ("a", "b"))
    return sum(order.executed_lots for user in users for order in user.orders.values())


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.tuples(STEPS, st.sampled_from(["a", "b"])), min_size=5, max_size=50))
def test_no_order_stays_crossed_and_every_entry_is_an_open_order(steps: list):
    rig = ExchangeRig(wallet="50000000")
    for step, account in steps:
        try:
            perform(rig, step, account)
        except ApiError as refused:
            assert refused.code in {-2019, -2027, -4131, -4164}  # noqa: PT017 - a step may be refused
        check(rig)


def check(rig: ExchangeRig) -> None:
    book = rig.ex.book(SYMBOL)
    entries = {entry.order_id: entry for side in ("BUY", "SELL") for entry in book.entries(side)}
    orders = {
        order.order_id: order
        for account in ("a", "b")
        for order in order_queries.open_orders(rig.state, account)
    }
    assert {order_id: entry.lots for order_id, entry in entries.items()} == {
        order_id: order.remaining_lots for order_id, order in orders.items()
    }
    for entry in entries.values():
        best = book.best("SELL" if entry.side == "BUY" else "BUY")
        assert best is None or (best > entry.price_ticks if entry.side == "BUY" else best < entry.price_ticks)
        assert entry.ahead >= 0
    for side in ("BUY", "SELL"):
        for ticks, lots in book.levels(side):
            own = sum(e.lots for e in entries.values() if (e.side, e.price_ticks) == (side, ticks))
            assert lots == own + book.anonymous_at(side, ticks) > 0
    for account in ("a", "b"):
        rows = rig.state.user(account).income
        assert sum(row.income for row in rows) == rig.wallet(account)
