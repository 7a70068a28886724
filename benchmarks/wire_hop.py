"""What the wire costs: one hop beside a bare TCP echo, and ticks a second from one process to another.

Run: `python benchmarks/wire_hop.py [--loop asyncio|uvloop]`. Latencies are microseconds, of a request and
its reply within one process over a real socket; the bare echo sends as many bytes the same way.
"""

import argparse
import asyncio
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateways.wire import messages as wire
from gateways.wire.client import EngineIdentity, WireClient
from gateways.wire.framing import encode
from gateways.wire.requests import Request
from gateways.wire.server import EngineConnection, WireServer

TOKEN = bytes(32)
ROUNDS = 10_000
TICKS = 300_000
BATCH = 20


class Gateway:
    """Answers every order at once."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()

    def on_connected(self, engine: EngineConnection) -> None:  # noqa: ARG002  # the protocol's signature
        """Remember that somebody is there."""
        self.connected.set()

    def on_request(self, engine: EngineConnection, request: Request) -> None:
        """One reply an order."""
        if isinstance(request, wire.SubmitOrder):
            engine.send(wire.Reply(request.request_id, "ok"))

    def on_stranger(self, reason: str) -> None:
        """Nobody else connects."""

    def on_disconnected(self, engine: EngineConnection, reason: str) -> None:
        """Nothing to do."""


def tick(number: int) -> wire.OrderBookTick:
    """Five levels a side."""
    bids = tuple((64_000.1 - level, 1.234) for level in range(5))
    asks = tuple((64_000.2 + level, 1.234) for level in range(5))
    return wire.OrderBookTick("BTCUSDT", number, number, number, time.time_ns(), bids, asks)


def client(port: int, on_messages: Callable[[Sequence[wire.ToEngine]], None]) -> WireClient:
    """An engine's end that is connecting."""
    made = WireClient(
        EngineIdentity("bench", 1, ("BTCUSDT",), "b-"),
        host="127.0.0.1",
        port=port,
        token=TOKEN,
        on_messages=on_messages,
        on_up=lambda _: None,
        on_down=lambda _: None,
        wall_clock_ns=time.time_ns,
    )
    made.start()
    return made


def percentiles(samples_ns: list[int]) -> str:
    """p50 and p99 in microseconds."""
    ordered = sorted(samples_ns)
    return f"p50 {ordered[len(ordered) // 2] / 1e3:7.1f}   p99 {ordered[len(ordered) * 99 // 100] / 1e3:7.1f}"


async def measure_hop() -> str:
    """Order out, reply back."""
    gateway = Gateway()
    server = WireServer(gateway, gateway="bench", token=TOKEN, epoch=1)
    arrived: asyncio.Queue[int] = asyncio.Queue()

    def on_messages(messages: Sequence[wire.ToEngine]) -> None:
        if isinstance(messages[0], wire.Reply):
            arrived.put_nowait(time.perf_counter_ns())

    engine = client(await server.start(), on_messages)
    await gateway.connected.wait()
    await asyncio.sleep(0.1)
    samples = []
    for number in range(ROUNDS):
        order = wire.SubmitOrder(number, "BTCUSDT", f"b-{number}", "BUY", "MARKET", Decimal("0.007"))
        started = time.perf_counter_ns()
        engine.send(order)
        samples.append(await arrived.get() - started)
    await engine.close()
    await server.close()
    return percentiles(samples)


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def measure_echo() -> str:
    """The same bytes to a protocol that gives them back."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[int] = asyncio.Queue()

    class Reader(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:  # noqa: ARG002  # asyncio's signature
            arrived.put_nowait(time.perf_counter_ns())

    listener = await loop.create_server(_Echo, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(Reader, "127.0.0.1", listener.sockets[0].getsockname()[1])
    frame = encode(wire.SubmitOrder(1, "BTCUSDT", "b-1", "BUY", "MARKET", Decimal("0.007")))
    samples = []
    for _round in range(ROUNDS):
        started = time.perf_counter_ns()
        transport.write(frame)
        samples.append(await arrived.get() - started)
    transport.close()
    listener.close()
    return percentiles(samples)


def read_ticks(port: int, uvloop: bool, results: "multiprocessing.Queue[tuple[int, float]]") -> None:
    """The other process: count what arrives until the last tick."""

    async def main() -> tuple[int, float]:
        done = asyncio.Event()
        seen = 0
        first = 0.0

        def on_messages(messages: Sequence[wire.ToEngine]) -> None:
            nonlocal seen, first
            for message in messages:
                if isinstance(message, wire.OrderBookTick):
                    seen += 1
                    first = first or time.perf_counter()
                    if message.update_id == TICKS:
                        done.set()

        engine = client(port, on_messages)
        await done.wait()
        seconds = time.perf_counter() - first
        await engine.close()
        return seen, seconds

    with asyncio.Runner(loop_factory=loop_factory(uvloop)) as runner:
        results.put(runner.run(main()))


async def measure_relay(uvloop: bool) -> str:
    """As many ticks as fit through, in batches as they come off an exchange's socket."""
    gateway = Gateway()
    server = WireServer(gateway, gateway="bench", token=TOKEN, epoch=1)
    port = await server.start()
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[int, float]] = context.Queue()
    reader = context.Process(target=read_ticks, args=(port, uvloop, results))
    reader.start()
    await gateway.connected.wait()
    for number in range(1, TICKS + 1):
        server.publish_market(tick(number))
        if number % BATCH == 0:
            await asyncio.sleep(0)
    seen, seconds = await asyncio.get_running_loop().run_in_executor(None, results.get)
    reader.join()
    conflated = server.conflated_ticks
    await server.close()
    return f"{TICKS / seconds:,.0f} ticks/s published, {seen:,} read, {conflated:,} conflated"


def loop_factory(uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Of the wanted loop."""
    if not uvloop:
        return None
    import uvloop as module  # noqa: PLC0415  # not on Windows

    return module.new_event_loop


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    uvloop = parser.parse_args().loop == "uvloop"
    with asyncio.Runner(loop_factory=loop_factory(uvloop)) as runner:
        print(f"bare echo, there and back       {runner.run(measure_echo())}")
        print(f"order and reply over the wire   {runner.run(measure_hop())}")
        print(f"to another process              {runner.run(measure_relay(uvloop))}")


if __name__ == "__main__":
    main()
