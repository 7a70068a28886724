"""Klines of one symbol: older history, closed minutes, and the open minute.

Minutes are made from trades and the clock (`add_trade`, `roll`), or set by the market (`adopt`, `tell`,
`extend`). A period in which the market was halted has no bars (`skip_to`).
"""

from array import array
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from gateways.simulator.market_data.history.rows import (
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
    Unit,
    aggregate,
    empty_rows,
    next_open_time,
    open_time,
    shift_back,
)

MAX_MINUTES: Final = 600_000
"""Closed minutes kept in memory: more than a year. Older ones are dropped."""


class HistorySource(Protocol):
    """Source of bars before the first minute made here; times in ms, ends exclusive."""

    def days(self, start_ms: int, end_ms: int) -> Rows:
        """Whole days before the day of the first minute."""

    def hours(self, start_ms: int, end_ms: int) -> Rows:
        """Whole hours before the hour of the first minute."""

    def minutes(self, start_ms: int, end_ms: int) -> Rows:
        """Minutes before the first one made here."""

    def oldest_ms(self, unit: Unit) -> int:
        """Open time of the oldest available bar of a unit; 0 if there are no older ones at all."""

    @property
    def is_complete(self) -> bool:
        """Whether the history is complete, so that no older bars will be added."""


class HistoryMissingError(Exception):
    """The requested bars are older than `from_ms`; more will be added unless `is_complete`."""

    def __init__(self, unit: Unit, from_ms: int, is_complete: bool) -> None:
        super().__init__(f"bars of {unit} are available from {from_ms} ms on")
        self.from_ms = from_ms
        self.is_complete = is_complete


class Bars:
    """Klines of every interval of one symbol, all derived from the same minutes."""

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
        """Time at which the open minute ends."""
        return self._open[OPEN_TIME] + MINUTE_MS

    def restore(self, closed: Rows, open_row: Sequence[int] | None) -> None:
        """Restore stored minutes; an open minute that is already among the closed ones is ignored."""
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
        """Add a trade to its minute; return the minutes that closed before it."""
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

    def skip_to(self, now_ms: int, between: Rows | None = None) -> list[Rows]:
        """Continue after a halt: close the open minute if it had trades, then add `between` or a gap.

        Return the minutes that closed. Does nothing within the open minute.
        """
        if now_ms < self.next_minute_ms:
            return []
        closed = [np.array([self._open], dtype=np.int64)] if self._open[COUNT] else []
        if between is not None and len(between):
            closed.append(between)
        last_ticks = int(closed[-1][-1, CLOSE]) if closed else self._open[CLOSE]
        for rows in closed:
            self._closed.frombytes(np.ascontiguousarray(rows).tobytes())
        self._open = flat_row(now_ms // MINUTE_MS * MINUTE_MS, last_ticks)
        self._head.clear()
        return closed

    def adopt(self, history: HistorySource, open_row: Sequence[int] | None = None) -> None:
        """Use a history from the market; with `open_row` it replaces all bars up to that open minute."""
        self._history = history
        if open_row is not None:
            self._start_ms = open_row[OPEN_TIME]
            self._closed = array("q")
            self._open = list(open_row)
        self._head.clear()

    def tell(self, row: Sequence[int], *, closed: bool) -> list[Rows]:
        """Set the open minute from the market; return it if it closes. Other minutes are ignored."""
        if row[OPEN_TIME] != self._open[OPEN_TIME]:
            return []
        self._open = list(row)
        return self.roll(self.next_minute_ms) if closed else []

    def extend(self, rows: Rows) -> list[Rows]:
        """Add minutes from the open one on; the last one is open. Return those that closed.

        Gaps between them remain.
        """
        rows = rows[rows[:, OPEN_TIME] >= self._open[OPEN_TIME]]
        if len(rows) == 0:
            return []
        closed = rows[:-1]
        self._closed.frombytes(np.ascontiguousarray(closed).tobytes())
        self._open = rows[-1].tolist()
        self._head.clear()
        return [closed[index : index + 1] for index in range(len(closed))]

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

    def _check_reach(self, interval: str, start_ms: int) -> None:
        """Raise `HistoryMissingError` if the history does not reach back to `start_ms`."""
        history, length = self._history, INTERVAL_MS[interval] or 31 * DAY_MS
        if history is None or start_ms >= self._start_ms:
            return
        needs: list[tuple[Unit, int]] = [("1m", start_ms)]
        if length >= HOUR_MS:
            needs = [("1m", max(start_ms, self._start_ms // HOUR_MS * HOUR_MS)), ("1h", start_ms)]
        if length >= DAY_MS:
            needs = [needs[0], ("1h", max(start_ms, self._start_ms // DAY_MS * DAY_MS)), ("1d", start_ms)]
        for unit, from_ms in needs:
            known_ms = history.oldest_ms(unit)
            if from_ms < known_ms:
                raise HistoryMissingError(unit, known_ms, history.is_complete)

    def _base(self, interval: str, start_ms: int, end_ms: int) -> Rows:
        """Rows of a finer or equal interval that cover [start_ms, end_ms)."""
        self._check_reach(interval, start_ms)
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
        """Return klines as the REST endpoint selects them: from `start_ms` on, else the last up to `end_ms`.

        Raises `HistoryMissingError` when they start before the available history.
        """
        length = INTERVAL_MS[interval]
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
        if start_ms is None:
            return self._last_rows(interval, first, last, limit)
        rows, reach = empty_rows(), limit
        while first <= last and len(rows) < limit:
            stop = min(last, first + (reach - 1) * length) if length else last
            reach *= 2
            found = aggregate(interval, self._base(interval, first, next_open_time(interval, stop)))
            rows = np.concatenate((rows, found))
            first = next_open_time(interval, stop)
        return rows[:limit]

    def _last_rows(self, interval: str, first: int, last: int, limit: int) -> Rows:
        """The last `limit` bars up to the one that opens at `last`, skipping gaps."""
        end, reach = next_open_time(interval, last), limit
        rows = aggregate(interval, self._base(interval, first, end))
        while len(rows) < limit and first > 0:
            before, first = first, shift_back(interval, first, reach)
            reach *= 2
            older = aggregate(interval, self._base(interval, first, before))
            if len(older) == 0 and before <= self._start_ms:
                break
            rows = np.concatenate((older, rows))
        return rows[-limit:]

    def current(self, interval: str) -> Rows:
        """Return the open bar of an interval (one row)."""
        start = open_time(interval, self._open[OPEN_TIME])
        head = self._head.get(interval)
        if head is None:
            head = aggregate(interval, self._base(interval, start, self._open[OPEN_TIME]))
            self._head[interval] = head
        return aggregate(interval, np.concatenate((head, np.array([self._open], dtype=np.int64))))

    def closed_bar(self, interval: str, open_time_ms: int) -> Rows:
        """Return the bar that opened at `open_time_ms` (one row)."""
        return self.rows(interval, open_time_ms, open_time_ms, 1)


def flat_row(open_time_ms: int, price_ticks: int) -> list[int]:
    """Return a minute without trades."""
    return [open_time_ms, *([price_ticks] * 4), *([0] * (WIDTH - 5))]
