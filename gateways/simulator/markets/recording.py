"""A recorded session as the market.

Depth, bookTicker and trade frames are sent with their recorded ids and content at the recorded intervals;
E and T are moved to the simulator's clock unless `keep_times`. The session's depth snapshot fills the
book, a diff is applied when its frame is sent, and `GET depth` returns the book after the newest diff, so
snapshot and stream fit together as recorded. Recorded trades fill accounts' orders by the exchange's queue
rule.

Nothing is played before the first subscription: the session starts half a second after it, so a client
that subscribes first and then requests the snapshot misses nothing. At its end the session starts again
(ids move up by a constant, and the full book is published as one diff that follows the last one, so
clients need no new snapshot), or stops if `loop` is off.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.market_data import MarketData
from gateways.simulator.market_data.number_format import NumberFormat
from gateways.simulator.market_data.stream_names import Stream
from gateways.simulator.markets.base import MarketError, MarketOptions
from gateways.simulator.markets.frames import RecordedFrame, Recording, read_recording
from gateways.simulator.markets.relay import RelayedSymbol

HOLD_MS: Final = 500
LOOP_GAP_MS: Final = 1000
MAX_LATE_MS: Final = 60_000
HOLE_MS: Final = 10_000
"""A period this long without frames is a gap in the recording; it has no bars."""


class RecordingMarket:
    """Plays a recording of one or more symbols."""

    def __init__(self, paths: list[Path], options: MarketOptions) -> None:
        self._options = options
        self._recording: Recording = read_recording(paths, options.symbols)
        self.symbols = tuple(sorted(self._recording.snapshots))
        self._first_ns = self._recording.frames[0].receive_ns
        self._position = 0
        self._start_ms: int | None = None
        self._has_listener = False
        self._data: MarketData | None = None
        self._relays: dict[str, RelayedSymbol] = {}
        self._id_shift = 0
        self._trade_shift = 0
        self._round_ids = self._id_span()
        self.finished = False

    def _id_span(self) -> tuple[int, int]:
        """Return how far update ids and trade ids move up with each round."""
        updates: list[int] = [snapshot["lastUpdateId"] for snapshot in self._recording.snapshots.values()]
        trades: list[int] = []
        for frame in self._recording.frames:
            (trades if frame.kind == "trade" else updates).append(frame.last_id)
        span = max(trades) - min(trades) if trades else 0
        return max(updates) - min(updates) + 1_000_000, span + 1000

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Fill the books from the snapshots and wait for a subscriber."""
        self._data = data
        for symbol in self.symbols:
            spec = data.specs.get(symbol)
            if spec is None:
                raise MarketError(f"--market recording: {symbol} is not a symbol of this exchange")
            snapshot = self._recording.snapshots[symbol]
            for row in snapshot["bids"] + snapshot["asks"]:
                if Decimal(row[0]) % spec.tick_size or Decimal(row[1]) % spec.step_size:
                    raise MarketError(
                        f"--market recording: {row[0]} of {row[1]} in the snapshot of {symbol} is off this "
                        f"exchange's grid (tick {spec.tick_size}, step {spec.step_size})"
                    )
            price = NumberFormat(spec).ticks_of(snapshot["bids"][0][0])
            data.open_symbol(symbol, price, now_ms, relayed=frozenset({0}), own_trades=False)
            feed = data.feed(symbol)
            assert feed is not None
            self._relays[symbol] = RelayedSymbol(exchange, data, feed)
            self._relays[symbol].seed(snapshot, snapshot["lastUpdateId"], now_ms)
            feed.halt(now_ms)
        data.on_subscribe.append(self._on_subscribe)

    def _on_subscribe(self, stream: Stream) -> None:
        if stream.symbol in self.symbols or not stream.symbol:
            self._has_listener = True

    def _due_ms(self, frame: RecordedFrame) -> int:
        assert self._start_ms is not None
        return self._start_ms + (frame.receive_ns - self._first_ns) // 1_000_000

    def next_time_ms(self) -> int | None:
        """Return when the next frame is due; None before the first subscription and after the end."""
        if self.finished or not self._has_listener:
            return None
        if self._start_ms is None:
            return 0
        return self._due_ms(self._recording.frames[self._position])

    def step(self, now_ms: int) -> None:
        """Send every frame that is due; the session starts soon after the first subscription."""
        data = self._data
        if data is None or not self._has_listener:
            return
        if self._start_ms is None:
            self._start_ms = now_ms + HOLD_MS
            self._resume(now_ms, is_begin=True)
        frames = self._recording.frames
        if not self.finished and (late_ms := now_ms - self._due_ms(frames[self._position])) > MAX_LATE_MS:
            # The process could not run, or the clock was set ahead: the session continues from here.
            self._halt(now_ms - late_ms)
            self._start_ms += late_ms
        while not self.finished:
            frame = frames[self._position]
            at_ms = self._due_ms(frame)
            if at_ms > now_ms:
                return
            due = data.next_time_ms()
            if due is not None and due <= at_ms:
                data.advance(at_ms)
            self._resume(at_ms)
            self._play(frame, at_ms)
            self._position += 1
            if self._position == len(frames):
                self._end_round(at_ms)
            elif self._due_ms(frames[self._position]) - at_ms >= HOLE_MS:
                self._halt(at_ms)

    def _halt(self, at_ms: int) -> None:
        for relay in self._relays.values():
            relay.feed.halt(at_ms)

    def _resume(self, at_ms: int, *, is_begin: bool = False) -> None:
        """Resume the market. The wait for a subscriber is filled with invented bars; gaps remain."""
        for relay in self._relays.values():
            feed = relay.feed
            if feed.is_halted:
                feed.resume(at_ms, feed.bars.last_ticks if is_begin else None)

    def _end_round(self, at_ms: int) -> None:
        if not self._options.loop:
            self.finished = True
            self._halt(at_ms)
            return
        self._position = 0
        self._start_ms = at_ms + LOOP_GAP_MS
        self._id_shift += self._round_ids[0]
        self._trade_shift += self._round_ids[1]
        for symbol, relay in self._relays.items():
            snapshot = self._recording.snapshots[symbol]
            relay.seed(snapshot, snapshot["lastUpdateId"] + self._id_shift, at_ms)

    def _play(self, frame: RecordedFrame, at_ms: int) -> None:
        payload, relay = self._retimed(frame, at_ms), self._relays[frame.symbol]
        if frame.kind == "depthUpdate":
            relay.depth(payload, at_ms, send_stale=not self._id_shift)
        elif frame.kind == "bookTicker":
            relay.ticker(payload)
        elif frame.kind == "trade":
            relay.trade(payload, at_ms if self._options.keep_times else payload["T"], at_ms)

    def _retimed(self, frame: RecordedFrame, at_ms: int) -> dict[str, Any]:
        """Decode the payload and set its times and the ids of this round."""
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

    async def run(self, wake: Callable[[], None]) -> None:
        """Do nothing: the market needs no network."""

    def close(self) -> None:
        """Do nothing: there is nothing to save."""
