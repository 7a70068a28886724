"""Bars of a file as the market: each bar is played as trades along TradingView's path.

The first bar is moved to the current interval of the clock, and the following ones keep their distances.
The tape, and so the exchange's klines, are exactly those of the file; accounts trade against a thin book
around the last price, or against the played trades, and their trades are not public. Where the file has no
bars, and at its end, the market is halted and has no bars. A restart continues in the middle of the bar and
catches up with the clock.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.market_data import MarketData
from gateways.simulator.market_data.symbol_feed import SymbolFeed
from gateways.simulator.market_data.tape import PublicTrade
from gateways.simulator.markets.base import MarketError, MarketOptions
from gateways.simulator.markets.kline_files import GridBars, bar_path, odd_distance, read_bars

_log = structlog.get_logger("simulator.klines")

_STEPS: Final = 60
_LEVELS: Final = 20
_LEVEL_QUOTE: Final = 20_000.0
"""Value of one level of the thin book, in quote."""


class _Progress(msgspec.Struct):
    """How far the file has been played; stored for a restart."""

    shift_ms: int
    begin_ms: int
    bar: int
    step: int
    trade_id: int
    last_ms: int

    @classmethod
    def read(cls, saved: object) -> "_Progress":
        try:
            return saved if isinstance(saved, cls) else msgspec.convert(saved, cls)
        except msgspec.ValidationError as error:
            raise MarketError(f"--market klines: the saved position is not readable ({error})") from error


class KlinesMarket:
    """Plays the bars of one symbol: the one of `options.symbols` in the file's name, or the first."""

    def __init__(self, path: Path, options: MarketOptions) -> None:
        named = [symbol for symbol in options.symbols if symbol in path.name.upper()]
        self.symbols = ((named or list(options.symbols))[0],)
        self._path = path
        self._bars: GridBars | None = None
        self._exchange: Exchange | None = None
        self._data: MarketData | None = None
        self._feed: SymbolFeed | None = None
        self._shift_ms = 0
        self._begin_ms = 0
        self._bar = 0
        self._step = 0
        self._trade_id = 0
        self._trades: list[tuple[int, int]] = []
        self._size = 1

    @property
    def shift_ms(self) -> int:
        """Offset added to the file's times."""
        return self._shift_ms

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Start at the first bar's open, or continue the last run."""
        symbol = self.symbols[0]
        spec = data.specs.get(symbol)
        if spec is None:
            raise MarketError(f"--market klines: {symbol} is not a symbol of this exchange")
        self._exchange, self._data = exchange, data
        bars = self._bars = read_bars(self._path, spec)
        odd = odd_distance(bars)
        if odd is not None:
            _log.warning(f"{self._path}: {odd}")
        saved = data.market_state.get("klines")
        if saved is None:
            resume_ms = now_ms // bars.interval_ms * bars.interval_ms
            self._shift_ms = resume_ms - int(bars.open_ms[0])
            self._begin_ms = now_ms
        else:
            place = _Progress.read(saved)
            self._shift_ms, self._begin_ms = place.shift_ms, place.begin_ms
            self._bar, self._step, self._trade_id = place.bar, place.step, place.trade_id
            resume_ms = place.last_ms
        self._load_bar()
        if self._step >= len(self._trades):
            self._bar, self._step = self._bar + 1, 0
            self._load_bar()
        price = int(bars.rows[min(self._bar, len(bars.rows) - 1), 0])
        price = data.open_symbol(symbol, price, resume_ms, own_trades=False)
        self._feed = data.feed(symbol)
        self._size = max(1, round(_LEVEL_QUOTE / (price * float(spec.tick_size * spec.step_size))))
        self._quote(price, resume_ms)
        self._remember(resume_ms)

    def _load_bar(self) -> None:
        assert self._bars is not None
        if self._bar < len(self._bars.rows):
            steps = max(4, min(_STEPS, self._bars.interval_ms // 1000))
            self._trades = bar_path(self._bars.rows[self._bar], steps)

    def _step_ms(self) -> int | None:
        bars = self._bars
        if bars is None or self._bar >= len(bars.rows):
            return None
        open_ms = int(bars.open_ms[self._bar]) + self._shift_ms
        begin_ms = max(open_ms, self._begin_ms)
        end_ms = max(bars.end_ms(self._bar) + self._shift_ms, begin_ms)
        return begin_ms + (end_ms - begin_ms) * self._step // len(self._trades)

    def _stop_ms(self) -> int | None:
        """Return the end of the last bar played if the market halts there, as no bar follows directly."""
        bars, feed = self._bars, self._feed
        if bars is None or feed is None or feed.is_halted or self._step or not self._bar:
            return None
        end_ms = bars.end_ms(self._bar - 1)
        if self._bar < len(bars.rows) and int(bars.open_ms[self._bar]) == end_ms:
            return None
        return end_ms + self._shift_ms

    def next_time_ms(self) -> int | None:
        """Return when the next trade or halt is due; None after the last bar."""
        stop_ms = self._stop_ms()
        return self._step_ms() if stop_ms is None else stop_ms

    def step(self, now_ms: int) -> None:
        """Play every trade that is due."""
        data, feed = self._data, self._feed
        if data is None or feed is None:
            return
        while (at_ms := self.next_time_ms()) is not None and at_ms <= now_ms:
            if self._stop_ms() is not None:
                feed.halt(at_ms)
                continue
            due = data.next_time_ms()
            if due is not None and due <= at_ms:
                data.advance(at_ms)
            if feed.is_halted:
                feed.resume(at_ms)
            if feed.is_trading:
                self._trade(*self._trades[self._step], at_ms)
            self._step += 1
            if self._step == len(self._trades):
                self._bar, self._step = self._bar + 1, 0
                self._load_bar()
            self._remember(at_ms)

    def _trade(self, ticks: int, lots: int, at_ms: int) -> None:
        exchange, data, feed, symbol = self._exchange, self._data, self._feed, self.symbols[0]
        assert exchange is not None
        assert data is not None
        assert feed is not None
        buyer_is_maker = ticks < feed.bars.last_ticks
        self._trade_id += 1
        if lots:
            trade = PublicTrade(self._trade_id, ticks, lots, at_ms, buyer_is_maker)
            data.relay_trade(symbol, trade, publish=True)
            exchange.print_trade(
                symbol, ticks, lots, buyer_is_maker=buyer_is_maker, now_ms=at_ms, trade_id=self._trade_id
            )
        else:
            feed.bars.add_trade(ticks, 0, not buyer_is_maker, at_ms, self._trade_id)
        self._quote(ticks, at_ms)

    def _quote(self, ticks: int, at_ms: int) -> None:
        """Put the thin book around a price."""
        assert self._exchange is not None
        book = self._exchange.book(self.symbols[0])
        book.clear_anonymous()
        for distance in range(1, _LEVELS + 1):
            if ticks > distance:
                book.set_level("BUY", ticks - distance, self._size)
            book.set_level("SELL", ticks + distance, self._size)
        self._exchange.after_market(self.symbols[0], at_ms)

    def _remember(self, at_ms: int) -> None:
        assert self._data is not None
        self._data.market_state["klines"] = _Progress(
            self._shift_ms, self._begin_ms, self._bar, self._step, self._trade_id, at_ms
        )

    async def run(self, wake: Callable[[], None]) -> None:
        """Do nothing: the market needs no network."""

    def close(self) -> None:
        """Do nothing: the position is in `market_state`."""
