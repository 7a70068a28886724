"""The public order book: absolute sizes by level, integer ticks and lots."""

from bisect import bisect_left, insort
from typing import Final

BID: Final = 0
ASK: Final = 1

Change = tuple[int, int, int]
"""(BID or ASK, price in ticks, new size in lots; 0 deletes)."""


class PublicBook:
    """Sizes of all levels, with the prices of each side sorted."""

    def __init__(self) -> None:
        self._sizes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._prices: tuple[list[int], list[int]] = ([], [])

    def set(self, side: int, price_ticks: int, lots: int) -> bool:
        """Set the size of a level; return False if it is unchanged."""
        sizes = self._sizes[side]
        old = sizes.get(price_ticks)
        if lots > 0:
            if old == lots:
                return False
            if old is None:
                insort(self._prices[side], price_ticks)
            sizes[price_ticks] = lots
            return True
        if old is None:
            return False
        del sizes[price_ticks]
        prices = self._prices[side]
        del prices[bisect_left(prices, price_ticks)]
        return True

    def size(self, side: int, price_ticks: int) -> int:
        """Size of a level in lots, 0 if there is none."""
        return self._sizes[side].get(price_ticks, 0)

    def best(self, side: int) -> tuple[int, int]:
        """Price (ticks) and size (lots) of the best level; (0, 0) if the side is empty."""
        prices = self._prices[side]
        if not prices:
            return 0, 0
        price = prices[-1] if side == BID else prices[0]
        return price, self._sizes[side][price]

    def top(self, side: int, count: int) -> list[tuple[int, int]]:
        """Return the best `count` levels, best first."""
        prices, sizes = self._prices[side], self._sizes[side]
        chosen = reversed(prices[-count:]) if side == BID else prices[:count]
        return [(price, sizes[price]) for price in chosen]

    def levels(self, side: int) -> int:
        """Count the levels of a side."""
        return len(self._prices[side])

    def prices(self, side: int) -> list[int]:
        """Prices of a side, ascending (not to be changed)."""
        return self._prices[side]

    def clear(self) -> None:
        """Remove all levels."""
        for sizes, prices in zip(self._sizes, self._prices, strict=True):
            sizes.clear()
            prices.clear()
