"""Exits are not lost, not blocked and not doubled: whatever is in flight, cut or refused."""

from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.journal.recovered import Recovered
from engine.model.audit import Answer, Notice
from engine.model.bars import Bar
from engine.model.cause import Cause
from engine.model.events import Command, Event
from engine.model.exit_rules import ExitRules, PartialExit
from engine.model.leg import CLOSE
from engine.model.records import Adjustment, Signal
from engine.model.signals import Signals
from engine.strategies.base import SignalStrategy, StrategyParams, registry
from engine.strategies.slot import SlotState
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, spec

UP = (100, 99, 98, 100, 101)
ZERO = Decimal(0)


def orders(rig: Rig, order_type: str = "") -> list[wire.SubmitOrder]:
    return [one for one in rig.sent(wire.SubmitOrder) if order_type in {"", one.order_type}]


def command(rig: Rig, name: str, command_id: str = "c1") -> None:
    rig.feed(Command(rig.now_ns, command_id, name))  # type: ignore[arg-type]  # a literal in every call


def test_no_new_stop_goes_out_for_a_position_that_its_stop_has_just_closed() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up().prices(*UP)
    (stop,) = orders(rig, "STOP_MARKET")
    for event in rig.exchange.fill(stop, stop.qty_base):
        rig.feed(event)
    assert len(orders(rig, "STOP_MARKET")) == 1


def test_a_flatten_that_the_exchange_could_not_take_is_tried_again() -> None:
    rig = Rig().up().prices(*UP)
    answers = [wire.Reply(0, "transient", -1008, "overload")] * 2

    def busy(order: wire.SubmitOrder) -> list[Event] | None:
        if not answers:
            return None
        answers.pop()
        return [wire.Reply(order.request_id, "transient", -1008, "overload")]

    rig.exchange.on_submit = busy
    command(rig, "flatten")
    assert rig.exchange.position == Decimal("0.1")
    rig.wait(10)
    assert rig.exchange.position == ZERO


def test_an_exit_decided_while_the_link_is_down_goes_out_when_it_is_back() -> None:
    rig = Rig().up().prices(*UP)
    rig.down()
    command(rig, "flatten")
    rig.wait(20)
    assert rig.exchange.position == Decimal("0.1")
    rig.up()
    rig.wait(5)
    assert rig.exchange.position == ZERO


def test_leaving_everything_is_not_forgotten_behind_a_partial_exit_that_is_under_way() -> None:
    rules = ExitRules(stop_r=1.0, partial_exits=(PartialExit(1.0, 0.5),))
    rig = Rig(Engine(config(spec(exit_rules=rules)))).up().prices(*UP)
    executor, slot = rig.engine.trades.exits, rig.engine.strategies.slots[0]
    held_back: list[wire.SubmitOrder] = []
    rig.exchange.on_submit = lambda order: held_back.append(order) or []  # type: ignore[func-returns-value]
    executor.leave(
        slot.owner,
        slot.symbol,
        qty_base=Decimal("0.05"),
        cause=Cause.bar(1, 1),
        leg=CLOSE,
        signal="TP1",
    )
    rig.status()
    command(rig, "flatten")
    rig.exchange.on_submit = lambda _: None
    for event in rig.exchange.execute(held_back[0]):
        rig.feed(event)
    rig.wait(5)
    assert rig.exchange.position == ZERO


class _Params(StrategyParams):
    """None."""


@registry.register
class _EntersOnce(SignalStrategy):
    """Long after its second bar, with an R of 2."""

    name = "enters_once_for_tests"
    Params = _Params
    breaks_at: ClassVar[int] = 0

    def __init__(self, params: StrategyParams) -> None:
        self.params = params
        self.reset()

    @property
    def warmup_bars(self) -> int:
        return 0

    @property
    def value_names(self) -> tuple[str, ...]:
        return ()

    def reset(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar) -> Signals:
        self.bars += 1
        if self.bars == self.breaks_at:
            raise ZeroDivisionError
        return Signals(self.bars == 2, False, False, False, risk_distance=2.0)

    def batch(self, bars: object) -> object:
        raise NotImplementedError


def with_partials(*fractions: float) -> Rig:
    rules = ExitRules(
        stop_kind="resting",
        stop_r=1.0,
        partial_exits=tuple(PartialExit(float(at), part) for at, part in enumerate(fractions, 1)),
    )
    strategy = spec("enters_once_for_tests", params={}, exit_rules=rules)
    return Rig(Engine(config(strategy))).up().prices(100, 100, 100, 100)


def fill(rig: Rig, order: wire.SubmitOrder, qty: str) -> None:
    for event in rig.exchange.fill(order, Decimal(qty)):
        rig.feed(event)


def test_a_resting_partial_exit_that_fills_in_pieces_leaves_its_part_and_no_more() -> None:
    rig = with_partials(0.5)
    (partial,) = orders(rig, "LIMIT")
    assert partial.qty_base == Decimal("0.05")
    fill(rig, partial, "0.02")
    rig.wait(5)
    assert len(orders(rig, "LIMIT")) == 1
    fill(rig, partial, "0.03")
    assert rig.exchange.position == Decimal("0.05")
    assert not [one for one in rig.exchange.orders.values() if one.order_type == "LIMIT"]


