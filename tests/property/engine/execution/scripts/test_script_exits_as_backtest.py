"""A script's exits fill live as in the backtest: the same quantities, prices, bars and texts."""

from itertools import groupby
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.bars import Bar
from engine.model.signals import Direction
from engine.strategies.base import Broker
from tests.support.script_rig import Act, Filled, LiveScript, backtest_fills

BARS = 12
PLACES = {"X": 0.1, "Y": 0.3, "Z": 0.5}
"""Each exit has levels of its own, and prices turn at whole numbers: no two things are met at one price."""


class Entry(NamedTuple):
    """At market or, `away` from the close, at a limit; one of an id has the same quantity each time."""

    direction: Direction
    away: int | None

    def call(self, broker: Broker, close: float) -> None:
        is_long, held = self.direction == "long", broker.position_size
        if held == 0:
            broker.cancel("S" if is_long else "L")
        elif self.away is not None and (held > 0) != is_long:
            return
        limit = None
        if self.away is not None:
            limit = round(close + (-1 if is_long else 1) * (self.away + 0.2), 1)
        name, qty = ("L", 0.4) if is_long else ("S", 0.301)
        broker.entry(name, self.direction, qty, limit=limit)


class Exit(NamedTuple):
    """At prices or, `by_distance`, so many ticks from the entry. `part` is its quantity and percent."""

    exit_id: str
    entry_id: str
    target: int | None
    stop: int | None
    by_distance: bool
    part: tuple[float | None, float] = (None, 100.0)

    def call(self, broker: Broker, close: float) -> None:
        place, size = PLACES[self.exit_id], broker.position_size
        qty, percent = self.part
        if self.by_distance:
            profit = None if self.target is None else 10.0 * self.target + 20 * place
            loss = None if self.stop is None else 10.0 * self.stop + 20 * place
            broker.exit(self.exit_id, self.entry_id, qty, qty_percent=percent, profit=profit, loss=loss)
            return
        way = -1 if size < 0 or (size == 0 and self.entry_id == "S") else 1
        limit = None if self.target is None else round(close + way * self.target + place, 1)
        stop = None if self.stop is None else round(close - way * (self.stop + 1) + place, 1)
        broker.exit(self.exit_id, self.entry_id, qty, qty_percent=percent, limit=limit, stop=stop)


class Leave(NamedTuple):
    """Close an entry, or cancel one that rests.

    Neither closes of a part nor cancels of exits: where exits that together ask for more than is left are met
    at one moment, the backtest goes past flat, as TradingView does, which live no exit does.
    """

    verb: str
    id: str

    def call(self, broker: Broker, _: float) -> None:
        if self.verb == "close":
            broker.close(self.id, comment="left")
        else:
            broker.cancel(self.id)


Call = Entry | Exit | Leave
distances = st.none() | st.integers(0, 3)
entries = st.builds(
    Entry,
    st.sampled_from(["long", "short"]),
    st.none() | st.integers(0, 2),
)
exits = st.builds(
    Exit,
    st.sampled_from(sorted(PLACES)),
    st.sampled_from(["L", "S", ""]),
    distances,
    distances,
    st.booleans(),
)
parts_of_entries = st.sampled_from([(None, 100.0), (None, 50.0), (None, 33.0), (None, 0.0), (0.15, 100.0)])
leaving = st.sampled_from(
    [Leave("close", "L"), Leave("close", "S"), Leave("cancel", "L"), Leave("cancel", "S")]
)


@st.composite
def paths(draw: st.DrawFn) -> list[tuple[float, float, float, float]]:
    """Bars that begin where the last one ended."""
    bars, at = [], 100
    for _ in range(BARS):
        end = at + draw(st.integers(-3, 3))
        high, low = max(at, end) + draw(st.integers(0, 2)), min(at, end) - draw(st.integers(0, 2))
        bars.append((float(at), float(high), float(low), float(end)))
        at = end
    return bars


@st.composite
def scripts(draw: st.DrawFn) -> dict[int, list[Call]]:
    """At most one entry or way to leave on a bar, then exits, some of which are called on all that follow.

    An exit id always has the same part.
    """
    parts = {exit_id: draw(parts_of_entries) for exit_id in PLACES}
    calls: dict[int, list[Call]] = {}
    again: list[Call] = []
    for bar in range(1, BARS):
        if draw(st.booleans()):
            again = draw(st.lists(exits, max_size=3))
        first: Call | None = draw(st.none() | entries | leaving)
        now = [*again, *draw(st.lists(exits, max_size=1))]
        calls[bar] = [
            *([] if first is None else [first]),
            *(one._replace(part=parts[one.exit_id]) for one in now),
        ]
    return calls


def act_of(calls: list[Call]) -> Act:
    """All of them on one bar."""

    def act(bar: Bar, broker: Broker) -> None:
        for one in calls:
            one.call(broker, round(bar.close, 1))

    return act


def in_order(fills: list[Filled]) -> list[Filled]:
    """Those of one moment have no order."""
    moments = groupby(fills, lambda one: (one.bar, one.price))
    return [one for _, together in moments for one in sorted(together)]


def without_entries(calls: list[Call]) -> list[Call]:
    return [one for one in calls if not isinstance(one, Entry)]


@settings(deadline=None, max_examples=60)
@given(paths(), scripts(), st.integers(1, 3), st.none() | st.integers(2, BARS - 2))
def test_exits_fill_live_as_in_the_backtest(
    bars: list[tuple[float, float, float, float]],
    script: dict[int, list[Call]],
    parts: int,
    restart_after: int | None,
) -> None:
    """Over a restart too: an engine decides nothing on the bar in which it starts, then on exits alone."""
    if restart_after is not None:
        script[restart_after] = []
        script[restart_after + 1] = without_entries(script.get(restart_after + 1, []))
    acts = {bar: act_of(calls) for bar, calls in script.items()}
    live = LiveScript(acts, parts)
    for index, bar in enumerate(bars):
        live.bar(index, bar)
        if index == restart_after:
            live.restart()
    expected, held = backtest_fills(acts, bars)
    assert in_order(live.filled()) == in_order(expected)
    assert live.market.position == held
