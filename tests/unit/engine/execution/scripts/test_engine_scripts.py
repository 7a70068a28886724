"""Pine's verbs on the live exchange."""

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.execution.scripts.book import ScriptBook
from engine.execution.scripts.orders import Exit
from engine.execution.scripts.trades import OpenTrade
from engine.journal.recovered import Recovered
from engine.model.audit import Notice
from engine.model.bars import Bar
from engine.model.events import Command, Event
from engine.model.limits import RiskLimits
from engine.model.records import AmendIntent, Signal
from engine.strategies.base import Broker, ScriptStrategy, StrategyParams, registry
from engine.strategies.slot import SlotState, StrategyRefused
from gateways.wire import messages as wire
from runtime.control.commands import CommandName
from tests.support.engine_rig import Rig, config, instrument, spec

Act = Callable[[Bar, Broker], None]
OWNER = "scripted_for_tests:s1"
ZERO = Decimal(0)


class _Params(StrategyParams):
    """None."""


@registry.register
class _Scripted(ScriptStrategy):
    """Does on its n-th bar what the test put there."""

    name = "scripted_for_tests"
    Params = _Params
    acts: ClassVar[dict[int, Act]] = {}
    used: ClassVar[frozenset[str]] = frozenset({"entry", "close"})

    def __init__(self, params: StrategyParams) -> None:
        self.params = params
        self.bars = 0

    @property
    def verbs(self) -> frozenset[str]:
        return self.used

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        act = self.acts.get(self.bars)
        self.bars += 1
        if act is not None:
            act(bar, broker)


def scripted(acts: dict[int, Act], *verbs: str, **changes: object) -> Rig:
    _Scripted.acts = acts
    _Scripted.used = frozenset(verbs) or frozenset({"entry", "close"})
    return Rig(Engine(config(spec("scripted_for_tests", params={}), **changes))).up()


def types(rig: Rig) -> list[tuple[str, str, bool]]:
    return [(one.order_type, one.side, one.reduce_only) for one in rig.sent(wire.SubmitOrder)]


def test_market_entry_and_close() -> None:
    rig = scripted({1: lambda _, b: b.entry("L", "long"), 3: lambda _, b: b.close("L")})
    rig.prices(100, 101, 102)
    assert rig.exchange.position == Decimal("0.1")
    rig.prices(103, 104, start=3)
    assert rig.exchange.position == ZERO
    assert types(rig) == [("MARKET", "BUY", False), ("MARKET", "SELL", True)]
    assert [one.fate for one in rig.records(Signal)] == ["traded", "traded"]


def test_an_opposite_entry_turns_the_position_by_two_orders() -> None:
    rig = scripted({1: lambda _, b: b.entry("L", "long"), 3: lambda _, b: b.entry("S", "short", 0.2)})
    rig.prices(100, 101, 102, 103, 104)
    assert rig.exchange.position == Decimal("-0.2")
    assert types(rig) == [("MARKET", "BUY", False), ("MARKET", "SELL", True), ("MARKET", "SELL", False)]


def test_the_script_sees_its_position() -> None:
    seen: list[tuple[float, float, int]] = []

    def look(_: Bar, broker: Broker) -> None:
        entry = broker.open_trades[0]
        seen.append((broker.position_size, broker.position_avg_price, len(broker.open_trades)))
        assert entry.entry_id == "L"

    rig = scripted({1: lambda _, b: b.entry("L", "long", 0.3), 2: look})
    rig.prices(100, 101, 102, 103)
    assert seen == [(0.3, 102.2, 1)]


def test_a_limit_entry_rests_is_moved_and_cancelled() -> None:
    rig = scripted(
        {
            1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0),
            2: lambda _, b: b.entry("L", "long", 0.1, limit=96.0),
            4: lambda _, b: b.cancel("L"),
        },
        "entry",
        "entry.limit",
        "cancel",
    )
    rig.prices(100, 101, 102, 103)
    (left,) = rig.exchange.orders.values()
    assert (left.price, left.order_type) == (Decimal("96.0"), "LIMIT")
    rig.prices(104, 105, 106, start=4)
    assert not rig.exchange.orders


