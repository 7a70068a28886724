"""What the gateway's two paths cost: a market frame to the wire's bytes, an order request to bytes out.

`python benchmarks/gateway_path.py [RECORDING.txt.gz ...]`; without recordings frames are made up. Beside the
order path stand aiohttp's client and ccxt making the same request, to the same server on loopback.
"""

import asyncio
import gzip
import statistics
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
import msgspec
import uvloop
from ccxt.async_support.binanceusdm import binanceusdm

from gateways.binance.orders.requests import OrderRequests
from gateways.binance.orders.sender import OrderSender
from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, decode, snapshot_from
from gateways.binance.protocol.requests import Requests
from gateways.binance.protocol.signing import Signer
from gateways.binance.rest.clock import ExchangeClock
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.rest.request_budget import RequestBudget
from gateways.binance.streams.symbol_feed import SymbolFeed
from gateways.wire.framing import TO_ENGINE_LIMIT, encode
from gateways.wire.messages import OrderBookTick, SubmitOrder

ORDERS = 3_000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def show(name: str, micros: list[float]) -> None:
    """One row."""
    micros.sort()
    p99 = micros[int(len(micros) * 0.99)]
    print(f"{name:58s} p50 {statistics.median(micros):8.1f} us   p99 {p99:8.1f} us   n {len(micros)}")


def market_path(paths: list[Path]) -> None:
    """Decode, book, tick, wire frame, for each recorded frame."""
    costs: dict[type, list[float]] = {DepthFrame: [], BookTickerFrame: []}
    sink: list[bytes] = []

    def publish(tick: OrderBookTick) -> None:
        sink[:] = [encode(tick, TO_ENGINE_LIMIT)]

    async def never(_symbol: str) -> None:
        raise AssertionError

    feed: SymbolFeed | None = None
    for path in paths:
        with gzip.open(path, "rb") as file:
            for line in file:
                stamp, _, frame = line.partition(b" ")
                if b'"lastUpdateId"' in frame[:40]:
                    if feed is not None:
                        feed.sync.on_snapshot(snapshot_from(msgspec.json.decode(frame)))
                    continue
                now = int(stamp)
                start = time.perf_counter_ns()
                envelope = decode(frame)
                data = envelope.data if envelope is not None else None
                if isinstance(data, DepthFrame | BookTickerFrame):
                    if feed is None:
                        feed = SymbolFeed(
                            data.s,
                            5,
                            publish=publish,
                            on_sync=lambda: None,
                            fetch_snapshot=never,  # type: ignore[arg-type]  # never called
                            random=lambda: 0.5,
                            stale_after_ns=10**12,
                        )
                    if isinstance(data, DepthFrame):
                        feed.on_depth(data, now)
                    else:
                        feed.on_ticker(data, now)
                    costs[type(data)].append((time.perf_counter_ns() - start) / 1000)
    for kind, micros in costs.items():
        if micros:
            show(f"{kind.__name__}: frame bytes to wire bytes", micros)


class Echo(asyncio.Protocol):
    """Answers any request at once, and notes when its first byte came."""

    arrived_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it for the answers."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """A request, or its end."""
        Echo.arrived_ns = time.perf_counter_ns()
        if data.endswith(b"\r\n\r\n") or b"signature" in data:
            self.transport.write(ANSWER)


class Nobody:
    """An engine that is only waited for."""

    engine_id = "bench"
    symbols = frozenset({"BTCUSDT"})
    client_id_prefix = "nb"

    def __init__(self) -> None:
        self.replied = asyncio.Event()

    def send(self, _message: object) -> None:
        """The reply."""
        self.replied.set()


async def order_path() -> None:
    """The same market order by our own sender, by aiohttp, and by ccxt."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    clock = ExchangeClock(time.monotonic_ns, time.time_ns)
    budget = RequestBudget(lambda: 0, 10**9)
    budget.set_limits([{"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 10**9}])
    budget.set_limits([{"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 10**9}])
    pool = HttpPool(url)
    is_up = asyncio.Event()
    pool.on_state = lambda _is_up: is_up.set()
    pool.start()
    await is_up.wait()
    requests = OrderRequests(Requests(url, Signer("k" * 64, "s" * 64), clock.timestamp_ms, 5000))
    sender = OrderSender(
        pool,
        requests,
        budget,
        None,  # type: ignore[arg-type]  # no history is asked for
        wall_ns=time.time_ns,
        on_hint=lambda _hint: None,
        spawn=lambda _work: None,
    )
    order = SubmitOrder(1, "BTCUSDT", "nb-1234567890", "BUY", "MARKET", Decimal("0.002"))
    engine = Nobody()
    called: list[float] = []
    arrived: list[float] = []
    for _ in range(ORDERS):
        engine.replied.clear()
        start = time.perf_counter_ns()
        sender.submit(engine, order)
        called.append((time.perf_counter_ns() - start) / 1000)
        await engine.replied.wait()
        arrived.append((Echo.arrived_ns - start) / 1000)
    show("own sender: request object to write returned", called)
    show("own sender: request object to the server's first byte", arrived)
    arrived = []
    async with aiohttp.ClientSession() as session:
        for _ in range(ORDERS):
            start = time.perf_counter_ns()
            query = requests.submit(order).split(b" ")[1].decode()
            async with session.post(url + query, headers={"X-MBX-APIKEY": "k"}) as answer:
                await answer.read()
            arrived.append((Echo.arrived_ns - start) / 1000)
    show("aiohttp client: the same", arrived)
    client = binanceusdm({"apiKey": "k" * 64, "secret": "s" * 64, "enableRateLimit": False})
    client.urls["api"] = dict.fromkeys(client.urls["api"], f"{url}/fapi/v1")
    arrived = []
    for _ in range(ORDERS // 3):
        start = time.perf_counter_ns()
        await client.fapiPrivatePostOrder(
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "MARKET",
                "quantity": "0.002",
                "newClientOrderId": "nb-1",
            }
        )
        arrived.append((Echo.arrived_ns - start) / 1000)
    show("ccxt endpoint method: the same", arrived)
    await client.close()
    await pool.close()
    server.close()


if __name__ == "__main__":
    market_path([Path(name) for name in sys.argv[1:]])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(order_path())
