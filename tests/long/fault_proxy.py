"""Between gateway and exchange: passes everything on, or does what networks and their boxes do.

Runs on a thread of its own. Connections can be cut, held or refused; single requests can lose their answer,
be cut in the middle, get a late answer, or a page of something else in its place.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["half_request", "lost_answer", "half_answer", "late_answer", "page", "page_after"]
CHUNK = 65_536
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
ANSWER = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (
    len(PAGE),
    PAGE,
)


@dataclass
class Rule:
    """The next `times` requests that begin with `start` meet `action`."""

    start: bytes
    action: Action
    times: int = 1
    seconds: float = 0.0


@dataclass
class Line:
    """One connection through the proxy; `rule` is what its next answer meets."""

    client: asyncio.StreamWriter
    exchange: asyncio.StreamWriter
    rule: Rule | None = None


@dataclass
class Proxy:
    """`port` is its own; `exchange_port` finds the exchange's for each new connection."""

    exchange_port: Callable[[], int]
    port: int = 0
    rules: list[Rule] = field(default_factory=list)
    met: int = 0
    """Requests that met a rule."""
    _lines: list[Line] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._prepare())

    def close(self) -> None:
        self._do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Every connection, at once."""
        self._do(self._cut())

    def refuse(self) -> None:
        """Cut all, and nobody listens until `listen`."""
        self._do(self._refuse())

    def listen(self) -> None:
        self._do(self._listen())

    def hold(self) -> None:
        """Nothing passes, nothing is closed: a network that has swallowed its packets."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _prepare(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        await self._listen()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for line in self._lines:
            line.client.transport.abort()
            line.exchange.transport.abort()

    async def _shut(self) -> None:
        self._open.set()
        await self._refuse()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            try:
                back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.exchange_port())
            except OSError:
                writer.transport.abort()
                return
            line = Line(writer, back_writer)
            self._lines.append(line)
            await asyncio.gather(self._upward(reader, line), self._downward(back_reader, line))
            self._lines.remove(line)
        except asyncio.CancelledError:
            pass  # all is over; the stream's own callback would print it
        finally:
            self._tasks.discard(task)

    async def _upward(self, reader: asyncio.StreamReader, line: Line) -> None:
        """Requests."""
        try:
            while data := await reader.read(CHUNK):
                await self._open.wait()
                rule = self._rule_for(data)
                if rule is not None and rule.action == "page":
                    line.client.write(ANSWER)
                    continue
                if rule is not None and rule.action == "half_request":
                    line.exchange.write(data[: len(data) // 2])
                    await line.exchange.drain()
                    break
                line.rule = rule
                line.exchange.write(data)
                await line.exchange.drain()
        except OSError:
            pass
        line.exchange.close()
        line.client.close()

    async def _downward(self, reader: asyncio.StreamReader, line: Line) -> None:
        """Answers and streams."""
        try:
            while data := await reader.read(CHUNK):
                await self._open.wait()
                rule, line.rule = line.rule, None
                if rule is None:
                    line.client.write(data)
                elif rule.action == "page_after":
                    line.client.write(ANSWER)
                elif rule.action == "late_answer":
                    await asyncio.sleep(rule.seconds)
                    line.client.write(data)
                else:
                    if rule.action == "half_answer":
                        line.client.write(data[: len(data) // 2])
                        await line.client.drain()
                    break
                await line.client.drain()
        except OSError:
            pass
        line.client.close()
        line.exchange.close()

    def _rule_for(self, data: bytes) -> Rule | None:
        for rule in self.rules:
            if data.startswith(rule.start):
                rule.times -= 1
                if rule.times <= 0:
                    self.rules.remove(rule)
                self.met += 1
                return rule
        return None
