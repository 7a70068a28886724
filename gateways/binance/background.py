"""Background tasks of the gateway, and the one place that learns when one fails."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

MAX_TASKS = 2_000

_log = structlog.get_logger("gateway")


class Background:
    """Tasks of the running loop. `failed` gets the first unexpected error of a task."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background; dropped with a log line when too many tasks are running."""
        if len(self._tasks) >= MAX_TASKS:
            work.close()
            _log.error("too many tasks at once: a request was dropped")
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancel everything and wait for its end."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self.failed.done():
            self.failed.set_exception(task.exception() or RuntimeError("unknown"))
