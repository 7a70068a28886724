"""A client of the control socket: `engine.ctl`, the chat, tests."""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

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

LOGIN_SECONDS = 5.0


class ControlClient:
    """A connection to the control socket, logged in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: Request) -> Response:
        """Send a request and wait for its response. After EOFError or OSError it may have been done."""
        self._writer.write(msgspec.json.encode(request) + b"\n")
        while True:
            said = await self.next_line()
            if isinstance(said, Response) and said.id in {request.id, ""}:
                return said

    async def watch(self, request_id: str) -> Snapshot:
        """Begin to watch: after the snapshot `next_line` returns a line for everything that happens."""
        await self.ask(Request("watch", request_id))
        while True:
            said = await self.next_line()
            if isinstance(said, Snapshot):
                return said

    async def next_line(self) -> Response | Snapshot | AuditLine:
        """The next message of the engine; EOFError when it is gone."""
        line = await self._reader.readline()
        if not line:
            raise EOFError("the engine has closed the connection")
        return msgspec.json.decode(line, type=Response | Snapshot | AuditLine)

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


class NotAnEngine(ConnectionError):
    """Something else listens on that port, or does not answer."""


@asynccontextmanager
async def connect(ports: int | Sequence[int], token: bytes) -> AsyncIterator[ControlClient]:
    """Log in to the engine on the first of the ports that has one, within `LOGIN_SECONDS` each.

    ConnectionRefusedError: nothing listens; NotAnEngine; PermissionError: the token is not the engine's.
    With several ports the error is that of the first.
    """
    first: OSError | None = None
    for port in (ports,) if isinstance(ports, int) else ports:
        try:
            client = await _log_in(port, token)
        except OSError as error:
            first = first or error
            continue
        try:
            yield client
        finally:
            client.close()
        return
    raise first or ConnectionRefusedError("no port is known")


async def _log_in(port: int, token: bytes) -> ControlClient:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * LINE_LIMIT)
    try:
        await _prove(reader, writer, port, token)
    except BaseException:
        writer.close()
        raise
    return ControlClient(reader, writer)


async def _prove(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, token: bytes) -> None:
    """Prove that we hold the token, and check that the server does."""
    nonce = secrets.token_hex(16)
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            challenge = msgspec.json.decode(await reader.readline(), type=Challenge)
            login = Login(proof(token, "client", challenge.nonce, port), nonce)
            writer.write(msgspec.json.encode(login) + b"\n")
            answer = msgspec.json.decode(await reader.readline(), type=Response)
    except (OSError, ValueError, msgspec.DecodeError):
        raise NotAnEngine(f"no engine answers on port {port}") from None
    if not answer.ok:
        raise PermissionError(f"the server on port {port} does not accept our token")
    if not hmac.compare_digest(answer.text.encode(), proof(token, "server", nonce, port).encode()):
        raise NotAnEngine(f"the server on port {port} does not prove that it is the engine")
