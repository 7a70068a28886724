"""Takes notifications from the engine without ever making it wait, and delivers them from its own thread.

Each sink has its own queue and its own task on the thread's event loop, so one that is down holds up
nobody. Nothing in here is in the path of an order.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from engine.notifications.model import LEVELS, Level, Notification, Sink
from engine.notifications.queue import NotificationQueue

_log = logging.getLogger(__name__)
_Argument = TypeVar("_Argument")


class _Worker:
    """One sink with its queue. `wake` is called on the loop."""

    def __init__(self, sink: Sink, level: Level, queue: NotificationQueue) -> None:
        self.sink = sink
        self.least = LEVELS.index(level)
        self.queue = queue
        self.wake = asyncio.Event()
        self.stopping = False

    async def run(self) -> None:
        await self.sink.start()
        try:
            while True:
                notification = self.queue.take()
                if notification is not None:
                    await self.sink.send(notification)
                elif self.stopping:
                    return
                else:
                    self.wake.clear()
                    if self.queue.waiting == 0 and not self.stopping:
                        await self.wake.wait()
        finally:
            await self.sink.stop()


def _wake(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.wake.set()


class NotificationCenter:
    """`sinks` are pairs of a sink and the lowest level it wants. Use `start`, `publish`, `stop`."""

    def __init__(
        self, sinks: Sequence[tuple[Sink, Level]], *, capacity: int = 500, repeat_after_s: float = 60.0
    ) -> None:
        self._workers = tuple(
            _Worker(sink, level, NotificationQueue(capacity, repeat_after_ns=int(repeat_after_s * 1e9)))
            for sink, level in sinks
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread. Notifications published before are delivered then."""
        if self._thread is None:
            ready = threading.Event()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._main(ready)), name="notifications", daemon=True
            )
            self._thread.start()
            ready.wait()

    def publish(self, notification: Notification) -> None:
        """Hand over one notification; returns at once, from any thread, whatever the sinks do."""
        level, now_ns = LEVELS.index(notification.level), time.monotonic_ns()
        woken = [
            worker
            for worker in self._workers
            if level >= worker.least and worker.queue.offer(notification, now_ns)
        ]
        if woken:
            self._call(_wake, woken)

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Deliver what waits for at most that long, then end the thread. False when something was left."""
        thread = self._thread
        if thread is None:
            return not any(worker.queue.waiting for worker in self._workers)
        self._call(self._finish, timeout_s)
        thread.join(timeout_s + 5.0)
        self._thread = None
        return not any(worker.queue.waiting for worker in self._workers)

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
            worker.wake.set()
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
                _log.error("%s stopped: %s; trading goes on without it", name, type(outcome).__name__)
