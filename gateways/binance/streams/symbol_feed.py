"""One symbol: its book kept in sync, its frames turned into wire messages."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from gateways.binance.protocol.errors import RestBlocked, RestError
from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, DepthSnapshot
from gateways.binance.streams.book_sync import BookSync
from gateways.wire.messages import OrderBookTick

MS = 1_000_000
FIRST_RETRY_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 15.0
WIDEN_EVERY_NS = 5_000_000_000
"""A snapshot has a weight of 20: while in sync it is requested at most this often."""

_log = structlog.get_logger("gateway.book")


class SymbolFeed:
    """Publishes a tick for each change of the best levels, but none that is crossed or not in sync.

    Ticks come from diffs, which carry the levels, and from bookTicker, which moves the touch between them. A
    book whose diffs have stopped is not fresh, and bookTicker alone publishes nothing.

    A snapshot has 1,000 levels a side. Before the price leaves them, a second book is built from a new
    snapshot; it takes over when it is in sync, so no tick is missed.
    """

    def __init__(
        self,
        symbol: str,
        depth_levels: int,
        *,
        publish: Callable[[OrderBookTick], None],
        fetch_snapshot: Callable[[str], Awaitable[DepthSnapshot]],
        on_sync: Callable[[], None],
        random: Callable[[], float],
        stale_after_ns: int,
    ) -> None:
        self.symbol = symbol
        self.sync = BookSync(symbol, depth_levels)
        self._wider: BookSync | None = None
        self._widen_at_ns = 0
        self._depth_levels = depth_levels
        self._publish = publish
        self._fetch_snapshot = fetch_snapshot
        self._on_sync = on_sync
        self._random = random
        self._stale_after_ns = stale_after_ns
        self._last_diff_ns = 0
        self._wanted = asyncio.Event()

    def set_depth(self, depth_levels: int) -> None:
        """Publish this many levels a side from now on."""
        self._depth_levels = depth_levels
        for sync in filter(None, (self.sync, self._wider)):
            sync.set_depth(depth_levels)

    def on_depth(self, frame: DepthFrame, receive_time_ns: int) -> None:
        """A diff."""
        self._last_diff_ns = receive_time_ns
        was_synced = self.sync.is_synced
        has_changed = self.sync.on_diff(frame)
        reason = self.sync.last_reason
        if self._wider is not None:
            has_wider_changed = self._wider.on_diff(frame)
            has_changed |= self._take_over() and has_wider_changed
        sync = self.sync
        if has_changed:
            self._tick(receive_time_ns)
        if not sync.is_synced:
            self._wanted.set()
            if was_synced:
                _log.warning("book lost", symbol=self.symbol, reason=reason)
                self._on_sync()
        elif not was_synced:
            self._now_in_sync()
        elif self._wider is None and receive_time_ns >= self._widen_at_ns and sync.is_thin:
            self._widen(frame, receive_time_ns)

    def _widen(self, frame: DepthFrame, receive_time_ns: int) -> None:
        self._widen_at_ns = receive_time_ns + WIDEN_EVERY_NS
        self._wider = BookSync(self.symbol, self._depth_levels)
        self._wider.on_diff(frame)
        self._wanted.set()

    def _take_over(self) -> bool:
        """The second book replaces the first when it is as up to date, or the first is lost."""
        if self._wider is None or not self._wider.take_over_from(self.sync):
            return False
        self.sync, self._wider = self._wider, None
        return True

    def on_ticker(self, frame: BookTickerFrame, receive_time_ns: int) -> None:
        """A newer touch."""
        if self._wider is not None:
            self._wider.on_ticker(frame)
        if self.sync.on_ticker(frame) and receive_time_ns - self._last_diff_ns < self._stale_after_ns:
            self._tick(receive_time_ns)

    def on_lost(self, reason: str) -> None:
        """The stream was interrupted."""
        self._wider = None
        self.sync.reset(reason)
        self._on_sync()

    def is_fresh(self, now_ns: int, exchange_lag_ns: int) -> bool:
        """In sync, with diffs arriving that are recent. `exchange_lag_ns` is the value of `lag_ns`: a backlog
        arrives as steadily as current data."""
        is_flowing = now_ns - self._last_diff_ns < self._stale_after_ns
        return self.sync.is_synced and is_flowing and exchange_lag_ns < self._stale_after_ns

    def lag_ns(self, exchange_now_ns: int) -> int:
        """Age of the newest event by the exchange's own clock."""
        return exchange_now_ns - self.sync.event_time_ms * MS

    def _tick(self, receive_time_ns: int) -> None:
        sync = self.sync
        book = sync.book
        self._publish(
            OrderBookTick(
                self.symbol,
                sync.update_id,
                sync.event_time_ms * MS,
                sync.transaction_time_ms * MS,
                receive_time_ns,
                book.bids.top,
                book.asks.top,
            )
        )

    async def keep_in_sync(self, wall_ns: Callable[[], int]) -> None:
        """Fetch a snapshot whenever one is needed; run as a task, until cancelled."""
        failures = 0
        while True:
            self._wanted.clear()
            if self._wanting is None:
                failures = 0
                await self._wanted.wait()
                continue
            wait = await self._load(failures, wall_ns)
            failures = failures + 1 if wait else 0
            if wait:
                await asyncio.sleep(wait)

    async def _load(self, failures: int, wall_ns: Callable[[], int]) -> float:
        """One attempt; returns seconds until the next, 0.0 when it succeeded."""
        back_off = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 8), LONGEST_RETRY_SECONDS)
        back_off *= 0.5 + self._random()
        try:
            snapshot = await self._fetch_snapshot(self.symbol)
        except RestBlocked as blocked:
            return max(blocked.wait_seconds, back_off)
        except (RestError, msgspec.ValidationError) as error:
            _log.warning("no book snapshot", symbol=self.symbol, reason=str(error))
            return back_off
        sync = self._wanting
        if sync is None:
            return 0.0
        if not sync.on_snapshot(snapshot):
            return back_off
        if sync.is_synced:
            sync.book.refresh()
            if sync is self.sync:
                self._now_in_sync()
                self._tick(wall_ns())
            self._take_over()
        return 0.0

    @property
    def _wanting(self) -> BookSync | None:
        """The book that needs a snapshot."""
        return next((one for one in (self.sync, self._wider) if one is not None and one.wants_snapshot), None)

    def _now_in_sync(self) -> None:
        _log.info("book in sync", symbol=self.symbol, update_id=self.sync.update_id)
        self._on_sync()
