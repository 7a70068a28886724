"""Keeps one book true to the exchange by snapshot and diffs (futures rule), merged with bookTicker.

States: BUFFERING (diffs are kept, a snapshot is wanted) → BRIDGING (snapshot loaded, no diff has met it
yet) → SYNCED, and from anywhere back to BUFFERING when anything does not fit.

A diff carries every change of the update ids in (pu, u] as absolute sizes. So it may be applied to any
book that is true at an id in [pu, u], and must not be applied to an older one. The documented rule
(U <= lastUpdateId <= u for the first, pu == previous u afterwards) is the case a single connection
shows; the wider form also takes the overlapping diffs of two connections during a rotation.

bookTicker arrives between diffs and is newer than them. Its touch is written into the book: better
levels are gone, the touch has this size. That is true at its update id, and whatever changes afterwards
is named by a later diff. A diff older than the newest bookTicker may bring back what that one removed,
so the touch is written again after it. What is published therefore never goes back: its update id is
the newest of both.
"""

from collections import deque
from enum import Enum

from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, DepthSnapshot
from gateways.binance.streams.order_book import OrderBook

MAX_BUFFERED = 500
"""As many as may arrive while a snapshot is on its way. With many symbols a snapshot may take minutes; diffs
from before its request are useless then."""
MAX_IGNORED = 100
"""This many old diffs in a row mean that the exchange's ids were reset."""
MAX_DISAGREEMENTS = 3
THIN_PART = 2
"""A new snapshot is due when less than this share of the snapshot's levels is left on one side."""


class BookState(Enum):
    """State of the book."""

    BUFFERING = "buffering"
    BRIDGING = "bridging"
    SYNCED = "synced"


