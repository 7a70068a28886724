"""Bars and funding as Python numbers for the event-driven engine."""

import numpy as np

from engine.backtest.plans import Funding
from engine.market_data.bars import Bars

PriceBar = tuple[float, float, float, float]
BarColumns = tuple[list[int], list[float], list[float], list[float], list[float], list[float]]


def columns(bars: Bars) -> BarColumns:
    """Open time, open, high, low, close and volume, each as a list with one number a bar."""
    return (
        bars.open_time_ns.tolist(),
        bars.open.tolist(),
        bars.high.tolist(),
        bars.low.tolist(),
        bars.close.tolist(),
        bars.volume_base.tolist(),
    )


def inside(bars: Bars, finer: Bars | None) -> dict[int, list[PriceBar]]:
    """Finer bars by the open time of the bar they lie in."""
    if finer is None:
        return {}
    starts = bars.open_time_ns
    found: dict[int, list[PriceBar]] = {}
    times, opens, highs, lows, closes, _ = columns(finer)
    for time_ns, *prices in zip(times, opens, highs, lows, closes, strict=True):
        index = int(np.searchsorted(starts, time_ns, side="right")) - 1
        if index >= 0 and time_ns < starts[index] + bars.timeframe_ns:
            found.setdefault(int(starts[index]), []).append((prices[0], prices[1], prices[2], prices[3]))
    return found


def funding_events(funding: Funding | None) -> list[tuple[int, float]]:
    """Time and rate of each event."""
    if funding is None:
        return []
    return list(zip(funding.time_ns.tolist(), funding.rate.tolist(), strict=True))
