"""Applies relayed frames to the exchange's book and the public book."""

from bisect import bisect_left, bisect_right
from typing import Any, Final

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.market_data import MarketData, payloads
from gateways.simulator.market_data.depth import DepthDiff
from gateways.simulator.market_data.number_format import NumberFormat
from gateways.simulator.market_data.public_book import ASK, BID, Change
from gateways.simulator.market_data.symbol_feed import SymbolFeed
from gateways.simulator.market_data.tape import PublicTrade

_SIDES: Final = ((BID, "BUY"), (ASK, "SELL"))
Frame = dict[str, Any]


class RelayedSymbol:
    """One symbol whose diffs, tickers and trades are relayed.

    A new snapshot is sent as one diff against the clients' book, and the first frame after it is changed to
    follow it. Otherwise frames keep their `pu`, so clients see a missing diff. Levels that became stale in
    such a gap are removed, in the books and in the diff, when a later diff crosses them. `announced` means
    that clients may have an empty book with id 0 already.
    """

    def __init__(
        self, exchange: Exchange, data: MarketData, feed: SymbolFeed, *, announced: bool = False
    ) -> None:
        self.feed = feed
        self.numbers = NumberFormat(feed.spec)
        self._exchange = exchange
        self._data = data
        self._sent_id: int | None = 0 if announced else None
        self._snapshot_id: int | None = None
        self._last_id = 0
        lower = feed.symbol.lower()
        self._diffs = [f"{lower}@depth@{cadence}ms" for cadence in sorted(feed.relayed)]
        self._ticker, self._trade = f"{lower}@bookTicker", f"{lower}@trade"

    def _levels(self, rows: list[list[str]]) -> list[tuple[int, int]]:
        return [(self.numbers.ticks_of(price), self.numbers.lots_of(size)) for price, size in rows]

    def seed(self, snapshot: Frame, last_id: int, now_ms: int) -> None:
        """Set both books to a snapshot with this id."""
        self._snapshot_id = self._last_id = last_id
        public = self.feed.depth.book
        wanted = {(side, price): 0 for side, _ in _SIDES for price in public.prices(side)}
        book = self._exchange.book(self.feed.symbol)
        book.clear_anonymous()
        for (side, name), rows in zip(_SIDES, (snapshot["bids"], snapshot["asks"]), strict=True):
            for price, lots in self._levels(rows):
                wanted[side, price] = lots
                book.set_level(name, price, lots)
        changes: list[Change] = [
            (side, price, lots)
            for (side, price), lots in sorted(wanted.items())
            if public.size(side, price) != lots
        ]
        self._data.relay_depth(self.feed.symbol, (last_id, last_id), changes, now_ms)
        self._exchange.after_market(self.feed.symbol, now_ms)
        if self._sent_id is None or not changes:
            return
        sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        for side, price, lots in changes:
            sides[side].append((price, lots))
        diff = DepthDiff(last_id if self._sent_id else 0, last_id, self._sent_id, *sides)
        self._send(payloads.depth_update(self.feed.symbol, self.numbers, diff, now_ms, now_ms))

    def _send(self, frame: Frame) -> None:
        self._sent_id = frame["u"]
        for stream in self._diffs:
            self._data.relay_frame(stream, frame)

    def depth(self, frame: Frame, now_ms: int, *, send_stale: bool = False) -> None:
        """Apply a diff and publish it; one older than the book changes nothing."""
        if frame["u"] < self.feed.depth.last_id:
            if send_stale:
                self._send(frame)
            return
        is_chained = frame["pu"] == self._last_id
        if self._snapshot_id is not None:
            is_chained = is_chained or frame["U"] <= self._snapshot_id <= frame["u"]
            if is_chained and self._sent_id is not None:
                frame["pu"] = self._sent_id
        self._snapshot_id, self._last_id = None, frame["u"]
        changes = [
            (side, price, lots)
            for (side, _), rows in zip(_SIDES, (frame["b"], frame["a"]), strict=True)
            for price, lots in self._levels(rows)
        ]
        stale = self._crossed_by(changes)
        for side, price, _ in stale:
            frame["ba"[side]].append([self.numbers.price(price), self.numbers.size(0)])
        book = self._exchange.book(self.feed.symbol)
        for side, price, lots in stale + changes:
            book.set_level(_SIDES[side][1], price, lots)
        previous_id = None if is_chained else frame["pu"]
        ids = (frame["U"], frame["u"])
        self._data.relay_depth(self.feed.symbol, ids, stale + changes, now_ms, previous_id)
        self._send(frame)
        self._exchange.after_market(self.feed.symbol, now_ms)

    def _crossed_by(self, changes: list[Change]) -> list[Change]:
        """Return deletions of the levels crossed by those a diff sets."""
        book = self.feed.depth.book
        bids = [price for side, price, lots in changes if side == BID and lots]
        asks = [price for side, price, lots in changes if side == ASK and lots]
        named = {(side, price) for side, price, _ in changes}
        stale: list[Change] = []
        if bids:
            found = book.prices(ASK)
            stale += [(ASK, price, 0) for price in found[: bisect_right(found, max(bids))]]
        if asks:
            found = book.prices(BID)
            stale += [(BID, price, 0) for price in found[bisect_left(found, min(asks)) :]]
        return [level for level in stale if level[:2] not in named]

    def ticker(self, frame: Frame) -> None:
        """Publish a bookTicker frame."""
        self._data.relay_frame(self._ticker, frame)

    def trade(self, frame: Frame, time_ms: int, now_ms: int) -> None:
        """Publish a trade frame, add the trade to the tape, and fill accounts' orders it reaches.

        Trades of a symbol that does not trade here are left out; its book goes on.
        """
        if not self.feed.is_trading:
            return
        self._data.relay_frame(self._trade, frame)
        ticks, lots = self.numbers.ticks_of(frame["p"]), self.numbers.lots_of(frame["q"])
        if not ticks or not lots:
            return
        buyer_is_maker, trade_id = bool(frame["m"]), int(frame["t"])
        symbol = self.feed.symbol
        self._data.relay_trade(symbol, PublicTrade(trade_id, ticks, lots, time_ms, buyer_is_maker))
        self._exchange.print_trade(
            symbol, ticks, lots, buyer_is_maker=buyer_is_maker, now_ms=now_ms, trade_id=trade_id
        )
        self._exchange.after_market(symbol, now_ms)
