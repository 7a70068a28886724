"""How many ticks a second a gateway process takes off its stream and writes to an engine."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import uvloop
from tick_to_order import System, running

from gateways.wire.client import EngineIdentity, WireClient
from gateways.wire.messages import GatewayStatus, OrderBookTick, ToEngine
from gateways.wire.token import load_or_make_token

WINDOW = 500
"""Frames on their way at once: more, and a slow reader would get conflated ticks."""
PATIENCE_SECONDS = 120.0


class Reader:
    """An engine's end that only counts book ticks."""

    def __init__(self) -> None:
        self.ticks = 0
        self.conflated = 0
        self.last_id = 0
        self.fresh = asyncio.Event()

    def take(self, messages: Sequence[ToEngine]) -> None:
        """Count, and remember the newest."""
        for message in messages:
            if type(message) is OrderBookTick:
                self.ticks += 1
                self.last_id = message.update_id
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
    for first in range(0, total, WINDOW):
        last_id = await loop.run_in_executor(None, system.flood, min(WINDOW, total - first))
        while reader.last_id < last_id:  # noqa: ASYNC110  # an event for each tick would slow the reading
            await asyncio.sleep(0)
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
