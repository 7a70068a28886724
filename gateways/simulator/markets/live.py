"""Another exchange's streams as the market: Binance itself for paper trading, a second simulator in tests.

Depth (100 ms), bookTicker and trade frames are relayed with their ids and times; mark price, index price
and funding rate are taken over, closed minutes are corrected to the source's own, and klines from before
the start are fetched. A gap in the diffs, or a lost connection, leads to a new snapshot, which clients
see as one more diff: their chain does not break. What accounts do never reaches the source.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
import websockets

from gateways.simulator.exchange import Exchange
from gateways.simulator.market_data import MarketData
from gateways.simulator.market_data.money import Printer
from gateways.simulator.market_data.rows import MINUTE_MS, OPEN_TIME
from gateways.simulator.markets.base import MarketError, MarketOptions
from gateways.simulator.markets.relay import RelayedSymbol
from gateways.simulator.markets.upstream import PAGES, FetchedHistory, Upstream, kline_rows, streams_url

_PUBLIC: Final = ("depth@100ms", "bookTicker", "trade")
_MARKET: Final = ("markPrice@1s", "kline_1m")
_MAX_QUEUED: Final = 50_000
_MAX_BUFFERED: Final = 5_000
_LONGEST_PAUSE_S: Final = 30.0
_SAY_AGAIN: Final = 30
"""Of so many failures of one symbol in a row one is logged."""
_LISTING_S: Final = 3600.0
"""How often is looked which symbols the source trades."""
_SILENCE_S: Final = 30.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)

_TRANSIENT: Final = (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError)
"""What may go wrong with a source that will be asked again."""

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
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self._known: set[str] = set()
        self._pages = dict(PAGES)
        self.gaps = 0
        """Breaks of the diff chain, and lost connections, since the start."""

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Open the symbols with empty books; `run` brings the content."""
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

    @property
    def waits_for_book(self) -> bool:
        """Whether some book is not in step with the source."""
        return bool(self._unsynced)

    def next_time_ms(self) -> int | None:
        """Now, if something has arrived; else never."""
        return 0 if self._queue else None

    def step(self, now_ms: int) -> None:
        """Apply everything that has arrived."""
        while self._queue:
            self._queue.popleft()(now_ms)

    def close(self) -> None:
        """Have nothing of its own to write."""

    async def run(self, wake: Callable[[], None]) -> None:
        """Keep connections, snapshots and history coming until cancelled."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, asyncio.TaskGroup() as tasks:
            upstream = Upstream(self._url, session)
            tasks.create_task(self._keep_stream("public", _PUBLIC, wake))
            tasks.create_task(self._keep_stream("market", _MARKET, wake))
            tasks.create_task(self._keep_snapshots(upstream, wake))
            tasks.create_task(self._fetch_history(upstream, wake))
            tasks.create_task(self._watch_listing(upstream))

    def _push(self, work: Callable[[int], None], wake: Callable[[], None]) -> None:
        self._queue.append(work)
        if len(self._queue) == 1:
            wake()

    async def _keep_stream(self, route: str, kinds: tuple[str, ...], wake: Callable[[], None]) -> None:
        names = "/".join(f"{symbol.lower()}@{kind}" for symbol in self.symbols for kind in kinds)
        url = f"{streams_url(self._url)}/{route}/stream?streams={names}"
        pause_s, said = 0.5, ""
        while True:
            try:
                async with websockets.connect(url, max_size=2**24, compression=None) as socket:
                    _log.info("connected", route=route)
                    said = ""
                    if route == "public":
                        self._push(self._lose_sync, wake)
                    while True:
                        # Not wait_for: in Python 3.11 it can swallow a cancellation.
                        async with asyncio.timeout(_SILENCE_S):
                            text = await socket.recv()
                        pause_s = 0.5
                        frame = msgspec.json.decode(text)["data"]
                        self._push(partial(self._take, frame), wake)
            except (*_TRANSIENT, OSError, websockets.WebSocketException) as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("disconnected", route=route, error=said, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _watch_listing(self, upstream: Upstream) -> None:
        """Say why there is no market: the source cannot be reached, or does not trade the symbol."""
        told: set[str] = set()
        host = urlsplit(self._url).netloc
        is_away = False
        while True:
            try:
                states = await upstream.states()
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                if not is_away:
                    why = str(error) or "no answer in time"
                    _log.error(f"no connection to {host}, so there is no market until there is one: {why}")
                is_away = True
                await asyncio.sleep(_LONGEST_PAUSE_S)
                continue
            except _TRANSIENT:
                await asyncio.sleep(_LONGEST_PAUSE_S)
                continue
            if is_away:
                is_away = False
                _log.info(f"{host} answers")
            for symbol in self.symbols:
                state = states.get(symbol, "unknown there")
                if state == "TRADING":
                    told.discard(symbol)
                elif symbol not in told:
                    told.add(symbol)
                    _log.error(
                        f"{symbol} is not traded at {self._url} ({state}), so it has no market here: take it "
                        "out of the symbols"
                    )
            await asyncio.sleep(_LISTING_S)

    async def _keep_snapshots(self, upstream: Upstream, wake: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        failures: Counter[str] = Counter()
        while True:
            symbol = await self._wanted.get()
            try:
                snapshot = await upstream.snapshot(symbol)
            except _TRANSIENT as error:
                # A snapshot is heavy, and what is refused once may be refused for ever.
                pause_s = _pause_after(failures, symbol, "no snapshot", error)
                loop.call_later(pause_s, self._wanted.put_nowait, symbol)
                continue
            del failures[symbol]
            self._push(partial(self._seed, symbol, snapshot), wake)

    async def _fetch_history(self, upstream: Upstream, wake: Callable[[], None]) -> None:
        """A little of every symbol, then the rest. One that is refused does not keep the others waiting."""
        assert self._data is not None
        loop = asyncio.get_running_loop()
        wanted: asyncio.Queue[tuple[str, dict[str, int]]] = asyncio.Queue()
        for pages in ({"1m": 1, "1h": 1, "1d": 1}, self._pages):
            for symbol in self.symbols:
                wanted.put_nowait((symbol, pages))
        failures: Counter[str] = Counter()
        left = wanted.qsize()
        while left:
            symbol, pages = one = await wanted.get()
            spec = self._data.specs[symbol]
            try:
                minutes, hours, days = [
                    await upstream.klines(spec, name, pages[name]) for name in ("1m", "1h", "1d")
                ]
            except _TRANSIENT as error:
                pause_s = _pause_after(failures, symbol, "no klines", error)
                loop.call_later(pause_s, wanted.put_nowait, one)
                continue
            del failures[symbol]
            left -= 1
            self._push(partial(self._adopt, symbol, FetchedHistory(minutes, hours, days)), wake)

    # From here on everything runs in `step`.

    def _adopt(self, symbol: str, history: FetchedHistory, _now_ms: int) -> None:
        self._relays[symbol].feed.bars.adopt(history)
        self._known.add(symbol)
        self._open_if_whole(symbol)

    def _open_if_whole(self, symbol: str) -> None:
        """Answer requests once there are both a book and a history."""
        if symbol in self._known and symbol not in self._unsynced:
            self._relays[symbol].feed.ready = True

    def _lose_sync(self, _now_ms: int) -> None:
        for symbol in self.symbols:
            self._resync(symbol)

    def _resync(self, symbol: str) -> None:
        self.gaps += 1
        self._unsynced[symbol] = deque(maxlen=_MAX_BUFFERED)
        self._wanted.put_nowait(symbol)

    def _seed(self, symbol: str, snapshot: Frame, now_ms: int) -> None:
        """Take a snapshot if the buffered diffs bridge with it, else ask for a newer one."""
        waiting = self._unsynced.get(symbol)
        if waiting is None:
            return
        last_id = snapshot["lastUpdateId"]
        fitting = [frame for frame in waiting if frame["u"] >= last_id]
        if fitting and not (fitting[0]["U"] <= last_id or fitting[0]["pu"] == last_id):
            self._wanted.put_nowait(symbol)
            return
        del self._unsynced[symbol]
        relay = self._relays[symbol]
        relay.seed(snapshot, last_id, now_ms)
        self._open_if_whole(symbol)
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
            self._resync(symbol)
            self._unsynced[symbol].append(frame)
            return
        self._last_ids[symbol] = frame["u"]
        self._relays[symbol].depth(dict(frame), now_ms)

    def _take(self, frame: Frame, now_ms: int) -> None:
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
        elif kind == "kline" and frame["k"]["x"]:
            self._correct(relay, frame["k"])

    def _mark(self, symbol: str, frame: Frame, now_ms: int) -> None:
        assert self._exchange is not None
        self._exchange.set_index_price(symbol, Decimal(frame["i"]), now_ms)
        self._exchange.set_mark_price(symbol, Decimal(frame["p"]), now_ms)
        rate = Decimal(frame["r"] or "0")
        if rate != self._exchange.funding_rate(symbol):
            self._exchange.set_funding_rate(symbol, rate, now_ms)

    def _correct(self, relay: RelayedSymbol, bar: Frame) -> None:
        names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")
        row = kline_rows(Printer(relay.feed.spec), [[bar[name] for name in names]])
        relay.feed.bars.roll(int(row[0, OPEN_TIME]) + MINUTE_MS)
        relay.feed.bars.correct(row)


def _pause_after(failures: Counter[str], symbol: str, what: str, error: Exception) -> float:
    """Count a failure, log it now and then; seconds until the next try, twice as long each time."""
    failures[symbol] += 1
    if failures[symbol] % _SAY_AGAIN == 1:
        _log.warning(what, symbol=symbol, error=str(error))
    return min(_LONGEST_PAUSE_S, 0.25 * 2.0 ** min(failures[symbol], 7))
