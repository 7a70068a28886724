"""What the risk rules compute with: at which price, on which side, with what counted in."""

from decimal import Decimal

import pytest

from engine.account.state import AccountStateStore
from engine.model.limits import RiskLimits, Verdict
from engine.orders.order_store import OrderStore
from engine.risk.facts.context import RiskContext, context_for, reduces
from engine.risk.manager import RiskManager
from gateways.wire.messages import MarkPrice
from tests.support.order_events import PREFIX, SYMBOL, intent
from tests.support.record_samples import fill
from tests.support.risk_facts import account_facts, risk_context, symbol_facts

D = Decimal


def judged(
    limits: RiskLimits, order: dict[str, object] | None = None, facts: dict[str, object] | None = None
) -> Verdict:
    return RiskManager(limits).validate_order(intent(**(order or {})), risk_context(**(facts or {})))


def facts_of(account: AccountStateStore, store: OrderStore, reference_price: int = 0) -> RiskContext:
    return context_for(
        SYMBOL,
        now_ns=7,
        orders=store,
        account=account,
        gates=(account_facts(), symbol_facts()),
        strategy_running=True,
        foreign_base=D(0),
        reference_price=D(reference_price),
    )


LIMIT = {"order_type": "LIMIT"}
STOP = {"order_type": "STOP_MARKET"}


@pytest.mark.parametrize("dearer", [0, 1, 2, 3])
def test_an_order_is_worth_its_limit_else_its_trigger_else_the_expected_price_else_the_mark(dearer: int):
    """Of four prices the first that is there counts; those behind it lie on the other side of the limit."""
    limits = RiskLimits(max_order_notional_quote=D(55_000))
    names = ["price", "stop_price", "reference_price", "mark_price"]
    for counted, others, expected in ((56_000, 54_000, "order_notional"), (54_000, 56_000, "")):
        prices = {name: D(others) for name in names[dearer + 1 :]} | {names[dearer]: D(counted)}
        order = {name: prices[name] for name in names[:2] if name in prices}
        facts = {name: prices[name] for name in names[2:] if name in prices}
        assert judged(limits, order, facts).rule == expected


def test_the_total_limit_itself_is_allowed_and_other_symbols_count():
    limits = RiskLimits(max_total_notional_quote=D(80_000))
    assert judged(limits, facts={"other_notional_quote": D(30_000)}).allowed
    assert judged(limits, facts={"other_notional_quote": D("30000.01")}).rule == "total_notional"


def test_leverage_counts_the_other_symbols_too():
    limits = RiskLimits(max_leverage=D(4))
    assert judged(limits, facts={"other_notional_quote": D(30_000)}).allowed
    assert judged(limits, facts={"other_notional_quote": D(30_001)}).rule == "leverage"


def test_an_entry_on_the_side_of_what_somebody_else_holds_is_allowed():
    assert judged(RiskLimits(), {"side": "BUY"}, {"foreign_base": D("0.1")}).allowed
    assert judged(RiskLimits(), {"side": "SELL"}, {"foreign_base": D("-0.1")}).allowed


def test_the_price_band_says_its_width_in_percent():
    limits = RiskLimits(price_band_fraction=D("0.02"))
    above = judged(limits, LIMIT | {"price": D(51_001)})
    below = judged(limits, LIMIT | {"price": D(48_999), "side": "SELL"})
    assert above.reason == "price 51001 is over 2.00 % above mark"
    assert below.reason == "price 48999 is over 2.00 % below mark"


def test_after_the_clock_went_back_orders_of_the_future_count_as_sent_now():
    manager = RiskManager(RiskLimits(max_orders_per_window=2, order_window_ns=60))
    for now_ns in (10, 90_000):
        manager.note_sent(now_ns)
    manager.on_set_back(1_000)
    later = [risk_context(now_ns=now_ns) for now_ns in (1_030, 1_060)]
    assert manager.validate_order(intent(), later[0]).allowed  # the first of the two is long past
    manager.note_sent(1_030)
    assert manager.validate_order(intent(), later[0]).rule == "order_rate"
    assert manager.validate_order(intent(), later[1]).allowed


@pytest.mark.parametrize(
    ("side", "sign", "open_name"), [("SELL", 1, "open_sell_base"), ("BUY", -1, "open_buy_base")]
)
def test_an_unproven_exit_may_not_be_larger_than_what_is_left_to_leave(side: str, sign: int, open_name: str):
    def leaves(qty: str, held: str, working: str = "0") -> bool:
        facts = {"position_base": sign * D(held), open_name: D(working), "reconciled": False}
        return reduces(intent(side=side, is_exit=True, qty_base=D(qty)), risk_context(**facts))

    assert leaves("1", "1")
    assert leaves("0.5", "1", "0.5")
    assert not leaves("1.001", "1")
    assert not leaves("0.501", "1", "0.5")
    assert not leaves("1", "-1")
    assert not leaves("1", "0")


def marked(prices: dict[str, int]) -> AccountStateStore:
    account = AccountStateStore()
    for symbol, price in prices.items():
        account.on_mark(MarkPrice(symbol, D(price), D(price), D(0), 0, 1, 1))
    return account


def test_what_is_being_bought_of_another_symbol_adds_to_what_is_held_of_it():
    store, account = OrderStore(PREFIX), marked({SYMBOL: 50_000, "ETHUSDT": 2_000})
    account.on_fill(fill(symbol="ETHUSDT", side="BUY", qty_base=D(3), price=D(2_000), fee=D(0)))
    store.intend(intent(1, symbol="ETHUSDT", qty_base=D(2)))
    store.intend(intent(2, symbol="ETHUSDT", side="SELL", qty_base=D(1)))
    facts = facts_of(account, store)
    assert facts.other_notional_quote == (3 + 2) * 2_000


def test_what_only_leaves_a_position_adds_no_exposure():
    store = OrderStore(PREFIX)
    store.intend(intent(1, side="SELL", reduce_only=True))
    store.intend(intent(2, side="SELL", close_position=True, order_type="STOP_MARKET"))
    facts = facts_of(marked({SYMBOL: 50_000}), store)
    assert (facts.open_buy_base, facts.open_sell_base, facts.open_orders) == (0, 0, 2)


def test_without_a_mark_price_the_expected_price_stands_in_for_it():
    facts = facts_of(marked({}), OrderStore(PREFIX), 49_000)
    assert facts.mark_price == 49_000
