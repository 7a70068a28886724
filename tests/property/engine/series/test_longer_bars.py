"""Bars of a longer timeframe made of shorter ones are those that ticks, or the exchange, make."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.data.loaders import load_bars
from engine.market_data.aggregator import CandleAggregator
from engine.model.bars import Bar, Bars, CandleKind
from engine.model.timeframes import SECOND_NS, WEEK_NS
from engine.series.feeds import longer_bars
from tests.support.places import ROOT

DATA = Path(os.environ.get("SHARED", ROOT.parent / "shared")) / "data"
TICK_NS = 100_000_000
HOUR_NS = 3600 * SECOND_NS
steps = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 1_000), st.integers(1, 64)), min_size=1, max_size=80
)


def of_length(made: Sequence[Bar], length_ns: int) -> Bars:
    """Bars of one length as a history."""
    rows = [bar for bar in made if bar.timeframe_ns == length_ns]
    times = np.array([bar.open_time_ns for bar in rows], np.int64)
    names = ("open", "high", "low", "close", "volume_base")
    return Bars("X", length_ns, times, *(np.array([getattr(bar, name) for bar in rows]) for name in names))


def rows_of(bars: Bars) -> list[tuple[float, ...]]:
    columns = (bars.open_time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume_base)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(deadline=None)
@given(
    steps,
    st.sampled_from([2, 5, 60]),
    st.integers(0, 59),
    st.sampled_from(["trade", "mid"]),
)
def test_they_are_the_bars_that_the_same_ticks_make(
    raw: list[tuple[int, int, int]], longer: int, second: int, kind: CandleKind
) -> None:
    """Volumes are dyadic, so that sums do not depend on their order; a mid-price has one in each second."""
    time_ns, length_ns = (1_700_000_040 + second) * SECOND_NS, longer * SECOND_NS
    aggregator = CandleAggregator([("X", kind, SECOND_NS), ("X", kind, length_ns)], 0)
    track, made = aggregator.tracks["X", kind], []
    for step, price, volume in raw:
        time_ns += min(step, 9) * TICK_NS if kind == "mid" else step * TICK_NS
        made += track.add(time_ns, price / 4, 0.0 if kind == "mid" else volume / 8)
    end_ns = -(-time_ns // length_ns) * length_ns
    if kind == "trade":
        made += track.on_time(end_ns, 0)
    short = of_length(made, SECOND_NS)
    long = rows_of(of_length(made, length_ns))
    found = rows_of(longer_bars(short, length_ns))
    if len(short) and short.open_time_ns[0] % length_ns:
        long = long[1:]
    assert found[: len(long)] == long
    assert len(found) - len(long) in {0, 1}


def test_a_second_without_a_trade_gives_the_longer_bar_no_price() -> None:
    times = np.arange(4, dtype=np.int64) * SECOND_NS
    prices = np.array([10.0, 10.0, 12.0, 11.0])
    bars = Bars("X", SECOND_NS, times, prices, prices, prices, prices, np.array([1.0, 0.0, 1.0, 1.0]))
    whole = longer_bars(bars.part(1, 4), 3 * SECOND_NS)
    assert len(whole) == 1
    two = Bars("X", SECOND_NS, times + 2 * SECOND_NS, prices, prices, prices, prices, bars.volume_base)
    assert rows_of(longer_bars(two, 3 * SECOND_NS)) == [(3 * SECOND_NS, 12.0, 12.0, 11.0, 11.0, 2.0)]


def test_weeks_begin_on_monday_and_an_incomplete_first_one_is_left_out() -> None:
    day_ns = 24 * HOUR_NS
    times = np.arange(20, dtype=np.int64) * day_ns  # 1970-01-01 was a Thursday
    prices = np.arange(1.0, 21.0)
    weeks = longer_bars(Bars("X", day_ns, times, prices, prices, prices, prices, prices), WEEK_NS)
    assert weeks.open_time_ns.tolist() == [4 * day_ns, 11 * day_ns, 18 * day_ns]
    assert weeks.open.tolist() == [5.0, 12.0, 19.0]
    assert weeks.close.tolist() == [11.0, 18.0, 20.0]


@pytest.mark.parametrize(
    ("short", "long", "lows_that_differ", "volumes_that_differ"),
    [
        ("BTCUSDT_perp_1m_20250504_20250603", "BTCUSDT_perp_1h", [], 0),
        ("BTCUSDT_perp_1m_20250504_20250603", "BTCUSDT_perp_5m", [], 0),
        ("ETHUSDT_perp_1m_20250504_20250615", "ETHUSDT_perp_15m", [], 0),
        ("ETHUSDT_perp_5m", "ETHUSDT_perp_1h", ["2025-01-14T15:00"], 4),
        ("BTCUSDT_perp_5m", "BTCUSDT_perp_1h", ["2025-01-14T15:00"], 4),
    ],
)
def test_they_are_the_exchange_s_own(
    short: str, long: str, lows_that_differ: list[str], volumes_that_differ: int
) -> None:
    """Prices exactly, volumes to the last decimal that the exchange writes, but where its archive disagrees
    with itself."""
    files = [DATA / f"{name}.parquet" for name in (short, long)]
    if not all(file.exists() for file in files):
        pytest.skip(f"no market data in {DATA}; SHARED names their folder")
    fine, coarse = (load_bars(file).bars for file in files)
    made = longer_bars(fine, coarse.timeframe_ns)
    made = made.part(0, len(made) - 1)
    at = np.searchsorted(coarse.open_time_ns, made.open_time_ns)
    inside = at < len(coarse)
    made_rows, own_rows = np.flatnonzero(inside), at[inside]
    assert len(own_rows) > 500
    assert (coarse.open_time_ns[own_rows] == made.open_time_ns[made_rows]).all()
    differ = set()
    for name in ("open", "high", "low", "close"):
        unequal = getattr(made, name)[made_rows] != getattr(coarse, name)[own_rows]
        differ |= {(name, str(time)[:16]) for time in made.open_time_ns[made_rows][unequal].view("M8[ns]")}
    assert differ == {("low", time) for time in lows_that_differ}
    volumes = np.abs(made.volume_base[made_rows] - coarse.volume_base[own_rows])
    assert int((volumes > 1e-6).sum()) == volumes_that_differ
