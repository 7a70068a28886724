"""All public data: which streams are wanted, and where each frame goes."""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from decimal import Decimal, InvalidOperation
from typing import Any

import structlog

from gateways.binance.protocol.frames import (
    UM,
    BookTickerFrame,
    DepthFrame,
    DepthSnapshot,
    KlineFrame,
    MarketFrame,
    MarkPriceFrame,
    TradeFrame,
    decode,
)
from gateways.binance.rest.klines import kline_of
from gateways.binance.setup.config import GatewayConfig
from gateways.binance.streams.link import LinkState, StreamLink, class_of
from gateways.binance.streams.sockets import Together
from gateways.binance.streams.symbol_feed import SymbolFeed
from gateways.wire.messages import Kline, MarkPrice, OrderBookTick, TradeTick
from gateways.wire.streams import kline_interval

MS = 1_000_000
MarketEvent = OrderBookTick | TradeTick | Kline | MarkPrice

_log = structlog.get_logger("gateway.market")


class Market:
    """The books of all symbols and the two links that carry public streams."""

    def __init__(
        self,
        config: GatewayConfig,
        *,
        publish: Callable[[MarketEvent], None],
        fetch_snapshot: Callable[[str], Awaitable[DepthSnapshot]],
        on_state: Callable[[str, LinkState], None],
        on_sync: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        wall_ns: Callable[[], int],
        random: Callable[[], float],
        together: Together = nullcontext,
    ) -> None:
        """`together` is entered around frames that arrived in one piece."""
        self.undecodable = 0
        self.feeds: dict[str, SymbolFeed] = {}
        self._config = config
        self._publish = publish
        self._fetch_snapshot = fetch_snapshot
        self._on_sync = on_sync
        self._spawn = spawn
        self._last_trades: dict[str, int] = {}
        self._wall_ns = wall_ns
        self._random = random
        self._handlers: dict[type, Callable[[MarketFrame, int], None]] = {
            DepthFrame: self._on_depth,
            BookTickerFrame: self._on_ticker,
            TradeFrame: self._on_trade,
            KlineFrame: self._on_kline,
            MarkPriceFrame: self._on_mark,
        }
        self._public = StreamLink(
            "public",
            config.public_url,
            on_frame=lambda frame: self._on_frame(frame, self._public),
            on_lost=self._on_public_lost,
            on_state=on_state,
            random=random,
            together=together,
        )
        self._market = StreamLink(
            "market",
            config.market_url,
            on_frame=lambda frame: self._on_frame(frame, self._market),
            on_lost=lambda _reason: None,
            on_state=on_state,
            random=random,
            together=together,
        )

    @property
    def links(self) -> tuple[StreamLink, StreamLink]:
        """/public and /market."""
        return self._public, self._market

    @property
    def resyncs(self) -> int:
        """How often a book had to be rebuilt."""
        return sum(feed.sync.resyncs for feed in self.feeds.values())

    def start(self) -> None:
        """Connect and keep connected."""
        self._spawn(self._public.run())
        self._spawn(self._market.run())

    def add_symbol(self, symbol: str) -> None:
        """Book and mark price."""
        if symbol in self.feeds:
            return
        feed = SymbolFeed(
            symbol,
            self._config.depth_levels,
            publish=self._publish,
            fetch_snapshot=self._fetch_snapshot,
            on_sync=self._on_sync,
            random=self._random,
            stale_after_ns=self._config.stale_after_ns,
        )
        self.feeds[symbol] = feed
        self._spawn(feed.keep_in_sync(self._wall_ns))
        self._public.want(self._config.depth_stream(symbol))
        self._public.want(f"{symbol.lower()}@bookTicker")
        self._market.want(f"{symbol.lower()}@markPrice@1s")

    def subscribe(self, symbol: str, stream: str, depth_levels: int) -> None:
        """Subscribe a stream by its name on the wire. ValueError for an unknown one."""
        self.add_symbol(symbol)
        if stream == "book":
            self.feeds[symbol].set_depth(depth_levels)
        elif stream == "trade":
            self._want(f"{symbol.lower()}@trade")
        elif interval := kline_interval(stream):
            self._want(f"{symbol.lower()}@kline_{interval}")
        elif stream != "mark":
            raise ValueError(f"unknown stream {stream!r}: book, trade, mark or kline:<interval>")

    def fresh_symbols(self, now_ns: int, exchange_now_ns: int) -> tuple[str, ...]:
        """Symbols whose book is in sync, moving and up to date."""
        speed = max(self._config.clock_speed, 1.0)  # a hurried exchange ages its events as fast
        return tuple(
            sorted(
                name
                for name, feed in self.feeds.items()
                if feed.is_fresh(now_ns, int(feed.lag_ns(exchange_now_ns) / speed))
            )
        )

    def _want(self, stream: str) -> None:
        link = self._public if class_of(stream) == "public" else self._market
        link.want(stream)

    def _on_frame(self, frame: bytes, link: StreamLink) -> None:
        receive_time_ns = self._wall_ns()
        envelope = decode(frame)
        if envelope is None:
            self.undecodable += 1
            _log.warning("frame not understood", link=link.name, start=frame[:200].decode("utf-8", "replace"))
            return
        data = envelope.data
        if data is None:
            if b'"error"' in frame[:200]:
                answer = frame[:300].decode("utf-8", "replace")
                _log.error("the exchange refused a request", link=link.name, answer=answer)
            return
        link.seen(envelope.stream)
        if data.st == UM:
            self._handlers[type(data)](data, receive_time_ns)

    def _on_depth(self, frame: MarketFrame, receive_time_ns: int) -> None:
        assert isinstance(frame, DepthFrame)
        feed = self.feeds.get(frame.s)
        if feed is not None:
            feed.on_depth(frame, receive_time_ns)

    def _on_ticker(self, frame: MarketFrame, receive_time_ns: int) -> None:
        assert isinstance(frame, BookTickerFrame)
        feed = self.feeds.get(frame.s)
        if feed is not None:
            feed.on_ticker(frame, receive_time_ns)

    def _on_trade(self, frame: MarketFrame, receive_time_ns: int) -> None:
        assert isinstance(frame, TradeFrame)
        # During a rotation two connections tell the same trades.
        if frame.p > 0.0 and frame.q > 0.0 and frame.t > self._last_trades.get(frame.s, -1):
            self._last_trades[frame.s] = frame.t
            time_ns = frame.T * MS
            self._publish(TradeTick(frame.s, frame.t, frame.p, frame.q, frame.m, time_ns, receive_time_ns))

    def _on_kline(self, frame: MarketFrame, receive_time_ns: int) -> None:  # noqa: ARG002 - as the others
        assert isinstance(frame, KlineFrame)
        self._publish(kline_of(frame))

    def _on_mark(self, frame: MarketFrame, receive_time_ns: int) -> None:
        assert isinstance(frame, MarkPriceFrame)
        try:
            mark = Decimal(frame.p)
            index, rate = Decimal(frame.i or "0"), Decimal(frame.r or "0")
        except InvalidOperation:
            self.undecodable += 1
            return
        if not (mark.is_finite() and index.is_finite() and rate.is_finite()):
            self.undecodable += 1
            return
        self._publish(MarkPrice(frame.s, mark, index, rate, frame.T * MS, frame.E * MS, receive_time_ns))

    def _on_public_lost(self, reason: str) -> None:
        self._last_trades.clear()
        for feed in self.feeds.values():
            feed.on_lost(reason)
