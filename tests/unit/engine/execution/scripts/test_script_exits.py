"""An exit of a script fills once for its entry, live as in the backtest."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from engine.model.bars import Bar
from engine.model.events import Event
from engine.strategies.base import Broker
from gateways.wire import messages as wire
from tests.support.script_rig import Act, ByTheClock, LiveScript, backtest_fills

D = Decimal
FLAT = (100.0, 100.0, 100.0, 100.0)


def steps(*prices: float) -> list[tuple[float, float, float, float]]:
    """Bars that go from each price to the next."""
    return [(start, max(start, end), min(start, end), end) for start, end in pairwise(prices)]


def exits_of(
    acts: dict[int, Act],
    bars: Sequence[Sequence[float]],
    *,
    parts: int = 1,
    restart_after: int | None = None,
    is_torn: bool = False,
) -> list[tuple[Decimal, str]]:
    """What exits have filled live, and that it is what they fill in the backtest."""
    live = LiveScript(acts, parts)
    for index, bar in enumerate(bars):
        live.bar(index, bar)
        if index == restart_after:
            live.restart(is_torn=is_torn)
    expected, held = backtest_fills(acts, bars)
    assert live.filled() == expected
    assert live.market.position == held
    return [(abs(one.signed_base), one.text) for one in expected]


def on_each(first: int, last: int, *acts: Act) -> dict[int, Act]:
    """Those calls on each bar from the first to the last."""

    def all_of(bar: Bar, broker: Broker) -> None:
        for act in acts:
            act(bar, broker)

    return dict.fromkeys(range(first, last), all_of)


def long_at_2(acts: dict[int, Act]) -> dict[int, Act]:
    """Those calls and, on the second bar, an entry before them."""
    after = acts.get(2)

    def enter(bar: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.4)
        if after is not None:
            after(bar, broker)

    return {**acts, 2: enter}


RISE = steps(100, 100, 100, 100, 102, 103, 102, 103, 104, 102, 103, 105, 106)


def half(_: Bar, broker: Broker) -> None:
    broker.exit("X", "L", qty_percent=50, limit=101.0)


def test_an_exit_of_half_called_on_each_bar_fills_once() -> None:
    assert exits_of(long_at_2(on_each(2, 12, half)), RISE) == [(D("0.200"), "X")]


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("restart_after", [3, 4, 6, None])
def test_it_fills_once_in_parts_and_over_a_restart_too(parts: int, restart_after: int | None) -> None:
    acts = long_at_2(on_each(2, 12, half))
    assert exits_of(acts, RISE, parts=parts, restart_after=restart_after) == [(D("0.200"), "X")]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_fill_that_the_state_in_the_journal_has_not_seen_counts(parts: int) -> None:
    acts = long_at_2(on_each(2, 12, half))
    found = exits_of(acts, RISE, parts=parts, restart_after=3, is_torn=True)
    assert found == [(D("0.200"), "X")]


def test_an_exit_called_once_fills_once() -> None:
    assert exits_of(long_at_2({2: half}), RISE) == [(D("0.200"), "X")]


def of_qty(_: Bar, broker: Broker) -> None:
    broker.exit("X", "L", qty=0.15, limit=101.0)


def by_distance(_: Bar, broker: Broker) -> None:
    broker.exit("X", "L", qty_percent=50, profit=10)


def by_stop(_: Bar, broker: Broker) -> None:
    broker.exit("X", "L", qty_percent=50, stop=99.0)


def by_loss(_: Bar, broker: Broker) -> None:
    broker.exit("X", "L", qty_percent=50, loss=10)


FALL = steps(100, 100, 100, 100, 98, 97, 98, 99, 98, 97)


@pytest.mark.parametrize(
    ("act", "bars", "qty"),
    [
        (of_qty, RISE, "0.150"),
        (by_distance, RISE, "0.200"),
        (by_stop, FALL, "0.200"),
        (by_loss, FALL, "0.200"),
    ],
)
def test_so_does_every_kind_of_exit(act: Act, bars: Sequence[Sequence[float]], qty: str) -> None:
    assert exits_of(long_at_2(on_each(2, 9, act)), bars, restart_after=5) == [(D(qty), "X")]


def test_several_exits_share_the_entry_first_come_first_served() -> None:
    def rest(_: Bar, broker: Broker) -> None:
        broker.exit("Y", "L", limit=103.0, stop=90.0)

    def more(_: Bar, broker: Broker) -> None:
        broker.exit("Z", "L", qty_percent=50, limit=102.0)

    acts = long_at_2(on_each(2, 12, half, rest, more))
    assert exits_of(acts, RISE) == [(D("0.200"), "X"), (D("0.200"), "Y")]


def test_each_of_three_exits_leaves_its_part_of_the_whole_entry() -> None:
    def quarter(_: Bar, broker: Broker) -> None:
        broker.exit("Y", "L", qty_percent=25, limit=103.5)

    def rest(_: Bar, broker: Broker) -> None:
        broker.exit("Z", limit=105.0)

    acts = long_at_2(on_each(2, 12, half, quarter, rest))
    expected = [(D("0.200"), "X"), (D("0.100"), "Y"), (D("0.100"), "Z")]
    assert exits_of(acts, RISE, restart_after=5) == expected


def test_an_exit_without_from_entry_fills_once_too() -> None:
    def act(_: Bar, broker: Broker) -> None:
        broker.exit("X", qty_percent=50, limit=101.0)

    assert exits_of(long_at_2(on_each(2, 12, act)), RISE) == [(D("0.200"), "X")]


def test_a_part_that_is_closed_at_market_leaves_the_exit_its_share() -> None:
    def close(_: Bar, broker: Broker) -> None:
        broker.close("L", qty=0.1, comment="part")

    acts = long_at_2(on_each(2, 12, half)) | {3: close}
    assert exits_of(acts, steps(100, 100, 100, 100, 100, *range(100, 106))) == [
        (D("0.100"), "part"),
        (D("0.200"), "X"),
    ]


def test_the_next_entry_has_its_exit_again() -> None:
    acts = long_at_2(on_each(2, 12, half))
    again = acts[7]

    def anew(bar: Bar, broker: Broker) -> None:
        broker.close("L", comment="all")
        again(bar, broker)

    def enter(bar: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.3)
        again(bar, broker)

    bars = steps(100, 100, 100, 100, 102, 102, 100, 100, 100, 100, 102, 102)
    found = exits_of(acts | {6: anew, 7: enter}, bars)
    assert found == [(D("0.200"), "X"), (D("0.200"), "all"), (D("0.150"), "X")]


def test_a_cancelled_exit_may_fill_again() -> None:
    acts = long_at_2({2: half, 6: lambda _, broker: broker.cancel("X"), 7: half})
    assert exits_of(acts, RISE) == [(D("0.200"), "X"), (D("0.200"), "X")]


def test_the_exit_of_a_turned_position_waits_for_its_entry() -> None:
    def turn(_: Bar, broker: Broker) -> None:
        broker.entry("S", "short", 0.3)
        broker.exit("SX", "S", stop=104.5, limit=90.0)

    acts = long_at_2({2: half, 6: turn})
    expected = [(D("0.200"), "X"), (D("0.200"), "S"), (D("0.300"), "SX")]
    assert exits_of(acts, RISE) == expected


def test_an_exit_before_any_entry_is_not_remembered() -> None:
    acts = {1: half, 4: lambda _, broker: broker.entry("L", "long", 0.4)}
    assert exits_of(acts, RISE) == []


def slowly_filled(acts: dict[int, Act]) -> tuple[LiveScript, wire.SubmitOrder]:
    """A script whose first order rests at the exchange after a quarter of it has filled."""
    live = LiveScript(acts)

    def fill_a_quarter(order: wire.SubmitOrder) -> list[Event]:
        live.market.on_submit = lambda _: None
        resting = msgspec.structs.replace(order, order_type="LIMIT", price=D(1))
        answers = live.market.execute(resting)
        return answers + live.market.fill(resting, order.qty_base / 4)

    live.market.on_submit = fill_a_quarter
    for bar in range(4):
        live.bar(bar, FLAT)
    (entry,) = (one for one in live.rig.sent(wire.SubmitOrder) if one.order_type == "MARKET")
    return live, entry


def fill(live: LiveScript, order: wire.SubmitOrder, qty: str) -> None:
    for event in live.market.fill(order, D(qty)):
        live.rig.feed(event)


def resting_exit(live: LiveScript) -> list[Decimal]:
    return [one.qty_base - one.filled_base for one in live.market.orders.values() if one.reduce_only]


def test_an_exit_grows_with_an_entry_that_fills_slowly() -> None:
    live, entry = slowly_filled(long_at_2({2: half}))
    assert resting_exit(live) == [D("0.05")]
    fill(live, entry, "0.1")
    assert resting_exit(live) == [D("0.1")]
    fill(live, entry, "0.2")
    assert resting_exit(live) == [D("0.2")]


def test_what_an_exit_has_filled_of_an_entry_that_is_still_filling_is_not_left_again() -> None:
    live, entry = slowly_filled(long_at_2({2: half}))
    leg = next(one for one in live.rig.sent(wire.SubmitOrder) if one.reduce_only)
    fill(live, leg, "0.05")
    assert resting_exit(live) == []
    live.restart()
    fill(live, entry, "0.3")
    assert resting_exit(live) == [D("0.15")]


def test_an_exit_of_all_waits_for_the_rest_of_an_entry_whose_first_part_it_has_left() -> None:
    def whole(_: Bar, broker: Broker) -> None:
        broker.exit("X", "L", limit=101.0)

    live, entry = slowly_filled(long_at_2({2: whole}))
    leg = next(one for one in live.rig.sent(wire.SubmitOrder) if one.reduce_only)
    fill(live, leg, "0.1")
    assert live.market.position == 0
    fill(live, entry, "0.3")
    assert resting_exit(live) == [D("0.3")]


def test_a_part_whose_stop_price_has_passed_leaves_at_market_once() -> None:
    def stop(_: Bar, broker: Broker) -> None:
        broker.exit("X", "L", qty_percent=50, stop=99.9)

    def too_late(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type != "STOP_MARKET":
            return None
        return [wire.Reply(order.request_id, "refused", -2021, "Order would immediately trigger.")]

    live = LiveScript(long_at_2(on_each(2, 9, stop)))
    live.market.on_submit = too_late
    for bar in range(9):
        live.bar(bar, FLAT)
    assert live.market.position == D("0.2")
    assert [one.order_type for one in live.rig.sent(wire.SubmitOrder)] == ["MARKET", "STOP_MARKET", "MARKET"]


def test_a_part_that_is_met_at_once_leaves_half_of_an_entry_that_fills_in_parts() -> None:
    def met(_: Bar, broker: Broker) -> None:
        broker.exit("X", "L", qty_percent=50, limit=0.0)

    live = LiveScript(long_at_2(on_each(2, 9, met)), parts=2)
    for bar in range(9):
        live.bar(bar, FLAT)
    assert live.market.position == D("0.2")


def resting_entry() -> tuple[LiveScript, wire.SubmitOrder]:
    """A script that asks on each bar for a limit entry, with an exit of half of it."""

    def enter(_: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.4, limit=95.0)
        broker.exit("X", "L", qty_percent=50, limit=101.0)

    live = LiveScript(on_each(2, 20, enter))
    for bar in range(4):
        live.bar(bar, FLAT)
    (entry,) = live.rig.sent(wire.SubmitOrder)
    return live, entry


def test_a_limit_entry_that_fills_in_parts_goes_on_filling_and_its_exit_grows() -> None:
    live, entry = resting_entry()
    fill(live, entry, "0.1")
    for bar in range(4, 7):
        live.bar(bar, FLAT)
    live.restart()
    for bar in range(7, 10):
        live.bar(bar, FLAT)
    assert resting_exit(live) == [D("0.05")]
    fill(live, entry, "0.3")
    assert resting_exit(live) == [D("0.2")]
    assert live.market.position == D("0.4")
    for bar in range(10, 13):
        live.bar(bar, FLAT)
    assert not [one for one in live.market.orders.values() if not one.reduce_only]
    assert len([one for one in live.rig.sent(wire.SubmitOrder) if not one.reduce_only]) == 0


@pytest.mark.parametrize(
    ("act", "left"),
    [(lambda _, broker: broker.close("L"), []), (lambda _, broker: broker.cancel("L"), [D("0.05")])],
    ids=["what has filled is left", "cancelled"],
)
def test_what_is_left_of_a_limit_entry_goes(act: Act, left: list[Decimal]) -> None:
    live, entry = resting_entry()
    fill(live, entry, "0.1")
    ByTheClock.acts = {4: act}
    for bar in range(4, 8):
        live.bar(bar, FLAT)
    assert all(one.reduce_only for one in live.market.orders.values())
    assert resting_exit(live) == left
    assert live.market.position == D("0.1") * len(left)


def test_a_limit_entry_asked_for_in_its_own_position_does_not_rest_once_that_is_left() -> None:
    def enter(_: Bar, broker: Broker) -> None:
        broker.entry("L", "long", 0.4, limit=101.5)
        broker.exit("X", "L", limit=101.0)

    acts = on_each(2, 4, enter)
    bars = steps(100, 100, 100, 100, 100, 102, 100, 100, 100)
    assert exits_of(acts, bars) == [(D("0.400"), "X")]
