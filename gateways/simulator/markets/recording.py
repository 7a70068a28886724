"""A recorded session as the market.

Depth, bookTicker and trade frames go out with their recorded ids and content at the recorded distances;
E and T are moved to the simulator's clock unless `keep_times`. The session's depth snapshot seeds the
book, a diff is applied when its frame goes out, and `GET depth` answers the book of the newest diff, so
snapshot and stream bridge as they did. Recorded trades fill accounts' orders by the exchange's queue
rule.

Nothing is played before somebody listens: the session begins half a second after the first subscription
to one of its streams, so a client that subscribes first and then asks for the snapshot misses nothing.
At its end a session begins anew (ids move up by a constant, a full book is published as one diff that
chains on the last one, so clients need no new snapshot), or stops with `loop` off.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gateways.simulator.exchange import Exchange
from gateways.simulator.market_data import MarketData, payloads
from gateways.simulator.market_data.depth_feed import DepthDiff
from gateways.simulator.market_data.feed import SymbolFeed
from gateways.simulator.market_data.money import Printer
from gateways.simulator.market_data.public_book import ASK, BID, Change
from gateways.simulator.market_data.streams import Stream
from gateways.simulator.market_data.tape import PublicTrade
from gateways.simulator.markets.base import MarketError, MarketOptions
from gateways.simulator.markets.frames import RecordedFrame, Recording, read_recording

HOLD_MS: Final = 500
LOOP_GAP_MS: Final = 1000
_SIDES: Final = ((BID, "b", "BUY"), (ASK, "a", "SELL"))


class RecordingMarket:
    """Plays a recording of one or more symbols."""

    def __init__(self, paths: list[Path], options: MarketOptions) -> None:
        self._options = options
        self._recording: Recording = read_recording(paths, options.symbols)
        self.symbols = tuple(sorted(self._recording.snapshots))
        self._first_ns = self._recording.frames[0].receive_ns
        self._position = 0
        self._start_ms: int | None = None
        self._wanted = False
        self._exchange: Exchange | None = None
        self._data: MarketData | None = None
        self._printers: dict[str, Printer] = {}
        self._id_shift = 0
        self._trade_shift = 0
        self._round_ids = self._id_span()
        self.finished = False

    def _id_span(self) -> tuple[int, int]:
        """How far update ids and trade ids move up with each round."""
        updates: list[int] = [snapshot["lastUpdateId"] for snapshot in self._recording.snapshots.values()]
        trades: list[int] = []
        for frame in self._recording.frames:
            (trades if frame.kind == "trade" else updates).append(frame.last_id)
        span = max(trades) - min(trades) if trades else 0
        return max(updates) - min(updates) + 1_000_000, span + 1000

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Seed the books from the snapshots and wait for a listener."""
        self._exchange, self._data = exchange, data
        for symbol in self.symbols:
            spec = data.specs.get(symbol)
            if spec is None:
                raise MarketError(f"--market recording: {symbol} is not a symbol of this exchange")
            printer = self._printers[symbol] = Printer(spec)
            snapshot = self._recording.snapshots[symbol]
            price = printer.ticks_of(snapshot["bids"][0][0])
            data.open_symbol(symbol, price, now_ms, relayed=frozenset({0}), own_trades=False)
            self._seed(symbol, snapshot, now_ms)
        data.on_subscribe.append(self._on_subscribe)

    def _parts(self, symbol: str) -> tuple[Exchange, MarketData, SymbolFeed, Printer]:
        exchange, data = self._exchange, self._data
        feed = None if data is None else data.feed(symbol)
        if exchange is None or data is None or feed is None:
            raise RuntimeError("the market has not been started")
        return exchange, data, feed, self._printers[symbol]

    def _seed(self, symbol: str, snapshot: dict[str, Any], now_ms: int) -> list[Change]:
        """Make the exchange's and the public book those of a snapshot; returns what that changed."""
        exchange, data, feed, printer = self._parts(symbol)
        wanted: dict[tuple[int, int], int] = {
            (side, price): 0 for side in (BID, ASK) for price in feed.depth.book.prices(side)
        }
        book = exchange.book(symbol)
        book.clear_anonymous()
        for side, name, side_name in ((BID, "bids", "BUY"), (ASK, "asks", "SELL")):
            for text, size in snapshot[name]:
                ticks, lots = printer.ticks_of(text), printer.lots_of(size)
                wanted[side, ticks] = lots
                book.set_level(side_name, ticks, lots)
        changes = [
            (side, price, lots)
            for (side, price), lots in sorted(wanted.items())
            if feed.depth.book.size(side, price) != lots
        ]
        last_id = snapshot["lastUpdateId"] + self._id_shift
        data.relay_depth(symbol, (last_id, last_id), changes, now_ms)
        exchange.after_market(symbol, now_ms)
        return changes

    def _on_subscribe(self, stream: Stream) -> None:
        if stream.symbol in self.symbols or not stream.symbol:
            self._wanted = True

    def _due_ms(self, frame: RecordedFrame) -> int:
        assert self._start_ms is not None
        return self._start_ms + (frame.receive_ns - self._first_ns) // 1_000_000

    def next_time_ms(self) -> int | None:
        """When the next frame goes out; None before the first subscription and after the end."""
        if self.finished or not self._wanted:
            return None
        if self._start_ms is None:
            return 0
        return self._due_ms(self._recording.frames[self._position])

    def step(self, now_ms: int) -> None:
        """Send every frame that is due; the session begins soon after the first subscription."""
        data = self._data
        if data is None or not self._wanted:
            return
        if self._start_ms is None:
            self._start_ms = now_ms + HOLD_MS
        frames = self._recording.frames
        while not self.finished:
            frame = frames[self._position]
            at_ms = self._due_ms(frame)
            if at_ms > now_ms:
                return
            due = data.next_time_ms()
            if due is not None and due <= at_ms:
                data.advance(at_ms)
            self._play(frame, at_ms)
            self._position += 1
            if self._position == len(frames):
                self._end_round(at_ms)

    def _end_round(self, at_ms: int) -> None:
        if not self._options.loop:
            self.finished = True
            return
        self._position = 0
        self._start_ms = at_ms + LOOP_GAP_MS
        self._id_shift += self._round_ids[0]
        self._trade_shift += self._round_ids[1]
        for symbol in self.symbols:
            _, data, feed, printer = self._parts(symbol)
            previous = feed.depth.last_id
            changes = self._seed(symbol, self._recording.snapshots[symbol], at_ms)
            last_id = feed.depth.last_id
            levels: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
            for side, price, lots in changes:
                levels[side].append((price, lots))
            diff = DepthDiff(last_id, last_id, previous, *levels)
            frame = payloads.depth_update(symbol, printer, diff, at_ms, at_ms)
            data.relay_frame(f"{symbol.lower()}@depth@0ms", frame)

    def _play(self, frame: RecordedFrame, at_ms: int) -> None:
        payload = self._stamped(frame, at_ms)
        if frame.kind == "depthUpdate":
            self._play_depth(frame, payload, at_ms)
            return
        self._parts(frame.symbol)[1].relay_frame(frame.symbol.lower() + "@" + frame.kind, payload)
        if frame.kind == "trade":
            self._play_trade(frame, payload, at_ms)

    def _stamped(self, frame: RecordedFrame, at_ms: int) -> dict[str, Any]:
        """Decode the payload, with its times on our clock and the ids of this round."""
        payload = frame.payload()
        if not self._options.keep_times:
            behind = payload["E"] - payload.get("T", payload["E"])
            payload["E"] = at_ms
            payload["T"] = at_ms - behind
        if self._id_shift:
            for name in ("U", "u", "pu"):
                if name in payload:
                    payload[name] += self._id_shift
            if "t" in payload:
                payload["t"] += self._trade_shift
        return payload

    def _play_depth(self, frame: RecordedFrame, payload: dict[str, Any], at_ms: int) -> None:
        """Apply a diff, unless the seed is newer, and let its frame out.

        A later round leaves out what the snapshot already holds: its first frame chains on the snapshot.
        """
        exchange, data, feed, printer = self._parts(frame.symbol)
        stream = f"{frame.symbol.lower()}@depth@0ms"
        if payload["u"] < feed.depth.last_id:
            if not self._id_shift:
                data.relay_frame(stream, payload)
            return
        if self._id_shift and payload["pu"] < feed.depth.last_id:
            payload["pu"] = feed.depth.last_id
        book = exchange.book(frame.symbol)
        changes: list[Change] = []
        for side, name, side_name in _SIDES:
            for text, size in payload[name]:
                ticks, lots = printer.ticks_of(text), printer.lots_of(size)
                changes.append((side, ticks, lots))
                book.set_level(side_name, ticks, lots)
        data.relay_depth(frame.symbol, (payload["U"], payload["u"]), changes, at_ms)
        data.relay_frame(stream, payload)
        exchange.after_market(frame.symbol, at_ms)

    def _play_trade(self, frame: RecordedFrame, payload: dict[str, Any], at_ms: int) -> None:
        exchange, data, _, printer = self._parts(frame.symbol)
        ticks, lots = printer.ticks_of(payload["p"]), printer.lots_of(payload["q"])
        if not ticks or not lots:
            return
        time_ms = at_ms if self._options.keep_times else payload["T"]
        buyer_is_maker, trade_id = bool(payload["m"]), int(payload["t"])
        data.relay_trade(frame.symbol, PublicTrade(trade_id, ticks, lots, time_ms, buyer_is_maker))
        exchange.print_trade(
            frame.symbol, ticks, lots, buyer_is_maker=buyer_is_maker, now_ms=at_ms, trade_id=trade_id
        )
        exchange.after_market(frame.symbol, at_ms)

    async def run(self, wake: Callable[[], None]) -> None:
        """Need no input or output."""

    def close(self) -> None:
        """Have nothing of its own to write."""
