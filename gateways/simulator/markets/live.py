"""Another exchange's streams as the market: Binance itself for paper trading, a second simulator in tests.

Depth (100 ms), bookTicker and trade frames are relayed with their ids and times; mark price, index price,
funding rate and minutes are copied; klines from before the start, and those missed while disconnected,
are fetched. After a gap in the diffs or a lost connection a new snapshot is fetched, which clients get as
one more diff, so that their chain does not break. Accounts' orders never reach the source.

A symbol has no data while its book, its mark price or its bars are out of sync with the source.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
import websockets

from gateways.simulator.exchange.accounts.mark_price import funding_rate
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.market_data import MarketData
from gateways.simulator.market_data.history.rows import MINUTE_MS, OPEN_TIME, Rows
from gateways.simulator.markets.base import MarketError, MarketOptions
from gateways.simulator.markets.frames import check_frame
from gateways.simulator.markets.relay import RelayedSymbol
from gateways.simulator.markets.upstream import (
    FIRST_PAGES,
    PAGES,
    FetchedHistory,
    Upstream,
    kline_rows,
    streams_url,
)

_PUBLIC: Final = ("depth@100ms", "bookTicker", "trade")
_MARKET: Final = ("markPrice@1s", "kline_1m")
_MAX_QUEUED: Final = 50_000
_MAX_BUFFERED: Final = 5_000
_LONGEST_PAUSE_S: Final = 30.0
_LOG_EVERY: Final = 30
"""One of this many consecutive failures is logged."""
_LISTING_S: Final = 3600.0
"""How often to check which symbols the source trades."""
_SILENCE_S: Final = {"public": 30.0, "market": 10.0}
"""A connection without frames for this long counts as lost; every symbol's mark price comes each second."""
_MARK_LATE_S: Final = 10.0
"""A symbol without a mark price for this long has no data, even if other symbols have."""
_MARK_LOOK_S: Final = 1.0
_BAR_LATE_MS: Final = 3_000
"""A minute not closed by then, on the source's clock, is requested."""
_BAR_MISSING_MS: Final = 10_000
"""A symbol whose minute is not closed by then has no data."""
_CLOSE_S: Final = 1.0
"""Longest wait for the closing handshake, which may be queued behind unread frames."""
_OLDER_BARS_PAUSE_S: Final = 0.25
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)

_MALFORMED: Final = (LookupError, TypeError, ValueError, ArithmeticError)
"""Errors raised by a malformed frame or response."""
_TRANSIENT: Final = (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, *_MALFORMED)
"""Errors after which the request is repeated."""

_log = structlog.get_logger("simulator.live")
Frame = dict[str, Any]


