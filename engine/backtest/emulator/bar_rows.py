"""Bars and funding as Python numbers for the event-driven engine."""

from engine.backtest.data import finer_bars
from engine.backtest.data.funding import Funding
from engine.model.bars import Bars

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
    where = finer_bars.inside(bars, finer)
    rows = list(
        zip(finer.open.tolist(), finer.high.tolist(), finer.low.tolist(), finer.close.tolist(), strict=True)
    )
    spans = zip(bars.open_time_ns.tolist(), where.first.tolist(), where.end.tolist(), strict=True)
    return {time_ns: rows[first:end] for time_ns, first, end in spans if end > first}


def funding_events(funding: Funding | None) -> list[tuple[int, float]]:
    """Time and rate of each event."""
    if funding is None:
        return []
    return list(zip(funding.time_ns.tolist(), funding.rate.tolist(), strict=True))
