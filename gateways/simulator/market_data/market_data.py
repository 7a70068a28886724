"""`MarketData`: public streams, candles and trades made from the book and the trades."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from gateways.simulator.exchange.accounts import mark_price
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.errors import refusal, unavailable
from gateways.simulator.exchange.model.events import Trade
from gateways.simulator.exchange.model.symbols import SymbolSpec
from gateways.simulator.market_data.depth import IDS_PER_MS
from gateways.simulator.market_data.history.bars import Bars
from gateways.simulator.market_data.history.files import MarketStore, SavedState, SavedSymbol
from gateways.simulator.market_data.history.invented import History, HistoryProfile
from gateways.simulator.market_data.history.rows import MINUTE_MS, Rows
from gateways.simulator.market_data.payloads import Payload
from gateways.simulator.market_data.public_book import ASK, BID, Change
from gateways.simulator.market_data.stream_names import Stream, parse_stream
from gateways.simulator.market_data.symbol_feed import Publish, SymbolFeed
from gateways.simulator.market_data.tape import PublicTrade

_HOUSEKEEPING_MS: Final = 1000
_ARRAYS: Final = {
    "allMarkPrice": "markPrice",
    "allMiniTicker": "miniTicker",
    "allTicker": "ticker",
    "allBookTicker": "bookTicker",
}


class MarketData:
    """Public data of every symbol.

    Pass the exchange's public events to `on_trade` and `on_book_changed`; call `advance` at
    `next_time_ms` (streams with an update speed, klines, mark price). Only streams with at least one
    subscriber are built and published. A market opens each of its symbols with `open_symbol`.
    """

    def __init__(
        self,
        specs: Mapping[str, SymbolSpec],
        publish: Publish,
        *,
        now_ms: int,
        seed: int = 1,
        state_dir: Path | None = None,
    ) -> None:
        self.specs = dict(specs)
        self._publish = publish
        self._seed = seed
        self._store = None if state_dir is None else MarketStore(state_dir / "market_data")
        self._saved = SavedState() if self._store is None else self._store.load_state()
        self._feeds: dict[str, SymbolFeed] = {}
        self._counts: dict[str, int] = {}
        self._early: dict[str, Stream] = {}
        self._arrays: dict[str, tuple[Stream, int]] = {}
        self._exchange: Exchange | None = None
        self._housekeeping_ms = now_ms + _HOUSEKEEPING_MS
        self.on_subscribe: list[Callable[[Stream], None]] = []
        """Called with each stream that gets its first subscriber (a recording starts then)."""
        self.market_state: dict[str, Any] = dict(self._saved.market)
        """State of the market that survives a restart; saved every second."""

    def attach(self, exchange: Exchange) -> None:
        """Attach the exchange whose books are read."""
        self._exchange = exchange

    @property
    def exchange(self) -> Exchange:
        """The exchange attached."""
        if self._exchange is None:
            raise RuntimeError("MarketData.attach has not been called")
        return self._exchange

    def open_symbol(
        self,
        symbol: str,
        price_ticks: int,
        now_ms: int,
        *,
        volume_lots: int = 60_000,
        relayed: frozenset[int] = frozenset(),
        own_trades: bool = True,
        invented: bool = True,
    ) -> int:
        """Open a symbol at a price, or continue the last run; return the price to continue from.

        With `relayed`, bookTicker frames and the diffs of these update speeds (ms) come from `relay_*`, not
        from the exchange's book. Without `own_trades` the exchange's trades are not public: the market
        passes the public ones to `relay_trade`. With `invented` history the time since the last run is
        filled with invented minutes; without it the market sets the bars, and the symbol has no data until
        the market clears `feed.not_ready_reason`.
        """
        saved = self._saved.symbols.get(symbol) or SavedSymbol(now_ms // MINUTE_MS * MINUTE_MS, price_ticks)
        genesis_ms, genesis_ticks = saved.genesis_ms, saved.genesis_ticks
        profile = HistoryProfile(genesis_ticks, volume_lots)
        history_seed = zlib.crc32(f"{self._seed}:{symbol}".encode())
        history = History(history_seed, genesis_ms, profile) if invented else None
        bars = Bars(history, genesis_ms, genesis_ticks)
        if self._store is not None and invented:
            bars.restore(self._store.load_minutes(symbol, genesis_ms), saved.open_row)
        # Relayed ids come from the source: before the first frame the book is empty, with id 0.
        own_ids = max(now_ms * IDS_PER_MS, saved.last_update_id + IDS_PER_MS)
        feed = SymbolFeed(
            self.specs[symbol],
            bars,
            self._publish,
            self.mark_frame,
            last_update_id=0 if relayed else own_ids,
            last_agg_id=saved.last_agg_id,
        )
        feed.genesis = (genesis_ms, genesis_ticks)
        feed.own_bars, feed.history = invented, history
        if invented:
            feed.on_closed = partial(self._keep_minutes, symbol)
            feed.resume(now_ms, bars.last_ticks)
        else:
            feed.not_ready_reason = "no market data yet"
        self._feeds[symbol] = feed
        feed.relayed, feed.own_trades = relayed, own_trades
        for stream in list(self._early.values()):
            if stream.symbol == symbol:
                del self._early[stream.name]
                feed.open_stream(stream, now_ms)
        return bars.last_ticks

    def _keep_minutes(self, symbol: str, closed: list[Rows]) -> None:
        if closed and self._store is not None:
            self._store.append_minutes(symbol, closed)

    def feed(self, symbol: str) -> SymbolFeed | None:
        """Return the feed of a symbol, None if no market has opened it."""
        return self._feeds.get(symbol)

    def ready_feed(self, symbol: str) -> SymbolFeed:
        """Return the feed of a symbol: -1121 without a market, 503 while its data is missing."""
        feed = self._feeds.get(symbol)
        if feed is None:
            raise refusal(-1121)
        if not feed.ready:
            raise unavailable(f"{symbol}: {feed.not_ready_reason}")
        return feed

    @property
    def symbols(self) -> list[str]:
        """Symbols with a market."""
        return list(self._feeds)

    # From the exchange.

    def on_trade(self, trade: Trade) -> None:
        """Handle a public trade; trades must come in order."""
        feed = self._feeds.get(trade.symbol)
        if feed is None or not feed.own_trades:
            return
        public_trade = PublicTrade(
            trade.trade_id, trade.price_ticks, trade.lots, trade.time_ms, trade.buyer_is_maker
        )
        feed.add_trade(public_trade, aggregate_it=not trade.insurance)

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        """Handle the levels of a book that changed since the last call."""
        bids, asks = self.exchange.book(symbol).take_changes()
        feed = self._feeds.get(symbol)
        if feed is None or feed.relayed:
            return
        changes: list[Change] = [(BID, ticks, lots) for ticks, lots in reversed(bids)]
        changes += [(ASK, ticks, lots) for ticks, lots in asks]
        feed.change_book(changes, now_ms)

    def publish_force_order(self, symbol: str, order: Mapping[str, Any], now_ms: int) -> None:
        """Publish a liquidation on `forceOrder` (`order` is the frame's `o`)."""
        payload = {"e": "forceOrder", "E": now_ms, "o": dict(order), "ps": symbol, "st": 1}
        for name in (f"{symbol.lower()}@forceOrder", "!forceOrder@arr"):
            if name in self._counts:
                self._publish(name, payload)

    # From a market that relays frames.

    def relay_frame(self, stream: str, payload: Payload) -> None:
        """Publish an unchanged frame, if the stream has subscribers."""
        if stream in self._counts:
            self._publish(stream, payload)

    def relay_depth(
        self,
        symbol: str,
        ids: tuple[int, int],
        changes: Sequence[Change],
        now_ms: int,
        previous_id: int | None = None,
    ) -> None:
        """Apply the levels of a relayed diff with its first and last id.

        `previous_id` is the id of the previous diff when that one is missing.
        """
        self._feeds[symbol].relay_book(ids, changes, now_ms, previous_id)

    def relay_trade(self, symbol: str, trade: PublicTrade, *, publish: bool = False) -> None:
        """Add a relayed trade to tape and klines; `publish` when its own frame is not relayed."""
        self._feeds[symbol].add_trade(trade, publish=publish)

    # Time.

    def next_time_ms(self) -> int | None:
        """Return when `advance` has to be called next."""
        due = self._housekeeping_ms
        for feed in self._feeds.values():
            due = min(due, feed.next_ms)
        for _, at_ms in self._arrays.values():
            due = min(due, at_ms)
        return due

    def advance(self, now_ms: int) -> None:
        """Publish everything that is due at `now_ms`."""
        for feed in self._feeds.values():
            if feed.next_ms <= now_ms:
                feed.advance(now_ms)
        for name, (stream, at_ms) in list(self._arrays.items()):
            if at_ms <= now_ms:
                self._arrays[name] = (stream, now_ms + stream.cadence_ms)
                self._publish_array(stream, now_ms)
        if self._housekeeping_ms <= now_ms:
            self._housekeeping_ms = now_ms + _HOUSEKEEPING_MS
            self._save()

    def _publish_array(self, stream: Stream, now_ms: int) -> None:
        frames: list[Payload] = []
        for feed in self._feeds.values():
            if feed.is_halted or not feed.ready:
                continue
            if stream.kind == "allMarkPrice":
                frames.append(self.mark_frame(feed.symbol, now_ms))
            elif stream.kind == "allBookTicker":
                self._publish(stream.name, feed.book_ticker(now_ms))
            elif now_ms - feed.traded_ms <= stream.cadence_ms:
                ticker = stream.kind == "allTicker"
                frames.append(feed.ticker(now_ms) if ticker else feed.mini_ticker(now_ms))
        if frames:
            # One frame with an array; the payload of single-symbol streams is an object.
            self._publish(stream.name, frames)  # type: ignore[arg-type]

    # Subscriptions.

    def subscribe(self, stream: str) -> bool:
        """Add a subscriber of `stream`; return False if there is no such stream."""
        if stream in self._counts:
            self._counts[stream] += 1
            return True
        parsed = parse_stream(stream)
        if parsed is None or (parsed.symbol and parsed.symbol not in self.specs):
            return False
        self._counts[stream] = 1
        now_ms = self._housekeeping_ms - _HOUSEKEEPING_MS
        if parsed.kind in _ARRAYS:
            self._arrays[stream] = (parsed, now_ms + parsed.cadence_ms)
        elif parsed.symbol in self._feeds:
            self._feeds[parsed.symbol].open_stream(parsed, now_ms)
        elif parsed.symbol:
            self._early[stream] = parsed
        for callback in self.on_subscribe:
            callback(parsed)
        return True

    def unsubscribe(self, stream: str) -> None:
        """Remove a subscriber of `stream`."""
        count = self._counts.get(stream)
        if count is None:
            return
        if count > 1:
            self._counts[stream] = count - 1
            return
        del self._counts[stream]
        self._arrays.pop(stream, None)
        self._early.pop(stream, None)
        parsed = parse_stream(stream)
        if parsed is not None and parsed.symbol in self._feeds:
            self._feeds[parsed.symbol].close_stream(parsed)

    def mark_frame(self, symbol: str, now_ms: int) -> Payload:
        """Return the `markPriceUpdate` frame of a symbol."""
        market = self.exchange.state.market(symbol)
        mark, index = market.mark, mark_price.index_price(market)
        return {
            "e": "markPriceUpdate",
            "E": now_ms,
            "s": symbol,
            "p": f"{mark:.8f}",
            "ap": f"{mark:.8f}",
            "i": f"{index:.8f}",
            "P": f"{index:.8f}",
            "r": f"{mark_price.funding_rate(market):.8f}",
            "T": market.facts.next_funding_ms,
            "st": 1,
        }

    def _save(self) -> None:
        if self._store is None:
            return
        for symbol, feed in self._feeds.items():
            self._saved.symbols[symbol] = SavedSymbol(
                *feed.genesis, feed.depth.last_id, feed.tape.last_agg_id, feed.bars.open_row
            )
        self._saved.market = self.market_state
        self._store.save_state(self._saved)

    def close(self) -> None:
        """Save the state."""
        self._save()
