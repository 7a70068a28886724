"""Bars: one at a time for the live engine, as arrays for everything that runs over history."""

from dataclasses import dataclass, replace
from enum import IntFlag
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

CandleKind = Literal["mid", "trade", "exchange"]
BarsKey = tuple[str, int]
"""Bars of a symbol of one length in nanoseconds."""


class BarFlag(IntFlag):
    """What is special about a bar. `SUSPECT` bars give no entries."""

    NONE = 0
    EMPTY = 1
    """No tick fell into it: open, high, low and close repeat the last close."""
    SUSPECT = 2
    """Its data has a hole."""
    BACKFILLED = 4
    """It came from the exchange's klines, not from ticks."""
    LATE_TICK = 8
    """A tick of this bar arrived after it had closed and was dropped."""


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One closed bar over the half-open interval [open_time_ns, close_time_ns).

    Prices in the quote asset; `volume_base` is 0 on mid-price bars. `close_time_ns` is the open time of
    the next bar.
    """

    symbol: str
    timeframe_ns: int
    open_time_ns: int
    open: float
    high: float
    low: float
    close: float
    volume_base: float = 0.0
    kind: CandleKind = "mid"
    flags: int = 0
    ticks: int = 0

    @property
    def close_time_ns(self) -> int:
        """Open time of the next bar."""
        return self.open_time_ns + self.timeframe_ns


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one symbol and timeframe as arrays of equal length, ascending by open time.

    `open_time_ns` is int64, the rest float64. Gaps are allowed; order and uniqueness are not checked
    here (the loaders do).
    """

    symbol: str
    timeframe_ns: int
    open_time_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume_base: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.open_time_ns)

    def of_symbol(self, symbol: str) -> "Bars":
        """The same bars under another symbol."""
        return replace(self, symbol=symbol)

    def to_frame(self) -> "pd.DataFrame":
        """A pandas data frame: open, high, low, close and volume, by open time in UTC."""
        import pandas as pd  # noqa: PLC0415  # who has no need of a frame does not wait for it

        names = ("open", "high", "low", "close")
        columns = {name: getattr(self, name) for name in names} | {"volume": self.volume_base}
        return pd.DataFrame(columns, index=pd.to_datetime(self.open_time_ns, utc=True).rename("open_time"))

    def part(self, first: int, last: int) -> "Bars":
        """The bars from index `first` up to, not including, `last`."""
        part = slice(first, last)
        return Bars(
            self.symbol,
            self.timeframe_ns,
            self.open_time_ns[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume_base[part],
        )
