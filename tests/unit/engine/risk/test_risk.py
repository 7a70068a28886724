from decimal import Decimal

import pytest

from engine.account.state import AccountStateStore
from engine.model.limits import RiskLimits
from engine.orders.order_store import OrderStore
from engine.risk.facts.context import RiskContext, context_for, reduces
from engine.risk.manager import RiskManager
from gateways.wire.messages import Balance, MarkPrice
from tests.support.order_events import PREFIX, SYMBOL, intent, report, snapshot, trade
from tests.support.record_samples import fill
from tests.support.risk_facts import account_facts, risk_context, symbol_facts

D = Decimal
LIMITS = RiskLimits(
    max_order_notional_quote=D(60_000),
    max_position_notional_quote=D(100_000),
    max_total_notional_quote=D(150_000),
    max_leverage=D(10),
    max_open_orders=5,
    price_band_fraction=D("0.02"),
    max_orders_per_window=3,
    order_window_ns=60,
    max_daily_loss_quote=D(500),
)


def context(**changes: object) -> RiskContext:
    fields = {"reference_price": D(50_000), "max_daily_loss_quote": LIMITS.max_daily_loss_quote}
    return risk_context(**(fields | changes))


def rule_of(order: dict[str, object] | None = None, **changes: object) -> str:
    return RiskManager(LIMITS).validate_order(intent(**(order or {})), context(**changes)).rule  # type: ignore[arg-type]


def test_an_order_within_all_limits_passes():
    verdict = RiskManager(LIMITS).validate_order(intent(), context())
    assert verdict.allowed
    assert verdict.rule == ""


@pytest.mark.parametrize(
    ("rule", "order", "facts"),
    [
        ("quantity", {"qty_base": D(0)}, {}),
        ("connection", {}, {"connected": False}),
        ("reconciled", {}, {"reconciled": False}),
        ("book", {}, {"book_fresh": False}),
        ("clock", {}, {"clock_trouble": "another time"}),
        ("clock_set_back", {}, {"clock_set_back": True}),
        ("journal", {}, {"journal_ok": False}),
        ("paused", {}, {"paused": True}),
        ("strategy", {}, {"strategy_running": False}),
        ("foreign_position", {"side": "SELL"}, {"foreign_base": D("0.1")}),
        ("foreign_position", {}, {"foreign_base": D("-0.1")}),
        ("daily_loss", {}, {"daily_pnl_quote": D(-500)}),
        ("open_orders", {}, {"open_orders": 5}),
        ("price_band", {"price": D("51000.1"), "order_type": "LIMIT"}, {}),
        ("price_band", {"price": D("48999.9"), "order_type": "LIMIT", "side": "SELL"}, {}),
        ("price_band", {}, {"reference_price": D(52_000)}),
        ("order_notional", {"qty_base": D("1.21")}, {}),
        ("position_notional", {}, {"position_base": D("1.1")}),
        ("position_notional", {}, {"open_buy_base": D("1.1")}),
        ("position_notional", {"side": "SELL"}, {"position_base": D("-0.5"), "open_sell_base": D("0.6")}),
        ("total_notional", {}, {"other_notional_quote": D(100_001)}),
        ("leverage", {}, {"equity_quote": D("4999.9")}),
        ("leverage", {}, {"equity_quote": D(-1)}),
    ],
)
def test_each_rule_says_no_by_its_name(rule: str, order: dict[str, object], facts: dict[str, object]):
    verdict = RiskManager(LIMITS).validate_order(intent(**order), context(**facts))  # type: ignore[arg-type]
    assert (verdict.allowed, verdict.rule) == (False, rule)
    assert verdict.reason


@pytest.mark.parametrize(
    ("order", "facts"),
    [
        ({"price": D(51_000), "order_type": "LIMIT"}, {}),
        ({"price": D(30_000), "order_type": "LIMIT"}, {}),
        ({"qty_base": D("1.2")}, {}),
        ({}, {"position_base": D(1)}),
        ({}, {"daily_pnl_quote": D("-499.99")}),
        ({}, {"equity_quote": D(5_000)}),
        ({"stop_price": D(55_000), "order_type": "STOP_MARKET"}, {}),
    ],
)
def test_a_limit_itself_is_still_allowed(order: dict[str, object], facts: dict[str, object]):
    assert rule_of(order, **facts) == ""


EVERYTHING_WRONG: dict[str, object] = {
    "reconciled": False,
    "book_fresh": False,
    "mark_known": False,
    "killed": "by hand",
    "clock_trouble": "another time",
    "journal_ok": False,
    "paused": True,
    "strategy_running": False,
    "mark_price": D(0),
    "daily_pnl_quote": D(-9_999),
    "open_orders": 99,
    "equity_quote": D(-1),
    "position_base": D(5),
}


