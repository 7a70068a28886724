"""A gateway in this process, against the stand-in exchange or any other, with an engine's end of the wire."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from gateways.binance.gateway import Gateway
from gateways.binance.setup.config import GatewayConfig
from gateways.binance.setup.keys import ApiKeys
from gateways.wire.client import EngineIdentity, WireClient
from gateways.wire.messages import GatewayStatus, Message, OrderUpdate, SubmitOrder, Welcome
from tests.support.binance_stand_in import KEY, SECRET, SYMBOL, StandIn

TOKEN = b"t" * 32
M = TypeVar("M", bound=Message)


def config_for(rest_url: str, ws_url: str, symbols: tuple[str, ...] = (SYMBOL,)) -> GatewayConfig:
    """For an exchange on loopback."""
    return GatewayConfig(
        name="binance-test",
        rest_url=rest_url,
        public_url=f"{ws_url}/public",
        market_url=f"{ws_url}/market",
        private_url=f"{ws_url}/private",
        symbols=symbols,
        depth_levels=5,
        depth_speed_ms=100,
        window_ms=5_000,
        stale_after_ns=5_000_000_000,
        clock_speed=1.0,
        wire_host="127.0.0.1",
        wire_port=0,
        token_path=Path(),
        key_paths=(),
    )


class Engine:
    """Collects what the gateway sends and waits for what a test expects."""

    def __init__(self, port: int, *, fencing: int = 1, symbols: tuple[str, ...] = (SYMBOL,)) -> None:
        self.got: list[Message] = []
        self._changed = asyncio.Event()
        self._requests = 0
        self.client = WireClient(
            EngineIdentity("e1", fencing, symbols, "nb-"),
            host="127.0.0.1",
            port=port,
            token=TOKEN,
            on_messages=self._take,
            on_up=lambda welcome: self._take([welcome]),
            on_down=lambda _reason: self._changed.set(),
            wall_clock_ns=time.time_ns,
        )

    def _take(self, messages: object) -> None:
        self.got.extend(messages)  # type: ignore[arg-type]  # of the right kind by the client's contract
        self._changed.set()

    def next_id(self) -> int:
        self._requests += 1
        return self._requests

    def of(self, kind: type[M]) -> list[M]:
        """What of this kind has come."""
        return [one for one in self.got if isinstance(one, kind)]

    async def wait(
        self, kind: type[M], accept: Callable[[M], bool] = lambda _: True, seconds: float = 10.0
    ) -> M:
        """The first such message, past ones included."""
        async with asyncio.timeout(seconds):
            while True:
                self._changed.clear()
                for one in self.of(kind):
                    if accept(one):
                        return one
                await self._changed.wait()


@contextlib.asynccontextmanager
async def running_gateway(
    config: GatewayConfig, keys: ApiKeys | None = None
) -> AsyncIterator[tuple[Gateway, int]]:
    """The gateway and the port of its wire."""
    loop = asyncio.get_running_loop()
    gateway = Gateway(
        config,
        keys or ApiKeys(KEY, SECRET),
        TOKEN,
        monotonic_ns=time.monotonic_ns,
        wall_ns=time.time_ns,
        random=random.Random(1).random,
    )
    listening: asyncio.Future[int] = loop.create_future()
    task = asyncio.ensure_future(gateway.run(listening.set_result))
    try:
        await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
        yield gateway, listening.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def whole_rig() -> AsyncIterator[tuple[StandIn, Gateway, Engine]]:
    """Stand-in, gateway, connected engine."""
    async with StandIn() as exchange:
        config = config_for(exchange.url, f"ws://127.0.0.1:{exchange.port}")
        async with running_gateway(config) as (gateway, port):
            engine = Engine(port)
            engine.client.start()
            try:
                yield exchange, gateway, engine
            finally:
                await engine.client.close()


async def in_sync(exchange: StandIn, gateway: Gateway) -> None:
    """Subscribed, and the book bridged by a first diff."""
    await exchange.until(lambda: any("btcusdt@depth@100ms" in names for names in exchange.names.values()))
    feed = gateway.market.feeds[SYMBOL]
    await exchange.depth(bids={90.0: 1.5})
    await exchange.until(lambda: "GET depth" in exchange.requests)
    async with asyncio.timeout(10):
        while not feed.sync.is_synced:
            await exchange.depth(bids={90.0: 1.5 + len(exchange.requests) % 2})
            await asyncio.sleep(0.01)


async def ready(exchange: StandIn, engine: Engine) -> None:
    """Until the engine is in and the user stream is up."""
    await engine.wait(Welcome)
    await engine.wait(GatewayStatus, lambda status: status.streams["private"] == "up")
    await exchange.until(lambda: len(exchange.sockets["private"]) == 1)


def fills(engine: Engine) -> list[int]:
    """Trade ids that the engine has been told, in order."""
    return [update.trade_id for update in engine.of(OrderUpdate) if update.trade_id]


def market_order(request_id: int, client_id: str, **more: object) -> SubmitOrder:
    """A small one to buy."""
    return SubmitOrder(request_id, SYMBOL, client_id, "BUY", "MARKET", Decimal("0.002"), **more)  # type: ignore[arg-type]
