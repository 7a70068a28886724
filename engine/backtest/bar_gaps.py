"""What becomes of bars that are missing in a history: always told, with place and length."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.backtest.table_files import DataError
from engine.market_data.bar_times import DAY_NS, Gap, gap_text, gaps
from engine.market_data.bars import Bars
from engine.market_data.timeframes import duration_text

GapRule = Literal["refuse", "keep", "fill"]
_LONGEST_FILLED_NS = 7 * DAY_NS


def by_rule(bars: Bars, rule: GapRule, source: object) -> tuple[Bars, tuple[str, ...]]:
    """The bars as the rule wants them, and what a person should know, a sentence each.

    refuse: `DataError`. keep: the strategy's next bar is the one after the gap. fill: flat bars at the last
    close with volume 0; refused for bars longer than a week, whose length varies.
    """
    found = gaps(bars.open_time_ns, bars.timeframe_ns)
    if not found:
        return bars, ()
    told = f"{bars.symbol}: {gap_text(found)}"
    if rule == "refuse":
        raise DataError(f"{source}: {told}; mend the file, or say --gaps keep or --gaps fill")
    if rule == "keep":
        return bars, (f"{told}; kept as gaps",)
    if bars.timeframe_ns > _LONGEST_FILLED_NS:
        length = duration_text(bars.timeframe_ns)
        raise DataError(f"{source}: {told}; bars of {length} cannot be filled, say --gaps keep")
    return filled(bars, found), (f"{told}; filled with the last close, volume 0",)


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
