"""A time of day by the clocks of a time zone, also on the days when they are changed."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.exits.clock import days_passed, offsets_ns

HOUR_NS = 3_600_000_000_000


def at(*times: str) -> np.ndarray:
    return np.array([int(datetime.fromisoformat(f"{time}+00:00").timestamp()) * 10**9 for time in times])


def passed(timezone: str, time_of_day: str, *times: str) -> list[int]:
    """Counted from the first of the times."""
    found = days_passed(at(*times), time_of_day, timezone)
    return (found - found[0]).tolist()


def test_a_day_begins_at_the_time_of_day() -> None:
    assert passed("UTC", "15:55", "2025-01-02T15:54", "2025-01-02T15:55", "2025-01-03T15:54:59") == [0, 1, 1]
    assert passed("America/New_York", "15:55", "2025-01-02T20:54", "2025-01-02T20:55") == [0, 1]
    assert passed("America/New_York", "15:55", "2025-07-02T19:54", "2025-07-02T19:55") == [0, 1]
    assert passed("Asia/Kolkata", "00:00", "2025-07-02T18:29", "2025-07-02T18:30") == [0, 1]


def test_where_clocks_are_put_forward_over_it_it_is_that_moment() -> None:
    night = ("2025-03-30T00:59", "2025-03-30T01:00", "2025-03-30T12:00")  # 02:00 becomes 03:00
    assert passed("Europe/Berlin", "02:30", *night) == [0, 1, 1]


def test_where_clocks_are_put_back_over_it_it_comes_twice() -> None:
    night = ("2025-10-26T00:29", "2025-10-26T00:30", "2025-10-26T01:00", "2025-10-26T01:30")
    assert passed("Europe/Berlin", "02:30", *night) == [0, 1, 0, 1]


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_offsets_are_those_of_the_time_zone(timezone: str) -> None:
    hours = at("2025-01-01T00:00")[0] + np.arange(0, 365 * 24 * 4) * HOUR_NS // 4
    zone = ZoneInfo(timezone)
    expected = [
        int(datetime.fromtimestamp(time // 10**9, zone).utcoffset().total_seconds()) * 10**9  # type: ignore[union-attr]
        for time in hours.tolist()
    ]
    assert offsets_ns(hours, timezone).tolist() == expected
