"""The gateway as a process of its own, against the simulator as another, with real kills."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from gateways.wire.messages import (
    GatewayStatus,
    OrderBookTick,
    OrderUpdate,
    Reply,
    RequestSnapshot,
    Snapshot,
    SubmitOrder,
    Subscribe,
    Welcome,
)
from gateways.wire.token import load_or_make_token
from runtime.settings.environment import free_port, ports_to_try
from tests.support.binance_stand_in import KEY, SECRET, SYMBOL, StandIn, always
from tests.support.gateway_rig import Engine

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0
EVERYTHING = (("GET", "time"), ("GET", "depth"), ("PUT", "listenKey"), ("GET", "accountConfig"))


class Processes:
    """A home with the demo's configuration, and the two processes that live in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "configs").mkdir()
        text = (ROOT / "configs" / "demo.toml").read_text("utf-8")
        (home / "configs" / "demo.toml").write_text(text, "utf-8")
        self.simulator_port, self.wire_port = free_port(), free_port()
        self.state = home / "data" / "demo" / "simulator"
        self.environment = os.environ | {
            "NEXTBAR_HOME": str(home),
            "NEXTBAR_SIMULATOR_PORT": str(self.simulator_port),
            "NEXTBAR_WIRE_PORT": str(self.wire_port),
        }
        self.running: list[asyncio.subprocess.Process] = []
        self.drains: list[asyncio.Task[None]] = []

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            cwd=self.home,
            env=self.environment | {"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.running.append(process)
        return process

    async def start_simulator(self) -> asyncio.subprocess.Process:
        port, state = str(self.simulator_port), str(self.state)
        process = await self.start(
            "-m", "gateways.simulator", "--port", port, "--state", state, "--seed", "5"
        )
        await self.said(process, "listening on")
        return process

    async def start_gateway(self) -> asyncio.subprocess.Process:
        script = str(ROOT / "gateways" / "binance" / "run_binance.py")
        process = await self.start(script, "demo", "--exit-with-stdin")
        await self.said(process, "listening")
        return process

    async def said(self, process: asyncio.subprocess.Process, words: str) -> None:
        """Until a line with these words; what comes after is read and thrown away."""
        assert process.stdout is not None
        seen = b""
        async with asyncio.timeout(SECONDS):
            while line := await process.stdout.readline():
                seen += line
                if words.encode() in line:
                    self.drains.append(asyncio.ensure_future(drain(process.stdout)))
                    return
        pytest.fail(f"never said {words!r}: {seen.decode()}")

    def engine(self, fencing: int = 1) -> Engine:
        token = load_or_make_token(self.home / "vault" / "gateway_token")
        engine = Engine(self.wire_port, fencing=fencing)
        engine.client.token = token
        engine.client.start()
        return engine

    async def stop(self) -> None:
        for process in self.running:
            if process.returncode is None:
                process.kill()
            await process.wait()
            assert process.stdin is not None
            process.stdin.close()
        await asyncio.gather(*self.drains)


async def drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


@contextlib.asynccontextmanager
async def processes(home: Path) -> AsyncIterator[Processes]:
    made = Processes(home)
    try:
        yield made
    finally:
        await made.stop()


async def trade(engine: Engine, number: int) -> OrderUpdate:
    """Buy a little at market; returns the fill."""
    client_id = f"nb-{number}"
    engine.client.send(SubmitOrder(number, SYMBOL, client_id, "BUY", "MARKET", Decimal("0.002")))
    reply = await engine.wait(Reply, lambda reply: reply.request_id == number, SECONDS)
    assert reply.outcome == "ok", reply
    return await engine.wait(
        OrderUpdate, lambda update: update.client_order_id == client_id and update.trade_id > 0, SECONDS
    )


async def healthy(engine: Engine) -> None:
    def is_well(status: GatewayStatus) -> bool:
        return status.fresh_symbols == (SYMBOL,) and set(status.streams.values()) == {"up"}

    await engine.wait(GatewayStatus, is_well, SECONDS)


def test_ticks_flow_an_order_fills_and_a_killed_exchange_is_found_again(tmp_path: Path):
    async def scenario() -> None:
        async with processes(tmp_path) as made:
            simulator = await made.start_simulator()
            gateway = await made.start_gateway()
            engine = made.engine()
            await engine.wait(Welcome, seconds=SECONDS)
            engine.client.send(Subscribe(1, (SYMBOL,), ("book",), 5))
            await healthy(engine)
            first = await trade(engine, 2)
            simulator.send_signal(signal.SIGKILL)
            await simulator.wait()
            await engine.wait(GatewayStatus, lambda status: status.streams["rest"] == "down", SECONDS)
            engine.client.send(SubmitOrder(3, SYMBOL, "nb-3", "BUY", "MARKET", Decimal("0.002")))
            refused = await engine.wait(Reply, lambda reply: reply.request_id == 3, SECONDS)
            assert (refused.outcome, refused.sent_time_ns) == ("transient", 0)
            engine.got.clear()
            await made.start_simulator()
            await healthy(engine)
            tick = await engine.wait(OrderBookTick, seconds=SECONDS)
            assert tick.bids[0][0] < tick.asks[0][0]
            second = await trade(engine, 4)
            engine.client.send(RequestSnapshot(5, first.transaction_time_ns))
            snapshot = await engine.wait(Snapshot, seconds=SECONDS)
            assert snapshot.complete
            assert {first.trade_id, second.trade_id} <= {fill.trade_id for fill in snapshot.fills}
            assert snapshot.positions[0].qty_base == Decimal("0.004")
            await engine.client.close()
            assert gateway.stdin is not None
            gateway.stdin.close()
            assert await asyncio.wait_for(gateway.wait(), SECONDS) == 0

    asyncio.run(scenario())


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is POSIX")
def test_a_killed_gateway_comes_back_with_a_gap_and_sigterm_ends_it_orderly(tmp_path: Path):
    async def scenario() -> None:
        async with processes(tmp_path) as made:
            await made.start_simulator()
            gateway = await made.start_gateway()
            engine = made.engine()
            epoch = (await engine.wait(Welcome, seconds=SECONDS)).epoch
            await healthy(engine)
            await trade(engine, 1)
            gateway.kill()
            await gateway.wait()
            engine.got.clear()
            gateway = await made.start_gateway()
            assert (await engine.wait(Welcome, seconds=SECONDS)).epoch > epoch
            await healthy(engine)
            await trade(engine, 2)
            await engine.client.close()
            gateway.terminate()
            assert await asyncio.wait_for(gateway.wait(), SECONDS) == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("demo",), "There is no key file"), (("nowhere",), "nowhere"), (("live",), "live.toml")],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], words: str
):
    async def scenario() -> None:
        async with processes(tmp_path) as made:
            process = await made.start(str(ROOT / "gateways" / "binance" / "run_binance.py"), *arguments)
            output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
            assert process.returncode == 2
            assert words in output.decode()
            assert len(output.decode().strip().splitlines()) == 1

    asyncio.run(scenario())


