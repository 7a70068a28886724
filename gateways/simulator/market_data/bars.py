"""Klines of one symbol: the invented history, closed minutes since, and the open minute."""

from array import array
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from gateways.simulator.market_data.rows import (
    CLOSE,
    COUNT,
    DAY_MS,
    FIRST_ID,
    HIGH,
    HOUR_MS,
    INTERVAL_MS,
    LAST_ID,
    LOW,
    MINUTE_MS,
    OPEN_TIME,
    QUOTE,
    TAKER_QUOTE,
    TAKER_VOLUME,
    VOLUME,
    WIDTH,
    Rows,
    aggregate,
    empty_rows,
    next_open_time,
    open_time,
    shift_back,
)

MAX_MINUTES: Final = 600_000
"""Closed minutes kept in memory: more than a year. The oldest are forgotten beyond that."""


class HistorySource(Protocol):
    """Where bars from before the first minute of our own come from; times in ms, ends exclusive."""

    def days(self, start_ms: int, end_ms: int) -> Rows:
        """Whole days before the day of the first minute."""

    def hours(self, start_ms: int, end_ms: int) -> Rows:
        """Whole hours before the hour of the first minute."""

    def minutes(self, start_ms: int, end_ms: int) -> Rows:
        """Minutes before the first of our own."""


