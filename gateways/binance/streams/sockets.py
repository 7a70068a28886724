"""One WebSocket whose frames reach a callback in the read that brought them.

`websockets` implements the protocol; its queue and task switch are bypassed, so nothing waits and nothing
needs a bound: a slow callback slows the reading, and TCP the sender.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Event

from gateways.binance.protocol.tls import client_context

Sink = Callable[[bytes], None]
Together = Callable[[], AbstractContextManager[None]]
"""Entered around messages that arrived in one piece."""
CONNECT_ERRORS = (OSError, TimeoutError, InvalidHandshake, InvalidMessage, WebSocketException)
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
MAX_HANDSHAKE_BYTES = 64 * 1024
OPEN_SECONDS = 10.0
SEVERAL_BYTES = 2_048
"""A read of at least this size holds several messages, or a large one."""
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_WHOLE = (0x80 | Opcode.TEXT, 0x80 | Opcode.BINARY)
"""First bytes of unfragmented messages."""


class DirectConnection(ClientConnection):
    """Passes whole messages to `sink`; do not use `recv`.

    Unfragmented messages, nearly all of them, are cut out of the stream here; frames of any other kind go to
    `websockets`, whole and in order. Its parser takes many small steps for each frame.
    """

    sink: Sink
    together: Together = nullcontext
    _parts: list[bytes] | None = None
    _stage: Literal["handshake", "frames", "passed on"] = "handshake"
    _held: bytearray | None = None
    """The beginning of the handshake's answer or of a frame."""
    _wanted = 0
    """Minimum size needed before the held bytes can be parsed."""

    def data_received(self, data: bytes) -> None:
        """Bytes off the socket, however they were cut."""
        if self._held is not None:
            self._held += data
            if len(self._held) < self._wanted:
                return
            data, self._held = bytes(self._held), None
        if self._stage == "frames" and len(data) >= SEVERAL_BYTES:
            with self.together():
                self._cut(data)
        elif self._stage == "frames":
            self._cut(data)
        elif self._stage == "handshake":
            self._shake_hands(data)
        else:
            super().data_received(data)

    def _shake_hands(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 and len(data) < MAX_HANDSHAKE_BYTES:
            self._hold(data, 0)
            return
        if end < 4:
            end = len(data)
        super().data_received(data[:end])
        self._stage = "frames" if self.protocol.state is OPEN else "passed on"
        if end < len(data):
            self.data_received(data[end:])

    def _cut(self, data: bytes) -> None:
        position, available = 0, len(data)
        while position + 2 <= available:
            first, second = data[position], data[position + 1]
            start, length = position + 2, second & 0x7F
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > available:
                    break
                length = int.from_bytes(data[position + 2 : start], "big")
            if length > MAX_MESSAGE_BYTES or second & 0x80:
                # `websockets` ends such a connection.
                self._stage = "passed on"
                super().data_received(data[position:])
                return
            end = start + length
            if end > available:
                self._hold(data[position:], end - position)
                return
            if first in _WHOLE and self._parts is None and self.protocol.state is OPEN:
                self.sink(data[start:end])
            else:
                super().data_received(data[position:end])
            position = end
        if position < available:
            self._hold(data[position:], 0)

    def _hold(self, data: bytes, wanted: int) -> None:
        self._held, self._wanted = bytearray(data), wanted

    def process_event(self, event: Event) -> None:
        """Called by the base class for each frame, the handshake's answer included."""
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
        elif event.fin and event.opcode is not Opcode.CONT:
            self.sink(bytes(event.data))
        else:
            self._gather(event)

    def _gather(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._parts = []
        if self._parts is None:
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole, self._parts = b"".join(self._parts), None
            self.sink(whole)


async def open_socket(
    url: str, sink: Sink, *, together: Together = nullcontext, ping_seconds: float = 60.0
) -> DirectConnection:
    """Connect. Raises one of CONNECT_ERRORS.

    The exchange pings every 3 minutes; our own pings only detect a dead peer, so they are rare and have a
    long timeout. Messages over the limit end the connection.
    """

    # A class of its own, since frames may come in the same read as the handshake's answer.
    bound = type(
        "BoundConnection",
        (DirectConnection,),
        {"sink": staticmethod(sink), "together": staticmethod(together)},
    )
    connection = await connect(
        url,
        create_connection=bound,
        compression=None,
        proxy=None,
        ssl=client_context() if url.startswith("wss:") else None,
        open_timeout=OPEN_SECONDS,
        close_timeout=2.0,
        ping_interval=ping_seconds,
        ping_timeout=ping_seconds,
        max_size=MAX_MESSAGE_BYTES,
    )
    return cast("DirectConnection", connection)


def close_later(connection: DirectConnection, tasks: set[asyncio.Task[None]]) -> None:
    """Close in the background; `tasks` keeps the reference."""
    task = asyncio.get_running_loop().create_task(connection.close())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
