"""The time of day in a time zone, for `exit_time`."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.model.exit_rules import clock_time
from engine.model.timeframes import SECOND_NS

_MINUTE_NS = 60 * SECOND_NS
_DAY_NS = 1440 * _MINUTE_NS


def days_passed(time_ns: NDArray[np.int64], time_of_day: str, timezone: str) -> NDArray[np.int64]:
    """How often it has been that time of day, by the clocks there, up to each of these times.

    The number is that of the local day, from 1970 on, which begins at `time_of_day`. Where clocks are put
    back over it, it comes twice and the number steps back in between; where they are put forward over it, it
    is the moment at which they are.
    """
    at = clock_time(time_of_day)
    local_ns = time_ns + offsets_ns(time_ns, timezone)
    return (local_ns - (at.hour * 60 + at.minute) * _MINUTE_NS) // _DAY_NS


def offsets_ns(time_ns: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """What the clocks of a time zone are ahead of UTC at each of these times."""
    zone = ZoneInfo(timezone)
    days, which = np.unique(time_ns // _DAY_NS, return_inverse=True)
    first = np.array([_offset_ns(day * _DAY_NS, zone) for day in days.tolist()], np.int64)
    last = np.array([_offset_ns(day * _DAY_NS + _DAY_NS - 1, zone) for day in days.tolist()], np.int64)
    found = first[which]
    for i in np.flatnonzero((first != last)[which]).tolist():
        found[i] = _offset_ns(int(time_ns[i]), zone)
    return found


def _offset_ns(time_ns: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(seconds=1) * SECOND_NS
