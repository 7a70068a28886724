"""An exit of a script fills once for its entry, live as in the backtest."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pytest

from engine.model.bars import Bar
from engine.strategies.base import Broker
from tests.support.script_rig import Act, LiveScript, backtest_fills

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
