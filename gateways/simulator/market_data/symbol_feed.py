"""Public data of one symbol: book, trades and bars, and the streams made from them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from gateways.simulator.exchange.model.symbols import SymbolSpec
from gateways.simulator.market_data import payloads
from gateways.simulator.market_data.depth import DepthDiff, DepthFeed
from gateways.simulator.market_data.history.bars import Bars
from gateways.simulator.market_data.history.invented import History
from gateways.simulator.market_data.history.rows import (
    COUNT,
    DAY_MS,
    MINUTE_MS,
    OPEN_TIME,
    Rows,
    merge,
    next_open_time,
    open_time,
)
from gateways.simulator.market_data.number_format import NumberFormat
from gateways.simulator.market_data.payloads import Payload
from gateways.simulator.market_data.public_book import ASK, BID, Change
from gateways.simulator.market_data.stream_names import Stream
from gateways.simulator.market_data.tape import PublicTrade, Tape

Publish = Callable[[str, Payload], None]
"""`publish(stream_name, payload)`: one event of one stream; the payload is the frame's JSON object."""

_MINUTE: Final = "minute"
_KLINE_KINDS: Final = frozenset({"kline", "continuousKline"})
_TRADING_KINDS: Final = _KLINE_KINDS | {"ticker", "miniTicker"}


