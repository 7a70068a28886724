"""Klines as integer rows, and their aggregation, which is exact.

A row is int64: open time (ms), open, high, low, close (ticks), volume (lots), quote volume
(ticks x lots), trade count, taker buy volume (lots), taker buy quote volume (ticks x lots), first and
last trade id (0 if none).
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Unit = Literal["1m", "1h", "1d"]
"""Intervals that a history provides; the others are aggregated from them."""

OPEN_TIME: Final = 0
OPEN: Final = 1
HIGH: Final = 2
LOW: Final = 3
CLOSE: Final = 4
VOLUME: Final = 5
QUOTE: Final = 6
COUNT: Final = 7
TAKER_VOLUME: Final = 8
TAKER_QUOTE: Final = 9
FIRST_ID: Final = 10
LAST_ID: Final = 11
WIDTH: Final = 12
_NO_ID: Final = np.int64(2**62)

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
MONDAY_MS: Final = 4 * DAY_MS
"""1970-01-05, the first Monday: weeks open on Mondays."""

INTERVAL_MS: Final = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 0,
}
"""Every kline interval; a month has no fixed length."""


def empty_rows(count: int = 0) -> Rows:
    """Rows of zeros."""
    return np.zeros((count, WIDTH), dtype=np.int64)


def open_times(interval: str, times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Open time of the interval each time falls into."""
    if interval == "1M":
        months = times_ms.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    length = INTERVAL_MS[interval]
    offset = MONDAY_MS if interval == "1w" else 0
    return (times_ms - offset) // length * length + offset


def open_time(interval: str, time_ms: int) -> int:
    """Open time of the interval `time_ms` falls into."""
    length = INTERVAL_MS[interval]
    if length == 0 or interval == "1w":
        return int(open_times(interval, np.array([time_ms], dtype=np.int64))[0])
    return time_ms // length * length


def next_open_time(interval: str, open_time_ms: int) -> int:
    """Open time of the bar after the one that opened at `open_time_ms`."""
    length = INTERVAL_MS[interval]
    if length:
        return open_time_ms + length
    return open_time(interval, open_time_ms + 32 * DAY_MS)


def shift_back(interval: str, open_time_ms: int, bars: int) -> int:
    """Open time of the bar `bars` before the one that opened at `open_time_ms`, not before 1970."""
    length = INTERVAL_MS[interval]
    if length:
        return max(0, open_time_ms - bars * length)
    month = np.datetime64(open_time_ms, "ms").astype("datetime64[M]") - bars
    return max(0, int(month.astype("datetime64[ms]").astype(np.int64)))


def aggregate(interval: str, rows: Rows) -> Rows:
    """Aggregate ascending rows of a finer interval; the first and last bar may be incomplete."""
    if len(rows) == 0:
        return rows
    opens = open_times(interval, rows[:, OPEN_TIME])
    first = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    last = np.append(first[1:], len(rows)) - 1
    out = empty_rows(len(first))
    out[:, OPEN_TIME] = opens[first]
    out[:, OPEN] = rows[first, OPEN]
    out[:, HIGH] = np.maximum.reduceat(rows[:, HIGH], first)
    out[:, LOW] = np.minimum.reduceat(rows[:, LOW], first)
    out[:, CLOSE] = rows[last, CLOSE]
    out[:, VOLUME:FIRST_ID] = np.add.reduceat(rows[:, VOLUME:FIRST_ID], first, axis=0)
    ids = np.minimum.reduceat(np.where(rows[:, FIRST_ID] > 0, rows[:, FIRST_ID], _NO_ID), first)
    out[:, FIRST_ID] = np.where(ids == _NO_ID, 0, ids)
    out[:, LAST_ID] = np.maximum.reduceat(rows[:, LAST_ID], first)
    return out


def merge(rows: Rows) -> Rows:
    """Merge ascending rows (at least one) into a single one."""
    out = empty_rows(1)
    out[0, OPEN_TIME : OPEN + 1] = rows[0, OPEN_TIME : OPEN + 1]
    out[0, HIGH] = rows[:, HIGH].max()
    out[0, LOW] = rows[:, LOW].min()
    out[0, CLOSE] = rows[-1, CLOSE]
    out[0, VOLUME:FIRST_ID] = rows[:, VOLUME:FIRST_ID].sum(axis=0)
    ids = rows[:, FIRST_ID]
    out[0, FIRST_ID] = ids[ids > 0].min() if (ids > 0).any() else 0
    out[0, LAST_ID] = rows[:, LAST_ID].max()
    return out
