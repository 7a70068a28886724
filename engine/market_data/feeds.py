"""Where events come from: a gateway over the wire, or a recording.

Both have one interface, so a recorded session drives the very engine that ran live.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

import msgspec

from engine.model.events import Event, LinkDown, LinkUp, Timer
from gateways.wire.client import Cursor, EngineIdentity, WireClient
from gateways.wire.messages import (
    Message,
    OrderBookTick,
    Refused,
    ToEngine,
    ToGateway,
    TradeTick,
    Welcome,
)

_LENGTH_BYTES = 4
_MAX_RECORDED = 64 * 1024 * 1024

_TIMED = frozenset({OrderBookTick, TradeTick})
_OLD_NS = 500_000_000
"""Market data that waited longer than this to be read must not be taken for the present."""

Sink = Callable[[Event], None]


class MarketDataClient(Protocol):
    """Delivers events to a sink and takes requests back."""

    def start(self, sink: Sink) -> None:
        """Begin to deliver."""

    def send(self, message: ToGateway) -> None:
        """Hand over one request; `NotConnected` where there is no connection."""

    async def close(self) -> None:
        """Stop delivering."""


class RemoteFeed:
    """A gateway over the wire.

    A `Timer` goes in front of messages that carry no time of their own, so that the engine's clock moves
    with them, and in front of market data that waited while the process stood still: else a signal made of
    them would look as if it were in time. Other market data goes straight through: it is what must be quick.
    """

    def __init__(
        self,
        identity: EngineIdentity,
        *,
        host: str,
        port: int | Callable[[int], int],
        token: bytes,
        cursor: Cursor,
        now_ns: Callable[[], int],
        on_refused: Callable[[Refused], None] | None = None,
        together: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`together` is entered around events that arrived in one piece."""
        self._now_ns = now_ns
        self._together = together
        self._sink: Sink | None = None
        self.client = WireClient(
            identity,
            host=host,
            port=port,
            token=token,
            on_messages=self._on_messages,
            on_up=self._on_up,
            on_down=self._on_down,
            on_refused=on_refused,
            cursor=cursor,
            wall_clock_ns=now_ns,
        )

    def start(self, sink: Sink) -> None:
        """Begin to connect; `sink` gets `LinkUp` first."""
        self._sink = sink
        self.client.start()

    def send(self, message: ToGateway) -> None:
        """Hand one request to the gateway."""
        self.client.send(message)

    async def close(self) -> None:
        """End the connection."""
        await self.client.close()

    def _on_messages(self, messages: Sequence[ToEngine]) -> None:
        sink = self._sink
        if sink is None:
            return
        first, now_ns = messages[0], self._now_ns()
        if type(first) not in _TIMED or now_ns - first.receive_time_ns > _OLD_NS:  # type: ignore[union-attr]  # timed
            sink(Timer(now_ns))
        if len(messages) == 1:
            sink(first)  # type: ignore[arg-type]  # the handshake's messages end in the client
            return
        with self._together():
            for message in messages:
                sink(message)  # type: ignore[arg-type]  # the same

    def _on_up(self, welcome: Welcome) -> None:
        if self._sink is not None:
            self._sink(LinkUp(self._now_ns(), welcome.gateway, welcome.epoch))

    def _on_down(self, reason: str) -> None:
        if self._sink is not None:
            self._sink(LinkDown(self._now_ns(), reason))


class ReplayFeed:
    """A recorded or made sequence of events; requests are collected in `sent` when `keep_sent`."""

    def __init__(self, events: Iterable[Event], *, keep_sent: bool = True) -> None:
        self._events = events
        self._keep_sent = keep_sent
        self.sent: list[Message] = []

    @classmethod
    def from_file(cls, path: Path) -> "ReplayFeed":
        """Events written by `EventRecorder`."""
        return cls(read_events(path))

    def start(self, sink: Sink) -> None:
        """Deliver everything, at once."""
        for event in self._events:
            sink(event)

    def send(self, message: ToGateway) -> None:
        """Keep a request."""
        if self._keep_sent:
            self.sent.append(message)

    async def close(self) -> None:
        """Nothing to stop."""


class EventRecorder:
    """Writes events to a file: 4-byte length, then msgpack."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._encoder = msgspec.msgpack.Encoder()

    def record(self, event: Event) -> None:
        """Append one event."""
        data = self._encoder.encode(event)
        self._file.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def read_events(path: Path) -> Iterator[Event]:
    """Events of a recording in order; a torn last one is left out, a broken one is a ValueError."""
    decoder = msgspec.msgpack.Decoder(Event)
    with path.open("rb") as file:
        while len(head := file.read(_LENGTH_BYTES)) == _LENGTH_BYTES:
            length = int.from_bytes(head, "big")
            if length > _MAX_RECORDED:
                raise ValueError(f"{path}: at byte {file.tell()} stands no event of a recording")
            data = file.read(length)
            if len(data) < length:
                return
            try:
                yield decoder.decode(data)
            except msgspec.DecodeError as error:
                raise ValueError(f"{path}: at byte {file.tell()} stands no event of a recording") from error
