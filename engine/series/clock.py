"""Hour, minute, weekday and day of a bar's open time in a time zone, over arrays and on one bar."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.compiled.functions import FloatArray
from engine.series.nodes import SeriesError

_MINUTE_MS = 60_000
_QUARTER_MS = 15 * _MINUTE_MS
"""Clocks change at a quarter of an hour UTC, in every time zone since 1972."""


def checked_zone(tz: str) -> str:
    """The name of a time zone; `SeriesError` where there is none."""
    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, OSError, TypeError):
        raise SeriesError(f"{tz!r} is no time zone; write a name such as America/New_York or UTC") from None
    return tz


@lru_cache(maxsize=65_536)
def _offset_minutes(quarter: int, tz: str) -> int:
    """By how much the clocks of a time zone are ahead of UTC in a quarter of an hour since 1970."""
    if tz == "UTC":
        return 0
    moment = datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(tz))
    offset = moment.utcoffset()
    return 0 if offset is None else round(offset.total_seconds() / 60)


def _part(name: str, local_minutes: int) -> float:
    days, minute = divmod(local_minutes, 1440)
    if name == "hour":
        return float(minute // 60)
    if name == "minute":
        return float(minute % 60)
    if name == "minute_of_day":
        return float(minute)
    return float((days + 3) % 7 if name == "weekday" else days)  # 1970-01-01 was a Thursday


def of_one(name: str, tz: str, time_ms: float) -> float:
    """A part of the local time of one bar's open time."""
    time = int(time_ms)
    return _part(name, time // _MINUTE_MS + _offset_minutes(time // _QUARTER_MS, tz))


def of_many(name: str, tz: str, time_ms: FloatArray) -> FloatArray:
    """`of_one` of each element."""
    minutes = time_ms.astype(np.int64) // _MINUTE_MS
    if tz != "UTC":
        minutes += _offsets(minutes // 15, tz)
    days, minute = minutes // 1440, minutes % 1440
    parts = {"hour": minute // 60, "minute": minute % 60, "minute_of_day": minute, "weekday": (days + 3) % 7}
    return parts.get(name, days).astype(np.float64)


def _offsets(quarters: NDArray[np.int64], tz: str) -> NDArray[np.int64]:
    """The offset of each quarter of an hour, asked for by days: few of them see the clocks change."""
    days, where = np.unique(quarters // 96, return_inverse=True)
    begins = np.array([_offset_minutes(day * 96, tz) for day in days.tolist()], dtype=np.int64)
    ends = np.array([_offset_minutes(day * 96 + 95, tz) for day in days.tolist()], dtype=np.int64)
    offsets = begins[where]
    for k in np.flatnonzero((begins != ends)[where]).tolist():
        offsets[k] = _offset_minutes(int(quarters[k]), tz)
    return offsets
