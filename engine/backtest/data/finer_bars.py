"""Finer bars inside the bars: which belong to which bar, and whether they are of the same market."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.market_data.bar_times import ends_ns
from engine.model.bars import Bars
from engine.model.timeframes import duration_text
from runtime.control.shown import digits

_SAME = 1e-9
"""Relative difference up to which two floats are one price."""
_FEW_DIFFER = 0.01


@dataclass(frozen=True, slots=True)
class Inside:
    """Finer bars [first, end) of each bar as indices; none where both are equal.

    `differ` marks bars whose finer bars leave the bar's range, or are complete and do not fill it.
    """

    first: NDArray[np.int64]
    end: NDArray[np.int64]
    differ: NDArray[np.bool_]


def inside(bars: Bars, finer: Bars) -> Inside:
    """Find the finer bars of each bar, by open time.

    A bar is left to its own path where its finer bars do not reach its high and low: some are missing, or
    differ. ValueError when they are of another symbol or not shorter.
    """
    if finer.symbol != bars.symbol:
        raise ValueError(f"finer bars of {finer.symbol} for bars of {bars.symbol}")
    if finer.timeframe_ns >= bars.timeframe_ns:
        raise ValueError(
            f"finer bars of {bars.symbol} are {duration_text(finer.timeframe_ns)} long,"
            f" expected shorter than {duration_text(bars.timeframe_ns)}"
        )
    ends = ends_ns(bars.open_time_ns, bars.timeframe_ns)
    first = np.searchsorted(finer.open_time_ns, bars.open_time_ns)
    end = np.searchsorted(finer.open_time_ns, ends)
    some = np.flatnonzero(end > first)
    high, low = bars.high.copy(), bars.low.copy()
    high[some] = _of_each(np.maximum, finer.high, first[some], end[some])
    low[some] = _of_each(np.minimum, finer.low, first[some], end[some])
    room = _SAME * bars.high
    beyond = (high > bars.high + room) | (low < bars.low - room)
    short = (high < bars.high - room) | (low > bars.low + room)
    complete = (end - first) * finer.timeframe_ns == ends - bars.open_time_ns
    differ = (end > first) & (beyond | (short & complete))
    return Inside(first, np.where(beyond | short, first, end), differ)


def check_finer(bars: Bars, finer: Bars) -> tuple[str, ...]:
    """Notes on the finer bars for the user, one sentence each.

    ValueError when more than one in a hundred of the bars differ from theirs, or none has any.
    """
    found = inside(bars, finer)
    covered, differ = int((found.end > found.first).sum()), int(found.differ.sum())
    if not covered and not differ:
        raise ValueError(f"no finer bars of {bars.symbol} lie inside its bars, expected the same period")
    if differ > _FEW_DIFFER * (covered + differ) and (differ > 1 or not covered):
        at = int(np.argmax(found.differ))
        part = slice(int(found.first[at]), int(np.searchsorted(finer.open_time_ns, _end(bars, at))))
        raise ValueError(
            f"finer bars of {bars.symbol} are of another market or period: in the bar of"
            f" {_stamp(bars, at)} UTC they reach from {digits(finer.low[part].min())} to"
            f" {digits(finer.high[part].max())}, the bar itself from {digits(bars.low[at])} to"
            f" {digits(bars.high[at])} ({differ} of {covered + differ} bars differ)"
        )
    left = len(bars) - covered
    return (f"{bars.symbol}: {left} of {len(bars)} bars lack finer bars",) if left else ()


def _end(bars: Bars, at: int) -> int:
    return int(ends_ns(bars.open_time_ns, bars.timeframe_ns)[at])


def _of_each(
    function: np.ufunc, values: NDArray[np.float64], first: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The function over values[first:end] of each pair; the pairs ascend and do not overlap."""
    if not len(first):
        return values[:0]
    bounds = np.stack((first, end), axis=1).ravel()
    # A last bound at the end of the values is no index, and not needed.
    reduced = function.reduceat(values, bounds[:-1] if bounds[-1] == len(values) else bounds)
    return np.asarray(reduced[::2])


def _stamp(bars: Bars, at: int) -> str:
    return str(np.datetime64(int(bars.open_time_ns[at]), "ns"))[:16].replace("T", " ")
