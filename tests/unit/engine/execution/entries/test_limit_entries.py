"""Entries that wait at their signal's price, live: placed, kept, changed, cancelled, never doubled."""

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.exits.bar_plan import BarPlan
from engine.journal.recovered import Recovered
from engine.model.bars import Bar
from engine.model.events import Command, Event
from engine.model.exit_rules import ExitRules
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.signals import Signals
from engine.strategies.base import SignalStrategy, StrategyParams, registry
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, spec

ZERO = Decimal(0)
Begin = Callable[..., Rig]
NOTHING = Signals(False, False, False, False)


def long(limit: float, **more: object) -> Signals:
    return Signals(True, False, False, False, limit_long=limit, **more)  # type: ignore[arg-type]


def short(limit: float) -> Signals:
    return Signals(False, True, False, False, limit_short=limit)


MARKET_LONG = Signals(True, False, False, False)


@registry.register
class _Told(SignalStrategy):
    """Says what the test wants, bar by bar."""

    name = "told_for_tests"
    said: ClassVar[list[Signals]] = []

    def __init__(self, params: StrategyParams) -> None:
        self.params = params
        self.reset()

    @property
    def warmup_bars(self) -> int:
        return 0

    def reset(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar) -> Signals:
        self.bars += 1
        return self.said[self.bars - 1] if self.bars <= len(self.said) else NOTHING

    def batch(self, bars: object) -> object:  # type: ignore[override]
        raise NotImplementedError


def settings(**changes: object) -> dict[str, object]:
    return {"params": {}, "exit_rules": ExitRules(), **changes}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Begin:
    def begin(*said: Signals, limits: RiskLimits | None = None, **changes: object) -> Rig:
        """Bars of a second, all at 100; the first signal is that of the bar that closes now."""
        monkeypatch.setattr(_Told, "said", list(said))
        more = {} if limits is None else {"limits": limits}
        return (
            Rig(Engine(config(spec("told_for_tests", **settings(**changes)), **more))).up().prices(100, 100)
        )

    return begin


def orders(rig: Rig, order_type: str = "LIMIT") -> list[wire.SubmitOrder]:
    return [one for one in rig.sent(wire.SubmitOrder) if one.order_type == order_type]  # type: ignore[attr-defined]


def resting(rig: Rig) -> list[tuple[str, str, Decimal, Decimal]]:
    return [
        (one.side, one.order_type, one.price or one.stop_price, one.qty_base - one.filled_base)
        for one in rig.exchange.orders.values()
    ]


def fill(rig: Rig, order: wire.SubmitOrder, qty: str = "0.1") -> None:
    for event in rig.exchange.fill(order, Decimal(qty)):
        rig.feed(event)


def fates(rig: Rig) -> list[tuple[str, str]]:
    return [(one.fate, one.rule) for one in rig.records(Signal)]  # type: ignore[attr-defined]


def test_an_entry_waits_at_its_price_until_the_close_of_the_next_bar(told: Begin) -> None:
    rig = told(long(98.04))
    (order,) = orders(rig)
    assert (order.side, order.price, order.qty_base) == ("BUY", Decimal("98.0"), Decimal("0.1"))
    assert (order.time_in_force, order.reduce_only) == ("GTC", False)
    (signal,) = rig.records(Signal)
    assert (signal.fate, signal.client_order_ids) == ("traded", (order.client_order_id,))
    assert len(resting(rig)) == 1
    rig.prices(100, start=2)
    assert not resting(rig)
    assert len(rig.sent(wire.SubmitOrder)) == 1


def test_one_that_is_ordered_anew_stays_where_it_rests_or_gets_its_new_price(told: Begin) -> None:
    rig = told(long(98.0), long(98.0), long(97.5))
    rig.prices(100, start=2)
    assert (len(orders(rig)), rig.sent(wire.AmendOrder), rig.sent(wire.CancelOrder)) == (1, [], [])
    rig.prices(100, start=3)
    assert resting(rig) == [("BUY", "LIMIT", Decimal("97.5"), Decimal("0.1"))]
    assert len(orders(rig)) == 1
    assert [fate for fate, _ in fates(rig)] == ["traded"] * 3


def test_one_of_the_other_side_is_placed_when_the_first_is_gone(told: Begin) -> None:
    rig = told(long(98.0), short(103.0))
    rig.prices(100, start=2)
    assert resting(rig) == [("SELL", "LIMIT", Decimal("103.0"), Decimal("0.1"))]
    kinds = [type(one).__name__ for one in rig.exchange.requests if hasattr(one, "client_order_id")]
    assert kinds == ["SubmitOrder", "CancelOrder", "SubmitOrder"]


