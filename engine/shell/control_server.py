"""The control socket: commands in, audit events out. On loopback, for holders of the token only.

No client can keep an operator out: when there are too many, the connection is closed that has waited longest
without a login, or, among those logged in, the one that has been silent longest.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Sequence

import msgspec

from engine.model.audit import Answer, AuditEvent
from engine.model.events import Command, Event
from engine.model.records import JournalRecord
from engine.shell.log_lines import line_of
from runtime.control.commands import command_named
from runtime.control.protocol import (
    LINE_LIMIT,
    AuditLine,
    Challenge,
    Login,
    Request,
    Response,
    Snapshot,
    proof,
)
from runtime.control.shown import ShowPrice, as_it_is
from runtime.control.status import EngineStatus
from runtime.json_refusals import sentence as refusal

MAX_CLIENTS = 16
MAX_STRANGERS = 16
MAX_UNSENT_BYTES = 1 << 20
LOGIN_SECONDS = 5.0
_UNUSABLE = (OSError, ValueError, RecursionError, msgspec.DecodeError)
"""A lost connection, a line too long, a timeout, JSON nested too deep, no JSON, an unknown request."""


class ControlServer:
    """Serves clients; `take` receives their commands as events."""

    def __init__(
        self,
        token: bytes,
        take: Callable[[Event], None],
        now_ns: Callable[[], int],
        status: Callable[[], EngineStatus],
        price: ShowPrice = as_it_is,
    ) -> None:
        self.port = 0
        """The port once it listens."""
        self._token = token
        self._take = take
        self._now_ns = now_ns
        self._status = status
        self._price = price
        self._server: asyncio.Server | None = None
        self._strangers: dict[asyncio.StreamWriter, None] = {}
        self._clients: dict[asyncio.StreamWriter, None] = {}
        self._watchers: set[asyncio.StreamWriter] = set()
        self._asked: dict[str, list[asyncio.StreamWriter]] = {}
        self.dropped_lines = 0
        self._epoch = now_ns()
        self._sequence = 0

    async def start(self, port: int) -> int:
        """Listen on 127.0.0.1; port 0 takes a free one. Returns the port, as `port` says it from then on."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=LINE_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def close(self) -> None:
        """Stop listening and close all connections."""
        if self._server is not None:
            self._server.close()
        for writer in (*self._strangers, *self._clients):
            writer.close()
        if self._server is not None:
            await self._server.wait_closed()

    def publish(self, events: Sequence[JournalRecord | AuditEvent]) -> None:
        """Send watchers what happened, and clients the results of their commands."""
        for event in events:
            if isinstance(event, Answer):
                for writer in self._asked.pop(event.command_id, ()):
                    self._write(writer, Response(event.command_id, event.ok, event.text))
        first = self._sequence + 1
        self._sequence += len(events)
        if not self._watchers:
            return
        for sequence, event in enumerate(events, first):
            line = line_of(event, self._price)
            level, kind, text = line if line is not None else ("info", "record", "")
            said = AuditLine(level, kind, text, self._now_ns(), event, sequence)
            for writer in sorted(self._watchers, key=id):
                self._write(writer, said)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it disconnects or breaks the protocol. Errors in `take` are not caught."""
        try:
            if await self._is_admitted(reader, writer):
                while (request := await self._next_request(reader, writer)) is not None:
                    self._on_request(writer, request)
        finally:
            self._clients.pop(writer, None)
            self._watchers.discard(writer)
            self._asked = {
                key: rest
                for key, writers in self._asked.items()
                if (rest := [one for one in writers if one is not writer])
            }
            writer.close()

    async def _is_admitted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Check its token, and make room for it."""
        if len(self._strangers) >= MAX_STRANGERS:
            next(iter(self._strangers)).transport.abort()
        self._strangers[writer] = None
        try:
            accepted = await self._login(reader, writer)
        except _UNUSABLE:
            accepted = False
        finally:
            del self._strangers[writer]
        if accepted:
            if len(self._clients) >= MAX_CLIENTS:
                silent = [one for one in self._clients if one not in self._watchers] or list(self._clients)
                silent[0].transport.abort()
                del self._clients[silent[0]]
            self._clients[writer] = None
        return accepted

    async def _login(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        nonce = secrets.token_hex(16)
        self._write(writer, Challenge(nonce))
        async with asyncio.timeout(LOGIN_SECONDS):
            login = msgspec.json.decode(await reader.readline(), type=Login)
        right = proof(self._token, "client", nonce, self.port)
        accepted = hmac.compare_digest(login.mac.encode(), right.encode())
        if accepted:
            welcome = proof(self._token, "server", login.nonce, self.port)
            self._write(writer, Response("login", True, welcome))
        else:
            self._write(writer, Response("login", False, "wrong token"))
        return accepted

    async def _next_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Request | None:
        """None when the client is gone, or is disconnected because it sent something else than a request."""
        try:
            line = await reader.readline()
            request = msgspec.json.decode(line, type=Request) if line else None
        except _UNUSABLE as error:
            what = refusal(error, line, Request) if isinstance(error, msgspec.DecodeError) else str(error)
            self._write(writer, Response("", False, f"not a request: {what}"))
            return None
        if request is not None and writer in self._clients:
            del self._clients[writer]
            self._clients[writer] = None
        return request

    def _on_request(self, writer: asyncio.StreamWriter, request: Request) -> None:
        if request.what == "watch":
            self._watchers.add(writer)
            self._write(writer, Response(request.id, True, "watching"))
            self._write(writer, Snapshot(self._epoch, self._sequence, self._status()))
        elif request.what == "status":
            data = msgspec.Raw(msgspec.json.encode(self._status()))
            self._write(writer, Response(request.id, True, "", data))
        elif (name := command_named(request.what)) is not None:
            self._asked.setdefault(request.id, []).append(writer)
            command = Command(
                self._now_ns(),
                request.id,
                name,
                request.strategy,
                request.symbol,
                request.argument,
                request.source,
            )
            self._take(command)

    def _write(self, writer: asyncio.StreamWriter, message: msgspec.Struct) -> None:
        """A client that does not read is disconnected when too much is waiting for it."""
        if writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.dropped_lines += 1
            writer.transport.abort()
            return
        writer.write(msgspec.json.encode(message) + b"\n")
