"""Accounts over random trading: money is conserved, and the liquidation price is where liquidation is."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateways.simulator.exchange import account_queries, liquidation
from gateways.simulator.exchange.model.errors import ApiError
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig

SIDES = st.sampled_from(["BUY", "SELL"])
ACTIONS = st.one_of(
    st.tuples(st.just("market"), SIDES, st.integers(1, 3000), st.sampled_from(["LONG", "SHORT"])),
    st.tuples(st.just("limit"), SIDES, st.integers(1, 3000), st.integers(-80, 80)),
    st.tuples(st.just("take"), SIDES, st.integers(1, 4000), st.none()),
    st.tuples(st.just("mark"), st.none(), st.integers(-3000, 3000), st.none()),
    st.tuples(st.just("funding"), st.none(), st.integers(-30, 30), st.none()),
    st.tuples(st.just("margin"), st.none(), st.integers(1, 200), st.sampled_from([1, 2])),
    st.tuples(st.just("refill"), SIDES, st.integers(100, 3000), st.integers(1, 80)),
)
NEAR_MARKS = st.tuples(st.just("mark"), st.none(), st.integers(-1500, -300), st.none())
"""Where a long position of 1 to 2.5 BTC uses up a margin of 1,600."""


def perform(rig: ExchangeRig, action: tuple, *, hedge: bool) -> None:
    kind, side, size, more = action
    qty = str(D(size) / 1000)
    position_side = {"position_side": more} if hedge else {}
    if kind == "market":
        rig.market(side, qty, **position_side)
    elif kind == "limit":
        chosen = {"position_side": "LONG" if size % 2 else "SHORT"} if hedge else {}
        rig.limit(side, qty, str(50_000 + more), **chosen)
    elif kind == "take":
        rig.take(side, size)
    elif kind == "mark":
        rig.mark(str(50_000 + size))
    elif kind == "funding":
        rig.fund_rate(str(D(size) / 10_000))
        rig.advance(8 * 3_600_000)
    elif kind == "margin":
        rig.ex.modify_position_margin("a", SYMBOL, None, D(size), more, rig.now)
    else:
        price = 500_000 + (-10 if side == "BUY" else 10) * more
        rig.ex.market_limit(SYMBOL, side, price, size, rig.now)
        rig.ex.after_market(SYMBOL, rig.now)


@settings(max_examples=150, deadline=None)
@given(
    actions=st.lists(ACTIONS, max_size=40),
    isolated=st.booleans(),
    hedge=st.booleans(),
    leverage=st.sampled_from([3, 20, 100]),
)
def test_every_change_of_the_wallet_is_a_fee_a_profit_or_funding(
    actions: list[tuple], leverage: int, *, isolated: bool, hedge: bool
):
    rig = ExchangeRig(wallet="20000")
    if hedge:
        rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    if isolated:
        rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, leverage, rig.now)
    for action in actions:
        before = rig.wallet()
        told = len(rig.state.user("a").income)
        try:
            perform(rig, action, hedge=hedge)
        except ApiError:
            assert rig.wallet() == before
        user = rig.state.user("a")
        booked = [row.income for row in list(user.income)[told:]]
        assert rig.wallet() == before + sum(booked)
        check_account(rig)


@settings(max_examples=300, deadline=None)
@given(
    actions=st.lists(st.one_of(NEAR_MARKS, ACTIONS), min_size=6, max_size=30),
    isolated=st.booleans(),
    hedge=st.booleans(),
    lots=st.integers(1000, 2500),
)
def test_the_quick_look_at_margins_passes_over_nothing(
    actions: list[tuple], lots: int, *, isolated: bool, hedge: bool
):
    """Without it, where every look is the thorough one, all events are the same."""

    def heard() -> list[object]:
        rig = ExchangeRig(wallet="1600")
        if hedge:
            rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
        if isolated:
            rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
        rig.ex.set_leverage("a", SYMBOL, 100, rig.now)
        for action in [("market", "BUY", lots, "LONG"), *actions]:
            with contextlib.suppress(ApiError):
                perform(rig, action, hedge=hedge)
        return [*rig.heard.events, *rig.heard.forced, rig.wallet(), rig.state.counters]

    quick = heard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(liquidation, "_is_safe", lambda *_: False)
        assert heard() == quick


def check_account(rig: ExchangeRig) -> None:
    """Check all that must hold of account "a" at any moment."""
    summary = account_queries.account_summary(rig.state, "a")
    total = summary.total
    user = rig.state.user("a")
    trades = rig.state.user("a").trades
    held = sum(row.position_amt for row in summary.positions if row.symbol == SYMBOL)
    assert held == sum(t.qty_base if t.is_buyer else -t.qty_base for t in trades)
    assert total.available_balance >= 0
    assert total.max_withdraw_amount <= total.available_balance
    assert total.margin_balance == total.wallet_balance + total.unrealized_profit
    assert total.initial_margin == total.position_initial_margin + total.open_order_initial_margin
    isolated = sum(p.isolated_wallet for p in user.account.positions.values())
    assert total.cross_wallet_balance == total.wallet_balance - isolated
    for position in user.account.positions.values():
        assert position.lots or (position.cost == 0 and position.isolated_wallet == 0)
        assert (position.cost > 0) == (position.lots > 0)
        wrong = {"LONG": -1, "SHORT": 1}.get(position.position_side, 0)
        assert position.lots * wrong <= 0
    cost = sum(p.cost for p in user.account.positions.values())
    income = {}
    for row in user.income:
        income[row.income_type] = income.get(row.income_type, Decimal(0)) + row.income
    paid = sum(t.quote_qty if t.is_buyer else -t.quote_qty for t in trades)
    assert income.get("REALIZED_PNL", Decimal(0)) == cost - paid
    assert -income.get("COMMISSION", Decimal(0)) == sum(t.commission for t in trades)


@settings(max_examples=150, deadline=None)
@given(
    side=SIDES,
    lots=st.one_of(st.integers(20, 9_000), st.integers(6_050, 7_400)),
    leverage=st.sampled_from([5, 20, 50, 100]),
    wallet=st.integers(300, 120_000),
    isolated=st.booleans(),
)
def test_a_position_is_liquidated_at_its_liquidation_price_and_not_before(
    side: str, lots: int, leverage: int, wallet: int, *, isolated: bool
):
    rig = ExchangeRig(wallet=str(wallet))
    if isolated:
        rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.ex.set_leverage("a", SYMBOL, leverage, rig.now)
    try:
        rig.market(side, str(D(lots) / 1000))
    except ApiError:
        assume(False)
    price = account_queries.position_rows(rig.state, "a", SYMBOL)[0].liquidation_price
    assume(rig.amount() and price)
    safer = 1 if side == "BUY" else -1
    amount = rig.amount()
    rig.mark(str(price + safer * D("0.001")))
    assert rig.amount() == amount
    rig.mark(str(price - safer * D("0.001")))
    assert abs(rig.amount()) < abs(amount)


@settings(max_examples=100, deadline=None)
@given(
    long=st.integers(20, 1_500),
    short=st.integers(20, 1_500),
    wallet=st.integers(500, 8_000),
)
def test_two_hedge_sides_are_liquidated_at_their_common_price(long: int, short: int, wallet: int):
    assume(long != short)
    rig = ExchangeRig(wallet=str(wallet))
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    try:
        rig.market("BUY", str(D(long) / 1000), position_side="LONG")
        rig.market("SELL", str(D(short) / 1000), position_side="SHORT")
    except ApiError:
        assume(False)
    price = account_queries.position_rows(rig.state, "a", SYMBOL)[1].liquidation_price
    assume(price)
    assert account_queries.position_rows(rig.state, "a", SYMBOL)[2].liquidation_price == price
    safer = 1 if price < 50_000 else -1
    held = (rig.amount(side="LONG"), rig.amount(side="SHORT"))
    rig.mark(str(price + safer * D("0.01")))
    assert (rig.amount(side="LONG"), rig.amount(side="SHORT")) == held
    rig.mark(str(price - safer * D("0.01")))
    assert (rig.amount(side="LONG"), rig.amount(side="SHORT")) != held