def test_a_partial_exit_whose_fill_is_told_later_than_its_end_counts_once() -> None:
    rig = with_partials(0.25, 0.25)
    first = orders(rig, "LIMIT")[0]
    trade, account = rig.exchange.fill(first, first.qty_base)
    rig.feed(msgspec.structs.replace(trade, trade_id=0, last_qty_base=ZERO, sequence=0, source="snapshot"))
    rig.feed(trade)
    rig.feed(account)
    rig.wait(5)
    (left,) = [one for one in rig.exchange.orders.values() if one.order_type == "LIMIT"]
    assert left.client_order_id == orders(rig, "LIMIT")[1].client_order_id


def test_an_exit_that_waits_for_its_next_attempt_goes_on_after_a_restart() -> None:
    first = Rig().up().prices(*UP)
    first.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "transient", -1008, "overload")]
    first.prices(101, 100, 99, start=5)
    records = tuple(enumerate((one.record for one in first.effects if hasattr(one, "record")), 1))
    first.exchange.on_submit = lambda _: None
    rig = Rig(Engine(config()), first.exchange)
    restore(rig.engine, Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0))
    rig.up()
    rig.wait(20)
    assert rig.exchange.position == ZERO


def test_an_exit_is_not_given_up_while_the_exchange_is_away_for_hours() -> None:
    rig = Rig().up().prices(*UP)
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "transient", 503, "maintenance")]
    command(rig, "flatten")
    rig.wait(7200)
    rig.exchange.on_submit = lambda _: None
    rig.wait(120)
    assert rig.exchange.position == ZERO
    assert len([one for one in rig.notices(Notice) if "cannot be closed" in one.text]) == 1


def test_a_cancel_the_exchange_could_not_take_is_sent_again() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up().prices(*UP)
    cancel, failures = rig.exchange.cancel, ["transient", "unknown", ""]

    def busy(message: wire.CancelOrder) -> list[Event]:
        outcome = failures.pop(0) if failures else None
        if outcome is None:
            return cancel(message)
        return [wire.Reply(message.request_id, outcome, -1008)] if outcome else []  # type: ignore[arg-type]

    rig.exchange.cancel = busy  # type: ignore[method-assign]  # the fault
    command(rig, "flatten")
    rig.wait(30)
    assert rig.exchange.position == ZERO
    assert not rig.exchange.orders


def test_a_flatten_of_what_nobody_trades_says_so() -> None:
    rig = Rig().up().prices(*UP)
    rig.feed(Command(rig.now_ns, "c1", "flatten", strategy="btcusdt"))
    (answer,) = rig.notices(Answer)
    assert not answer.ok
    assert "btcusdt" in answer.text
    assert rig.exchange.position == Decimal("0.1")


def test_the_exit_rules_of_a_strategy_that_broke_still_end_its_trade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_EntersOnce, "breaks_at", 4)
    rules = ExitRules(stop_loss_percent=2.0)
    rig = Rig(Engine(config(spec("enters_once_for_tests", params={}, exit_rules=rules)))).up()
    rig.prices(100, 100, 100, 100, 100, 100)
    assert rig.engine.strategies.slots[0].state is SlotState.FAILED
    assert rig.exchange.position == Decimal("0.1")
    rig.prices(97, 97, 97, start=6)
    assert rig.exchange.position == ZERO
    assert len(orders(rig)) == 2


def test_no_entry_is_made_out_of_a_position_that_somebody_else_holds() -> None:
    rig = Rig()
    rig.exchange.position, rig.exchange.entry_price = Decimal(1), Decimal(100)
    rig.up()
    rig.wait(10)
    assert rig.engine.health.reconciled
    rig.prices(100, 101, 102, 100, 99, start=10)
    assert [one.rule for one in rig.records(Signal)] == ["foreign_position"]
    assert rig.exchange.position == Decimal(1)
    command(rig, "kill")
    command(rig, "resume", "c2")
    assert rig.exchange.position == ZERO
    rig.prices(100, 101, 102, 100, 99, start=15)
    assert rig.exchange.position == Decimal("-0.1")


def test_strategies_that_share_a_symbol_can_leave_while_everything_is_paused() -> None:
    both = config(
        spec("enters_once_for_tests", params={}, netting=True, exit_rules=ExitRules(max_holding_bars=3)),
        spec("enters_once_for_tests", owner="b:s2", params={}, netting=True, exit_rules=ExitRules()),
    )
    rig = Rig(Engine(both)).up().prices(100, 100, 100)
    assert rig.exchange.position == Decimal("0.2")
    other = wire.SubmitOrder(0, "BTCUSDT", "web_1", "SELL", "MARKET", Decimal("0.2"))
    owners = [slot.owner for slot in rig.engine.strategies.slots]
    rig.engine.account.on_adjustment(
        Adjustment("BTCUSDT", owners[1], Decimal("-0.2"), Decimal(100), "made short", "test", rig.now_ns)
    )
    rig.exchange.execute(other)
    command(rig, "pause")
    rig.prices(100, 100, 100, 100, start=3)
    assert rig.engine.account.strategy_position(owners[0], "BTCUSDT").qty_base == ZERO
