"""A gateway of a few lines and engines to connect to it, over real sockets."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateways.wire import messages as m
from gateways.wire.client import EngineIdentity, WireClient
from gateways.wire.cursor import Cursor
from gateways.wire.limits import DEFAULT_LIMITS, WireLimits
from gateways.wire.requests import Request
from gateways.wire.server import EngineConnection, WireServer

TOKEN = bytes(range(32))


class RecordingGateway:
    """Handler that remembers everything."""

    def __init__(self) -> None:
        self.connected: list[EngineConnection] = []
        self.requests: list[Request] = []
        self.gone: list[tuple[str, str]] = []
        self.strangers: list[str] = []
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for news that make the condition true."""
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def on_connected(self, engine: EngineConnection) -> None:
        self.connected.append(engine)
        self._news.set()

    def on_request(self, engine: EngineConnection, request: Request) -> None:
        self.requests.append(request)
        self._news.set()

    def on_disconnected(self, engine: EngineConnection, reason: str) -> None:
        self.gone.append((engine.engine_id, reason))
        self._news.set()

    def on_stranger(self, reason: str) -> None:
        self.strangers.append(reason)
        self._news.set()


@dataclass
class Engine:
    """A client and what it has heard."""

    client: WireClient
    heard: list[m.ToEngine] = field(default_factory=list)
    ups: list[m.Welcome] = field(default_factory=list)
    downs: list[str] = field(default_factory=list)
    refusals: list[m.Refused] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for news that make the condition true."""
        async with asyncio.timeout(20):
            while not condition():
                self.news.clear()
                await self.news.wait()

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.heard if isinstance(message, kind)]


def engine(
    port: int | Callable[[int], int],
    name: str = "alpha",
    *,
    symbols: tuple[str, ...] = ("BTCUSDT",),
    fencing: int = 1,
    token: bytes = TOKEN,
    cursor: Cursor | None = None,
    limits: WireLimits = DEFAULT_LIMITS,
) -> Engine:
    """A client that has been started."""
    made: Engine

    def on_messages(messages: Sequence[m.ToEngine]) -> None:
        made.heard.extend(messages)
        made.news.set()

    def on_up(welcome: m.Welcome) -> None:
        made.ups.append(welcome)
        made.news.set()

    def on_down(reason: str) -> None:
        made.downs.append(reason)
        made.news.set()

    def on_refused(refused: m.Refused) -> None:
        made.refusals.append(refused)
        made.news.set()

    client = WireClient(
        EngineIdentity(name, fencing, symbols, f"{name}-"),
        host="127.0.0.1",
        port=port,
        token=token,
        on_messages=on_messages,
        on_up=on_up,
        on_down=on_down,
        on_refused=on_refused,
        cursor=cursor,
        wall_clock_ns=time.time_ns,
        limits=limits,
    )
    made = Engine(client)
    client.start()
    return made


def server(handler: RecordingGateway, *, epoch: int = 1, limits: WireLimits = DEFAULT_LIMITS) -> WireServer:
    return WireServer(handler, gateway="test", token=TOKEN, epoch=epoch, limits=limits)


def book(number: int, symbol: str = "BTCUSDT") -> m.OrderBookTick:
    bids = tuple((100.0 - level, 1.0) for level in range(5))
    asks = tuple((101.0 + level, 1.0) for level in range(5))
    return m.OrderBookTick(symbol, number, number, number, number, bids, asks)


def order_update(number: int, client_order_id: str = "", symbol: str = "BTCUSDT") -> m.OrderUpdate:
    zero, qty, price = Decimal(0), Decimal("0.1"), Decimal("100.5")
    return m.OrderUpdate(
        epoch=0,
        sequence=0,
        symbol=symbol,
        client_order_id=client_order_id or f"alpha-{number}",
        exchange_order_id=number,
        side="BUY",
        order_type="MARKET",
        time_in_force="GTC",
        execution="TRADE",
        status="FILLED",
        price=zero,
        stop_price=zero,
        average_price=price,
        qty_base=qty,
        filled_base=qty,
        last_price=price,
        last_qty_base=qty,
        trade_id=number,
        is_maker=False,
        fee=zero,
        fee_asset="USDT",
        realised_pnl=zero,
        reduce_only=False,
        close_position=False,
        reason="",
        event_time_ns=number,
        transaction_time_ns=number,
    )


def market_order(request_id: int, symbol: str = "BTCUSDT", client_order_id: str = "alpha-1") -> m.SubmitOrder:
    return m.SubmitOrder(request_id, symbol, client_order_id, "BUY", "MARKET", Decimal("0.1"))