class Bars:
    """Every interval of one symbol, all derived from the same minutes."""

    def __init__(self, history: HistorySource | None, start_ms: int, price_ticks: int) -> None:
        self._history = history
        self._start_ms = start_ms // MINUTE_MS * MINUTE_MS
        self._closed = array("q")
        self._open = flat_row(self._start_ms, price_ticks)
        self._head: dict[str, Rows] = {}

    @property
    def last_ticks(self) -> int:
        """Price of the last trade."""
        return self._open[CLOSE]

    @property
    def open_row(self) -> list[int]:
        """The open minute (a copy)."""
        return list(self._open)

    @property
    def next_minute_ms(self) -> int:
        """When the open minute ends."""
        return self._open[OPEN_TIME] + MINUTE_MS

    def restore(self, closed: Rows, open_row: Sequence[int] | None) -> None:
        """Continue from stored minutes; an open minute already among the closed ones is ignored."""
        self._closed = array("q", np.ascontiguousarray(closed).tobytes())
        after = self._start_ms
        if len(closed):
            after = int(closed[-1, OPEN_TIME]) + MINUTE_MS
            self._open = flat_row(after, int(closed[-1, CLOSE]))
        if open_row is not None and len(open_row) == WIDTH and open_row[OPEN_TIME] >= after:
            self.roll(open_row[OPEN_TIME])
            self._open = list(open_row)
        self._head.clear()

    def add_trade(self, ticks: int, lots: int, taker_buys: bool, time_ms: int, trade_id: int) -> list[Rows]:
        """Count a trade into its minute; returns minutes that closed before it."""
        closed = self.roll(time_ms) if time_ms >= self.next_minute_ms else []
        bar = self._open
        if bar[COUNT] == 0:
            bar[1] = bar[HIGH] = bar[LOW] = ticks
            bar[FIRST_ID] = trade_id
        elif ticks > bar[HIGH]:
            bar[HIGH] = ticks
        elif ticks < bar[LOW]:
            bar[LOW] = ticks
        bar[CLOSE] = ticks
        bar[VOLUME] += lots
        bar[QUOTE] += ticks * lots
        bar[COUNT] += 1
        bar[LAST_ID] = trade_id
        if taker_buys:
            bar[TAKER_VOLUME] += lots
            bar[TAKER_QUOTE] += ticks * lots
        return closed

    def roll(self, now_ms: int) -> list[Rows]:
        """Close every minute that ended by `now_ms`; minutes without a trade repeat the last close."""
        closed: list[Rows] = []
        while now_ms >= self.next_minute_ms:
            self._closed.extend(self._open)
            closed.append(np.array([self._open], dtype=np.int64))
            self._open = flat_row(self.next_minute_ms, self._open[CLOSE])
        if closed:
            self._head.clear()
            surplus = len(self._closed) // WIDTH - MAX_MINUTES
            if surplus > 0:
                del self._closed[: (surplus + MAX_MINUTES // 10) * WIDTH]
        return closed

    def adopt(self, history: HistorySource) -> None:
        """Take another history; its minutes replace those closed here, and the open one's past."""
        self._history = history
        known = history.minutes(self._start_ms, self._open[OPEN_TIME] + MINUTE_MS)
        self.correct(known)
        if len(known) and known[-1, OPEN_TIME] == self._open[OPEN_TIME]:
            if self._open[COUNT] <= known[-1, COUNT]:
                self._open = known[-1].tolist()
        elif self._open[COUNT] == 0 and len(known):
            self._open = flat_row(self._open[OPEN_TIME], int(known[-1, CLOSE]))

    def correct(self, rows: Rows) -> None:
        """Replace closed minutes by what their source says they were."""
        first = self._closed[OPEN_TIME] if self._closed else 0
        for row in rows:
            place = (int(row[OPEN_TIME]) - first) // MINUTE_MS * WIDTH
            if self._closed and 0 <= place < len(self._closed):
                self._closed[place : place + WIDTH] = array("q", row.tolist())
        self._head.clear()

    def _live_minutes(self, start_ms: int, end_ms: int) -> Rows:
        closed = np.frombuffer(self._closed, dtype=np.int64).reshape(-1, WIDTH)
        times = closed[:, OPEN_TIME]
        part = closed[np.searchsorted(times, start_ms) : np.searchsorted(times, end_ms)]
        if start_ms <= self._open[OPEN_TIME] < end_ms:
            return np.concatenate((part, np.array([self._open], dtype=np.int64)))
        return part.copy()

    def minutes(self, start_ms: int, end_ms: int) -> Rows:
        """Minutes that open in [start_ms, end_ms), the open one included."""
        live = self._live_minutes(max(start_ms, self._start_ms), end_ms)
        if self._history is None or start_ms >= self._start_ms:
            return live
        return np.concatenate((self._history.minutes(start_ms, min(end_ms, self._start_ms)), live))

    def _base(self, interval: str, start_ms: int, end_ms: int) -> Rows:
        """Rows of a finer or equal interval that cover [start_ms, end_ms)."""
        length = INTERVAL_MS[interval] or 31 * DAY_MS
        if self._history is None or length < HOUR_MS:
            return self.minutes(start_ms, end_ms)
        hour_ms = self._start_ms // HOUR_MS * HOUR_MS
        day_ms = self._start_ms // DAY_MS * DAY_MS
        parts: list[Rows] = []
        if length >= DAY_MS:
            parts.append(self._history.days(start_ms, min(end_ms, day_ms)))
            parts.append(self._history.hours(max(start_ms, day_ms), min(end_ms, hour_ms)))
        else:
            parts.append(self._history.hours(start_ms, min(end_ms, hour_ms)))
        parts.append(self.minutes(max(start_ms, hour_ms), end_ms))
        return np.concatenate([part for part in parts if len(part)] or [empty_rows()])

    def rows(self, interval: str, start_ms: int | None, end_ms: int | None, limit: int) -> Rows:
        """Klines as the REST endpoint chooses them: from `start_ms` on, else the last up to `end_ms`."""
        newest = open_time(interval, self._open[OPEN_TIME])
        last = newest if end_ms is None else min(newest, open_time(interval, max(0, end_ms)))
        if start_ms is not None:
            first = open_time(interval, max(0, start_ms))
            if first < start_ms:
                first = next_open_time(interval, first)
        else:
            first = shift_back(interval, last, limit - 1)
        if first > last:
            return empty_rows()
        stop = last
        if start_ms is not None and INTERVAL_MS[interval]:
            stop = min(last, first + (limit - 1) * INTERVAL_MS[interval])
        rows = aggregate(interval, self._base(interval, first, next_open_time(interval, stop)))
        return rows[:limit] if start_ms is not None else rows[-limit:]

    def current(self, interval: str) -> Rows:
        """The open bar of an interval (one row)."""
        start = open_time(interval, self._open[OPEN_TIME])
        head = self._head.get(interval)
        if head is None:
            head = aggregate(interval, self._base(interval, start, self._open[OPEN_TIME]))
            self._head[interval] = head
        return aggregate(interval, np.concatenate((head, np.array([self._open], dtype=np.int64))))

    def closed_bar(self, interval: str, open_time_ms: int) -> Rows:
        """The bar that opened at `open_time_ms` (one row)."""
        return self.rows(interval, open_time_ms, open_time_ms, 1)


def flat_row(open_time_ms: int, price_ticks: int) -> list[int]:
    """A minute without a trade."""
    return [open_time_ms, *([price_ticks] * 4), *([0] * (WIDTH - 5))]
