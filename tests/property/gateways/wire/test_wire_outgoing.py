"""What waits for a slow reader: every order event, the newest market data, and never more than the bound."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateways.wire.errors import ReaderTooSlow
from gateways.wire.framing import engine_decoder
from gateways.wire.limits import WireLimits
from gateways.wire.messages import Kline, OrderBookTick, Reply, ToEngine, TradeTick
from gateways.wire.outgoing import Outgoing
from tests.support.wire_rig import book

LIMITS = WireLimits(urgent_bytes=200, waiting_trades=3, waiting_klines=4)
SYMBOLS = ("AUSDT", "BUSDT", "CUSDT")
symbols = st.sampled_from(SYMBOLS)


class SlowReader(RuleBasedStateMachine):
    """A transport of small capacity that says when it is full, and a reader that drains it now and then."""

    @initialize(capacity=st.integers(1, 6))
    def begin(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_transport: deque[bytes] = deque()
        self.outgoing = Outgoing(self.write, LIMITS)
        self.read: list[ToEngine] = []
        self.number = 0
        self.sent_books: dict[str, int] = {}
        self.sent_replies: list[int] = []
        self.sent_trades: list[int] = []
        self.books = 0
        self.trades_and_klines = 0

    def write(self, frame: bytes) -> None:
        self.in_transport.append(frame)
        if len(self.in_transport) >= self.capacity:
            self.outgoing.pause()

    @rule(symbol=symbols)
    def publish_book(self, symbol: str) -> None:
        self.number += 1
        self.books += 1
        self.sent_books[symbol] = self.number
        self.outgoing.market(book(self.number, symbol))

    @rule(symbol=symbols)
    def publish_trade(self, symbol: str) -> None:
        self.number += 1
        self.trades_and_klines += 1
        self.outgoing.market(TradeTick(symbol, self.number, 1.0, 1.0, False, self.number, self.number))

    @rule(symbol=symbols, minute=st.integers(0, 5))
    def publish_kline(self, symbol: str, minute: int) -> None:
        self.number += 1
        self.trades_and_klines += 1
        self.outgoing.market(
            Kline(symbol, "1m", minute, minute + 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, True, self.number)
        )

    @rule()
    def gather(self) -> None:
        self.outgoing.gather()

    @rule()
    def release(self) -> None:
        self.outgoing.release()

    @rule()
    def reply(self) -> None:
        self.number += 1
        try:
            self.outgoing.urgent(Reply(self.number, "ok"))
        except ReaderTooSlow:
            return
        self.sent_replies.append(self.number)

    @rule(frames=st.integers(1, 10))
    def drain(self, frames: int) -> None:
        for _ in range(min(frames, len(self.in_transport))):
            self.read += engine_decoder().feed(self.in_transport.popleft())
        if self.outgoing.paused and len(self.in_transport) < self.capacity:
            self.outgoing.resume()

    @rule()
    def drain_everything(self) -> None:
        self.outgoing.release()
        while self.in_transport:
            self.drain(self.capacity)
        assert self.outgoing.waiting == 0
        newest: dict[str, int] = {}
        for message in self.read:
            if isinstance(message, OrderBookTick):
                assert message.update_id > newest.get(message.symbol, 0)
                newest[message.symbol] = message.update_id
        assert newest == self.sent_books
        assert [one.request_id for one in self.read if isinstance(one, Reply)] == self.sent_replies
        books_read = sum(isinstance(one, OrderBookTick) for one in self.read)
        assert books_read + self.outgoing.conflated_ticks <= self.books
        trades = [(one.symbol, one.trade_id) for one in self.read if isinstance(one, TradeTick)]
        for symbol in SYMBOLS:
            ids = [number for name, number in trades if name == symbol]
            assert ids == sorted(set(ids))

    @invariant()
    def what_waits_is_bounded(self) -> None:
        if not hasattr(self, "outgoing"):
            return
        assert self.outgoing._urgent_bytes <= LIMITS.urgent_bytes
        assert len(self.outgoing._klines) <= LIMITS.waiting_klines
        assert len(self.outgoing._newest) <= len(SYMBOLS)
        assert all(len(waiting) <= LIMITS.waiting_trades for waiting in self.outgoing._trades.values())

    @invariant()
    def nothing_waits_while_the_reader_keeps_up(self) -> None:
        if hasattr(self, "outgoing") and not self.outgoing.paused:
            assert self.outgoing.waiting == 0


TestSlowReader = SlowReader.TestCase
TestSlowReader.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
