"""Timeframes as text ("1s", "5m", "1h", "1d", "1w") and as nanoseconds, and where their bars begin."""

import re
from datetime import UTC, datetime

SECOND_NS = 1_000_000_000
NEVER_NS = 2**63 - 1
"""The deadline of what waits for nothing."""
WEEK_NS = 7 * 86_400 * SECOND_NS
_UNITS_NS = {
    "s": SECOND_NS,
    "m": 60 * SECOND_NS,
    "h": 3_600 * SECOND_NS,
    "d": 86_400 * SECOND_NS,
    "w": WEEK_NS,
}
_TEXT = re.compile(r"([1-9][0-9]{0,3})([smhdw])")
_OTHER = re.compile(r"([1-9][0-9]{0,3})?(min|[smhdwSHDWT])|[1-9][0-9]{0,3}")
"""As Pine ("60", "D", "4H") and pandas ("15min", "1T") write them; a number alone is minutes."""
_FIRST_MONDAY_NS = 4 * 86_400 * SECOND_NS
"""1970-01-05: Binance's and TradingView's weeks begin on Monday, the epoch was a Thursday."""


def timeframe_ns(text: str) -> int:
    """Length of a timeframe; ValueError says what is allowed."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"timeframe {text!r} is not a number followed by one of s, m, h, d, w, such as 5m{_meant(text)}"
        )
    return int(match[1]) * _UNITS_NS[match[2]]


def _meant(text: str) -> str:
    """What to write for a timeframe as others write it."""
    match = _OTHER.fullmatch(text)
    if match is None:
        return ""
    unit = {"min": "m", "T": "m"}.get(match[2], match[2].lower()) if match[2] else "m"
    count = int(match[1] or 1) if match[2] else int(text)
    return f"; write {timeframe_text(count * _UNITS_NS[unit])}"


def timeframe_text(length_ns: int) -> str:
    """The shortest text of a timeframe: 60 seconds are "1m"."""
    for unit in ("w", "d", "h", "m", "s"):
        count, rest = divmod(length_ns, _UNITS_NS[unit])
        if count and not rest:
            return f"{count}{unit}"
    raise ValueError(f"{length_ns} ns is not a whole number of seconds")


def duration_text(length_ns: int) -> str:
    """A length of time for people, in its two largest units: "1d 4h", "14s", "1m 46s"."""
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, length_ns = divmod(length_ns, _UNITS_NS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if length_ns and not parts:
        return f"{length_ns / SECOND_NS:g}s"
    return " ".join(parts[:2]) or "0s"


def bar_open_ns(time_ns: int, length_ns: int) -> int:
    """Open time of the bar [open, open + length) that contains `time_ns`."""
    origin = _FIRST_MONDAY_NS if length_ns % WEEK_NS == 0 else 0
    return time_ns - (time_ns - origin) % length_ns


def utc_text(time_ns: int) -> str:
    """A moment for a person: "2026-03-22 14:00:00 UTC"."""
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%Y-%m-%d %H:%M:%S} UTC"


def time_text(time_ns: int) -> str:
    """A minute of the day for a person: "12:03 UTC"."""
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%H:%M} UTC"