def test_a_limit_entry_that_is_refused_each_time_backs_off_and_is_told_once() -> None:
    rig = scripted({1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0)}, "entry", "entry.limit")
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "refused", -2019, "Margin")]
    for second in range(200):
        rig.tick(second, 100)
        rig.wait(0)
    assert 2 <= len(rig.sent(wire.SubmitOrder)) < 15
    told = [one.text for one in rig.notices(Notice) if "was not placed" in one.text]
    assert len(told) == 1


def test_target_and_stop_rest_with_the_position_and_go_with_it() -> None:
    def enter(_: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.1)
        broker.exit("X", "L", limit=110.0, stop=90.0)

    rig = scripted({1: enter}, "entry", "exit", "exit.limit", "exit.stop")
    rig.prices(100, 101, 102, 103)
    resting = sorted((one.order_type, one.reduce_only) for one in rig.exchange.orders.values())
    assert resting == [("LIMIT", True), ("STOP_MARKET", True)]
    target = next(one for one in rig.sent(wire.SubmitOrder) if one.order_type == "LIMIT")
    for event in rig.exchange.fill(target, target.qty_base):
        rig.feed(event)
    assert not rig.exchange.orders
    assert rig.engine.account.position("BTCUSDT").qty_base == ZERO


@pytest.mark.parametrize("verb", ["exit.trail_points", "order", "entry.stop_limit"])
def test_what_cannot_be_placed_is_refused_at_start(verb: str) -> None:
    with pytest.raises(StrategyRefused, match=verb):
        scripted({}, "entry", verb)


def test_a_script_that_asks_for_the_impossible_fails_alone() -> None:
    rig = scripted({1: lambda _, b: b.entry("L", "long", oca_name="group")})
    rig.prices(100, 101, 102)
    slot = rig.engine.strategies.slots[0]
    assert slot.state is SlotState.FAILED
    assert slot.reason.startswith("OCA groups cannot be placed live (test_engine_scripts.py line ")


@pytest.mark.parametrize(
    ("act", "verb"),
    [
        (lambda _, b: b.entry("L", "long", 0.1, limit=95.0), "entry.limit"),
        (lambda _, b: b.exit("X", "L", stop=90.0), "exit"),
    ],
)
def test_a_script_on_a_shared_symbol_that_rests_orders_it_did_not_declare_fails_alone(
    act: Act, verb: str
) -> None:
    _Scripted.acts, _Scripted.used = {1: act}, frozenset({"entry", "close"})
    both = (spec("scripted_for_tests", params={}), spec(owner="other", netting=True))
    rig = Rig(Engine(config(*both))).up()
    rig.prices(100, 101, 102)
    first, other = rig.engine.strategies.slots
    assert first.state is SlotState.FAILED
    assert f"uses {verb} on BTCUSDT, which other strategies trade too (test_eng" in first.reason
    assert other.state is not SlotState.FAILED
    assert not rig.exchange.orders


def test_open_trades_and_wanted_orders_survive_a_restart() -> None:
    def enter(_: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.1)
        broker.exit("X", "L", stop=90.0)

    first = scripted({1: enter}, "entry", "exit", "exit.stop")
    first.prices(100, 101, 102, 103)
    records = tuple(enumerate((one.record for one in first.effects if hasattr(one, "record")), 1))
    rig = Rig(Engine(config(spec("scripted_for_tests", params={}))), first.exchange)
    restore(rig.engine, Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0))
    rig.up()
    rig.wait(20)
    assert not rig.sent(wire.SubmitOrder)
    assert not rig.sent(wire.CancelOrder)
    assert len(rig.exchange.orders) == 1