def test_what_fills_has_the_levels_of_its_signal_and_is_not_entered_again(told: Begin) -> None:
    rules = ExitRules(stop_kind="resting", take_profit_r=2.0)
    rig = told(long(98.0, risk_distance=3.0, stop_long=95.0), long(98.0), long(98.0), exit_rules=rules)
    rig.exchange.bid, rig.exchange.ask = Decimal("97.8"), Decimal("98.0")
    fill(rig, orders(rig)[0])
    levels = [("SELL", "STOP_MARKET", Decimal("95.0")), ("SELL", "LIMIT", Decimal("104.0"))]
    assert [one[:3] for one in resting(rig)] == levels
    rig.prices(100, 100, start=2)
    assert [one[:3] for one in resting(rig)] == levels
    assert rig.exchange.position == Decimal("0.1")


def test_what_has_filled_in_part_fills_no_further_than_to_the_close_of_the_bar(told: Begin) -> None:
    rig = told(long(98.0), long(98.0))
    (order,) = orders(rig)
    fill(rig, order, "0.04")
    assert resting(rig) == [("BUY", "LIMIT", Decimal("98.0"), Decimal("0.06"))]
    fill(rig, order, "0.01")
    assert resting(rig) == [("BUY", "LIMIT", Decimal("98.0"), Decimal("0.05"))]
    rig.prices(100, start=2)
    assert not resting(rig)
    assert (rig.exchange.position, len(orders(rig))) == (Decimal("0.05"), 1)


def test_the_entry_of_a_flip_is_placed_when_the_close_has_filled(told: Begin) -> None:
    rig = told(MARKET_LONG, NOTHING, short(103.0))
    rig.prices(100, start=2)
    assert rig.exchange.position == Decimal("0.1")
    held_back: list[wire.SubmitOrder] = []
    rig.exchange.on_submit = lambda one: (held_back.append(one), [])[1] if one.reduce_only else None
    rig.prices(100, start=3)
    assert not resting(rig)
    (close,) = held_back
    for event in rig.exchange.execute(close):
        rig.feed(event)
    assert rig.exchange.position == ZERO
    assert resting(rig) == [("SELL", "LIMIT", Decimal("103.0"), Decimal("0.1"))]


def test_an_entry_at_market_waits_for_the_end_of_the_one_that_has_waited(told: Begin) -> None:
    rig = told(long(98.0), MARKET_LONG)
    kept: list[Event] = []
    cancel = rig.exchange.cancel
    rig.exchange.cancel = lambda message: kept.extend(cancel(message)) or []
    rig.prices(100, start=2)
    assert not orders(rig, "MARKET")
    for event in kept:
        rig.feed(event)
    assert len(orders(rig, "MARKET")) == 1
    assert rig.exchange.position == Decimal("0.1")


def test_an_entry_at_market_is_dropped_where_the_one_that_waited_has_filled(told: Begin) -> None:
    rig = told(long(98.0), MARKET_LONG)
    (order,) = orders(rig)
    rig.exchange.cancel = lambda message: [
        wire.Reply(message.request_id, "not_found", -2011, "Unknown order")
    ]
    rig.prices(100, start=2)
    fill(rig, order)
    rig.wait(5)
    assert (rig.exchange.position, orders(rig, "MARKET")) == (Decimal("0.1"), [])
    assert fates(rig)[-1][0] == "ignored"


def test_an_entry_that_may_not_be_is_recorded_so_and_not_tried_again(told: Begin) -> None:
    rig = told(long(98.0), limits=RiskLimits(max_order_notional_quote=Decimal(5)))
    rig.wait(0.9)
    assert not rig.sent(wire.SubmitOrder)
    ((fate, rule),) = fates(rig)
    assert (fate, bool(rule)) == ("vetoed", True)
    assert fates(told(long(0.04))) == [("vetoed", "size")]


def test_an_entry_that_the_exchange_refuses_is_not_placed_again_for_that_bar(told: Begin) -> None:
    rig = told(NOTHING, long(98.0))
    rig.exchange.on_submit = lambda one: [
        wire.Reply(one.request_id, "refused", -2019, "Margin is insufficient.")
    ]
    rig.prices(100, start=2)
    rig.wait(0.9)
    assert len(orders(rig)) == 1


