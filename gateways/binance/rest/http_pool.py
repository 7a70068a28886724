"""Keeps connections to one server open."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from gateways.binance.protocol.requests import Origin
from gateways.binance.protocol.tls import client_context
from gateways.binance.rest.http_connection import HttpAnswer, HttpConnection, HttpFailed

CONNECT_SECONDS = 5.0
WAIT_SECONDS = 0.5
"""How long an order may wait for a connection when all are busy."""
UNREACHED = "no connection to the exchange"
LASTING_SECONDS = 1.0
SAY_AGAIN = 30
"""One of this many failures in a row is logged."""

_log = structlog.get_logger("gateway.rest")


class HttpPool:
    """At least `warm` connections are kept open, at most `most` exist. `start` it inside the loop.

    An answer may take `timeout_seconds`, a connection to send on `wait_seconds`.
    """

    def __init__(
        self,
        url: str,
        *,
        warm: int = 2,
        most: int = 8,
        timeout_seconds: float = 5.0,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self.origin = Origin.of(url)
        self._warm = warm
        self._most = most
        self._timeout = timeout_seconds
        self._wait = wait_seconds
        self._ssl = client_context() if self.origin.scheme == "https" else None
        self._idle: deque[HttpConnection] = deque()
        self._all: set[HttpConnection] = set()
        self._waiters: deque[asyncio.Future[str]] = deque()
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        self._said_up = False
        self.on_state: Callable[[bool], None] = _ignore
        """Called at every change with whether at least one connection is open. After a failure a connection
        counts when it has answered or lasted: a proxy before a server that is down accepts connections and
        ends them."""

    @property
    def is_up(self) -> bool:
        """At least one connection is open."""
        return bool(self._all)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep_warm(), name="http pool")

    async def close(self) -> None:
        """Abort everything."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for connection in list(self._all):
            connection.abort()
        await asyncio.sleep(0)

    def send_now(self, request: bytes) -> "asyncio.Future[HttpAnswer] | None":
        """Write on the connection used last, which is the most likely to be alive; None when none is free."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.free:
                return connection.send(request, self._timeout)
        self._wake.set()
        return None

    async def send(self, request: bytes | Callable[[], bytes], *, oldest: bool = False) -> HttpAnswer:
        """The answer, waiting shortly for a free connection. `HttpFailed` when there is none, or no answer.

        A callable makes the request at the last moment. `oldest` takes the connection unused longest, so
        that regular small requests keep all of them alive.
        """
        deadline = asyncio.get_running_loop().time() + self._wait
        while True:
            if oldest:
                self._idle.rotate(1)
            connection = self._take()
            if connection is not None:
                data = request if isinstance(request, bytes) else request()
                return await connection.send(data, self._timeout)
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0.0:
                raise HttpFailed(UNREACHED, bytes_left=False)
            self._wake.set()
            waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                # Not wait_for: in Python 3.11 it loses a cancellation that comes with the answer.
                async with asyncio.timeout(left):
                    reason = await waiter
            except TimeoutError:
                self._leave(waiter)
                raise HttpFailed(UNREACHED, bytes_left=False) from None
            except asyncio.CancelledError:
                self._leave(waiter)
                raise
            if reason:
                raise HttpFailed(f"{UNREACHED}: {reason}", bytes_left=False)

    def _leave(self, waiter: "asyncio.Future[str]") -> None:
        """Stop waiting; a connection that was offered at the same time goes to the next waiter."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif not waiter.cancelled() and not waiter.result():
            self._call_waiter()

    def _take(self) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.free:
                return connection
        return None

    def _on_free(self, connection: HttpConnection) -> None:
        if connection.has_answered:
            self._failures = 0
            self._say(is_up=True)
        self._idle.append(connection)
        self._call_waiter()

    def _say(self, *, is_up: bool) -> None:
        if is_up != self._said_up:
            self._said_up = is_up
            self.on_state(is_up)

    def _call_waiter(self, reason: str = "") -> None:
        """Let the next waiter try, or tell it why that is useless."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(reason)
                return

    def _on_lost(self, connection: HttpConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        if connection in self._all:
            self._all.remove(connection)
            if not connection.has_answered and self._keeper is not None and not self._keeper.done():
                self._failed("closed without an answer")
            if not self._all:
                self._say(is_up=False)
        self._wake.set()

    async def _keep_warm(self) -> None:
        while True:
            self._wake.clear()
            is_short = len(self._all) < self._warm
            is_crowded = bool(self._waiters) and not self._idle and len(self._all) < self._most
            if not is_short and not is_crowded:
                await self._wake.wait()
                continue
            if self._failures:
                await asyncio.sleep(min(0.05 * 2 ** min(self._failures, 6), 2.0))
            reason = await self._open()
            if reason:
                self._failed(reason)
                if not self._all:
                    self._turn_away(reason)

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures == 1 or self._failures % SAY_AGAIN == 0:
            _log.warning("cannot connect", link="rest", reason=reason)

    def _turn_away(self, reason: str) -> None:
        """The exchange cannot be reached: all waiters fail now."""
        while self._waiters:
            self._call_waiter(reason)

    async def _open(self) -> str:
        """Open one more connection; returns the reason where that failed."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: HttpConnection(self._on_free, self._on_lost),
                    self.origin.host,
                    self.origin.port,
                    ssl=self._ssl,
                )
        except (OSError, TimeoutError) as error:
            return str(error) or type(error).__name__
        if not connection.is_open:
            return "closed at once"
        self._all.add(connection)
        if not self._failures:
            self._say(is_up=True)
        else:
            loop.call_later(LASTING_SECONDS, self._has_lasted, connection)
        self._on_free(connection)
        return ""

    def _has_lasted(self, connection: HttpConnection) -> None:
        if connection in self._all:
            self._failures = 0
            self._say(is_up=True)


def _ignore(_is_up: bool) -> None:
    pass
