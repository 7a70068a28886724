"""Depth diffs with U/u/pu at each update speed (cadence), and the snapshots they connect to.

Every changed level gets its own update id. An event covers the ids since the last event of the same
cadence: `U` is the first, `u` the last, `pu` the previous `u`. A snapshot has the last id used. When a
snapshot falls exactly on the end of an event, the next event starts at the snapshot's own id, so that
`U <= lastUpdateId <= u` holds for a client that did not see the event before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateways.simulator.market_data.public_book import ASK, BID, Change, PublicBook

IDS_PER_MS = 8
"""Ids are at least the time in ms times this, so that they increase across restarts and stay sparse."""


@dataclass(slots=True)
class DepthDiff:
    """One diff event; sizes are absolute."""

    first_id: int
    last_id: int
    previous_id: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


@dataclass(slots=True)
class _Cadence:
    previous_id: int
    first_id: int = 0
    pending: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    due_ms: int | None = None


class DepthFeed:
    """Ids, pending diffs of the cadences in use, and the public book of one symbol."""

    def __init__(self, last_id: int) -> None:
        self.book = PublicBook()
        self.last_id = last_id
        self._cadences: dict[int, _Cadence] = {}
        self._snapshot_id = 0

    def open_cadence(self, cadence_ms: int) -> None:
        """Start collecting diffs for a cadence."""
        self._cadences.setdefault(cadence_ms, _Cadence(self.last_id))

    def close_cadence(self, cadence_ms: int) -> None:
        """Stop collecting diffs for a cadence without subscribers."""
        self._cadences.pop(cadence_ms, None)

    @property
    def cadences(self) -> Sequence[int]:
        """Cadences in use (ms)."""
        return tuple(self._cadences)

    def apply(self, changes: Sequence[Change], now_ms: int) -> bool:
        """Apply changed levels; return False if none of them changes the book."""
        first = 0
        for side, price, lots in changes:
            if not self.book.set(side, price, lots):
                continue
            self.last_id = max(self.last_id + 1 + (price & 3), now_ms * IDS_PER_MS)
            first = first or self.last_id
            for cadence in self._cadences.values():
                cadence.pending[side][price] = lots
        if not first:
            return False
        self._arm(first, now_ms)
        return True

    def relay(self, ids: tuple[int, int], changes: Sequence[Change], now_ms: int) -> None:
        """Apply changed levels with given ids (a relayed diff, even one that changes nothing)."""
        for side, price, lots in changes:
            self.book.set(side, price, lots)
            for cadence in self._cadences.values():
                cadence.pending[side][price] = lots
        self.last_id = ids[1]
        self._arm(ids[0], now_ms)

    def break_chain(self, previous_id: int) -> None:
        """Make the next event of every cadence refer to a diff that is missing."""
        for cadence in self._cadences.values():
            cadence.previous_id = previous_id

    def _arm(self, first: int, now_ms: int) -> None:
        for cadence_ms, cadence in self._cadences.items():
            if cadence.due_ms is None:
                bridged = self._snapshot_id == cadence.previous_id
                cadence.first_id = cadence.previous_id if bridged else first
                cadence.due_ms = now_ms // cadence_ms * cadence_ms + cadence_ms if cadence_ms else now_ms

    def next_due_ms(self) -> int | None:
        """Return when the first pending event is due."""
        dues = [cadence.due_ms for cadence in self._cadences.values() if cadence.due_ms is not None]
        return min(dues) if dues else None

    def take(self, cadence_ms: int, now_ms: int) -> DepthDiff | None:
        """Return and clear the pending diff of a cadence if it is due."""
        cadence = self._cadences.get(cadence_ms)
        if cadence is None or cadence.due_ms is None or cadence.due_ms > now_ms:
            return None
        bids, asks = cadence.pending
        diff = DepthDiff(
            cadence.first_id, self.last_id, cadence.previous_id, sorted(bids.items()), sorted(asks.items())
        )
        self._cadences[cadence_ms] = _Cadence(self.last_id)
        return diff

    def snapshot(self, limit: int) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the last update id and the best `limit` levels of bids and asks."""
        self._snapshot_id = self.last_id
        return self.last_id, self.book.top(BID, limit), self.book.top(ASK, limit)
