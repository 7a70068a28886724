"""Events from a gateway over the wire, and requests back to it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from engine.model.events import Event, LinkDown, LinkUp, Timer
from gateways.wire.client import Cursor, EngineIdentity, WireClient
from gateways.wire.messages import (
    OrderBookTick,
    Refused,
    ToEngine,
    ToGateway,
    TradeTick,
    Welcome,
)

_TIMED = frozenset({OrderBookTick, TradeTick})
_OLD_NS = 500_000_000
"""Market data that waited longer than this to be read are not the present."""

Sink = Callable[[Event], None]


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
