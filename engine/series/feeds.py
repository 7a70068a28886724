"""Bars of longer timeframes made from shorter ones, and where each is known by."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.compiled.functions import FloatArray, compiled
from engine.model.bars import Bars, BarsKey
from engine.model.timeframes import bar_open_ns, timeframe_ns, timeframe_text
from engine.series.nodes import Feed, SeriesError

Positions = NDArray[np.int64]


class Feeds:
    """The bars of each feed of a history, and which of them had closed last by each deciding bar.

    `beside` are bars of other symbols, and longer ones of any symbol where they are not to be made: bars of
    the very length come from there, all others are made of the longest that make them up.
    """

    def __init__(self, bars: Bars, beside: Iterable[Bars] | Mapping[str, Bars] = ()) -> None:
        self.deciding = bars
        given = beside.items() if isinstance(beside, Mapping) else ((one.symbol, one) for one in beside)
        self._given: dict[BarsKey, Bars] = {
            (symbol, one.timeframe_ns): one for symbol, one in (*given, (bars.symbol, bars))
        }
        self._bars: dict[Feed, Bars] = {}
        self._last_closed: dict[Feed, Positions] = {}

    def bars(self, feed: Feed) -> Bars:
        """The bars of a feed; `SeriesError` where there are none."""
        if feed not in self._bars:
            self._bars[feed] = self.of(*key_of(feed, self.deciding.symbol, self.deciding.timeframe_ns))
        return self._bars[feed]

    def of(self, symbol: str, length_ns: int) -> Bars:
        """The bars of a symbol of that length, given or made; `SeriesError` where neither can be."""
        if (symbol, length_ns) not in self._given:
            lengths = [length for name, length in self._given if name == symbol]
            fitting = [length for length in lengths if length_ns % length == 0]
            if not fitting:
                raise SeriesError(_missing(symbol, length_ns, lengths))
            self._given[symbol, length_ns] = longer_bars(self._given[symbol, max(fitting)], length_ns)
        return self._given[symbol, length_ns]

    def last_closed(self, feed: Feed) -> Positions:
        """For each deciding bar the index of the feed's last bar closed by then, -1 for none."""
        if feed not in self._last_closed:
            bars, own = self.bars(feed), self.deciding
            closes = bars.open_time_ns + bars.timeframe_ns
            at_ns = own.open_time_ns + own.timeframe_ns
            self._last_closed[feed] = np.searchsorted(closes, at_ns, side="right") - 1
        return self._last_closed[feed]


def _missing(symbol: str, length_ns: int, lengths: Sequence[int]) -> str:
    wanted, how = timeframe_text(length_ns), "with beside= or --beside"
    looks = f"it looks at {wanted} bars of {symbol}"
    if not lengths:
        return f"{looks}, of which none are given; give them {how}"
    given = ", ".join(map(timeframe_text, sorted(lengths)))
    return f"{looks}, and those given are {given}; give bars of {wanted}, or of a part of it, {how}"


def by_key(feeds: Iterable[Feed], symbol: str, deciding_ns: int) -> dict[BarsKey, list[Feed]]:
    """The feeds that each kind of bars advances: several names may mean the same bars.

    `symbol` and `deciding_ns` are those of the deciding bars. `SeriesError` as `key_of`.
    """
    found: dict[BarsKey, list[Feed]] = {}
    for feed in feeds:
        found.setdefault(key_of(feed, symbol, deciding_ns), []).append(feed)
    return found


def key_of(feed: Feed, symbol: str, deciding_ns: int) -> BarsKey:
    """Symbol and length of a feed's bars, where the deciding ones are of `symbol` and so long.

    `SeriesError` where bars of that length cannot be made of the deciding ones.
    """
    length = timeframe_ns(feed.timeframe) if feed.timeframe else deciding_ns
    if length < deciding_ns or length % deciding_ns:
        raise SeriesError(
            f'bar.on("{feed.timeframe}") on bars of {timeframe_text(deciding_ns)}: expected a multiple of '
            f"{timeframe_text(deciding_ns)}"
        )
    return feed.symbol or symbol, length


def longer_bars(bars: Bars, length_ns: int) -> Bars:
    """The bars of a longer timeframe, as the exchange and the live aggregator have them.

    They begin where bars of that length begin (weeks on Monday UTC). The first one is left out where history
    begins inside it. The last one may not have closed yet: see `Feeds.last_closed`. A bar in which nobody
    traded (no volume, at the close before it, in a history that has volumes) gives no price.
    """
    if length_ns == bars.timeframe_ns or not len(bars):
        return bars
    origin = bar_open_ns(0, length_ns)
    opens = bars.open_time_ns - (bars.open_time_ns - origin) % length_ns
    first = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    ends = np.append(first[1:], len(opens))
    if bars.open_time_ns[0] != opens[0]:
        first, ends = first[1:], ends[1:]
    rows = np.column_stack((bars.open, bars.high, bars.low, bars.volume_base))
    made = np.empty((4, len(first)))
    _gather(first, ends, rows, _is_empty(bars), made)
    open_, high, low, volume = made
    return Bars(bars.symbol, length_ns, opens[first], open_, high, low, bars.close[ends - 1], volume)


def _is_empty(bars: Bars) -> NDArray[np.bool_]:
    """Bars without a trade. Where no bar so far has a volume, as in mid-price bars, it is not known."""
    traded = bars.volume_base > 0.0
    empty = np.zeros(len(bars), np.bool_)
    before = bars.close[:-1]
    still = ~traded[1:] & (bars.high[1:] == before) & (bars.low[1:] == before)
    empty[1:] = still & np.logical_or.accumulate(traded)[1:]
    return empty


@compiled
def _gather(
    first: Positions,
    ends: Positions,
    rows: FloatArray,
    empty: NDArray[np.bool_],
    made: FloatArray,
) -> None:
    """First, highest and lowest price and sum of volume of each group, in the order of the bars."""
    for k in range(len(first)):
        i = first[k]
        begun = not empty[i]
        start, top, bottom, total = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
        for j in range(i + 1, ends[k]):
            total += rows[j, 3]
            if empty[j]:
                continue
            if begun:
                top, bottom = max(top, rows[j, 1]), min(bottom, rows[j, 2])
            else:
                start, top, bottom = rows[j, 0], rows[j, 1], rows[j, 2]
                begun = True
        made[0, k], made[1, k], made[2, k], made[3, k] = start, top, bottom, total
