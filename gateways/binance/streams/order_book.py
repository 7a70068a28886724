"""The levels of one order book, with cheap access to the best N.

Each side is a dict of sizes and a sorted list of keys whose last element is the best price: bids are keyed by
price, asks by minus price. Changes happen near the touch, that is near the end of the list.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterable

from gateways.wire.messages import Level

MAX_LEVELS = 10_000
"""Levels kept on each side; the farthest are dropped first."""


class BookSide:
    """One side. `top` holds the best `depth` levels, best first, as of the last `refresh`."""

    __slots__ = ("_edge", "_keys", "_sign", "_sizes", "depth", "dirty", "known_to", "top")

    def __init__(self, *, is_bid: bool, depth: int) -> None:
        self._sign = 1.0 if is_bid else -1.0
        self._sizes: dict[float, float] = {}
        self._keys: list[float] = []
        self._edge = -math.inf
        self.depth = depth
        self.dirty = False
        self.known_to = -math.inf
        self.top: tuple[Level, ...] = ()

    def __len__(self) -> int:
        return len(self._keys)

    def load(self, levels: Iterable[Level], *, is_complete: bool) -> None:
        """Replace all levels. Levels beyond an incomplete snapshot are unknown."""
        sign = self._sign
        self._sizes = {sign * price: size for price, size in levels if size > 0.0}
        self._keys = sorted(self._sizes)
        self.known_to = -math.inf if is_complete or not self._keys else self._keys[0]
        self.dirty = True

    def apply(self, levels: Iterable[Level]) -> None:
        """Set absolute sizes; 0 deletes, and deleting what is not there is normal."""
        sizes, keys, sign, edge = self._sizes, self._keys, self._sign, self._edge
        for price, size in levels:
            key = sign * price
            if size > 0.0:
                old = sizes.get(key)
                if old is None:
                    insort(keys, key)
                elif old == size:
                    continue
                sizes[key] = size
            elif sizes.pop(key, None) is None:
                continue
            else:
                del keys[bisect_left(keys, key)]
            if key >= edge:
                self.dirty = True
        if len(keys) > MAX_LEVELS:
            self._forget_farthest(len(keys) - MAX_LEVELS)

    def set_best(self, price: float, size: float) -> None:
        """The best level is exactly this one: what was better is gone."""
        sizes, keys = self._sizes, self._keys
        key = self._sign * price
        while keys and keys[-1] > key:
            del sizes[keys.pop()]
            self.dirty = True
        if sizes.get(key) != size:
            if key not in sizes:
                keys.append(key)
            sizes[key] = size
            self.dirty = True

    def refresh(self) -> bool:
        """Bring `top` up to date; true when it changed."""
        if not self.dirty:
            return False
        self.dirty = False
        keys, sizes, sign = self._keys, self._sizes, self._sign
        best = keys[: -self.depth - 1 : -1]
        top = tuple([(sign * key, sizes[key]) for key in best])
        self._edge = best[-1] if len(best) == self.depth else -math.inf
        if top == self.top:
            return False
        self.top = top
        return True

    def leaves_known_range(self) -> bool:
        """True when `top` reaches beyond the levels of the snapshot."""
        return self._edge < self.known_to

    def known_levels(self) -> int | None:
        """Number of levels within the range of the snapshot; None where it was complete."""
        if self.known_to == -math.inf:
            return None
        return len(self._keys) - bisect_left(self._keys, self.known_to)

    def best_key(self) -> float:
        """Sign times best price; minus infinity on an empty side."""
        return self._keys[-1] if self._keys else -math.inf

    def best(self) -> Level | None:
        """The best level now, `refresh` or not."""
        if not self._keys:
            return None
        key = self._keys[-1]
        return self._sign * key, self._sizes[key]

    def levels(self) -> list[Level]:
        """Every level, best first."""
        return [(self._sign * key, self._sizes[key]) for key in reversed(self._keys)]

    def set_depth(self, depth: int) -> None:
        """Publish this many levels from now on."""
        self.depth = depth
        self.dirty = True

    def _forget_farthest(self, count: int) -> None:
        for key in self._keys[:count]:
            del self._sizes[key]
        del self._keys[:count]
        self.known_to = max(self.known_to, self._keys[0])


class OrderBook:
    """Both sides."""

    __slots__ = ("asks", "bids")

    def __init__(self, depth: int) -> None:
        self.bids = BookSide(is_bid=True, depth=depth)
        self.asks = BookSide(is_bid=False, depth=depth)

    def is_crossed(self) -> bool:
        """A best bid at or above the best ask. An empty side crosses nothing."""
        return self.bids.best_key() >= -self.asks.best_key()

    def refresh(self) -> bool:
        """Bring both tops up to date; true when either changed."""
        changed = self.bids.refresh()
        return self.asks.refresh() or changed
