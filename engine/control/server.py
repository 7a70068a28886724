"""The control socket: commands in, audit events out. On loopback, for holders of the token only."""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Sequence

import msgspec

from engine.control.protocol import LINE_LIMIT, AuditLine, Challenge, Login, Request, Response, proof
from engine.core.audit import Answer, AuditEvent
from engine.core.events import Command, Event
from engine.shell.log_lines import line_of
from engine.storage.records import JournalRecord
from settings.status import EngineStatus

MAX_CLIENTS = 16
MAX_UNSENT_BYTES = 1 << 20
LOGIN_SECONDS = 5.0


class ControlServer:
    """Serves clients; `take` is given their commands as events."""

    def __init__(
        self,
        port: int,
        token: bytes,
        take: Callable[[Event], None],
        now_ns: Callable[[], int],
        status: Callable[[], EngineStatus],
    ) -> None:
        self.port = port
        self._token = token
        self._take = take
        self._now_ns = now_ns
        self._status = status
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._watchers: set[asyncio.StreamWriter] = set()
        self._asked: dict[str, asyncio.StreamWriter] = {}
        self.dropped_lines = 0

    async def start(self) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one, `port` then says which."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=LINE_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut everybody off."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._clients):
            writer.close()
        if self._server is not None:
            await self._server.wait_closed()

    def publish(self, events: Sequence[JournalRecord | AuditEvent]) -> None:
        """Tell watchers what happened and clients what became of their commands."""
        for event in events:
            if isinstance(event, Answer):
                writer = self._asked.pop(event.command_id, None)
                if writer is not None:
                    self._write(writer, Response(event.command_id, event.ok, event.text))
        if not self._watchers:
            return
        for event in events:
            line = line_of(event)
            level, kind, text = line if line is not None else ("info", "record", "")
            said = AuditLine(level, kind, text, self._now_ns(), event)
            for writer in sorted(self._watchers, key=id):
                self._write(writer, said)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it goes or does not keep to the protocol."""
        if len(self._clients) >= MAX_CLIENTS:
            writer.close()
            return
        self._clients.add(writer)
        try:
            if await self._login(reader, writer):
                while line := await reader.readline():
                    self._on_request(writer, msgspec.json.decode(line, type=Request))
        except (OSError, ValueError, TimeoutError, msgspec.DecodeError):
            pass  # a line too long, no JSON, an unknown wish, a cut: whatever it is, the client is gone
        finally:
            self._clients.discard(writer)
            self._watchers.discard(writer)
            self._asked = {key: one for key, one in self._asked.items() if one is not writer}
            writer.close()

    async def _login(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        nonce = secrets.token_hex(16)
        self._write(writer, Challenge(nonce))
        async with asyncio.timeout(LOGIN_SECONDS):
            login = msgspec.json.decode(await reader.readline(), type=Login)
        accepted = hmac.compare_digest(login.mac.encode(), proof(self._token, nonce).encode())
        self._write(writer, Response("login", accepted, "welcome" if accepted else "wrong token"))
        return accepted

    def _on_request(self, writer: asyncio.StreamWriter, request: Request) -> None:
        if request.what == "watch":
            self._watchers.add(writer)
            self._write(writer, Response(request.id, True, "watching"))
        elif request.what == "status":
            data = msgspec.Raw(msgspec.json.encode(self._status()))
            self._write(writer, Response(request.id, True, "", data))
        else:
            self._asked[request.id] = writer
            command = Command(
                self._now_ns(), request.id, request.what, request.strategy, request.symbol, request.argument
            )
            self._take(command)

    def _write(self, writer: asyncio.StreamWriter, message: msgspec.Struct) -> None:
        """A client that does not read loses lines, and is cut off when it goes on like that."""
        if writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.dropped_lines += 1
            writer.transport.abort()
            return
        writer.write(msgspec.json.encode(message) + b"\n")
