"""What one engine has yet to read: order events and replies first, market data conflated.

While the reader keeps up there is no queue: a frame is written at once. Once the transport reports that
its buffer is full, order events and replies wait in order and up to a bound, a newer book replaces the
one that waits, and of trades the newest are kept.
"""

from collections import deque
from collections.abc import Callable

from gateways.wire.errors import ReaderTooSlow
from gateways.wire.framing import encode
from gateways.wire.limits import WireLimits
from gateways.wire.messages import Kline, MarkPrice, Message, OrderBookTick, TradeTick

MarketEvent = OrderBookTick | TradeTick | Kline | MarkPrice


class Outgoing:
    """Frames on their way to one engine. `write` must not block; it may call `pause` before it returns."""

    __slots__ = (
        "_limits",
        "_newest",
        "_trades",
        "_urgent",
        "_urgent_bytes",
        "_write",
        "conflated_ticks",
        "dropped_market_events",
        "paused",
    )

    def __init__(self, write: Callable[[bytes], None], limits: WireLimits) -> None:
        self.paused = False
        self.conflated_ticks = 0
        self.dropped_market_events = 0
        self._write = write
        self._limits = limits
        self._urgent: deque[bytes] = deque()
        self._urgent_bytes = 0
        self._newest: dict[tuple[object, ...], MarketEvent] = {}
        self._trades: dict[str, deque[TradeTick]] = {}

    def urgent(self, message: Message) -> None:
        """An order event, a reply, a status. `ReaderTooSlow` over the bound."""
        self.urgent_frame(encode(message))

    def urgent_frame(self, frame: bytes) -> None:
        """The same, already encoded."""
        if not self.paused:
            self._write(frame)
            return
        if self._urgent_bytes + len(frame) > self._limits.urgent_bytes:
            raise ReaderTooSlow(f"{self._urgent_bytes} bytes of order events and replies wait for the engine")
        self._urgent.append(frame)
        self._urgent_bytes += len(frame)

    def market(self, event: MarketEvent) -> None:
        """Market data: written at once, or conflated with what waits."""
        if not self.paused:
            self._write(encode(event))
        elif type(event) is TradeTick:
            self._hold_trade(event)
        else:
            self._hold_newest(event)

    def pause(self) -> None:
        """The reader is behind."""
        self.paused = True

    def resume(self) -> None:
        """The reader has caught up with what was written: write on, the urgent first."""
        self.paused = False
        urgent = self._urgent
        while urgent and not self.paused:
            frame = urgent.popleft()
            self._urgent_bytes -= len(frame)
            self._write(frame)
        while self._trades and not self.paused:
            symbol = next(iter(self._trades))
            waiting = self._trades[symbol]
            self._write(encode(waiting.popleft()))
            if not waiting:
                del self._trades[symbol]
        newest = self._newest
        while newest and not self.paused:
            self._write(encode(newest.pop(next(iter(newest)))))

    @property
    def waiting(self) -> int:
        """Number of frames and events that wait."""
        return len(self._urgent) + len(self._newest) + sum(map(len, self._trades.values()))

    def _hold_newest(self, event: MarketEvent) -> None:
        key: tuple[object, ...]
        if isinstance(event, Kline):
            key = (Kline, event.symbol, event.interval, event.open_time_ns)
        else:
            key = (type(event), event.symbol)
        if key in self._newest:
            if type(event) is OrderBookTick:
                self.conflated_ticks += 1
        elif len(self._newest) >= self._limits.waiting_keys:
            del self._newest[next(iter(self._newest))]
            self.dropped_market_events += 1
        self._newest[key] = event

    def _hold_trade(self, event: TradeTick) -> None:
        waiting = self._trades.get(event.symbol)
        if waiting is None:
            if len(self._trades) >= self._limits.waiting_keys:
                self.dropped_market_events += 1
                return
            waiting = self._trades[event.symbol] = deque()
        if len(waiting) >= self._limits.waiting_trades:
            waiting.popleft()
            self.dropped_market_events += 1
        waiting.append(event)
