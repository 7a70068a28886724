"""Missing bars in a history: refused, kept or filled, and always reported with place and length."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.backtest.data.table_files import DataError
from engine.market_data.bar_times import DAY_NS, HOUR_NS, Gap, gap_text, gaps
from engine.model.bars import Bars
from engine.model.timeframes import duration_text

GapRule = Literal["refuse", "keep", "fill"]
DEFAULT_GAPS: GapRule = "keep"
_LONGEST_FILLED_NS = 7 * DAY_NS
_MOST_FILLED = 5_000_000
_WEEK_NS = 7 * DAY_NS
_FEWEST_ALIKE, _MOST_JUDGED = 3, 2000
_LONG_PAUSE_NS = 6 * HOUR_NS


def by_rule(bars: Bars, rule: GapRule, source: object) -> tuple[Bars, tuple[str, ...]]:
    """The bars after applying the rule, and notes for the user, one sentence each.

    refuse: `DataError`. keep: the strategy's next bar is the one after the gap. fill: flat bars at the last
    close with volume 0; refused for bars longer than a week, whose length varies. Hours in which a market is
    closed are no gaps: those that come back every week or day.
    """
    every = gaps(bars.open_time_ns, bars.timeframe_ns)
    closed = regular(every, int(bars.open_time_ns[-1] - bars.open_time_ns[0]))
    found = [gap for gap, is_closed in zip(every, closed.tolist(), strict=True) if not is_closed]
    notes = (*_about_closed(bars, every, closed), *_without_trades(bars))
    if not found:
        return bars, notes
    told = f"{bars.symbol}: {gap_text(found)}"
    if rule == "refuse":
        raise DataError(f"{source}: {told}; fix the file, or use --gaps keep or --gaps fill")
    if rule == "keep":
        return bars, (f"{told}; kept as gaps", *notes)
    length = duration_text(bars.timeframe_ns)
    if bars.timeframe_ns > _LONGEST_FILLED_NS:
        raise DataError(f"{source}: {told}; bars of {length} cannot be filled, use --gaps keep")
    if sum(gap.bars for gap in found) > _MOST_FILLED:
        raise DataError(f"{source}: {told}; more than {_MOST_FILLED} bars to fill, use --gaps keep")
    return filled(bars, found), (f"{told}; filled with the last close, volume 0", *notes)


def regular(found: list[Gap], span_ns: int) -> NDArray[np.bool_]:
    """Which gaps are a market's closed hours: same hour and length on at least every second day, or
    on the same weekday in at least every second week.

    A change of the clocks may move them by an hour; those of six hours or more may end earlier or later.
    """
    if not _FEWEST_ALIKE <= len(found) <= _MOST_JUDGED:
        return np.zeros(len(found), np.bool_)
    start = np.array([gap.start_ns for gap in found])
    length = np.array([gap.end_ns - gap.start_ns for gap in found])
    longer = np.abs(length[:, None] - length)
    long = np.minimum(length[:, None], length) >= _LONG_PAUSE_NS
    closed = np.zeros(len(found), np.bool_)
    for period_ns in (_WEEK_NS, DAY_NS):
        apart = np.abs(start[:, None] % period_ns - start % period_ns)
        apart = np.minimum(apart, period_ns - apart)
        exact = np.isin(apart, (0, HOUR_NS)) & (longer == 0)
        alike = np.where(long, (apart <= HOUR_NS) & (longer <= HOUR_NS), exact).sum(axis=1)
        closed |= alike >= max(_FEWEST_ALIKE, span_ns / (2 * period_ns))
    return closed


def _about_closed(bars: Bars, every: list[Gap], closed: NDArray[np.bool_]) -> tuple[str, ...]:
    pauses = [gap for gap, is_closed in zip(every, closed.tolist(), strict=True) if is_closed]
    if not pauses:
        return ()
    longest = duration_text(max(gap.end_ns - gap.start_ns for gap in pauses))
    return (f"{bars.symbol}: {len(pauses)} pauses of up to {longest} come back regularly: closed hours",)


def _without_trades(bars: Bars) -> tuple[str, ...]:
    """Notes on flat bars with volume 0 in a history that has volumes: a typical exchange outage."""
    volume = bars.volume_base
    if not volume.any():
        return ()
    still = np.concatenate(([False], (volume == 0) & (bars.high == bars.low), [False])).astype(np.int8)
    begins, ends = np.flatnonzero(np.diff(still) == 1), np.flatnonzero(np.diff(still) == -1)
    times, length = bars.open_time_ns, bars.timeframe_ns
    runs = [
        Gap(begin, int(times[begin]), int(times[end - 1]) + length, end - begin)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    if not runs:
        return ()
    return (f"{bars.symbol}: {gap_text(runs, 'without a trade')}, flat with volume 0",)


def filled(bars: Bars, found: list[Gap]) -> Bars:
    """The history with flat bars where some are missing."""
    rows = np.array([gap.row for gap in found])
    counts = np.array([gap.bars for gap in found])
    copies = np.ones(len(bars), np.int64)
    copies[rows] += counts
    source = np.repeat(np.arange(len(bars)), copies)
    nth = np.arange(len(source)) - np.repeat(np.cumsum(copies) - copies, copies)
    is_new = nth > 0
    times = bars.open_time_ns[source] + nth * bars.timeframe_ns

    def column(values: NDArray[np.float64], new: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.where(is_new, new, values[source])

    last = bars.close[source]
    return Bars(
        bars.symbol,
        bars.timeframe_ns,
        times,
        column(bars.open, last),
        column(bars.high, last),
        column(bars.low, last),
        last.copy(),
        column(bars.volume_base, 0.0),
    )
