"""A client of the control socket: `engine.ctl`, the chat, tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from engine.control.protocol import LINE_LIMIT, AuditLine, Challenge, Login, Request, Response, proof

LOGIN_SECONDS = 5.0


class ControlClient:
    """A connection to the control socket, logged in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: Request) -> Response:
        """Send a request and wait for its answer. On EOFError or OSError it may have been carried out."""
        self._writer.write(msgspec.json.encode(request) + b"\n")
        while True:
            said = await self.next_line()
            if isinstance(said, Response) and said.id in {request.id, ""}:
                return said

    async def next_line(self) -> Response | AuditLine:
        """The next thing the engine says; EOFError when it is gone."""
        line = await self._reader.readline()
        if not line:
            raise EOFError("the engine has closed the connection")
        return msgspec.json.decode(line, type=Response | AuditLine)


class NotAnEngine(ConnectionError):
    """Something else listens on that port, or nobody there answers."""


@asynccontextmanager
async def connect(port: int, token: bytes) -> AsyncIterator[ControlClient]:
    """Log in to the engine on that port within `LOGIN_SECONDS`.

    ConnectionRefusedError: nobody listens; NotAnEngine; PermissionError: the token is not the engine's.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * LINE_LIMIT)
    try:
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                challenge = msgspec.json.decode(await reader.readline(), type=Challenge)
                writer.write(msgspec.json.encode(Login(proof(token, challenge.nonce))) + b"\n")
                answer = msgspec.json.decode(await reader.readline(), type=Response)
        except (OSError, ValueError, msgspec.DecodeError):
            raise NotAnEngine(f"no engine answers on port {port}") from None
        if not answer.ok:
            raise PermissionError(answer.text)
        yield ControlClient(reader, writer)
    finally:
        writer.close()