def test_a_filled_limit_entry_is_not_sent_again() -> None:
    rig = scripted({1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0)}, "entry", "entry.limit")
    rig.prices(100, 101, 102)
    (entry,) = rig.sent(wire.SubmitOrder)
    for event in rig.exchange.fill(entry, entry.qty_base):
        rig.feed(event)
    rig.prices(103, 104, start=3)
    assert len(rig.sent(wire.SubmitOrder)) == 1


def moving(*, amends: bool) -> tuple[Rig, list[type]]:
    """A limit entry that rests at 95 and is wanted at 96; what was asked of the exchange."""
    acts: dict[int, Act] = {
        1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0),
        2: lambda _, b: b.entry("L", "long", 0.1, limit=96.0),
    }
    rig = scripted(acts, "entry", "entry.limit")
    rig.exchange.amends = amends
    rig.prices(100, 101, 102, 103, 104, 105, 106)
    kinds = wire.SubmitOrder | wire.CancelOrder | wire.AmendOrder
    return rig, [type(one) for one in rig.exchange.requests if isinstance(one, kinds)]


def test_an_entry_that_moves_is_amended() -> None:
    rig, asked = moving(amends=True)
    assert asked == [wire.SubmitOrder, wire.AmendOrder]
    ((key, left),) = rig.exchange.orders.items()
    assert left.price == Decimal("96.0")
    assert [(one.client_order_id, one.price) for one in rig.records(AmendIntent)] == [(key, Decimal("96.0"))]
    order = rig.engine.store.get(key)
    assert order is not None
    assert order.price == Decimal("96.0")


def test_an_entry_that_cannot_be_amended_is_cancelled_before_the_new_one_is_sent() -> None:
    rig, asked = moving(amends=False)
    assert asked == [wire.SubmitOrder, wire.AmendOrder, wire.CancelOrder, wire.SubmitOrder]
    (left,) = rig.exchange.orders.values()
    assert left.price == Decimal("96.0")


def test_an_entry_is_not_amended_to_what_the_risk_manager_refuses() -> None:
    acts: dict[int, Act] = {
        1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0),
        2: lambda _, b: b.entry("L", "long", 90.0, limit=96.0),
    }
    rig = scripted(acts, "entry", "entry.limit", limits=RiskLimits(max_order_notional_quote=Decimal(1_000)))
    rig.prices(100, 101, 102, 103, 104)
    assert not rig.sent(wire.AmendOrder)
    assert not [one for one in rig.exchange.orders.values() if one.qty_base > 1]


@pytest.mark.parametrize("name", ["pause", "flatten", "kill"])
def test_no_entry_of_a_paused_script_rests_on(name: CommandName) -> None:
    acts: dict[int, Act] = {1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0)}
    rig = scripted(acts, "entry", "entry.limit")
    rig.prices(100, 101, 102)
    assert len(rig.exchange.orders) == 1
    rig.feed(Command(rig.now_ns, "c1", name))
    rig.prices(103, 104, start=3)
    assert not rig.exchange.orders
    rig.feed(Command(rig.now_ns, "c2", "resume"))
    rig.prices(105, 106, start=5)
    assert not rig.exchange.orders


def test_a_suspect_bar_does_not_move_an_entry() -> None:
    acts: dict[int, Act] = {
        1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0),
        3: lambda _, b: b.entry("L", "long", 0.1, limit=99.0),
    }
    rig = scripted(acts, "entry", "entry.limit")
    rig.prices(100, 101, 102, 103)
    rig.status(fresh=()).status()
    rig.prices(104, 105, start=4)
    (left,) = rig.exchange.orders.values()
    assert left.price == Decimal("95.0")


