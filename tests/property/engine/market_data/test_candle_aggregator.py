"""Bars made from any sequence of ticks equal those of a plain, slow description of the rules."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.market_data.aggregator import EMPTY, LATE_TICK, SUSPECT, CandleAggregator, SymbolBars
from engine.model.bars import Bar
from engine.model.timeframes import SECOND_NS, bar_open_ns

TICK_NS = 100_000_000
FRAMES = (SECOND_NS, 2 * SECOND_NS, 5 * SECOND_NS, 60 * SECOND_NS)
GRACE_NS = 250_000_000

steps = st.lists(
    st.tuples(st.integers(0, 35), st.integers(1, 1_000), st.integers(0, 64)), min_size=1, max_size=60
)
frames = st.sets(st.sampled_from(FRAMES), min_size=1)


Raw = list[tuple[int, int, int]]
Tick = tuple[int, float, float]


def ticks_of(raw: Raw) -> list[Tick]:
    """Ascending (time, price, volume); volumes are dyadic so that sums do not depend on their order."""
    time_ns, out = 1_700_000_000 * SECOND_NS, []
    for step, price, volume in raw:
        time_ns += step * TICK_NS
        out.append((time_ns, price / 4, volume / 8))
    return out


def brute_force(ticks: list[Tick], length: int, end_ns: int) -> list[tuple[float, ...]]:
    """(open time, open, high, low, close, volume, ticks, empty) of every bar closed by `end_ns`."""
    out = []
    open_ns = bar_open_ns(ticks[0][0], length)
    last = ticks[0][1]
    while open_ns + length <= end_ns:
        inside = [tick for tick in ticks if open_ns <= tick[0] < open_ns + length]
        prices = [price for _, price, _ in inside] or [last]
        out.append(
            (
                open_ns,
                prices[0],
                max(prices),
                min(prices),
                prices[-1],
                sum(v for *_, v in inside),
                len(inside),
            )
        )
        last = prices[-1]
        open_ns += length
    return out


def columns(bar: Bar) -> tuple[float, ...]:
    return (bar.open_time_ns, bar.open, bar.high, bar.low, bar.close, bar.volume_base, bar.ticks)


def of_length(bars: Iterable[Bar], length: int) -> list[Bar]:
    return [bar for bar in bars if bar.timeframe_ns == length]


@given(steps, frames)
def test_bars_partition_time_and_equal_brute_force(raw: Raw, lengths: set[int]):
    ticks = ticks_of(raw)
    track = SymbolBars("BTCUSDT", "trade", lengths)
    bars = [bar for tick in ticks for bar in track.add(*tick)]
    for length in lengths:
        mine = of_length(bars, length)
        assert [columns(bar) for bar in mine] == brute_force(ticks, length, ticks[-1][0])
        assert all(a.close_time_ns == b.open_time_ns for a, b in pairwise(mine))
        assert all(bool(bar.flags & EMPTY) == (bar.ticks == 0) for bar in mine)


@given(steps, frames, st.data())
def test_any_legal_interleaving_of_timers_gives_the_same_bars(
    raw: Raw, lengths: set[int], data: st.DataObject
):
    ticks = ticks_of(raw)
    series = [("BTCUSDT", "mid", length) for length in sorted(lengths)]
    plain = SymbolBars("BTCUSDT", "mid", lengths)
    timed = CandleAggregator(series, GRACE_NS)
    expected = [bar for tick in ticks for bar in plain.add(*tick)]
    track = timed.tracks["BTCUSDT", "mid"]
    got = []
    for tick, following in zip(ticks, [*ticks[1:], ticks[-1]], strict=True):
        got.extend(track.add(*tick))
        for when in sorted(data.draw(st.lists(st.integers(0, following[0] - tick[0]), max_size=3))):
            got.extend(timed.on_time(tick[0] + when + GRACE_NS))
    assert got == expected


@given(steps, frames, st.data())
def test_each_bar_closes_exactly_once_whatever_arrives_late(raw: Raw, lengths: set[int], data: st.DataObject):
    ticks = data.draw(st.permutations(ticks_of(raw)))
    timed = CandleAggregator([("A", "trade", length) for length in sorted(lengths)], GRACE_NS)
    track = timed.tracks["A", "trade"]
    bars, taken = [], 0
    for tick in ticks:
        bars.extend(track.add(*tick))
        taken += 1
        if data.draw(st.booleans()):
            bars.extend(timed.on_time(tick[0] + data.draw(st.integers(0, 3 * SECOND_NS))))
    bars.extend(timed.on_time(max(t for t, *_ in ticks) + 200 * SECOND_NS))
    for length in lengths:
        mine = of_length(bars, length)
        assert all(a.close_time_ns == b.open_time_ns for a, b in pairwise(mine))
    counted = sum(bar.ticks for bar in bars)
    assert counted + track.late_ticks == taken * len(lengths)


@given(steps)
def test_bars_that_close_together_come_longest_first(raw: Raw):
    track = SymbolBars("A", "mid", FRAMES)
    bars = [bar for tick in ticks_of(raw) for bar in track.add(*tick)]
    order = [(bar.close_time_ns, -bar.timeframe_ns) for bar in bars]
    assert order == sorted(order)


def test_a_tick_on_the_boundary_belongs_to_the_next_bar():
    track = SymbolBars("A", "mid", [SECOND_NS])
    track.add(SECOND_NS, 1.0)
    (bar,) = track.add(2 * SECOND_NS, 5.0)
    assert (bar.open, bar.high, bar.close, bar.ticks, bar.flags) == (1.0, 1.0, 1.0, 1, 0)


def test_grace_time_is_waited_for_and_the_deadline_names_it():
    candles = CandleAggregator([("A", "mid", SECOND_NS)], GRACE_NS)
    candles.tracks["A", "mid"].add(SECOND_NS, 1.0)
    assert candles.deadline_ns == 2 * SECOND_NS + GRACE_NS
    assert candles.on_time(2 * SECOND_NS + GRACE_NS - 1) == []
    (bar,) = candles.on_time(2 * SECOND_NS + GRACE_NS)
    assert bar.open_time_ns == SECOND_NS


def test_a_late_tick_is_dropped_counted_and_marks_the_bar_but_reaches_longer_open_bars():
    track = SymbolBars("A", "mid", [SECOND_NS, 60 * SECOND_NS])
    track.add(60 * SECOND_NS, 1.0)
    track.add(61 * SECOND_NS, 2.0)
    assert track.add(60 * SECOND_NS + 1, 9.0) == ()
    (marked,) = track.late_marks
    assert marked.flags & LATE_TICK
    assert track.late_ticks == 1
    assert track.last_closed[SECOND_NS].flags & LATE_TICK
    minute = track.add(120 * SECOND_NS, 3.0)
    assert of_length(minute, 60 * SECOND_NS)[0].high == 9.0


def test_a_hole_in_the_data_makes_bars_suspect_up_to_that_of_the_next_tick():
    track = SymbolBars("A", "mid", [SECOND_NS])
    track.add(SECOND_NS, 1.0)
    track.mark_hole()
    bars = [
        *track.add(3 * SECOND_NS + 5, 2.0),
        *track.add(4 * SECOND_NS, 2.0),
        *track.add(5 * SECOND_NS, 2.0),
    ]
    assert [bool(bar.flags & SUSPECT) for bar in bars] == [True, True, True, False]


def test_a_bar_that_began_before_its_first_tick_is_suspect():
    track = SymbolBars("A", "mid", [SECOND_NS])
    track.add(SECOND_NS + 1, 1.0)
    (bar,) = track.add(2 * SECOND_NS, 1.0)
    assert bar.flags & SUSPECT


def test_impossible_prices_never_reach_a_bar():
    track = SymbolBars("A", "mid", [SECOND_NS])
    track.add(SECOND_NS, 1.0)
    for price in (float("nan"), float("inf"), 0.0, -1.0, 1e308):
        assert track.add(SECOND_NS + 1, price) == ()
    (bar,) = track.add(2 * SECOND_NS, 1.0)
    assert (bar.high, bar.low, bar.ticks) == (1.0, 1.0, 1)
    assert track.invalid_ticks == 5


def test_a_silence_of_very_many_bars_begins_the_series_anew():
    track = SymbolBars("A", "mid", [SECOND_NS])
    track.add(SECOND_NS, 1.0)
    assert track.add(1_000_000 * SECOND_NS, 1.0) == []
    (bar,) = track.add(1_000_001 * SECOND_NS, 1.0)
    assert bar.flags & SUSPECT
    assert track.restarts == 1


def test_weeks_begin_on_monday():
    assert bar_open_ns(1_700_000_000 * SECOND_NS, 7 * 86_400 * SECOND_NS) == 1_699_833_600 * SECOND_NS