class SymbolFeed:
    """Book, tape and bars of one symbol, and the streams made from them."""

    def __init__(
        self,
        spec: SymbolSpec,
        bars: Bars,
        publish: Publish,
        mark_frame: Callable[[str, int], Payload],
        *,
        last_update_id: int,
        last_agg_id: int,
    ) -> None:
        self.spec = spec
        self.symbol = spec.symbol
        self.numbers = NumberFormat(spec)
        self.bars = bars
        self.depth = DepthFeed(last_update_id)
        self.tape = Tape(last_agg_id)
        self.genesis = (0, 0)
        """Time (ms) and price (ticks) at which the invented history ends and real bars start."""
        self.relayed: frozenset[int] = frozenset()
        """Update speeds (ms) whose depth frames come from the market; bookTicker frames then do too."""
        self.own_trades = True
        """Whether the exchange's trades are the public ones; otherwise the market relays trades."""
        self.own_bars = True
        """Whether minutes are made from trades and the clock; otherwise the market sets them."""
        self.not_ready_reason = ""
        """Why the symbol has no valid data now; empty if it has."""
        self.is_halted = False
        """Whether the market is halted: no minutes and no timed streams until `resume`."""
        self.is_trading = True
        """Whether the symbol trades. Otherwise there are no minutes, klines and tickers."""
        self.history: History | None = None
        self.changed_ms = 0
        self.traded_ms = 0
        self.on_closed: Callable[[list[Rows]], None] = _ignore
        self._publish = publish
        self._mark_frame = mark_frame
        self._streams: dict[str, Stream] = {}
        self._kinds: dict[str, list[str]] = {}
        self._due: dict[str, int] = {_MINUTE: bars.next_minute_ms}
        self._next_ms = bars.next_minute_ms
        self._top = ((0, 0), (0, 0))
        self._partial_ids: dict[str, int] = {}
        self._day: Rows | None = None

    @property
    def next_ms(self) -> int:
        """Time at which `advance` has to be called next."""
        return self._next_ms

    @property
    def ready(self) -> bool:
        """Whether the symbol has valid data."""
        return not self.not_ready_reason

    def halt(self, now_ms: int) -> None:
        """Halt the market: it waits for a subscriber, has ended, or has lost its source."""
        if not self.is_halted:
            self.advance(now_ms)
            self.is_halted = True

    def resume(self, now_ms: int, next_ticks: int | None = None) -> None:
        """Resume; with `next_ticks` the halt is filled with invented minutes, else the bars have a gap."""
        self.is_halted = False
        between: Rows | None = None
        if next_ticks is not None and self.history is not None:
            start_ms, end_ms = self.bars.next_minute_ms, now_ms // MINUTE_MS * MINUTE_MS
            if not self.bars.open_row[COUNT]:
                start_ms -= MINUTE_MS
            between = self.history.between(start_ms, end_ms, (self.bars.last_ticks, next_ticks))
        closed = self.bars.skip_to(now_ms, between)
        if closed:
            self._day = None
            self.on_closed(closed)
        self._due[_MINUTE] = self.bars.next_minute_ms
        self._next_ms = min(self._due.values())

    def set_trading(self, now_ms: int, *, is_trading: bool) -> None:
        """Follow the symbol's status. The bars have a gap where it did not trade."""
        if is_trading == self.is_trading:
            return
        self.advance(now_ms)
        self.is_trading = is_trading
        if is_trading and self.own_bars and not self.is_halted:
            self.resume(now_ms)

    def set_open_bar(self, row: list[int], *, closed: bool) -> None:
        """Set the open minute from the market's source."""
        self._bars_changed(self.bars.tell(row, closed=closed), row[OPEN_TIME])

    def add_missed_bars(self, rows: Rows) -> None:
        """Add minutes the market had missed, up to the open one."""
        if len(rows):
            self._bars_changed(self.bars.extend(rows), int(rows[-1, OPEN_TIME]))

    def _bars_changed(self, closed: list[Rows], now_ms: int) -> None:
        if closed:
            self._minutes_closed(closed, now_ms + MINUTE_MS)
        else:
            self._schedule_kinds(_KLINE_KINDS, now_ms)

    def _schedule_kinds(self, kinds: Iterable[str], now_ms: int) -> None:
        for kind in sorted(kinds):
            for name in self._kinds.get(kind, ()):
                self._schedule(name, _boundary(now_ms, self._streams[name].cadence_ms))

    @property
    def _is_quiet(self) -> bool:
        return self.is_halted or not self.ready

    def open_stream(self, stream: Stream, now_ms: int) -> None:
        """Start building a stream."""
        self._streams[stream.name] = stream
        self._kinds.setdefault(stream.kind, []).append(stream.name)
        if stream.kind == "aggTrade" and len(self._kinds["aggTrade"]) == 1:
            self.tape.take_aggregates()  # discard those made before the first subscriber
        if stream.kind == "depth":
            if stream.cadence_ms not in self.relayed:
                self.depth.open_cadence(stream.cadence_ms)
        elif stream.kind in {"markPrice", "ticker", "miniTicker"}:
            self._schedule(stream.name, _boundary(now_ms, stream.cadence_ms))

    def close_stream(self, stream: Stream) -> None:
        """Stop building a stream."""
        if self._streams.pop(stream.name, None) is None:
            return
        self._due.pop(stream.name, None)
        self._partial_ids.pop(stream.name, None)
        names = self._kinds[stream.kind]
        names.remove(stream.name)
        if not names:
            del self._kinds[stream.kind]
        if stream.kind == "depth" and not self._names_at(stream.cadence_ms):
            self.depth.close_cadence(stream.cadence_ms)

    def _names_at(self, cadence_ms: int) -> list[str]:
        return [name for name in self._kinds.get("depth", ()) if self._streams[name].cadence_ms == cadence_ms]

    def _schedule(self, key: str, at_ms: int) -> None:
        if key not in self._due:
            self._due[key] = at_ms
            self._next_ms = min(self._next_ms, at_ms)

    def change_book(self, changes: Sequence[Change], now_ms: int) -> None:
        """Apply the new sizes of changed levels as one batch."""
        if self.depth.apply(changes, now_ms):
            self._book_changed(now_ms)

    def relay_book(
        self, ids: tuple[int, int], changes: Sequence[Change], now_ms: int, previous_id: int | None
    ) -> None:
        """Apply a diff whose frame the market publishes, with its first and last id."""
        if previous_id is not None:
            self.depth.break_chain(previous_id)
        self.depth.relay(ids, changes, now_ms)
        self._book_changed(now_ms)

    def _book_changed(self, now_ms: int) -> None:
        self.changed_ms = now_ms
        if "depth" in self._kinds:
            self._publish_depth(now_ms)
        if "partial" in self._kinds:
            for name in self._kinds["partial"]:
                self._schedule(name, _boundary(now_ms, self._streams[name].cadence_ms))
        book = self.depth.book
        top = (book.best(BID), book.best(ASK))
        if top != self._top:
            self._top = top
            if self.relayed:
                return
            for name in self._kinds.get("bookTicker", ()):
                self._publish(name, self.book_ticker(now_ms))

    def book_ticker(self, now_ms: int) -> Payload:
        """Return the `bookTicker` frame of best bid and ask."""
        return payloads.book_ticker(self.symbol, self.numbers, self.depth.last_id, self._top, now_ms)

    def _publish_depth(self, now_ms: int) -> None:
        for cadence in self.depth.cadences:
            diff = self.depth.take(cadence, now_ms) if cadence == 0 else None
            if diff is not None:
                self._send_diff(cadence, diff, now_ms)
        due = self.depth.next_due_ms()
        if due is not None:
            self._schedule("depth", due)

    def _send_diff(self, cadence: int, diff: DepthDiff, now_ms: int) -> None:
        payload = payloads.depth_update(self.symbol, self.numbers, diff, now_ms, self.changed_ms)
        for name in self._names_at(cadence):
            self._publish(name, payload)

    def add_trade(self, trade: PublicTrade, *, aggregate_it: bool = True, publish: bool = True) -> None:
        """Add one public trade; `publish` False if its own frame is relayed."""
        kinds = {"aggTrade"}
        if self.own_bars:
            closed = self.bars.add_trade(
                trade.ticks, trade.lots, not trade.buyer_is_maker, trade.time_ms, trade.trade_id
            )
            if closed:
                self._minutes_closed(closed, trade.time_ms)
            kinds |= _KLINE_KINDS
        self.tape.add(trade, aggregate=aggregate_it)
        self.traded_ms = trade.time_ms
        if publish:
            for name in self._kinds.get("trade", ()):
                self._publish(name, payloads.trade(self.symbol, self.numbers, trade))
        self._schedule_kinds(kinds, trade.time_ms)

    def advance(self, now_ms: int) -> None:
        """Publish what is due, in order of time, then of name."""
        while self._next_ms <= now_ms:
            at_ms, key = min((at, key) for key, at in self._due.items())
            if at_ms > now_ms:
                self._next_ms = at_ms
                return
            del self._due[key]
            self._run(key, at_ms, now_ms)
            self._next_ms = min(self._due.values())

    def _run(self, key: str, at_ms: int, now_ms: int) -> None:
        if key == _MINUTE:
            if self.is_halted or not self.is_trading or not self.own_bars:
                self._due[_MINUTE] = _boundary(now_ms, MINUTE_MS)
                return
            self._minutes_closed(self.bars.roll(at_ms), at_ms)
            self._due[_MINUTE] = self.bars.next_minute_ms
            return
        if key == "depth":
            for cadence in self.depth.cadences:
                diff = self.depth.take(cadence, at_ms)
                if diff is not None:
                    self._send_diff(cadence, diff, at_ms)
            due = self.depth.next_due_ms()
            if due is not None:
                self._due["depth"] = due
            return
        stream = self._streams[key]
        if stream.kind in {"markPrice", "ticker", "miniTicker"}:
            self._due[key] = _boundary(max(at_ms, now_ms - MINUTE_MS), stream.cadence_ms)
        self._publish_due(stream, at_ms)

    def _publish_due(self, stream: Stream, at_ms: int) -> None:
        if self._is_quiet and stream.kind != "aggTrade":
            return
        if not self.is_trading and stream.kind in _TRADING_KINDS:
            return
        if stream.kind == "partial":
            last_id, book = self.depth.last_id, self.depth.book
            previous = self._partial_ids.get(stream.name, last_id)
            self._partial_ids[stream.name] = last_id
            bids, asks = book.top(BID, stream.levels), book.top(ASK, stream.levels)
            diff = DepthDiff(min(previous + 1, last_id), last_id, previous, bids, asks)
            payload = payloads.depth_update(self.symbol, self.numbers, diff, at_ms, self.changed_ms)
            self._publish(stream.name, payload)
        elif stream.kind == "aggTrade":
            for trade in self.tape.take_aggregates():
                for name in self._kinds["aggTrade"]:
                    self._publish(name, payloads.agg_trade(self.symbol, self.numbers, trade, at_ms))
        elif stream.kind in _KLINE_KINDS:
            row = self.bars.current(stream.interval)[0].tolist()
            self._publish_kline(stream, row, at_ms, closed=False)
        elif stream.kind == "markPrice":
            self._publish(stream.name, self._mark_frame(self.symbol, at_ms))
        elif stream.kind == "ticker":
            self._publish(stream.name, self.ticker(at_ms))
        elif stream.kind == "miniTicker":
            self._publish(stream.name, self.mini_ticker(at_ms))

    def _publish_kline(self, stream: Stream, row: list[int], at_ms: int, *, closed: bool) -> None:
        build = payloads.kline if stream.kind == "kline" else payloads.continuous_kline
        self._publish(
            stream.name, build(self.symbol, self.numbers, stream.interval, row, at_ms, closed=closed)
        )

    def _minutes_closed(self, closed: list[Rows], now_ms: int) -> None:
        self.on_closed(closed)
        self._day = None
        if not self.ready:
            return
        if self._due.get(_MINUTE, 0) < self.bars.next_minute_ms and _MINUTE in self._due:
            self._due[_MINUTE] = self.bars.next_minute_ms
        for kind in sorted(_KLINE_KINDS):
            for name in self._kinds.get(kind, ()):
                stream = self._streams[name]
                for minute in closed:
                    end = int(minute[0, OPEN_TIME]) + MINUTE_MS
                    bar = self.bars.closed_bar(stream.interval, open_time(stream.interval, end - MINUTE_MS))
                    if next_open_time(stream.interval, int(bar[0, OPEN_TIME])) == end:
                        self._due.pop(name, None)
                        self._publish_kline(stream, bar[0].tolist(), now_ms, closed=True)

    def day_row(self, now_ms: int) -> list[int]:
        """Aggregate the last 24 hours into one row."""
        self.advance(now_ms)
        if self._day is None:
            open_ms = self.bars.open_row[OPEN_TIME]
            self._day = self.bars.minutes(open_ms - DAY_MS + MINUTE_MS, open_ms)
            if len(self._day):
                self._day = merge(self._day)
        current = np.array([self.bars.open_row], dtype=np.int64)
        row: list[int] = merge(np.concatenate((self._day, current)))[0].tolist()
        return row

    def day(self, now_ms: int) -> Payload:
        """Return the 24 h statistics with the field names of REST."""
        return payloads.day_numbers(self.numbers, self.day_row(now_ms))

    def last_size(self) -> str:
        """Return the size of the last trade."""
        return self.numbers.size(self.tape.trades[-1].lots if self.tape.trades else 0)

    def ticker(self, now_ms: int) -> Payload:
        """Return the `24hrTicker` frame."""
        times = (now_ms - DAY_MS, now_ms)
        return payloads.ticker(self.symbol, self.day(now_ms), self.last_size(), times, now_ms)

    def mini_ticker(self, now_ms: int) -> Payload:
        """Return the `24hrMiniTicker` frame."""
        return payloads.mini_ticker(self.symbol, self.day(now_ms), now_ms)


def _boundary(now_ms: int, cadence_ms: int) -> int:
    """Return the next multiple of the update speed after `now_ms`."""
    return now_ms // cadence_ms * cadence_ms + cadence_ms


def _ignore(_closed: list[Rows]) -> None:
    """Do nothing: closed minutes are not stored."""
