"""The queue of one sink: bounded, in order, filled from any thread without blocking.

When it is full, the oldest info is dropped, then the oldest warning. A critical one is dropped only when
the queue holds nothing but critical ones: then the newest is counted instead of kept, and the number is sent.
"""

import threading
from collections import deque

from engine.notifications.model import LEVELS, Level, Notification

DEDUPLICATED_KEYS = 1_000


class NotificationQueue:
    """Holds up to `capacity` notifications. Times are nanoseconds of one monotonic clock."""

    def __init__(self, capacity: int, *, repeat_after_ns: int) -> None:
        if capacity < 1:
            raise ValueError("a queue holds at least one notification")
        self._capacity = capacity
        self._repeat_after_ns = repeat_after_ns
        self._lock = threading.Lock()
        self._lines: dict[Level, deque[tuple[int, Notification]]] = {level: deque() for level in LEVELS}
        self._number = 0
        self._size = 0
        self._dropped = dict.fromkeys(LEVELS, 0)
        self._unreported = 0
        self._last_by_key: dict[str, int] = {}
        self._repeats = 0

    def offer(self, notification: Notification, now_ns: int) -> bool:
        """Add one. True if the queue was empty before, so that its reader must be woken."""
        with self._lock:
            if notification.key and self._is_repeat(notification.key, now_ns):
                self._repeats += 1
                return False
            if self._size >= self._capacity and not self._make_room(notification.level):
                self._dropped[notification.level] += 1
                self._unreported += 1
                return False
            was_empty = self._size == 0
            self._lines[notification.level].append((self._number, notification))
            self._number += 1
            self._size += 1
            return was_empty

    def take(self, limit: int = 1) -> tuple[Notification, ...]:
        """Remove and return the oldest, at most `limit`; first a note about dropped ones, if any."""
        with self._lock:
            taken: list[Notification] = []
            if self._unreported:
                text = f"{self._unreported} notifications were dropped because too many were waiting"
                self._unreported = 0
                taken.append(Notification("warning", text))
            while len(taken) < limit and self._size:
                line = min((line for line in self._lines.values() if line), key=lambda line: line[0][0])
                self._size -= 1
                taken.append(line.popleft()[1])
            return tuple(taken)

    def critical(self) -> tuple[Notification, ...]:
        """The critical ones not taken yet."""
        with self._lock:
            return tuple(notification for _, notification in self._lines["critical"])

    @property
    def waiting(self) -> int:
        """Number of notifications not taken yet."""
        with self._lock:
            return self._size

    @property
    def dropped(self) -> dict[Level, int]:
        """Number of dropped ones, by level."""
        with self._lock:
            return dict(self._dropped)

    @property
    def repeats(self) -> int:
        """Number of those left out because their key had just been sent."""
        with self._lock:
            return self._repeats

    def _is_repeat(self, key: str, now_ns: int) -> bool:
        last = self._last_by_key.get(key)
        if last is not None and now_ns - last < self._repeat_after_ns:
            return True
        self._last_by_key.pop(key, None)
        self._last_by_key[key] = now_ns
        if len(self._last_by_key) > DEDUPLICATED_KEYS:
            del self._last_by_key[next(iter(self._last_by_key))]
        return False

    def _make_room(self, level: Level) -> bool:
        """Drop the oldest of the lowest level that is not above `level`; False if there is none.

        A critical one never replaces another critical one.
        """
        for candidate in LEVELS[: max(1, LEVELS.index(level) + (level != "critical"))]:
            if self._lines[candidate]:
                self._lines[candidate].popleft()
                self._size -= 1
                self._dropped[candidate] += 1
                self._unreported += 1
                return True
        return False