@pytest.mark.parametrize(
    "order",
    [
        {"side": "SELL", "reduce_only": True},
        {"side": "SELL", "qty_base": D(5), "is_exit": True},
        {"side": "SELL", "qty_base": D(0), "close_position": True, "order_type": "STOP_MARKET"},
    ],
)
def test_leaving_is_possible_when_everything_is_wrong_but_the_connection(order: dict[str, object]):
    manager = RiskManager(LIMITS)
    for _ in range(5):
        manager.note_sent(1_000)
    assert manager.validate_order(intent(**order), context(**EVERYTHING_WRONG)).allowed  # type: ignore[arg-type]
    offline = context(**(EVERYTHING_WRONG | {"connected": False}))
    assert manager.validate_order(intent(**order), offline).rule == "connection"  # type: ignore[arg-type]


def test_an_exit_that_could_turn_the_position_needs_the_exchanges_word_on_it():
    held = context(position_base=D(1), reconciled=False)
    leave = {"side": "SELL", "is_exit": True}
    assert reduces(intent(**leave), held)
    assert not reduces(intent(**leave, qty_base=D("1.001")), held)
    assert not reduces(
        intent(**leave), context(position_base=D(1), open_sell_base=D("0.5"), reconciled=False)
    )
    assert reduces(intent(side="BUY", is_exit=True), context(position_base=D(-1), reconciled=False))
    assert reduces(intent(**leave, qty_base=D(2)), context(position_base=D(1), paused=True))


def test_an_entry_is_an_entry_whatever_position_it_meets():
    assert not reduces(intent(side="SELL"), context(position_base=D(1)))
    assert rule_of({"side": "SELL"}, position_base=D(1), paused=True) == "paused"


def test_the_order_rate_slides_with_event_time():
    manager = RiskManager(LIMITS)
    for now_ns in (1_000, 1_020, 1_040):
        assert manager.validate_order(intent(), context(now_ns=now_ns)).allowed
        manager.note_sent(now_ns)
    assert manager.validate_order(intent(), context(now_ns=1_059)).rule == "order_rate"
    assert manager.validate_order(intent(), context(now_ns=1_060)).allowed


def test_the_kill_switch_holds_until_it_is_undone():
    manager = RiskManager(LIMITS)
    verdict = manager.validate_order(intent(), context(killed="killed by ctl"))
    assert (verdict.rule, verdict.reason) == ("kill_switch", "killed by ctl")
    assert manager.validate_order(intent(), context(killed="")).allowed


def test_limits_that_are_off_make_no_rule():
    assert RiskManager(RiskLimits()).rule_names == ("strategy", "foreign_position", "refused_entries")
    assert len(RiskManager(LIMITS).rule_names) == 10


def test_the_facts_come_from_the_stores():
    store, account = OrderStore(PREFIX), AccountStateStore()
    account.on_snapshot(snapshot(balances=(Balance("USDT", D(20_000), D(20_000)),)))
    for symbol, price in ((SYMBOL, 50_000), ("ETHUSDT", 2_000)):
        account.on_mark(MarkPrice(symbol, D(price), D(price), D(0), 0, 1, 1))
    account.on_fill(fill(qty_base=D("0.5"), fee=D(0)))
    account.on_fill(fill(symbol="ETHUSDT", side="SELL", qty_base=D(3), price=D(2_010), fee=D(5)))
    store.intend(intent(1))
    store.intend(intent(2, side="SELL", qty_base=D("0.25")))
    store.intend(intent(3, side="SELL", reduce_only=True))
    store.intend(intent(4, symbol="ETHUSDT", side="SELL", qty_base=D(2)))
    store.intend(intent(5, symbol="ETHUSDT", qty_base=D(1)))
    store.apply(trade(1, "0.25", "0.25"))
    store.intend(intent(6))
    store.apply(report("CANCELED", number=6))
    facts = context_for(
        SYMBOL,
        now_ns=7,
        orders=store,
        account=account,
        gates=(account_facts(), symbol_facts()),
        strategy_running=True,
        foreign_base=D(0),
        reference_price=D(50_010),
    )
    assert facts.position_base == D("0.5")
    assert (facts.open_buy_base, facts.open_sell_base) == (D("0.75"), D("0.25"))
    assert facts.other_notional_quote == 5 * 2_000
    assert facts.open_orders == 5
    assert facts.equity_quote == 20_000 + 30
    assert (facts.mark_price, facts.reference_price) == (50_000, 50_010)
