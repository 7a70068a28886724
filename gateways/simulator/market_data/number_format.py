"""Formats ticks and lots as Binance prints prices and sizes, and parses them."""

from decimal import Decimal
from functools import lru_cache
from typing import Protocol


class Grid(Protocol):
    """The properties of a symbol needed to format its numbers."""

    @property
    def tick_size(self) -> Decimal:
        """Price of one tick (quote)."""

    @property
    def step_size(self) -> Decimal:
        """Size of one lot (base)."""

    @property
    def price_precision(self) -> int:
        """Decimals of a price."""

    @property
    def quantity_precision(self) -> int:
        """Decimals of a quantity."""


class NumberFormat:
    """Formats and parses numbers of one symbol exactly: they are integers with a decimal point."""

    def __init__(self, grid: Grid) -> None:
        self._tick, self._step = grid.tick_size, grid.step_size
        self._tick_float, self._step_float = float(grid.tick_size), float(grid.step_size)
        self._price_format = f"%.{grid.price_precision}f"
        self._size_format = f"%.{grid.quantity_precision}f"
        self._quote_unit = grid.tick_size * grid.step_size
        self.price = lru_cache(maxsize=65_536)(self._price)
        self.size = lru_cache(maxsize=65_536)(self._size)

    def _price(self, ticks: int) -> str:
        return self._price_format % (ticks * self._tick_float)

    def _size(self, lots: int) -> str:
        return self._size_format % (lots * self._step_float)

    def quote(self, ticks_times_lots: int) -> str:
        """Format a quote amount given in ticks x lots."""
        return f"{(self._quote_unit * ticks_times_lots).normalize():f}" if ticks_times_lots else "0"

    def levels(self, rows: list[tuple[int, int]]) -> list[list[str]]:
        """Format price and size of book levels."""
        price, size = self.price, self.size
        return [[price(ticks), size(lots)] for ticks, lots in rows]

    def average(self, ticks_times_lots: int, lots: int) -> str:
        """Format the volume-weighted average price."""
        if lots == 0:
            return self.price(0)
        return self._price_format % (ticks_times_lots * self._tick_float / lots)

    def ticks_of(self, price: str) -> int:
        """Parse a price to ticks (exact for prices on the grid)."""
        return round(float(price) / self._tick_float)

    def lots_of(self, size: str) -> int:
        """Parse a size to lots."""
        return round(float(size) / self._step_float)

    def quote_of(self, amount: str) -> int:
        """Parse a quote amount to ticks x lots."""
        return round(Decimal(amount) / self._quote_unit)

    def price_at(self, ticks: float) -> float:
        """Return the price of a (possibly fractional) number of ticks."""
        return ticks * self._tick_float
