"""Keeps the order path warm: a dummy order is decoded, counted, signed and dropped.

Orders are rare, and by the time one comes, its code has left the processor's caches. So after market data,
which is when an order may follow, a separate sender handles a made-up request. It has a dummy key, its own
budget and a pool without connections.
"""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, cast

from gateways.binance.account.history import History
from gateways.binance.orders.requests import OrderRequests
from gateways.binance.orders.sender import OrderSender
from gateways.binance.protocol.requests import Requests
from gateways.binance.protocol.signing import Signer
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.rest.request_budget import RequestBudget
from gateways.wire.framing import encode, gateway_decoder
from gateways.wire.messages import SubmitOrder
from gateways.wire.outgoing import MarketEvent
from gateways.wire.server import EngineConnection

_ORDER = SubmitOrder(1, "REHEARSAL", "nbaaaaaa-ABCDEFGHIJKLMNOPQRSTUVWXYZA", "BUY", "MARKET", Decimal("0.01"))
_LEDGER_NS = 60_000_000_000


class PaperPool:
    """Drops requests; keeps the newest one for tests."""

    is_up = True

    def __init__(self) -> None:
        self.request = b""
        self.taken = 0

    def send_now(self, request: bytes) -> "PaperPool":
        """An answer that never comes."""
        self.request = request
        self.taken += 1
        return self

    def add_done_callback(self, _callback: Callable[..., None]) -> None:
        """Never called."""


class PaperEngine:
    """Drops replies."""

    def __init__(self) -> None:
        self.told = 0

    def send(self, _message: object) -> None:
        """Dropped."""
        self.told += 1


class Rehearsal:
    """`soon` after a tick: once the running callback has ended, at most every `every_s` seconds."""

    def __init__(self, base_url: str, *, wall_ns: Callable[[], int], every_s: float, window_ms: int) -> None:
        """Create it inside the running loop."""
        self.pool = PaperPool()
        self.engine = PaperEngine()
        self._loop = asyncio.get_running_loop()
        self._every_s = every_s
        self._next_s = 0.0
        self._passed_ns = 0
        self._decoder = gateway_decoder()
        self._frame = encode(_ORDER)
        signer = Signer("rehearsal", "rehearsal")
        requests = OrderRequests(Requests(base_url, signer, lambda: wall_ns() // 1_000_000, window_ms))
        self._sender = OrderSender(
            cast(HttpPool, self.pool),
            requests,
            RequestBudget(self._own_time_ns),
            cast(History, None),  # asked only about answers, and none comes
            wall_ns=wall_ns,
            on_hint=_ignore,
            spawn=_refuse,
        )

    def behind(self, send: Callable[[MarketEvent], None]) -> Callable[[MarketEvent], None]:
        """`send`, followed by a rehearsal."""

        def sent(event: MarketEvent) -> None:
            send(event)
            self.soon()

        return sent

    def soon(self) -> None:
        """A tick has been sent to the engine."""
        now_s = self._loop.time()
        if now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            self._loop.call_soon(self.once)

    def once(self) -> None:
        """One dummy order."""
        for order in self._decoder.feed(self._frame):
            self._sender.submit(cast(EngineConnection, self.engine), cast(SubmitOrder, order))

    def _own_time_ns(self) -> int:
        """A new minute for each call, so that the budget never blocks."""
        self._passed_ns += _LEDGER_NS
        return self._passed_ns


def _ignore(_hint: object) -> None:
    pass


def _refuse(work: Coroutine[Any, Any, None]) -> None:
    work.close()
