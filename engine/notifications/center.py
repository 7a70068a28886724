"""Takes notifications from the engine without blocking it, and delivers them in its own thread.

Each sink has its own queue and its own task on the thread's event loop, so one that is down delays no other.
Waiting critical notifications are kept in a file as well. Nothing here is in an order's path.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.notifications.model import LEVELS, Level, Notification, Sink
from engine.notifications.outbox import Outbox
from engine.notifications.queue import NotificationQueue

BATCH = 100
"""Most notifications that a sink gets at once."""
_log = logging.getLogger(__name__)
_Argument = TypeVar("_Argument")


class _Worker:
    """One sink with its queue. `wake` is called on the loop."""

    def __init__(self, sink: Sink, level: Level, queue: NotificationQueue, outbox: Outbox) -> None:
        self.sink = sink
        self.least = LEVELS.index(level)
        self.queue = queue
        self.stopping = False
        self._outbox = outbox
        self._woken = asyncio.Event()
        self._under_way: tuple[Notification, ...] = ()

    @property
    def undelivered(self) -> int:
        """Number of waiting notifications and of those being sent."""
        return len(self._under_way) + self.queue.waiting

    def wake(self) -> None:
        """Called when there is something new, or at the end."""
        self._keep()
        self._woken.set()

    async def run(self) -> None:
        self._under_way = self._outbox.load()
        self._keep()
        await self.sink.start()
        try:
            while True:
                if self._under_way:
                    await self.sink.send(self._under_way)
                self._under_way = self.queue.take(BATCH)
                self._keep()
                if not self._under_way:
                    if self.stopping:
                        return
                    self._woken.clear()
                    if self.queue.waiting == 0:
                        await self._woken.wait()
        finally:
            await self.sink.stop()

    def _keep(self) -> None:
        """Save the critical ones, so that they survive the end of this process."""
        critical = [one for one in self._under_way if one.level == "critical"]
        self._outbox.keep([*critical, *self.queue.critical()])


def _wake(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.wake()


class NotificationCenter:
    """`sinks` are pairs of a sink and its lowest level. Use `start`, `publish`, `stop`.

    `keep_in` is the folder for critical notifications that are not delivered yet (None: they are lost when
    the process ends).
    """

    def __init__(
        self,
        sinks: Sequence[tuple[Sink, Level]],
        *,
        capacity: int = 500,
        repeat_after_s: float = 60.0,
        keep_in: Path | None = None,
    ) -> None:
        repeat_after_ns = int(repeat_after_s * 1e9)
        self._keeps = keep_in is not None
        self._workers = tuple(
            _Worker(
                sink,
                level,
                NotificationQueue(capacity, repeat_after_ns=repeat_after_ns),
                Outbox(None if keep_in is None else keep_in / f"undelivered-{type(sink).__name__}.json"),
            )
            for sink, level in sinks
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread; notifications that were published before are delivered now."""
        if self._thread is None:
            ready = threading.Event()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._main(ready)), name="notifications", daemon=True
            )
            self._thread.start()
            ready.wait()

    def publish(self, notification: Notification) -> None:
        """Take one notification; returns at once, may be called from any thread."""
        level, now_ns = LEVELS.index(notification.level), time.monotonic_ns()
        if not notification.time_ns:
            notification = msgspec.structs.replace(notification, time_ns=time.time_ns())
        woken = [
            worker
            for worker in self._workers
            if level >= worker.least
            and (worker.queue.offer(notification, now_ns) or notification.level == "critical")
        ]
        if woken:
            self._call(_wake, woken)

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Deliver what waits for at most this time, then end the thread. False if something was left."""
        thread = self._thread
        if thread is not None:
            self._call(self._finish, timeout_s)
            thread.join(timeout_s + 5.0)
            self._thread = None
        left = sum(worker.undelivered for worker in self._workers)
        if left:
            kept = "; critical ones are kept for the next start" if self._keeps else ""
            _log.warning("%d notifications were not delivered%s", left, kept)
        return not left

    def dropped(self) -> dict[Level, int]:
        """Notifications dropped so far, all sinks together, by level."""
        return {level: sum(worker.queue.dropped[level] for worker in self._workers) for level in LEVELS}

    def _call(self, action: Callable[[_Argument], None], argument: _Argument) -> None:
        """Run something on the loop, if there is one."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action, argument)

    def _finish(self, timeout_s: float) -> None:
        for worker in self._workers:
            worker.stopping = True
            worker.wake()
        asyncio.get_running_loop().call_later(timeout_s, self._cancel)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _main(self, ready: threading.Event) -> None:
        self._tasks = [asyncio.create_task(worker.run()) for worker in self._workers]
        with self._lock:
            self._loop = asyncio.get_running_loop()
        ready.set()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        with self._lock:
            self._loop = None
        for worker, outcome in zip(self._workers, outcomes, strict=True):
            if isinstance(outcome, Exception):
                name = type(worker.sink).__name__
                _log.error("%s stopped: %s; trading continues without it", name, type(outcome).__name__)
