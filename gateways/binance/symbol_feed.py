"""One symbol: its book kept in sync, its frames turned into wire messages."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from gateways.binance.book_sync import BookSync
from gateways.binance.errors import RestBlocked, RestError
from gateways.binance.frames import BookTickerFrame, DepthFrame, DepthSnapshot
from gateways.wire.messages import OrderBookTick

MS = 1_000_000
FIRST_RETRY_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 15.0

_log = structlog.get_logger("gateway.book")


class SymbolFeed:
    """Publishes a tick for each change of the best levels, and none that is crossed or not in sync.

    Ticks are driven by both diffs and bookTicker: the first carry the levels, the second moves the touch
    between them. A book whose diffs have stopped is not fresh, and bookTicker alone publishes nothing.
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
        self._publish = publish
        self._fetch_snapshot = fetch_snapshot
        self._on_sync = on_sync
        self._random = random
        self._stale_after_ns = stale_after_ns
        self._last_diff_ns = 0
        self._wanted = asyncio.Event()

    def on_depth(self, frame: DepthFrame, receive_time_ns: int) -> None:
        """A diff."""
        self._last_diff_ns = receive_time_ns
        sync = self.sync
        was_synced = sync.is_synced
        if sync.on_diff(frame):
            self._tick(receive_time_ns)
        if not sync.is_synced:
            self._wanted.set()
            if was_synced:
                _log.warning("book lost", symbol=self.symbol, reason=sync.last_reason)
                self._on_sync()
        elif not was_synced:
            self._now_in_sync()

    def on_ticker(self, frame: BookTickerFrame, receive_time_ns: int) -> None:
        """A newer touch."""
        if self.sync.on_ticker(frame) and receive_time_ns - self._last_diff_ns < self._stale_after_ns:
            self._tick(receive_time_ns)

    def on_lost(self, reason: str) -> None:
        """The stream was interrupted."""
        self.sync.reset(reason)
        self._on_sync()

    def is_fresh(self, now_ns: int, exchange_lag_ns: int) -> bool:
        """In sync, diffs are flowing, and what they tell did not happen long ago.

        `exchange_lag_ns` is what `lag_ns` says: a backlog arrives as steadily as a stream that is up to date.
        """
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
        """Fetch a snapshot whenever one is wanted; run as a task, until cancelled."""
        failures = 0
        while True:
            self._wanted.clear()
            if not self.sync.wants_snapshot:
                failures = 0
                await self._wanted.wait()
                continue
            wait = await self._load(failures, wall_ns)
            failures = failures + 1 if wait else 0
            if wait:
                await asyncio.sleep(wait)

    async def _load(self, failures: int, wall_ns: Callable[[], int]) -> float:
        """One try; returns how long to wait before the next, 0.0 when it worked."""
        back_off = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 8), LONGEST_RETRY_SECONDS)
        back_off *= 0.5 + self._random()
        try:
            snapshot = await self._fetch_snapshot(self.symbol)
        except RestBlocked as blocked:
            return max(blocked.wait_seconds, back_off)
        except (RestError, msgspec.ValidationError) as error:
            _log.warning("no book snapshot", symbol=self.symbol, reason=str(error))
            return back_off
        if not self.sync.wants_snapshot:
            return 0.0
        if not self.sync.on_snapshot(snapshot):
            return back_off
        if self.sync.is_synced:
            self.sync.book.refresh()
            self._now_in_sync()
            self._tick(wall_ns())
        return 0.0

    def _now_in_sync(self) -> None:
        _log.info("book in sync", symbol=self.symbol, update_id=self.sync.update_id)
        self._on_sync()