class BookSync:
    """One symbol. Every method is synchronous; the caller fetches snapshots when `wants_snapshot`."""

    def __init__(self, symbol: str, depth_levels: int, snapshot_limit: int = 1000) -> None:
        self.symbol = symbol
        self.state = BookState.BUFFERING
        self.book = OrderBook(depth_levels)
        self.update_id = 0
        """Newest id of diffs and bookTicker. What is published is valid at this id."""
        self.diff_id = 0
        self.event_time_ms = 0
        self.transaction_time_ms = 0
        self.resyncs = 0
        self.last_reason = "not synchronised yet"
        self._snapshot_limit = snapshot_limit
        self._buffer: deque[DepthFrame] = deque()
        self._ticker: BookTickerFrame | None = None
        self._ignored = 0
        self._disagreements = 0
        self._diff_seen = False
        self._floor_id = 0

    @property
    def wants_snapshot(self) -> bool:
        """Diffs are being buffered and no snapshot has been loaded."""
        return self.state is BookState.BUFFERING and self._diff_seen

    @property
    def is_synced(self) -> bool:
        """The book is valid at `update_id`."""
        return self.state is BookState.SYNCED

    @property
    def is_thin(self) -> bool:
        """In sync, but the price is close to the last level of the snapshot, so another one is due."""
        if self.state is not BookState.SYNCED:
            return False
        thin = self._snapshot_limit // THIN_PART
        known = self.book.bids.known_levels(), self.book.asks.known_levels()
        return any(levels is not None and levels < thin for levels in known)

    def take_over_from(self, other: "BookSync") -> bool:
        """Replace a book of the same symbol that saw the same frames. False: not as up to date as it yet."""
        if other.is_synced and (not self.is_synced or self.update_id < other.update_id):
            return False
        self.resyncs += other.resyncs
        self.last_reason = other.last_reason
        self._floor_id = max(self._floor_id, other._floor_id)
        return True

    def on_diff(self, diff: DepthFrame) -> bool:
        """True when the published levels changed and may be published."""
        self._diff_seen = True
        if self.state is BookState.SYNCED:
            return self._apply_live(diff)
        if self.state is BookState.BRIDGING:
            return self._bridge(diff)
        if len(self._buffer) >= MAX_BUFFERED:
            self._buffer.popleft()
        self._buffer.append(diff)
        return False

    def on_ticker(self, ticker: BookTickerFrame) -> bool:
        """True when the published levels changed and may be published."""
        if ticker.b >= ticker.a or ticker.b <= 0.0 or ticker.B <= 0.0 or ticker.A <= 0.0:
            return False
        newest = self._ticker
        if newest is not None and ticker.u <= newest.u:
            return False
        self._ticker = ticker
        if self.state is not BookState.SYNCED or ticker.u <= self.update_id:
            return False
        self._write_touch(ticker)
        return self.book.refresh() and self.update_id >= self._floor_id

    def on_snapshot(self, snapshot: DepthSnapshot) -> bool:
        """Load a snapshot and the buffered diffs that fit. False: it is too old, fetch another one."""
        limit = self._snapshot_limit
        book = self.book
        if snapshot.lastUpdateId < self._floor_id and self.transaction_time_ms < snapshot.T:
            self._floor_id = 0  # later in time with a lower id: the exchange began to count anew
        book.bids.load(snapshot.bids, is_complete=len(snapshot.bids) < limit)
        book.asks.load(snapshot.asks, is_complete=len(snapshot.asks) < limit)
        self.diff_id = self.update_id = snapshot.lastUpdateId
        self.event_time_ms, self.transaction_time_ms = snapshot.E, snapshot.T
        self._ignored = self._disagreements = 0
        self.state = BookState.BRIDGING
        waiting, self._buffer = self._buffer, deque()
        for index, diff in enumerate(waiting):
            if diff.u < self.diff_id:
                continue
            if diff.pu > self.diff_id and self.state is BookState.BRIDGING:
                # Older than the first diff we hold. What is buffered stays good for a newer snapshot.
                self.state = BookState.BUFFERING
                self._buffer = deque(list(waiting)[index:])
                return False
            self.on_diff(diff)
        return True

    def reset(self, reason: str) -> None:
        """Start over, for instance because the connection was lost."""
        if self.state is not BookState.BUFFERING:
            self.resyncs += 1
        self._floor_id = max(self._floor_id, self.update_id)
        self.state = BookState.BUFFERING
        self.last_reason = reason
        self._buffer.clear()
        self._ticker = None
        self._diff_seen = False

    def set_depth(self, depth_levels: int) -> None:
        """Publish this many levels a side from now on."""
        self.book.bids.set_depth(depth_levels)
        self.book.asks.set_depth(depth_levels)

    def _bridge(self, diff: DepthFrame) -> bool:
        if diff.u < self.diff_id:
            return self._ignore(diff)
        if diff.pu > self.diff_id:
            return self._restart(diff, f"first diff starts after {diff.pu}, snapshot ends at {self.diff_id}")
        self.state = BookState.SYNCED
        return self._apply(diff)

    def _apply_live(self, diff: DepthFrame) -> bool:
        if diff.u <= self.diff_id:
            return self._ignore(diff)
        if diff.pu > self.diff_id:
            return self._restart(diff, f"diffs from {self.diff_id} to {diff.pu} are missing")
        return self._apply(diff)

    def _apply(self, diff: DepthFrame) -> bool:
        book = self.book
        book.bids.apply(diff.b)
        book.asks.apply(diff.a)
        self._ignored = 0
        self.diff_id = diff.u
        ticker = self._ticker
        if ticker is None or ticker.u < diff.u:
            self._advance(diff)
        elif ticker.u > diff.u:
            self._write_touch(ticker)
        else:
            if not self._agrees(ticker):
                return self._restart(diff, "the book disagrees with bookTicker")
            self._advance(diff)
        if book.is_crossed():
            return self._restart(diff, "the book is crossed")
        changed = book.refresh()
        if changed and (book.bids.leaves_known_range() or book.asks.leaves_known_range()):
            return self._restart(diff, "the price left the range of the snapshot")
        return changed and self.update_id >= self._floor_id

    def _write_touch(self, ticker: BookTickerFrame) -> None:
        self.book.bids.set_best(ticker.b, ticker.B)
        self.book.asks.set_best(ticker.a, ticker.A)
        self._advance(ticker)

    def _advance(self, event: DepthFrame | BookTickerFrame) -> None:
        self.update_id = max(self.update_id, event.u)
        self.event_time_ms = max(self.event_time_ms, event.E)
        self.transaction_time_ms = max(self.transaction_time_ms, event.T)

    def _agrees(self, ticker: BookTickerFrame) -> bool:
        if self.book.bids.best() == (ticker.b, ticker.B) and self.book.asks.best() == (ticker.a, ticker.A):
            self._disagreements = 0
            return True
        self._disagreements += 1
        self._write_touch(ticker)
        return self._disagreements < MAX_DISAGREEMENTS

    def _ignore(self, diff: DepthFrame) -> bool:
        self._ignored += 1
        if self._ignored > MAX_IGNORED:
            self._restart(diff, f"update ids went back to {diff.u}")
            self._floor_id = 0
        return False

    def _restart(self, diff: DepthFrame, reason: str) -> bool:
        self.reset(reason)
        self._diff_seen = True
        self._buffer.append(diff)
        return False
