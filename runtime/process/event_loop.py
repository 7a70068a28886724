"""The event loop of our processes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


def run(main: Coroutine[None, None, T]) -> T:
    """Run to its end on uvloop, or on asyncio's own loop where that is not installed, as on Windows."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # a process that only answers a question needs none
    except ImportError:
        return None
    return uvloop.new_event_loop
