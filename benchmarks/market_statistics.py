"""Statistics of a market's order flow, the same for recorded and simulated frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Frame = dict[str, Any]
Levels = Sequence[tuple[float, float]]
"""(price, size) of one side of a book, best first."""

SECOND_MS: Final = 1000
IMBALANCE_EVERY_MS: Final = 100
BOOK_EVERY_MS: Final = 5000
BOOK_LEVELS: Final = 100


@dataclass(slots=True)
class Observed:
    """What is measured of a market: frames of bookTicker and trade, and the book every few seconds."""

    tick: float
    tickers: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    """T in ms, bid, its size, ask, its size."""
    trades: list[tuple[int, float, float, int]] = field(default_factory=list)
    """T in ms, price, size, 1 for a buyer that takes and -1 for a seller."""
    sides: list[Levels] = field(default_factory=list)
    """The best `BOOK_LEVELS` levels of a side."""

    def see(self, frame: Frame) -> None:
        """Take the numbers out of a frame of bookTicker or trade."""
        if frame["e"] == "bookTicker":
            numbers = (float(frame["b"]), float(frame["B"]), float(frame["a"]), float(frame["A"]))
            self.tickers.append((int(frame["T"]), *numbers))
        elif frame["e"] == "trade" and frame.get("X", "MARKET") == "MARKET":
            side = -1 if frame["m"] else 1
            self.trades.append((int(frame["T"]), float(frame["p"]), float(frame["q"]), side))

    def measure(self) -> dict[str, float]:
        """Return all statistics by name."""
        return {**self._quotes(), **self._imbalance(), **self._trade_flow(), **self._level_sizes()}

    def _quotes(self) -> dict[str, float]:
        times, bids, bid_sizes, asks, ask_sizes = np.array(self.tickers).T
        gaps = np.diff(times)
        mids = _at_seconds(times, (bids + asks) / 2)
        changes = 1e4 * np.diff(mids) / mids[:-1]
        minutes = [changes[i : i + 60].std() for i in range(0, len(changes) - 58, 60)]
        return {
            "spread, ticks": float(np.median((asks - bids) / self.tick)),
            "best size, base": float(np.median(np.concatenate([bid_sizes, ask_sizes]))),
            "gap median, ms": float(np.median(gaps)),
            "gap mean, ms": float(gaps.mean()),
            "frames a second": len(times) / float(times[-1] - times[0]) * SECOND_MS,
            "1 s volatility, bp": float(changes.std()),
            "1 s volatility, bp, median minute": float(np.median(minutes)),
            "seconds without change, %": 100.0 * float((changes == 0.0).mean()),
            "change of a second, lag 1": autocorrelation(changes, 1),
            "size of that change, lag 1": autocorrelation(np.abs(changes), 1),
        }

    def _imbalance(self) -> dict[str, float]:
        """How the imbalance of the best sizes, (bid - ask) / (bid + ask), goes with the next mid prices."""
        times, bids, bid_sizes, asks, ask_sizes = np.array(self.tickers).T
        mids = (bids + asks) / 2
        imbalance = (bid_sizes - ask_sizes) / (bid_sizes + ask_sizes)

        def correlation(moments: Floats, ahead_ms: float) -> float:
            now = np.searchsorted(times, moments, side="right") - 1
            then = np.searchsorted(times, moments + ahead_ms, side="right") - 1
            return float(np.corrcoef(imbalance[now], mids[then] - mids[now])[0, 1])

        clock = np.arange(times[0], times[-1] - 5 * SECOND_MS, IMBALANCE_EVERY_MS)
        return {
            "imbalance, standard deviation": float(imbalance.std()),
            "imbalance and next second": correlation(clock, SECOND_MS),
            "imbalance and next second, at each frame": correlation(
                times[times < times[-1] - SECOND_MS], SECOND_MS
            ),
            "imbalance and next 5 s": correlation(clock, 5 * SECOND_MS),
        }

    def _trade_flow(self) -> dict[str, float]:
        times, _, sizes, signs = np.array(self.trades).T
        starts = np.flatnonzero(np.r_[True, (np.diff(times) > 0) | (np.diff(signs) != 0)])
        seconds = (times[-1] - times[0]) / SECOND_MS
        order_signs, order_sizes = signs[starts], np.add.reduceat(sizes, starts)
        return {
            "trades a second": len(sizes) / seconds,
            "market orders a second": len(starts) / seconds,
            "volume a second, base": sizes.sum() / seconds,
            "median trade, base": float(np.median(sizes)),
            "largest 1 % of trades, % of volume": 100.0 * largest_share(sizes, 0.01),
            "largest 1 % of market orders, % of volume": 100.0 * largest_share(order_sizes, 0.01),
            "trade sign, lag 1": autocorrelation(signs, 1),
            "trade sign, lag 10": autocorrelation(signs, 10),
            "trade sign, lag 100": autocorrelation(signs, 100),
            "market order sign, lag 1": autocorrelation(order_signs, 1),
            "market order sign, lag 10": autocorrelation(order_signs, 10),
        }

    def _level_sizes(self) -> dict[str, float]:
        """Of the levels behind the best one: medians over all sides seen."""
        prices = [np.array([price for price, _ in side]) for side in self.sides]
        sizes = [np.array([size for _, size in side[1:]]) for side in self.sides]
        return {
            "20th level, ticks from the best": float(
                np.median([abs(p[min(20, len(p) - 1)] - p[0]) / self.tick for p in prices])
            ),
            "median level, base": float(np.median([np.median(s) for s in sizes])),
            "mean level, base": float(np.median([s.mean() for s in sizes])),
            "level sizes, deviation over mean": float(np.median([s.std() / s.mean() for s in sizes])),
            "level sizes, deviation of logarithm": float(np.median([np.log(s).std() for s in sizes])),
            "largest 5 of 100 levels, % of size": float(
                np.median([100.0 * largest_share(s, 5 / len(s)) for s in sizes])
            ),
        }


def _at_seconds(times: Floats, values: Floats) -> Floats:
    """The last value of each second."""
    ends = np.arange(times[0] // SECOND_MS + 1, times[-1] // SECOND_MS + 2) * SECOND_MS
    return values[np.searchsorted(times, ends, side="left") - 1]


def autocorrelation(values: Floats, lag: int) -> float:
    """Autocorrelation of a series at a lag."""
    centred = values - values.mean()
    return float((centred[:-lag] * centred[lag:]).mean() / (centred * centred).mean())


def largest_share(sizes: Floats, share: float) -> float:
    """What the largest `share` of the sizes has of their sum."""
    count = max(1, round(len(sizes) * share))
    return float(np.sort(sizes)[-count:].sum() / sizes.sum())
