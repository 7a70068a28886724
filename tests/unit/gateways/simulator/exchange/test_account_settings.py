"""Leverage, margin type, isolated margin, modes: refusals, effects and events."""

from collections.abc import Callable

import pytest

from gateways.simulator.api.formats.account import margin_change
from gateways.simulator.exchange import account_queries, history_queries
from gateways.simulator.exchange.model.events import AccountConfigEvent, AccountEvent
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, refused


def isolated(rig: ExchangeRig) -> None:
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)


def isolated_long(rig: ExchangeRig) -> None:
    isolated(rig)
    rig.market("BUY", "1")


def long(rig: ExchangeRig) -> None:
    rig.market("BUY", "1")


def resting(rig: ExchangeRig) -> None:
    rig.limit("BUY", "0.1", "49000")


def waiting(rig: ExchangeRig) -> None:
    rig.algo("SELL", "STOP_MARKET", trigger_price="49000", quantity="0.1")


def nothing(_: ExchangeRig) -> None:
    pass


def leverage(value: int) -> Callable[[ExchangeRig], object]:
    return lambda d: d.ex.set_leverage("a", SYMBOL, value, d.now)


def margin(amount: str, kind: int, side: str | None = None) -> Callable[[ExchangeRig], object]:
    return lambda d: d.ex.modify_position_margin("a", SYMBOL, side, D(amount), kind, d.now)


ROWS: dict[str, tuple[Callable[[ExchangeRig], None], Callable[[ExchangeRig], object], int]] = {
    "leverage 0": (nothing, leverage(0), -4028),
    "leverage above the maximum": (nothing, leverage(126), -4028),
    "lower leverage, isolated, with a position": (isolated_long, leverage(5), -4161),
    "unknown symbol": (nothing, lambda d: d.ex.set_leverage("a", "X", 5, d.now), -1121),
    "already cross": (nothing, lambda d: d.ex.set_margin_type("a", SYMBOL, "CROSSED", d.now), -4046),
    "margin word": (nothing, lambda d: d.ex.set_margin_type("a", SYMBOL, "CROSS", d.now), -1130),
    "margin type with an order": (
        resting,
        lambda d: d.ex.set_margin_type("a", SYMBOL, "ISOLATED", d.now),
        -4047,
    ),
    "margin type with a position": (
        long,
        lambda d: d.ex.set_margin_type("a", SYMBOL, "ISOLATED", d.now),
        -4048,
    ),
    "margin for cross": (long, margin("1", 1), -4049),
    "margin for nothing": (isolated, margin("1", 1), -4054),
    "margin of zero": (isolated_long, margin("0", 1), -4055),
    "margin kind": (isolated_long, margin("1", 3), -1130),
    "more margin than there is": (isolated_long, margin("99999", 1), -4050),
    "less margin than needed": (isolated_long, margin("2500", 2), -4051),
    "margin for a hedge side": (isolated_long, margin("1", 1, "LONG"), -4061),
    "one-way already": (
        nothing,
        lambda d: d.ex.set_position_mode("a", hedge_mode=False, now_ms=d.now),
        -4059,
    ),
    "hedge with an order": (
        resting,
        lambda d: d.ex.set_position_mode("a", hedge_mode=True, now_ms=d.now),
        -4067,
    ),
    "hedge with a conditional order": (
        waiting,
        lambda d: d.ex.set_position_mode("a", hedge_mode=True, now_ms=d.now),
        -4067,
    ),
    "hedge with a position": (
        long,
        lambda d: d.ex.set_position_mode("a", hedge_mode=True, now_ms=d.now),
        -4068,
    ),
    "single asset already": (
        nothing,
        lambda d: d.ex.set_multi_assets("a", multi_assets=False, now_ms=d.now),
        -4171,
    ),
    "multi assets with isolated": (
        isolated,
        lambda d: d.ex.set_multi_assets("a", multi_assets=True, now_ms=d.now),
        -4167,
    ),
    "multi assets with orders": (
        resting,
        lambda d: d.ex.set_multi_assets("a", multi_assets=True, now_ms=d.now),
        -4170,
    ),
    "withdrawal of too much": (nothing, lambda d: d.ex.deposit("a", D(-100001), d.now), -2018),
}


@pytest.mark.parametrize("row", ROWS, ids=list(ROWS))
def test_a_setting_is_refused_with_the_documented_code(row: str):
    prepare, call, code = ROWS[row]
    rig = ExchangeRig()
    prepare(rig)
    before = account_queries.account_summary(rig.state, "a")
    rig.heard.events.clear()
    with refused(code):
        call(rig)
    assert account_queries.account_summary(rig.state, "a") == before
    assert rig.heard.events == []


def test_isolated_is_refused_in_multi_assets_mode():
    rig = ExchangeRig()
    rig.ex.set_multi_assets("a", multi_assets=True, now_ms=rig.now)
    with refused(-4168):
        isolated(rig)
    event = rig.heard.events[0][1]
    assert isinstance(event, AccountConfigEvent)
    assert event.multi_assets_mode is True


