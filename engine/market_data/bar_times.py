"""The calendar of a history of bars: how long a bar usually is, when each one ends, where bars are missing.

Bars follow a clock that people live by: a day has 23 or 25 hours when the clocks change, a month 28 to 31
days. So the timeframe is the usual distance of neighbours, never the smallest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.model.timeframes import duration_text

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
_MISSING = 1.5
"""From this many timeframes on a distance has room for another bar."""
_TOLD = 3
_CALENDAR_DAYS = ((28, 31), (89, 92), (181, 184), (365, 366))
"""Shortest and longest month, quarter, half-year and year."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing bars: the first and last moment without one, [start_ns, end_ns), after row `row` (from 0)."""

    row: int
    start_ns: int
    end_ns: int
    bars: int


def usual_step_ns(open_time_ns: NDArray[np.int64]) -> int:
    """The timeframe of ascending open times: their most frequent distance.

    Of equally frequent ones it is the one that divides a day or is whole days, then the shortest. A day with
    a change of the clocks counts 24 hours; months, quarters and years have the length of their longest.
    ValueError for fewer than two bars.
    """
    distances = np.diff(open_time_ns)
    if not len(distances):
        raise ValueError("one bar has no timeframe, expected at least two")
    if (distances == distances[0]).all():
        distances = distances[:1]
    steps, counts = np.unique(distances, return_counts=True)
    frequent = steps[counts == counts.max()].tolist()
    usual = int(min(frequent, key=lambda step: (_is_odd(step), step)))
    whole = round(usual / DAY_NS) * DAY_NS
    if _is_odd(usual) and whole and abs(usual - whole) <= HOUR_NS:
        usual = whole
    for least, most in _CALENDAR_DAYS:
        low, high = least * DAY_NS - HOUR_NS, most * DAY_NS + HOUR_NS
        family = steps[(steps >= low) & (steps <= high)]
        if low <= usual <= high and family[-1] - family[0] > 2 * HOUR_NS:
            return most * DAY_NS
    return usual


def ends_ns(open_time_ns: NDArray[np.int64], timeframe_ns: int) -> NDArray[np.int64]:
    """When each bar ends: a timeframe after its open, or with the next bar's open where that is the
    calendar's doing (an earlier one, or the 25th hour of a day).
    """
    ends = open_time_ns + timeframe_ns
    following = open_time_ns[1:]
    ends[:-1] = np.where(following <= ends[:-1] + _slack_ns(timeframe_ns), following, ends[:-1])
    return ends


def gaps(open_time_ns: NDArray[np.int64], timeframe_ns: int) -> list[Gap]:
    """Where bars are missing, in order."""
    steps = np.diff(open_time_ns)
    found = []
    wide = (steps >= _MISSING * timeframe_ns) & (steps > timeframe_ns + _slack_ns(timeframe_ns))
    for row in np.flatnonzero(wide).tolist():
        start, end = int(open_time_ns[row]) + timeframe_ns, int(open_time_ns[row + 1])
        found.append(Gap(row, start, end, round(int(steps[row]) / timeframe_ns) - 1))
    return found


def gap_text(found: list[Gap], what: str = "missing") -> str:
    """How many bars are missing (or `what` else they are), and where: the longest by place and length."""
    longest = sorted(
        sorted(found, key=lambda gap: gap.start_ns - gap.end_ns)[:_TOLD], key=lambda gap: gap.row
    )
    places = ", ".join(
        f"{_stamp(gap.start_ns)} to {_stamp(gap.end_ns)} ({duration_text(gap.end_ns - gap.start_ns)})"
        for gap in longest
    )
    bars = sum(gap.bars for gap in found)
    count = f"{bars} bar{'' if bars == 1 else 's'} {what}"
    if len(found) <= _TOLD:
        return f"{count}: {places} UTC"
    return f"{count} in {len(found)} places, the longest {places} UTC"


def early_rows(open_time_ns: NDArray[np.int64], timeframe_ns: int) -> NDArray[np.int64]:
    """Indices of bars that open before the one above has ended, for no reason of the calendar."""
    calendar = {most * DAY_NS: (most - least) * DAY_NS for least, most in _CALENDAR_DAYS}
    allowed = calendar.get(timeframe_ns, 0) + _slack_ns(timeframe_ns)
    return np.flatnonzero(np.diff(open_time_ns) < timeframe_ns - allowed) + 1


def _is_odd(step_ns: int) -> bool:
    """Neither a part of a day nor whole days."""
    return DAY_NS % step_ns != 0 and step_ns % DAY_NS != 0


def _slack_ns(timeframe_ns: int) -> int:
    """By how much a change of the clocks makes a bar longer or shorter."""
    return HOUR_NS if timeframe_ns > HOUR_NS else 0


def _stamp(time_ns: int) -> str:
    """A moment to the minute, or to the second where it has some."""
    text = str(np.datetime64(time_ns, "ns").astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(":00")
