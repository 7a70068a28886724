"""One snapshot at a time for each engine, however often it asks while it waits."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import msgspec

from gateways.wire.messages import RequestSnapshot, Snapshot
from gateways.wire.server import EngineConnection

Take = Callable[[EngineConnection, int, Callable[[], int]], Awaitable[Snapshot]]
"""Gets the engine, the time from which fills are wanted, and a counter of the requests."""


@dataclass(slots=True)
class _Asked:
    engine: EngineConnection
    request: RequestSnapshot
    count: int = 1


class SnapshotRequests:
    """With many symbols a snapshot takes longer than an engine waits before it asks again.

    Only the newest request is answered; engines expect no answer to older ones.
    """

    def __init__(self, take: Take, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._take = take
        self._spawn = spawn
        self._asked: dict[str, _Asked] = {}

    def ask(self, engine: EngineConnection, request: RequestSnapshot) -> None:
        """Answered later, with a reply."""
        asked = self._asked.get(engine.engine_id)
        if asked is not None:
            asked.engine, asked.request = engine, request
            asked.count += 1
            return
        asked = self._asked[engine.engine_id] = _Asked(engine, request)
        self._spawn(self._serve(engine.engine_id, asked))

    async def _serve(self, name: str, asked: _Asked) -> None:
        try:
            while True:
                engine, since_ns = asked.engine, asked.request.fills_since_ns
                snapshot = await self._take(engine, since_ns, lambda: asked.count)
                if _covers(since_ns, asked.request.fills_since_ns) and asked.engine.symbols == engine.symbols:
                    break
        finally:
            del self._asked[name]
        asked.engine.send(msgspec.structs.replace(snapshot, request_id=asked.request.request_id))


def _covers(taken_since_ns: int, wanted_since_ns: int) -> bool:
    """Whether the fills of one snapshot are enough for another request; 0 wants none."""
    return not wanted_since_ns or 0 < taken_since_ns <= wanted_since_ns