@pytest.mark.parametrize("name", ["pause", "flatten", "kill"])
def test_what_ends_entries_ends_one_that_waits(told: Begin, name: str) -> None:
    rig = told(long(98.0))
    rig.feed(Command(rig.now_ns, "c1", name))  # type: ignore[arg-type]  # a literal in every call
    assert not resting(rig)
    rig.wait(0.5)
    assert len(rig.sent(wire.SubmitOrder)) == 1


def restarted(rig: Rig) -> Rig:
    records = tuple(enumerate((one.record for one in rig.effects if hasattr(one, "record")), 1))
    again = Rig(Engine(config(spec("told_for_tests", **settings()))), rig.exchange)
    restore(again.engine, Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0))
    return again.up()


def test_an_entry_waits_on_over_a_restart_and_what_fills_meanwhile_counts(told: Begin) -> None:
    rig = told(long(98.0))
    (order,) = orders(rig)
    again = restarted(rig)
    assert resting(again) == [("BUY", "LIMIT", Decimal("98.0"), Decimal("0.1"))]
    assert not again.sent(wire.SubmitOrder)
    rig.exchange.fill(order, Decimal("0.04"))
    later = restarted(again_from(rig, again))
    assert resting(later) == [("BUY", "LIMIT", Decimal("98.0"), Decimal("0.06"))]
    assert not later.sent(wire.SubmitOrder)


def again_from(first: Rig, second: Rig) -> Rig:
    """The journal of both."""
    second.effects = [*first.effects, *second.effects]
    return second


def test_an_entry_whose_bar_has_closed_while_the_engine_was_down_is_cancelled(told: Begin) -> None:
    rig = told(long(98.0))
    rig.exchange.now_ns += 60 * 10**9
    rig.now_ns = rig.exchange.now_ns
    again = restarted(rig)
    again.wait(5)
    assert not resting(again)


def test_no_entry_waits_on_a_symbol_that_others_trade_too(
    told: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Told, "said", [long(98.0)])
    both = config(
        spec("told_for_tests", **settings(netting=True)),
        spec("told_for_tests", owner="b:s2", **settings(netting=True)),
    )
    rig = Rig(Engine(both)).up().prices(100, 100)
    assert not rig.sent(wire.SubmitOrder)
    assert fates(rig) == [("vetoed", "limit_entry")] * 2


def test_a_state_without_an_entry_that_waits_is_one_of_an_earlier_version() -> None:
    plan = BarPlan(ExitRules())
    *earlier, entry, is_inside = msgspec.msgpack.decode(plan.state())
    assert (entry, is_inside) == (None, False)
    for state in (earlier, [*earlier, entry]):
        plan.restore(msgspec.msgpack.encode(state))
        assert plan.entry is None


@pytest.mark.parametrize(("side", "first", "then"), [("long", 103.0, 97.8), ("short", 97.0, 102.0)])
def test_what_the_price_did_before_the_entry_filled_is_nothing_to_its_exit_rules(
    told: Begin, side: str, first: float, then: float
) -> None:
    rules = ExitRules(take_profit_percent=3.0, trailing_percent=1.0, trailing_after_percent=3.0)
    rig = told(long(98.0) if side == "long" else short(102.0), exit_rules=rules)
    rig.tick(1.2, first)
    rig.tick(1.4, then)
    fill(rig, orders(rig)[0])
    held = rig.exchange.position
    rig.prices(then, then, start=2)
    assert rig.exchange.position == held
    rig.tick(3.5, first)
    rig.prices(first, start=4)
    assert rig.exchange.position == ZERO


def test_an_entry_that_fills_at_the_open_has_lived_through_the_whole_bar(told: Begin) -> None:
    rig = told(long(100.5), exit_rules=ExitRules(take_profit_percent=2.0))
    fill(rig, orders(rig)[0])
    rig.tick(1.4, 103)
    rig.prices(100, start=2)
    assert rig.exchange.position == ZERO


def test_that_an_entry_has_filled_inside_the_bar_is_known_over_a_restart() -> None:
    plan, again = (BarPlan(ExitRules(take_profit_percent=3.0)) for _ in range(2))
    plan.on_entry_filled(Decimal(1))
    again.restore(plan.state())
    bar = Bar("BTCUSDT", 60, 60, 100.0, 103.0, 97.0, 98.0)
    assert again.on_bar(bar, NOTHING, Decimal(1), Decimal(98)) == ()
    (close,) = again.on_bar(bar, NOTHING, Decimal(1), Decimal(98))
    assert close.text == "TP"
