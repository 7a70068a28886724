"""Fan-out of stream frames: each event is encoded once and the same bytes go to every subscriber.

A frame is written straight to the socket's transport, so nothing queues inside the simulator; a client
that leaves more than `MAX_BACKLOG_BYTES` unread is disconnected.
"""

import asyncio
import fnmatch
import zlib
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

Route = Literal["", "public", "market", "private"]

MAX_STREAMS = 1024
MAX_BACKLOG_BYTES = 4 << 20
_PUBLIC_KINDS = ("trade", "depth", "rpiDepth", "bookTicker")
_TEXT_FINAL = 0x81
_TEXT_FINAL_DEFLATED = 0xC1
_SMALL, _MEDIUM = 125, 65535
_EMPTY_BLOCK = 4  # bytes of the flush marker that permessage-deflate leaves out


def class_of(stream: str) -> Route:
    """Return the route of a stream: public, market, or private for anything that may be a listen key."""
    if stream.startswith("!"):
        return "public" if stream.startswith("!bookTicker") else "market"
    _, at, kind = stream.partition("@")
    if not at:
        return "private"
    return "public" if kind.startswith(_PUBLIC_KINDS) else "market"


def text_frame(payload: bytes, first: int = _TEXT_FINAL) -> bytes:
    """Return a complete unmasked WebSocket text frame with `payload`."""
    size = len(payload)
    if size <= _SMALL:
        return bytes((first, size)) + payload
    if size <= _MEDIUM:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def deflated_frame(payload: bytes, window_bits: int) -> bytes:
    """Return the frame compressed without context, so that it fits any socket with that window."""
    packer = zlib.compressobj(level=1, wbits=-window_bits)
    packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
    return text_frame(packed[:-_EMPTY_BLOCK], _TEXT_FINAL_DEFLATED)


class Frame:
    """One event, encoded at most once for each form its subscribers need."""

    __slots__ = ("_frames", "payload", "stream")

    def __init__(self, stream: str, payload: bytes) -> None:
        self.stream = stream
        self.payload = payload
        self._frames: dict[tuple[bool, int], bytes] = {}

    def form(self, wrapped: bool, window_bits: int) -> bytes:
        """Return the bytes for a socket; `window_bits` 0 means uncompressed."""
        found = self._frames.get((wrapped, window_bits))
        if found is None:
            body = self.payload
            if wrapped:
                body = b'{"stream":"' + self.stream.encode() + b'","data":' + body + b"}"
            found = deflated_frame(body, window_bits) if window_bits else text_frame(body)
            self._frames[wrapped, window_bits] = found
        return found


class StreamSocket:
    """One client connection and its subscriptions."""

    __slots__ = (
        "cut",
        "events",
        "opened_ms",
        "pinged_ms",
        "ponged_ms",
        "route",
        "streams",
        "transport",
        "window_bits",
        "wrapped",
    )

    def __init__(
        self, transport: asyncio.Transport, route: Route, wrapped: bool, now_ms: int, window_bits: int = 0
    ) -> None:
        self.transport = transport
        self.route: Route = route
        self.wrapped = wrapped
        self.window_bits = window_bits
        self.opened_ms = now_ms
        self.pinged_ms = now_ms
        self.ponged_ms = now_ms
        self.streams: dict[str, None] = {}
        self.events: dict[str, frozenset[str]] = {}
        self.cut = False

    def send(self, frame: Frame) -> None:
        """Write one frame; a client that reads too slowly is disconnected."""
        self.write(frame.form(self.wrapped, self.window_bits))

    def send_payload(self, payload: bytes) -> None:
        """Write a response that belongs to no stream."""
        self.write(deflated_frame(payload, self.window_bits) if self.window_bits else text_frame(payload))

    def write(self, data: bytes) -> None:
        """Write bytes unless the connection is closing."""
        transport = self.transport
        if self.cut or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        self.cut = True
        self.transport.abort()


class Hub:
    """Subscriptions of all sockets. `on_first`/`on_last` report streams that gain or lose all subscribers."""

    def __init__(self, strict_routing: bool = False) -> None:
        self.strict_routing = strict_routing
        self.sockets: dict[StreamSocket, None] = {}
        self.on_first: Callable[[str], None] = _ignore_stream
        self.on_last: Callable[[str], None] = _ignore_stream
        self._listeners: dict[str, dict[StreamSocket, None]] = {}
        self._silenced: tuple[str, ...] = ()

    def add(self, socket: StreamSocket) -> None:
        """Add an open connection."""
        self.sockets[socket] = None

    def remove(self, socket: StreamSocket) -> None:
        """Remove a closed connection."""
        self.unsubscribe(socket, list(socket.streams))
        self.sockets.pop(socket, None)

    def subscribe(self, socket: StreamSocket, names: Iterable[str]) -> None:
        """Subscribe to streams; unknown ones and ones on the wrong route send nothing, as on the exchange."""
        for name in names:
            if name in socket.streams:
                continue
            socket.streams[name] = None
            if self._is_served(socket, name):
                listeners = self._listeners.setdefault(name, {})
                listeners[socket] = None
                if len(listeners) == 1:
                    self.on_first(name)

    def unsubscribe(self, socket: StreamSocket, names: Iterable[str]) -> None:
        """Unsubscribe; unknown names are ignored."""
        for name in names:
            socket.streams.pop(name, None)
            listeners = self._listeners.get(name)
            if listeners is not None and socket in listeners:
                del listeners[socket]
                if not listeners:
                    del self._listeners[name]
                    self.on_last(name)

    def subscribed(self) -> list[str]:
        """Return the names of all streams with subscribers."""
        return list(self._listeners)

    def publish(self, stream: str, payload: object) -> None:
        """Send one market event (data to encode, or bytes of JSON)."""
        listeners = self._listeners.get(stream)
        if listeners is None or self.is_silenced(stream):
            return
        raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        frame = Frame(stream, raw)
        for socket in tuple(listeners):
            socket.send(frame)

    def publish_private(self, key: str, event: str, payload: bytes) -> None:
        """Send one user event to the sockets of a listen key whose `events` filter accepts it."""
        listeners = self._listeners.get(key)
        if listeners is None or self.is_silenced(key):
            return
        frame = Frame(key, payload)
        for socket in tuple(listeners):
            allowed = socket.events.get(key)
            if allowed is None or event in allowed:
                socket.send(frame)

    def silence(self, patterns: Iterable[str]) -> None:
        """Send nothing on streams that match these shell patterns; no patterns: send everything again."""
        self._silenced = tuple(patterns)

    def is_silenced(self, stream: str) -> bool:
        """Whether a fault silences the stream."""
        return any(fnmatch.fnmatchcase(stream, pattern) for pattern in self._silenced)

    def drop_all(self, route: str | None = None) -> int:
        """Cut every connection (of one route); return how many."""
        dropped = [socket for socket in self.sockets if route is None or socket.route == route]
        for socket in dropped:
            socket.abort()
        return len(dropped)

    def _is_served(self, socket: StreamSocket, name: str) -> bool:
        if not self.strict_routing:
            return True
        return class_of(name) == (socket.route or "public")


def _ignore_stream(_stream: str) -> None:
    """Do nothing, until market data is attached."""