def test_bars_since_an_entry_are_counted_over_a_restart() -> None:
    held: list[int] = []

    def look(_: Bar, broker: Broker) -> None:
        held.append(broker.bar_index - broker.open_trades[0].entry_bar_index)

    rig = scripted({1: lambda _, b: b.entry("L", "long", 0.1), 6: look})
    rig.prices(*range(100, 105))
    records = tuple(enumerate((one.record for one in rig.effects if hasattr(one, "record")), 1))
    _Scripted.acts = {1: look}
    again = Rig(Engine(config(spec("scripted_for_tests", params={}))), rig.exchange)
    restore(again.engine, Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0))
    again.up().prices(105, 106, 107, start=5)
    assert held == [4]


def test_a_stop_of_a_script_that_the_market_has_passed_means_leave_now() -> None:
    def enter(_: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.1)
        broker.exit("X", "L", stop=101.9)

    rig = scripted({1: enter}, "entry", "exit", "exit.stop")

    def too_late(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET":
            return None
        return [wire.Reply(order.request_id, "refused", -2021, "Order would immediately trigger.")]

    rig.exchange.on_submit = too_late
    rig.prices(100, 101, 102)
    rig.wait(3)
    assert rig.exchange.position == ZERO
    assert [kind for kind, _, _ in types(rig)] == ["MARKET", "STOP_MARKET", "MARKET"]


def entered(rig: Rig) -> list[tuple[str, str]]:
    """Types and sides of what was sent, without the levels' own texts."""
    return [(kind, side) for kind, side, _ in types(rig)]


@pytest.mark.parametrize("level", [-0.5, 0.0, 0.04])
def test_an_entry_at_a_level_that_no_price_reaches_is_not_placed(level: float) -> None:
    acts: dict[int, Act] = {
        1: lambda _, b: b.entry("L", "long", 0.1, limit=level),
        2: lambda _, b: b.entry("S", "short", 0.1, stop=level),
        3: lambda _, b: b.entry("L", "long", 0.1, limit=90.0),
    }
    rig = scripted(acts, "entry", "entry.limit", "entry.stop")
    rig.prices(100, 101, 102)
    assert rig.sent(wire.SubmitOrder) == []
    rig.prices(103, 104, start=3)
    assert entered(rig) == [("LIMIT", "BUY")]


@pytest.mark.parametrize("level", [-0.5, 0.0, 0.04])
@pytest.mark.parametrize(("direction", "verb"), [("long", "stop"), ("short", "limit")])
def test_an_entry_at_a_level_that_every_price_has_passed_enters_at_once(
    level: float, direction: str, verb: str
) -> None:
    rig = scripted(
        {1: lambda _, b: b.entry("E", direction, 0.1, **{verb: level})}, "entry", "entry.limit", "entry.stop"
    )
    rig.prices(100, 101, 102, 103)
    assert entered(rig) == [("MARKET", "BUY" if direction == "long" else "SELL")]
    assert abs(rig.exchange.position) == Decimal("0.1")


@pytest.mark.parametrize("protected", [False, True])
def test_a_stop_that_no_price_reaches_is_not_placed_and_told_once_and_the_target_rests(
    protected: bool,
) -> None:
    def hold(bar: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.1)
        broker.exit("X", "L", limit=110.0, stop=bar.close - 200.0)

    def again(_: Bar, broker: Broker) -> None:
        broker.exit("X", "L", limit=110.0, loss=5000)

    _Scripted.acts = {1: hold, 2: again, 3: again}
    _Scripted.used = frozenset({"entry", "exit", "exit.limit", "exit.stop", "exit.loss"})
    percent = Decimal(10) if protected else None
    rig = Rig(Engine(config(spec("scripted_for_tests", params={}, protective_stop_percent=percent)))).up()
    rig.prices(100, 101, 102, 103, 104)
    rig.wait(60)
    resting = sorted(one.order_type for one in rig.exchange.orders.values())
    assert resting == ["LIMIT", "STOP_MARKET"][: 1 + protected]
    told = [one for one in rig.notices(Notice) if "no price reaches" in one.text]
    assert [(one.level, one.text) for one in told] == [
        (
            "warning" if protected else "critical",
            f"{OWNER} on BTCUSDT: the stop of X is at -98.9, which no price reaches: none is placed",
        )
    ]
    assert rig.exchange.position == Decimal("0.1")
    assert rig.engine.strategies.slots[0].state is SlotState.RUNNING


def test_a_shorts_target_that_no_price_reaches_is_not_placed() -> None:
    def enter(_: Bar, broker: Broker) -> None:
        broker.entry("S", "short", 0.1)
        broker.exit("X", "S", profit=2000, stop=120.0)

    rig = scripted({1: enter}, "entry", "exit", "exit.profit", "exit.stop")
    rig.prices(100, 101, 102, 103)
    assert [one.order_type for one in rig.exchange.orders.values()] == ["STOP_MARKET"]


@pytest.mark.parametrize(("direction", "level"), [("long", "limit"), ("short", "stop")])
@pytest.mark.parametrize("at_bar", [1, 3])
def test_an_exit_at_a_level_that_every_price_has_passed_leaves_at_once(
    direction: str, level: str, at_bar: int
) -> None:
    def act(number: int) -> Act:
        def on_bar(_: Bar, broker: Broker) -> None:
            if number == 1:
                broker.entry("E", direction, 0.1)
            if number == at_bar:
                broker.exit("X", "E", **{level: -1.0})

        return on_bar

    rig = scripted({1: act(1), 3: act(3)}, "entry", "exit", f"exit.{level}")
    rig.prices(100, 101, 102)
    assert rig.exchange.position == (
        ZERO if at_bar == 1 else Decimal("0.1" if direction == "long" else "-0.1")
    )
    rig.prices(103, 104, 105, start=3)
    assert rig.exchange.position == ZERO
    assert [kind for kind, _, _ in types(rig)] == ["MARKET", "MARKET"]


def test_an_exit_of_a_part_that_is_met_at_once_leaves_that_part_once_over_a_restart_too() -> None:
    def leave(_: Bar, broker: Broker) -> None:
        broker.exit("X", "L", qty_percent=50, limit=0.0)

    acts: dict[int, Act] = {1: lambda _, b: b.entry("L", "long", 0.4), 2: leave, 3: leave, 4: leave}
    rig = scripted(acts, "entry", "exit", "exit.limit")
    rig.prices(100, 101, 102, 103, 104, 105)
    assert rig.exchange.position == Decimal("0.2")
    again = ScriptBook(rig.engine.strategies.slots[0], rig.engine.account, {"BTCUSDT": instrument()})
    trader = rig.engine.trades.traders[OWNER, "BTCUSDT"]
    again.restore(trader.exit_state().state, 0)
    assert again.take_met() == []


def test_exits_of_a_journal_that_kept_calls_only_are_legs_of_what_is_open_or_on_its_way() -> None:
    rig = scripted({1: lambda _, b: b.entry("L", "long", 0.4)}, "entry", "exit", "exit.limit")
    rig.prices(100, 101, 102)
    calls = {
        "X": Exit("L", None, 50.0, 110.0, None, None, None, "X"),
        "Y": Exit("L", None, 50.0, 111.0, None, None, None, "Y"),
        "Z": Exit("S", None, 100.0, None, 120.0, None, None, "Z"),
    }
    before = [7, [OpenTrade("L", 102.2, 3, 0.4)], 0, {}, calls, ["Y"]]
    slot, account = rig.engine.strategies.slots[0], rig.engine.account
    broker = ScriptBook(slot, account, {"BTCUSDT": instrument()})
    broker.restore(msgspec.msgpack.encode(before), 0)
    (leg,) = broker.resting_orders().items()
    assert (leg[0].name, leg[1].qty_base, leg[1].price) == ("exit:X:limit", Decimal("0.2"), Decimal(110))
    again = ScriptBook(slot, account, {"BTCUSDT": instrument()})
    again.restore(broker.state(), 0)
    assert again.resting_orders() == broker.resting_orders()
    assert again.state() == broker.state()
