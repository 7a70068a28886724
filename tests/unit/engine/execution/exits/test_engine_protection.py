"""Stops that rest at the exchange: there with the first fill, of the right size, gone when flat."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.journal.recovered import Recovered
from engine.model.audit import Notice
from engine.model.bars import Bar
from engine.model.events import Event
from engine.model.exit_rules import ExitRules, PartialExit
from engine.model.records import Adjustment, Intent, OrderReport
from engine.model.signals import Signals
from engine.orders.order_states import OrderState
from engine.strategies.base import SignalStrategy, StrategyParams, registry
from engine.strategies.slot import StrategyRefused
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, spec

UP = (100, 99, 98, 100, 101)
ZERO = Decimal(0)
MARKET_LONG, MARKET_SHORT = Signals(True, False, False, False), Signals(False, True, False, False)


@registry.register
class Once(SignalStrategy):
    """Says the same on each bar."""

    name = "says_one_thing_for_tests"
    said: ClassVar[Signals] = MARKET_LONG

    def __init__(self, params: StrategyParams) -> None:
        self.params = params

    @property
    def warmup_bars(self) -> int:
        return 0

    def reset(self) -> None:
        """Nothing is remembered."""

    def on_bar(self, bar: Bar) -> Signals:
        return self.said

    def batch(self, bars: object) -> object:  # type: ignore[override]
        raise NotImplementedError


def protected(**changes: object) -> Rig:
    return Rig(Engine(config(spec(protective_stop_percent=Decimal(5), **changes)))).up()


def stops(rig: Rig) -> list[wire.SubmitOrder]:
    return [one for one in rig.sent(wire.SubmitOrder) if one.order_type == "STOP_MARKET"]


def resting(rig: Rig) -> list[wire.OrderUpdate]:
    return list(rig.exchange.orders.values())


def test_the_stop_goes_out_with_the_first_fill_and_grows_with_the_position() -> None:
    rig = protected()

    def in_two_pieces(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "MARKET":
            return None
        resting = rig.exchange.execute(wire.SubmitOrder(*[
            getattr(order, name) if name != "order_type" else "LIMIT" for name in order.__struct_fields__
        ]))  # fmt: skip
        return [
            *resting,
            *rig.exchange.fill(order, Decimal("0.04")),
            *rig.exchange.fill(order, Decimal("0.06")),
        ]

    rig.exchange.on_submit = in_two_pieces
    rig.prices(*UP)
    assert [one.qty_base for one in stops(rig)] == [Decimal("0.04"), Decimal("0.10")]
    assert all(one.reduce_only and one.side == "SELL" for one in stops(rig))
    (left,) = resting(rig)
    assert (left.qty_base, left.stop_price) == (Decimal("0.10"), Decimal("96.1"))


def test_a_stop_is_replaced_before_the_old_one_is_cancelled() -> None:
    rules = ExitRules(stop_kind="resting", trailing_percent=3.0)
    rig = Rig(Engine(config(spec(exit_rules=rules)))).up().prices(*UP, 103, 106, 109)
    kinds = [
        type(m).__name__ for m in rig.exchange.requests if isinstance(m, wire.SubmitOrder | wire.CancelOrder)
    ]
    assert kinds[:4] == ["SubmitOrder", "SubmitOrder", "SubmitOrder", "CancelOrder"]
    assert len(resting(rig)) == 1
    levels = [one.stop_price for one in stops(rig)]
    assert levels == sorted(levels)
    assert len(levels) > 2


def test_leaving_the_position_cancels_what_rests() -> None:
    rig = protected().prices(*UP)
    assert len(resting(rig)) == 1
    rig.prices(101, 100, 99, 98, start=5)
    (short_stop,) = resting(rig)
    assert (short_stop.side, rig.exchange.position) == ("BUY", Decimal("-0.1"))


def test_a_stop_past_the_market_means_leave_now() -> None:
    rig = protected()

    def too_late(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET":
            return None
        return [wire.Reply(order.request_id, "refused", -2021, "Order would immediately trigger.")]

    rig.exchange.on_submit = too_late
    rig.prices(*UP)
    assert rig.exchange.position == ZERO
    assert [one.order_type for one in rig.sent(wire.SubmitOrder)] == ["MARKET", "STOP_MARKET", "MARKET"]


def test_a_position_that_cannot_be_protected_is_left_after_an_alarm() -> None:
    rig = protected()

    def never(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET":
            return None
        return [wire.Reply(order.request_id, "refused", -4045, "Reach max stop order limit.")]

    rig.exchange.on_submit = never
    rig.prices(*UP)
    rig.wait(10)
    assert any(one.level == "critical" for one in rig.notices(Notice))
    assert rig.exchange.position == Decimal("0.1")
    rig.wait(25)
    assert rig.exchange.position == ZERO


@pytest.mark.parametrize("arrived", [True, False])
def test_a_new_position_has_its_stop_while_it_is_unknown_whether_the_last_one_s_rests(arrived: bool) -> None:
    rig = protected()
    unknown: list[wire.SubmitOrder] = []

    def first_is_unknown(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET" or unknown:
            return None
        unknown.append(order)
        return [wire.Reply(order.request_id, "unknown", 0, "Unknown error")]

    rig.exchange.on_submit = first_is_unknown
    rig.exchange.on_query = lambda _: []  # the exchange does not say either
    rig.prices(*UP).prices(101, 100, 99, 98, start=5)
    (stop,) = resting(rig)
    assert (unknown[0].side, stop.side, rig.exchange.position) == ("SELL", "BUY", Decimal("-0.1"))

    if arrived:
        update = rig.exchange.update(unknown[0], "NEW", "NEW", ZERO, 0)
        rig.exchange.orders[unknown[0].client_order_id] = update
        rig.feed(update)
    else:
        rig.exchange.on_query = lambda query: [
            wire.Reply(query.request_id, "not_found", -2013, "No such order")
        ]
        rig.wait(60)
        assert [
            one.state for one in rig.engine.store.closed_orders() if one.client_order_id in keys(unknown)
        ] == [OrderState.REJECTED]
    assert keys(resting(rig)) == [stop.client_order_id]
    assert not any("was not placed" in one.text for one in rig.notices(Notice))


def keys(orders: Sequence[wire.SubmitOrder | wire.OrderUpdate]) -> list[str]:
    return [one.client_order_id for one in orders]


def test_a_stop_that_was_refused_once_is_placed_at_the_next_try() -> None:
    rig = protected()
    answers = iter([-4045])

    def once(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET":
            return None
        code = next(answers, None)
        return None if code is None else [wire.Reply(order.request_id, "refused", code, "Try again.")]

    rig.exchange.on_submit = once
    rig.prices(*UP)
    assert not resting(rig)
    rig.wait(3)
    (stop,) = resting(rig)
    assert (stop.order_type, stop.qty_base, rig.exchange.position) == (
        "STOP_MARKET",
        Decimal("0.1"),
        Decimal("0.1"),
    )


def test_a_stop_that_fills_leaves_the_strategy_flat() -> None:
    rig = protected().prices(*UP)
    (stop,) = stops(rig)
    for event in rig.exchange.fill(stop, stop.qty_base):
        rig.feed(event)
    owner = rig.engine.strategies.slots[0].owner
    assert rig.engine.account.strategy_position(owner, "BTCUSDT").qty_base == ZERO
    assert not resting(rig)


def test_a_manual_close_takes_the_position_from_the_strategy_and_its_stop_with_it() -> None:
    rig = protected().prices(*UP)
    by_hand = wire.SubmitOrder(0, "BTCUSDT", "web_1", "SELL", "MARKET", Decimal("0.1"))
    for event in rig.exchange.execute(by_hand)[1:]:
        rig.feed(event)
    owner = rig.engine.strategies.slots[0].owner
    assert rig.engine.account.strategy_position(owner, "BTCUSDT").qty_base == ZERO
    assert rig.engine.account.strategy_position("EXTERNAL", "BTCUSDT").qty_base == ZERO
    assert len(rig.records(Adjustment)) == 2
    assert not resting(rig)


def test_an_exit_that_was_refused_for_now_is_tried_again_until_the_position_is_left() -> None:
    rig = Rig().up().prices(*UP)
    answers = [wire.Reply(0, "transient", -1008, "overload")] * 3

    def busy(order: wire.SubmitOrder) -> list[Event] | None:
        if not answers or not order.reduce_only:
            return None
        answers.pop()
        return [wire.Reply(order.request_id, "transient", -1008, "overload")]

    rig.exchange.on_submit = busy
    rig.prices(101, 100, 99, start=5)
    assert rig.exchange.position == Decimal("0.1")
    rig.wait(20)
    assert rig.exchange.position == ZERO
    attempts = [one.client_order_id for one in rig.sent(wire.SubmitOrder) if one.reduce_only]
    assert len(attempts) == len(set(attempts)) == 4


def test_targets_and_partial_exits_rest_too_and_share_the_quantity() -> None:
    rules = ExitRules(
        stop_kind="resting",
        stop_loss_percent=2.0,
        take_profit_percent=4.0,
        partial_exits=(PartialExit(1.0, 0.5),),
    )
    rig = Rig(Engine(config(spec(exit_rules=rules)))).up().prices(*UP)
    by_type = {one.order_type: one for one in resting(rig)}
    assert by_type["STOP_MARKET"].stop_price == Decimal("99.1")  # from 99.176
    assert by_type["LIMIT"].price == Decimal("105.3")  # from 105.248
    assert by_type["LIMIT"].reduce_only


def test_a_target_nearer_than_a_partial_exit_leaves_all_of_the_position() -> None:
    rules = ExitRules(
        stop_kind="resting",
        take_profit_percent=2.0,
        partial_exits=(PartialExit(1.0, 0.25), PartialExit(5.0, 0.5)),
    )
    for signal, prices in ((MARKET_LONG, ["101.2", "102.3"]), (MARKET_SHORT, ["99.0", "98.0"])):
        Once.said = msgspec.structs.replace(signal, risk_distance=1.0)
        rig = Rig(Engine(config(spec(Once.name, params={}, exit_rules=rules)))).up().prices(100, 100)
        assert [(str(one.price), str(one.qty_base)) for one in resting(rig)] == [
            (prices[0], "0.025"),
            (prices[1], "0.075"),
        ]


def test_a_shorts_stop_is_rounded_up_and_its_target_down() -> None:
    rules = ExitRules(stop_kind="resting", stop_loss_percent=3.04, take_profit_percent=4.05)
    rig = Rig(Engine(config(spec(exit_rules=rules)))).up().prices(100, 101, 102, 100, 99)
    by_type = {one.order_type: one for one in resting(rig)}
    assert by_type["STOP_MARKET"].stop_price == Decimal("102.1")  # from 102.0096
    assert by_type["LIMIT"].price == Decimal("94.9")  # from 94.9905


def test_several_strategies_on_a_symbol_may_not_rest_exits_of_their_own() -> None:
    both = config(spec(netting=True), spec(owner="b:s2", netting=True, protective_stop_percent=Decimal(5)))
    with pytest.raises(StrategyRefused, match="BTCUSDT"):
        Engine(both)


def test_after_a_restart_the_stop_that_rests_is_kept_and_a_missing_one_is_placed() -> None:
    for lost in (False, True):
        first = protected().prices(*UP)
        records = tuple(
            enumerate((effect.record for effect in first.effects if hasattr(effect, "record")), 1)
        )
        exchange = first.exchange
        if lost:
            (gone,) = exchange.orders.values()
            exchange.orders.clear()
            cancelled = msgspec.structs.replace(gone, status="CANCELED", execution="CANCELED", sequence=0)
            exchange.on_query = lambda query, order=cancelled: [
                wire.Reply(query.request_id, "ok", order=order)
            ]
        rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5)))), exchange)
        restore(rig.engine, Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0))
        rig.up()
        rig.wait(30)
        assert len(stops(rig)) == int(lost)
        assert len(resting(rig)) == 1


@pytest.mark.parametrize("kept", range(1, 45))
def test_a_restart_from_any_record_of_the_journal_leaves_the_right_stop(kept: int) -> None:
    """The last fill may be on record without the state of the exit rules that followed it."""
    first = protected().prices(*UP, 101, 100, 99, 98)
    assert first.exchange.position == Decimal("-0.1")
    records = [effect.record for effect in first.effects if hasattr(effect, "record")][:kept]
    alive = {one.client_order_id for one in records if isinstance(one, Intent)}
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5)))))
    rig.exchange.now_ns = rig.now_ns = first.now_ns
    rig.exchange.sequence, rig.exchange.trades = first.exchange.sequence, first.exchange.trades
    rig.exchange.fills = [fill for fill in first.exchange.fills if fill.client_order_id in alive]
    for fill in rig.exchange.fills:
        rig.exchange.position += fill.last_qty_base if fill.side == "BUY" else -fill.last_qty_base
    gone = {
        one.update.client_order_id
        for one in records
        if isinstance(one, OrderReport) and one.update.status == "CANCELED"
    }
    for stop in stops(first):
        if stop.client_order_id in alive - gone:
            rig.exchange.execute(stop)  # rests; a cancel may be on record and not have left
    restore(rig.engine, Recovered("aaaaaa", 1, None, tuple(enumerate(records, 1)), 0, (), kept + 1, None, 0))
    rig.up()
    rig.wait(60)
    assert rig.engine.health.reconciled
    held = rig.exchange.position
    assert rig.engine.account.position("BTCUSDT").qty_base == held
    assert not [one for one in rig.sent(wire.SubmitOrder) if one.order_type == "MARKET"]
    if not held:
        assert not resting(rig)
        return
    (stop,) = resting(rig)
    entry = rig.exchange.fills[-1].last_price
    assert stop.side == ("SELL" if held > ZERO else "BUY")
    assert stop.stop_price is not None
    assert abs(stop.stop_price / entry - (Decimal("0.95") if held > ZERO else Decimal("1.05"))) < Decimal(
        "0.002"
    )


@pytest.mark.parametrize(
    "rules",
    [
        ExitRules(protective_stop_percent=100.0),
        ExitRules(stop_kind="resting", stop_loss_percent=120.0),
        ExitRules(stop_kind="resting", trailing_percent=100.0),
    ],
)
def test_a_stop_that_can_never_rest_is_refused_at_the_start(rules: ExitRules) -> None:
    with pytest.raises(StrategyRefused, match="a long's stop would rest at a price of 0"):
        Engine(config(spec(exit_rules=rules)))


def test_a_stop_that_is_only_tested_on_bars_may_be_as_far_as_it_likes() -> None:
    Engine(config(spec(exit_rules=ExitRules(stop_loss_percent=150.0))))


def test_a_shorts_target_that_no_price_reaches_is_not_placed_and_its_stop_rests() -> None:
    rules = ExitRules(stop_kind="resting", stop_loss_percent=5.0, take_profit_percent=120.0)
    rig = Rig(Engine(config(spec(exit_rules=rules)))).up().prices(100, 101, 102, 100, 99)
    assert rig.exchange.position == Decimal("-0.1")
    assert [one.order_type for one in resting(rig)] == ["STOP_MARKET"]


def test_a_stop_that_the_grid_rounds_to_zero_is_one_that_cannot_be_placed() -> None:
    rules = ExitRules(stop_kind="resting", stop_loss_percent=99.99)
    rig = Rig(Engine(config(spec(exit_rules=rules)))).up().prices(*UP)
    assert rig.exchange.position == Decimal("0.1")
    rig.wait(60)
    assert stops(rig) == []
    assert rig.exchange.position == ZERO
    assert rig.engine.health.stops_refused == {"BTCUSDT"}
    told = [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and one.level == "critical"]
    assert "sma_crossover_inflection:s1 on BTCUSDT has no confirmed stop" in told
