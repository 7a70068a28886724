"""What one engine has yet to read: order events and replies first, market data conflated.

While the reader keeps up there is no queue: a frame is written at once. Only market data that the exchange
sent in one piece leave together, a few at a time: a system call for each costs more than all the rest of a
tick's way. Once the transport reports that its buffer is full, order events and replies wait in order and up
to a bound, a newer book replaces the one that waits, and of trades the newest are kept.
"""

from collections import deque
from collections.abc import Callable

from gateways.wire.errors import ReaderTooSlow
from gateways.wire.framing import encode
from gateways.wire.limits import WireLimits
from gateways.wire.messages import Kline, MarkPrice, Message, OrderBookTick, TradeTick

MarketEvent = OrderBookTick | TradeTick | Kline | MarkPrice
MOST_TOGETHER = 16
"""The first of so many waits for the others less than a tenth of a millisecond."""


class Outgoing:
    """Frames on their way to one engine. `write` must not block; it may call `pause` before it returns."""

    __slots__ = (
        "_is_gathering",
        "_klines",
        "_limits",
        "_newest",
        "_together",
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
        self._is_gathering = False
        self._together: list[bytes] = []
        self._urgent: deque[bytes] = deque()
        self._urgent_bytes = 0
        self._newest: dict[tuple[type, str], OrderBookTick | MarkPrice] = {}
        self._klines: dict[tuple[str, str, int], Kline] = {}
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
            self._write_soon(encode(event))
        elif isinstance(event, OrderBookTick | MarkPrice):
            self._hold_newest(event)
        elif isinstance(event, TradeTick):
            self._hold_trade(event)
        else:
            self._hold_kline(event)

    def gather(self) -> None:
        """Market data that arrived in one piece follow, until `release`."""
        self._is_gathering = True

    def release(self) -> None:
        """That was the last of them."""
        self._is_gathering = False
        if self._together:
            self._write_together()

    def _write_soon(self, frame: bytes) -> None:
        if not self._is_gathering:
            self._write(frame)
            return
        self._together.append(frame)
        if len(self._together) >= MOST_TOGETHER:
            self._write_together()

    def _write_together(self) -> None:
        frames, self._together = self._together, []
        self._write(b"".join(frames))

    def pause(self) -> None:
        """The reader is behind."""
        self.paused = True

    def resume(self) -> None:
        """The reader has caught up with what was written: write on, the urgent first."""
        self.paused = False
        if self._together:
            self._write_together()
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
        while self._klines and not self.paused:
            self._write(encode(self._klines.pop(next(iter(self._klines)))))
        while self._newest and not self.paused:
            self._write(encode(self._newest.pop(next(iter(self._newest)))))

    @property
    def waiting(self) -> int:
        """Number of frames and events that wait."""
        market = len(self._newest) + len(self._klines) + sum(map(len, self._trades.values()))
        return len(self._urgent) + market

    def _hold_newest(self, event: OrderBookTick | MarkPrice) -> None:
        """Bounded by the symbols an engine may claim, so the newest is never given up."""
        key = (type(event), event.symbol)
        if key in self._newest and type(event) is OrderBookTick:
            self.conflated_ticks += 1
        self._newest[key] = event

    def _hold_kline(self, event: Kline) -> None:
        """The newest state of each bar; of too many bars the one that waits longest goes."""
        key = (event.symbol, event.interval, event.open_time_ns)
        if key not in self._klines and len(self._klines) >= self._limits.waiting_klines:
            del self._klines[next(iter(self._klines))]
            self.dropped_market_events += 1
        self._klines[key] = event

    def _hold_trade(self, event: TradeTick) -> None:
        waiting = self._trades.get(event.symbol)
        if waiting is None:
            waiting = self._trades[event.symbol] = deque()
        if len(waiting) >= self._limits.waiting_trades:
            waiting.popleft()
            self.dropped_market_events += 1
        waiting.append(event)