class LiveMarket:
    """Relays the streams of the server at `url` (its REST address)."""

    def __init__(self, url: str, options: MarketOptions) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise MarketError(f"--market live:{url}: expected an http:// or https:// address")
        self.symbols = options.symbols
        self._url = url.rstrip("/")
        self._exchange: Exchange | None = None
        self._data: MarketData | None = None
        self._relays: dict[str, RelayedSymbol] = {}
        self._unsynced: dict[str, deque[Frame]] = {}
        self._last_ids: dict[str, int] = {}
        self._queue: deque[Callable[[int], None]] = deque(maxlen=_MAX_QUEUED)
        self._snapshot_requests: asyncio.Queue[str] = asyncio.Queue()
        self._bar_requests: asyncio.Queue[str] = asyncio.Queue()
        self._bars_requested: set[str] = set()
        self._loaded: set[str] = set()
        self._current: set[str] = set()
        self._stale_since: dict[str, str] = {}
        self._marked_at: dict[str, float] = {}
        self.malformed = 0
        """Number of malformed frames."""
        self.gaps = 0
        """Number of gaps in the diffs and lost connections since the start."""

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Open the symbols with empty books; `run` fills them."""
        self._exchange, self._data = exchange, data
        for symbol in self.symbols:
            spec = data.specs.get(symbol)
            if spec is None:
                raise MarketError(f"--market live: {symbol} is not a symbol of this exchange")
            price = spec.price_to_ticks_floor(spec.reference_price)
            data.open_symbol(
                symbol, price, now_ms, relayed=frozenset({0, 100}), own_trades=False, invented=False
            )
            feed = data.feed(symbol)
            assert feed is not None
            self._relays[symbol] = RelayedSymbol(exchange, data, feed, announced=True)
            self._unsynced[symbol] = deque(maxlen=_MAX_BUFFERED)
            self._request_bars(symbol)
            self._update_readiness(symbol, now_ms)

    def next_time_ms(self) -> int | None:
        """Return 0 if something has arrived, else None."""
        return 0 if self._queue else None

    def step(self, now_ms: int) -> None:
        """Apply everything that has arrived."""
        while self._queue:
            self._queue.popleft()(now_ms)

    def close(self) -> None:
        """Do nothing: there is nothing to save."""

    async def run(self, wake: Callable[[], None]) -> None:
        """Keep connections, snapshots and history up to date until cancelled."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, asyncio.TaskGroup() as tasks:
            upstream = Upstream(self._url, session)
            tasks.create_task(self._keep_stream("public", _PUBLIC, wake))
            tasks.create_task(self._keep_stream("market", _MARKET, wake))
            tasks.create_task(self._keep_snapshots(upstream, wake))
            tasks.create_task(self._keep_bars(upstream, wake))
            tasks.create_task(self._watch_listing(upstream))
            tasks.create_task(self._watch_marks(wake))

    def _push(self, work: Callable[[int], None], wake: Callable[[], None]) -> None:
        self._queue.append(work)
        if len(self._queue) == 1:
            wake()

    async def _keep_stream(self, route: str, kinds: tuple[str, ...], wake: Callable[[], None]) -> None:
        names = "/".join(f"{symbol.lower()}@{kind}" for symbol in self.symbols for kind in kinds)
        url = f"{streams_url(self._url)}/{route}/stream?streams={names}"
        pause_s, reported = 0.5, ""
        silence_s = _SILENCE_S[route]
        while True:
            try:
                async with websockets.connect(
                    url, max_size=2**24, compression=None, close_timeout=_CLOSE_S
                ) as socket:
                    _log.info("connected", route=route)
                    reported = ""
                    if route == "public":
                        self._push(self._resync_all, wake)
                    while True:
                        # Not wait_for: in Python 3.11 it can swallow a cancellation.
                        async with asyncio.timeout(silence_s):
                            text = await socket.recv()
                        pause_s = 0.5
                        self._push(partial(self._take, text), wake)
            except (*_TRANSIENT, OSError, websockets.WebSocketException) as error:
                self._push(partial(self._connection_lost, route), wake)
                if (why := str(error) or f"nothing for {silence_s:g} s") != reported:
                    reported = why
                    _log.warning("disconnected", route=route, error=reported, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _watch_marks(self, wake: Callable[[], None]) -> None:
        """Mark symbols as stale whose mark price has stopped, even if their connection is alive."""
        while True:
            await asyncio.sleep(_MARK_LOOK_S)
            oldest = time.monotonic() - _MARK_LATE_S
            for symbol in [one for one in self._current if self._marked_at[one] < oldest]:
                self._push(partial(self._mark_stale, symbol), wake)

    async def _watch_listing(self, upstream: Upstream) -> None:
        """Log why there is no market: the source cannot be reached, or does not trade the symbol."""
        reported: set[str] = set()
        host = urlsplit(self._url).netloc
        failures = 0
        while True:
            try:
                states = await upstream.states()
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                if failures % _LOG_EVERY == 0:
                    why = str(error) or "no answer in time"
                    _log.error(f"no connection to {host}, so there is no market: {why}")
                failures += 1
                await asyncio.sleep(_LONGEST_PAUSE_S)
                continue
            except _TRANSIENT:
                await asyncio.sleep(_LONGEST_PAUSE_S)
                continue
            if failures:
                failures = 0
                _log.info(f"{host} answers again")
            for symbol in self.symbols:
                state = states.get(symbol, "unknown there")
                if state == "TRADING":
                    reported.discard(symbol)
                elif symbol not in reported:
                    reported.add(symbol)
                    _log.error(
                        f"{symbol} is not traded at {self._url} ({state}), so it has no market here: take it "
                        "out of the symbols"
                    )
            await asyncio.sleep(_LISTING_S)

    async def _keep_snapshots(self, upstream: Upstream, wake: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        failures: Counter[str] = Counter()
        while True:
            symbol = await self._snapshot_requests.get()
            try:
                snapshot = await upstream.snapshot(symbol)
            except _TRANSIENT as error:
                # A snapshot is expensive, and a request refused once may always be refused.
                pause_s = _pause_after(failures, symbol, "no snapshot", error)
                loop.call_later(pause_s, self._snapshot_requests.put_nowait, symbol)
                continue
            del failures[symbol]
            self._push(partial(self._seed, symbol, snapshot), wake)

    async def _keep_bars(self, upstream: Upstream, wake: Callable[[], None]) -> None:
        """Fetch recent history of every symbol, then missing minutes, then the rest of the history."""
        assert self._data is not None
        loop = asyncio.get_running_loop()
        failures: Counter[str] = Counter()
        deep = asyncio.create_task(self._fetch_older_bars(upstream, wake))
        try:
            while True:
                symbol = await self._bar_requests.get()
                spec = self._data.specs[symbol]
                bars = self._relays[symbol].feed.bars
                try:
                    if symbol in self._loaded:
                        rows = await upstream.minutes_since(spec, bars.open_row[OPEN_TIME])
                        self._push(partial(self._extend, symbol, rows), wake)
                    else:
                        found = await upstream.history(spec, FIRST_PAGES, is_complete=False)
                        self._push(partial(self._adopt, symbol, found), wake)
                except _TRANSIENT as error:
                    pause_s = _pause_after(failures, symbol, "no klines", error)
                    loop.call_later(pause_s, self._bar_requests.put_nowait, symbol)
                    continue
                del failures[symbol]
        finally:
            deep.cancel()

    async def _fetch_older_bars(self, upstream: Upstream, wake: Callable[[], None]) -> None:
        """Fetch the rest of the history of every symbol whose recent history is loaded."""
        assert self._data is not None
        failures: Counter[str] = Counter()
        waiting = list(self.symbols)
        while waiting:
            symbol = next((one for one in waiting if one in self._loaded), None)
            if symbol is None:
                await asyncio.sleep(_OLDER_BARS_PAUSE_S)
                continue
            try:
                found = await upstream.history(self._data.specs[symbol], PAGES, is_complete=True)
            except _TRANSIENT as error:
                await asyncio.sleep(_pause_after(failures, symbol, "no klines", error))
                continue
            waiting.remove(symbol)
            self._push(partial(self._adopt, symbol, found), wake)

    # Everything below runs in `step`.

    def _adopt(self, symbol: str, history: FetchedHistory, now_ms: int) -> None:
        newest = history.minutes(0, now_ms + MINUTE_MS)
        bars = self._relays[symbol].feed.bars
        if symbol in self._loaded:
            bars.adopt(history)
            return
        self._bars_requested.discard(symbol)
        if not len(newest):
            return
        bars.adopt(history, newest[-1].tolist())
        self._loaded.add(symbol)

    def _extend(self, symbol: str, rows: Rows, _now_ms: int) -> None:
        self._relays[symbol].feed.add_missed_bars(rows)
        self._bars_requested.discard(symbol)

    def _request_bars(self, symbol: str) -> None:
        if symbol not in self._bars_requested:
            self._bars_requested.add(symbol)
            self._bar_requests.put_nowait(symbol)

    def _update_readiness(self, symbol: str, now_ms: int) -> None:
        """Set whether the symbol has data: book, mark price and bars in sync; log changes."""
        missing = ["book"] if symbol in self._unsynced else []
        if symbol not in self._current:
            missing += ["mark price", "bars"]
        feed, host = self._relays[symbol].feed, urlsplit(self._url).netloc
        if not missing:
            if not feed.ready:
                _log.info(f"{symbol}: book, mark price and bars are in sync with {host}")
            feed.not_ready_reason = ""
            self._stale_since.pop(symbol, None)
            return
        since = self._stale_since.get(symbol)
        if since is None:
            since = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%H:%M:%S UTC")
            self._stale_since[symbol] = since
            if feed.ready:
                _log.warning(
                    f"{symbol}: no {' or '.join(missing)} from {host}, so there is no market until it is back"
                )
        feed.not_ready_reason = f"no {' or '.join(missing)} from {host} since {since}"

    def _connection_lost(self, route: str, now_ms: int) -> None:
        """Handle a lost connection: the data it brought is out of date."""
        for symbol in self.symbols:
            if route == "public":
                self._unsynced[symbol] = deque(maxlen=_MAX_BUFFERED)
            else:
                self._current.discard(symbol)
            self._update_readiness(symbol, now_ms)

    def _mark_stale(self, symbol: str, now_ms: int) -> None:
        self._current.discard(symbol)
        self._update_readiness(symbol, now_ms)

    def _resync_all(self, now_ms: int) -> None:
        for symbol in self.symbols:
            self._resync(symbol, now_ms)

    def _resync(self, symbol: str, now_ms: int) -> None:
        self.gaps += 1
        self._unsynced[symbol] = deque(maxlen=_MAX_BUFFERED)
        self._update_readiness(symbol, now_ms)
        self._snapshot_requests.put_nowait(symbol)

    def _seed(self, symbol: str, snapshot: Frame, now_ms: int) -> None:
        """Use a snapshot if the buffered diffs connect to it, else request a newer one."""
        waiting = self._unsynced.get(symbol)
        if waiting is None:
            return
        last_id = snapshot["lastUpdateId"]
        fitting = [frame for frame in waiting if frame["u"] >= last_id]
        if fitting and not (fitting[0]["U"] <= last_id or fitting[0]["pu"] == last_id):
            self._snapshot_requests.put_nowait(symbol)
            return
        del self._unsynced[symbol]
        relay = self._relays[symbol]
        relay.seed(snapshot, last_id, now_ms)
        self._update_readiness(symbol, now_ms)
        self._last_ids[symbol] = fitting[0]["pu"] if fitting else last_id
        for frame in fitting:
            self._depth(symbol, frame, now_ms)

    def _depth(self, symbol: str, frame: Frame, now_ms: int) -> None:
        waiting = self._unsynced.get(symbol)
        if waiting is not None:
            waiting.append(frame)
            return
        bridged = frame["U"] <= self._last_ids[symbol] <= frame["u"]
        if frame["u"] < self._last_ids[symbol]:
            return
        if frame["pu"] != self._last_ids[symbol] and not bridged:
            self._resync(symbol, now_ms)
            self._unsynced[symbol].append(frame)
            return
        self._last_ids[symbol] = frame["u"]
        self._relays[symbol].depth(dict(frame), now_ms)

    def _take(self, text: str | bytes, now_ms: int) -> None:
        frame: Any = None
        try:
            frame = msgspec.json.decode(text)["data"]
            check_frame(frame["e"], text)
            self._apply(frame, now_ms)
        except (msgspec.MsgspecError, *_MALFORMED) as error:
            self.malformed += 1
            if self.malformed % _LOG_EVERY == 1:
                _log.warning(f"malformed frame from the source: {type(error).__name__}: {error}")
            symbol = frame.get("s") if isinstance(frame, dict) else None
            if isinstance(symbol, str) and symbol in self._relays:
                self._resync(symbol, now_ms)

    def _apply(self, frame: Frame, now_ms: int) -> None:
        kind, symbol = frame["e"], frame["s"]
        relay = self._relays.get(symbol)
        if relay is None:
            return
        if kind == "depthUpdate":
            self._depth(symbol, frame, now_ms)
        elif kind == "bookTicker":
            if symbol not in self._unsynced:
                relay.ticker(frame)
        elif kind == "trade":
            relay.trade(frame, frame["T"], now_ms)
        elif kind == "markPriceUpdate":
            self._mark(symbol, frame, now_ms)
        elif kind == "kline":
            self._kline(relay, frame["k"])

    def _mark(self, symbol: str, frame: Frame, now_ms: int) -> None:
        assert self._exchange is not None
        self._marked_at[symbol] = time.monotonic()
        self._exchange.set_index_price(symbol, Decimal(frame["i"]), now_ms)
        self._exchange.set_mark_price(symbol, Decimal(frame["p"]), now_ms)
        rate = Decimal(frame["r"] or "0")
        if rate != funding_rate(self._exchange.state.market(symbol)):
            self._exchange.set_funding_rate(symbol, rate, now_ms)

        self._check_bars(symbol, frame["E"], now_ms)

    def _check_bars(self, symbol: str, source_ms: int, now_ms: int) -> None:
        """Request minutes that have ended on the source's clock and are not closed here."""
        if symbol in self._loaded:
            late_ms = source_ms - self._relays[symbol].feed.bars.next_minute_ms
            if late_ms < _BAR_MISSING_MS:
                self._current.add(symbol)
            else:
                self._current.discard(symbol)
            self._update_readiness(symbol, now_ms)
            if late_ms < _BAR_LATE_MS:
                return
        self._request_bars(symbol)

    def _kline(self, relay: RelayedSymbol, bar: Frame) -> None:
        names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")
        row = kline_rows(relay.numbers, [[bar[name] for name in names]])
        relay.feed.set_open_bar(row[0].tolist(), closed=bar["x"])


def _pause_after(failures: Counter[str], symbol: str, what: str, error: Exception) -> float:
    """Count a failure and log some; return the seconds until the next try, doubled each time."""
    failures[symbol] += 1
    if failures[symbol] % _LOG_EVERY == 1:
        _log.warning(what, symbol=symbol, error=str(error))
    return min(_LONGEST_PAUSE_S, 0.25 * 2.0 ** min(failures[symbol], 7))
