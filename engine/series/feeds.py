"""Bars of longer timeframes made from shorter ones, and where each is known by."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.compiled.functions import FloatArray, compiled
from engine.model.bars import Bars
from engine.model.timeframes import bar_open_ns, timeframe_ns, timeframe_text
from engine.series.nodes import Feed, SeriesError

Positions = NDArray[np.int64]


class Feeds:
    """The bars of each feed of a history, and which of them had closed last by each deciding bar.

    `others` are bars of other symbols by name; longer timeframes are made of the bars given.
    """

    def __init__(self, bars: Bars, others: Mapping[str, Bars] | None = None) -> None:
        self.deciding = bars
        self._others = dict(others or {})
        self._bars: dict[Feed, Bars] = {}
        self._last_closed: dict[Feed, Positions] = {}

    def bars(self, feed: Feed) -> Bars:
        """The bars of a feed; `SeriesError` where there are none."""
        if feed not in self._bars:
            self._bars[feed] = self._made(feed)
        return self._bars[feed]

    def last_closed(self, feed: Feed) -> Positions:
        """For each deciding bar the index of the feed's last bar closed by then, -1 for none."""
        if feed not in self._last_closed:
            bars, own = self.bars(feed), self.deciding
            closes = bars.open_time_ns + bars.timeframe_ns
            at_ns = own.open_time_ns + own.timeframe_ns
            self._last_closed[feed] = np.searchsorted(closes, at_ns, side="right") - 1
        return self._last_closed[feed]

    def _made(self, feed: Feed) -> Bars:
        bars = self.deciding
        if feed.symbol and feed.symbol != bars.symbol:
            if feed.symbol not in self._others:
                known = ", ".join(self._others) or "none"
                raise SeriesError(
                    f"bar.of({feed.symbol!r}): no bars of {feed.symbol} were given; others: {known}"
                )
            bars = self._others[feed.symbol]
        return longer_bars(bars, checked_length(feed, self.deciding.timeframe_ns)) if feed.timeframe else bars


def checked_length(feed: Feed, deciding_ns: int) -> int:
    """Length of the bars of `on`, in nanoseconds; `SeriesError` where deciding bars cannot make it up."""
    length = timeframe_ns(feed.timeframe)
    if length < deciding_ns or length % deciding_ns:
        raise SeriesError(
            f'bar.on("{feed.timeframe}") on bars of {timeframe_text(deciding_ns)}: expected a multiple of '
            f"{timeframe_text(deciding_ns)}"
        )
    return length


def longer_bars(bars: Bars, length_ns: int) -> Bars:
    """The bars of a longer timeframe, as the exchange and the live aggregator have them.

    They begin where bars of that length begin (weeks on Monday UTC). The first one is left out where history
    begins inside it. The last one may not have closed yet: see `Feeds.last_closed`.
    """
    if length_ns == bars.timeframe_ns or not len(bars):
        return bars
    origin = bar_open_ns(0, length_ns)
    opens = bars.open_time_ns - (bars.open_time_ns - origin) % length_ns
    first = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    ends = np.append(first[1:], len(opens))
    if bars.open_time_ns[0] != opens[0]:
        first, ends = first[1:], ends[1:]
    prices = np.empty((3, len(first)))
    _gather(first, ends, bars.high, bars.low, bars.volume_base, prices)
    return Bars(
        bars.symbol,
        length_ns,
        opens[first],
        bars.open[first],
        prices[0],
        prices[1],
        bars.close[ends - 1],
        prices[2],
    )


@compiled
def _gather(
    first: Positions,
    ends: Positions,
    high: FloatArray,
    low: FloatArray,
    volume: FloatArray,
    made: FloatArray,
) -> None:
    """Highest, lowest and sum of each group, in the order of the bars."""
    for k in range(len(first)):
        i = first[k]
        top, bottom, total = high[i], low[i], volume[i]
        for j in range(i + 1, ends[k]):
            top, bottom, total = max(top, high[j]), min(bottom, low[j]), total + volume[j]
        made[0, k], made[1, k], made[2, k] = top, bottom, total