def test_leverage_answers_with_the_largest_notional_and_tells_the_stream():
    rig = ExchangeRig()
    assert rig.ex.set_leverage("a", SYMBOL, 10, rig.now) == 230_000_000
    event = rig.heard.events[0][1]
    assert isinstance(event, AccountConfigEvent)
    assert (event.symbol, event.leverage) == (SYMBOL, 10)
    assert rig.state.user("a").config(SYMBOL).leverage == 10
    assert rig.state.user("b").config(SYMBOL).leverage == 20


def test_leverage_below_what_the_wallet_carries_is_refused():
    rig = ExchangeRig(wallet="5000")
    rig.market("BUY", "1")
    with refused(-2028):
        rig.ex.set_leverage("a", SYMBOL, 5, rig.now)


def test_leverage_below_what_the_position_needs_is_refused():
    rig = ExchangeRig(wallet="1000000")
    rig.market("BUY", "8")
    with refused(-2027):
        rig.ex.set_leverage("a", SYMBOL, 125, rig.now)


def test_a_change_of_margin_type_pushes_the_rows_it_makes():
    rig = ExchangeRig()
    isolated(rig)
    event = rig.heard.events[0][1]
    assert isinstance(event, AccountEvent)
    assert event.reason == "MARGIN_TYPE_CHANGE"
    assert [row.position_side for row in event.positions] == ["BOTH", "LONG", "SHORT"]
    assert {row.margin_type for row in event.positions} == {"isolated"}
    assert rig.state.user("a").config(SYMBOL).isolated


def test_isolated_margin_moves_between_wallet_and_position():
    rig = ExchangeRig()
    isolated_long(rig)
    row = account_queries.position_rows(rig.state, "a", SYMBOL)[0]
    cross = account_queries.account_summary(rig.state, "a").total.cross_wallet_balance
    rig.ex.modify_position_margin("a", SYMBOL, "BOTH", D(100), 1, rig.now)
    after = account_queries.position_rows(rig.state, "a", SYMBOL)[0]
    assert after.isolated_wallet == row.isolated_wallet + 100
    assert after.liquidation_price < row.liquidation_price
    assert account_queries.account_summary(rig.state, "a").total.cross_wallet_balance == cross - 100
    rig.ex.modify_position_margin("a", SYMBOL, None, D(99), 2, rig.now)
    assert account_queries.position_rows(rig.state, "a", SYMBOL)[0].isolated_wallet == row.isolated_wallet + 1


def test_a_closed_isolated_position_gives_its_margin_back():
    rig = ExchangeRig()
    isolated_long(rig)
    rig.market("SELL", "1")
    total = account_queries.account_summary(rig.state, "a").total
    assert total.cross_wallet_balance == total.wallet_balance == D(100000) - D("25.0005") - D("24.9995") - 2


def test_deposits_and_withdrawals_are_booked_and_told():
    rig = ExchangeRig()
    rig.ex.deposit("a", D(50), rig.now)
    rig.ex.deposit("a", D(-20), rig.now)
    assert rig.wallet() == 100_030
    assert rig.heard.words() == ["account DEPOSIT", "account WITHDRAW"]
    assert [row.income for row in history_queries.income(rig.state, "a", rig.now)] == [100000, 50, -20]


def test_v2_rows_list_every_symbol_and_hedge_mode_every_side():
    rig = ExchangeRig()
    assert [r.symbol for r in account_queries.position_rows(rig.state, "a")] == [SYMBOL, "ETHUSDT"]
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    assert [r.position_side for r in account_queries.position_rows(rig.state, "a", SYMBOL)] == [
        "BOTH",
        "LONG",
        "SHORT",
    ]


def test_a_reduced_isolated_position_gives_its_share_of_margin_back():
    rig = ExchangeRig()
    isolated_long(rig)
    rig.market("SELL", "0.25")
    assert account_queries.position_rows(rig.state, "a", SYMBOL)[0].isolated_wallet == D("2500.05") * 3 / 4


def test_changes_of_isolated_margin_are_remembered_for_thirty_days():
    rig = ExchangeRig()
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.market("BUY", "0.1")
    for amount, kind in ((D(100), 1), (D(40), 2)):
        rig.ex.modify_position_margin("a", SYMBOL, None, amount, kind, rig.now)
        rig.advance(1000)
    rows = history_queries.margin_changes(rig.state, "a", SYMBOL, rig.now)
    assert [(row.kind, row.amount, row.position_side) for row in rows] == [(1, 100, "BOTH"), (2, 40, "BOTH")]
    assert margin_change(rows[0]) == {
        "symbol": SYMBOL,
        "type": 1,
        "deltaType": "USER_ADJUST",
        "amount": "100",
        "asset": "USDT",
        "time": rig.now - 2000,
        "positionSide": "BOTH",
    }
    assert [row.kind for row in history_queries.margin_changes(rig.state, "a", SYMBOL, rig.now, kind=2)] == [
        2
    ]
    assert history_queries.margin_changes(rig.state, "a", SYMBOL, rig.now, end_ms=rig.now - 1500) == rows[:1]
    with refused(-1127):
        history_queries.margin_changes(rig.state, "a", SYMBOL, rig.now, start_ms=0, end_ms=31 * 86_400_000)
    assert history_queries.margin_changes(rig.state, "a", SYMBOL, rig.now + 31 * 86_400_000) == []
