"""How many ticks a second a gateway process takes off its stream and writes to an engine."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import uvloop
from tick_to_order import System, running

from gateways.wire.client import EngineIdentity, WireClient
from gateways.wire.messages import GatewayStatus, OrderBookTick, ToEngine
from gateways.wire.token import load_or_make_token

BATCH = 300
"""Two of these are on their way at once: more, and a slow reader would get conflated ticks."""
PATIENCE_SECONDS = 120.0


class Reader:
    """An engine's end that only counts book ticks."""

    def __init__(self) -> None:
        self.ticks = 0
        self.conflated = 0
        self.last_id = 0
        self.fresh = asyncio.Event()
        self._target = 0
        self._reached = asyncio.Event()

    async def reach(self, update_id: int) -> None:
        """Wait for that tick or a later one."""
        self._target = update_id
        if self.last_id < update_id:
            self._reached.clear()
            await self._reached.wait()

    def take(self, messages: Sequence[ToEngine]) -> None:
        """Count, and remember the newest."""
        for message in messages:
            if type(message) is OrderBookTick:
                self.ticks += 1
                self.last_id = message.update_id
                if message.update_id >= self._target:
                    self._reached.set()
            elif type(message) is GatewayStatus:
                self.conflated = message.conflated_ticks
                if message.fresh_symbols:
                    self.fresh.set()


async def _read(port: int, token: bytes, system: System, total: int) -> dict[str, Any]:
    reader = Reader()
    client = WireClient(
        EngineIdentity("relay", 1, ("BTCUSDT",), "relay-"),
        host="127.0.0.1",
        port=port,
        token=token,
        on_messages=reader.take,
        on_up=lambda _: None,
        on_down=lambda _: None,
        wall_clock_ns=time.time_ns,
    )
    client.start()
    loop = asyncio.get_running_loop()
    while not reader.fresh.is_set():
        await loop.run_in_executor(None, system.run, 200, 4, 50)
    before, begun = reader.ticks, time.perf_counter()
    under_way: deque[int] = deque()
    for first in range(0, total, BATCH):
        under_way.append(await loop.run_in_executor(None, system.flood, min(BATCH, total - first)))
        if len(under_way) > 1:
            await reader.reach(under_way.popleft())
    await reader.reach(under_way.pop())
    seconds = time.perf_counter() - begun
    await asyncio.sleep(1.1)
    await client.close()
    ticks = reader.ticks - before
    return {"ticks_per_second": round(ticks / seconds), "ticks": ticks, "conflated": reader.conflated}


def relay(total: int) -> dict[str, Any]:
    """`total` bookTicker frames in, book ticks out."""
    with running(engine=False) as system:
        token = load_or_make_token(system.home / "vault" / "gateway_token")
        return uvloop.run(asyncio.wait_for(_read(system.wire_port, token, system, total), PATIENCE_SECONDS))
