"""One WebSocket whose frames reach a callback at once, in the very read that brought them.

`websockets` speaks the protocol; its queue and the task switch behind it are left out, so nothing waits
and nothing needs a bound: a slow callback slows the reading, and TCP the sender.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

Sink = Callable[[bytes], None]
CONNECT_ERRORS = (OSError, TimeoutError, InvalidHandshake, InvalidMessage, WebSocketException)
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
OPEN_SECONDS = 10.0
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class DirectConnection(ClientConnection):
    """Hands whole messages to `sink`. `recv` is not for use."""

    sink: Sink
    _parts: list[bytes] | None = None

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


async def open_socket(url: str, sink: Sink, *, ping_seconds: float = 60.0) -> DirectConnection:
    """Connect. Raises one of CONNECT_ERRORS.

    The exchange pings every 3 minutes; our own pings only find out that a peer is gone, so they are
    rare and patient. Messages over the limit end the connection.
    """

    # A class of its own, since frames may come in the same read as the handshake's answer.
    bound = type("BoundConnection", (DirectConnection,), {"sink": staticmethod(sink)})
    connection = await connect(
        url,
        create_connection=bound,
        compression=None,
        proxy=None,
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