def test_a_gateway_killed_in_a_ban_comes_back_without_asking(tmp_path: Path):
    """Each request to an exchange that has banned us lengthens the ban."""

    async def scenario() -> None:
        async with StandIn() as exchange, processes(tmp_path) as made:
            made.simulator_port = exchange.port
            made.environment["NEXTBAR_SIMULATOR_PORT"] = str(exchange.port)
            keys = made.state / "binance_keys"
            keys.parent.mkdir(parents=True)
            keys.write_text(f"api_key={KEY}\napi_secret={SECRET}\n", "ascii")
            keys.chmod(0o600)
            banned = always(418, -1003, "Way too many requests; IP banned.", **{"Retry-After": "600"})
            gateway = await made.start_gateway()
            exchange.faults = {f"{method} {path}": banned for method, path in EVERYTHING}
            until = tmp_path / "data" / "demo" / "gateway" / "stops.json"
            async with asyncio.timeout(SECONDS):
                while not until.exists():  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.05)
            gateway.kill()
            await gateway.wait()
            asked = len(exchange.requests)
            await made.start_gateway()
            engine = made.engine()
            status = await engine.wait(GatewayStatus, lambda one: one.streams["rest"] == "down", SECONDS)
            assert 0 < status.banned_until_ns - time.time_ns() <= 601 * 10**9
            await engine.wait(GatewayStatus, lambda one: one.time_ns > status.time_ns + 10**9, SECONDS)
            assert len(exchange.requests) == asked
            await engine.client.close()

    asyncio.run(scenario())


def test_a_wire_port_that_a_stranger_took_is_left_to_him_and_engines_find_the_gateway(tmp_path: Path) -> None:
    async def main() -> None:
        async with processes(tmp_path) as made:
            await made.start_simulator()
            data = tmp_path / "data" / "demo"
            with socket.create_server(("127.0.0.1", made.wire_port)):
                await made.start_gateway()
                taken, moved = ports_to_try("wire", made.wire_port, data)
                assert taken == made.wire_port
                made.wire_port = moved
                engine = made.engine()
                await engine.wait(Welcome, seconds=SECONDS)
                await engine.client.close()

    asyncio.run(main())
