"""The timeframe is the usual distance of bars, and the calendar's short and long days are no gaps."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.market_data.bar_times import early_rows, ends_ns, gaps, usual_step_ns
from engine.model.timeframes import duration_text

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
NEW_YORK = ZoneInfo("America/New_York")


def _days(first: date, count: int) -> np.ndarray:
    """Midnights of New York."""
    midnights = [
        datetime.combine(first + timedelta(day), datetime.min.time(), NEW_YORK) for day in range(count)
    ]
    return np.array([int(midnight.timestamp()) * 10**9 for midnight in midnights])


def _months(months: int, step: int = 1) -> np.ndarray:
    firsts = [datetime(2023 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(0, months, step)]
    return np.array([int(first.timestamp()) * 10**9 for first in firsts])


@pytest.mark.parametrize(("first", "hours"), [(date(2025, 3, 6), 23), (date(2025, 10, 30), 25)])
def test_days_of_23_and_25_hours_are_days(first: date, hours: int):
    times = _days(first, 6)
    assert hours * HOUR_NS in np.diff(times)
    assert usual_step_ns(times) == DAY_NS
    assert gaps(times, DAY_NS) == []
    assert len(early_rows(times, DAY_NS)) == 0
    assert ends_ns(times, DAY_NS)[:-1].tolist() == times[1:].tolist()
    around = times[[k for k in range(6) if hours * HOUR_NS in np.diff(times)[max(0, k - 1) : k + 1]]]
    assert usual_step_ns(around) == DAY_NS


def test_months_quarters_and_years_are_whole():
    for times, days in ((_months(14), 31), (_months(25, 3), 92), (_months(61, 12), 366)):
        timeframe = usual_step_ns(times)
        assert timeframe == days * DAY_NS
        assert gaps(times, timeframe) == []
        assert len(early_rows(times, timeframe)) == 0
        assert ends_ns(times, timeframe)[:-1].tolist() == times[1:].tolist()
    without_may = np.delete(_months(14), 4)
    assert [gap.bars for gap in gaps(without_may, usual_step_ns(without_may))] == [1]


def test_weeks_across_a_change_of_the_clocks():
    times = _days(date(2025, 2, 24), 50)[::7]
    assert usual_step_ns(times) == 7 * DAY_NS
    assert gaps(times, 7 * DAY_NS) == []


def test_two_hours_of_the_wall_clock_are_no_gap_in_the_night_of_three():
    times = np.arange(20) * 2 * HOUR_NS
    times[5:] += HOUR_NS
    assert usual_step_ns(times) == 2 * HOUR_NS
    assert gaps(times, 2 * HOUR_NS) == []
    assert ends_ns(times, 2 * HOUR_NS)[4] == times[5]
    assert [gap.bars for gap in gaps(np.delete(times, 9), 2 * HOUR_NS)] == [1]


def test_one_odd_stamp_changes_nothing_and_is_found():
    minute = 60 * 10**9
    times = np.arange(10) * minute
    times[5] = times[4] + 14 * 10**9
    assert usual_step_ns(times) == minute
    assert early_rows(times, minute).tolist() == [5]
    assert ends_ns(times, minute)[4] == times[5]
    assert ends_ns(times, minute)[5] == times[5] + minute


def test_missing_bars_are_counted_with_their_place():
    times = np.delete(np.arange(100), range(40, 60)) * HOUR_NS
    (gap,) = gaps(times, usual_step_ns(times))
    assert (gap.row, gap.start_ns, gap.end_ns, gap.bars) == (39, 40 * HOUR_NS, 60 * HOUR_NS, 20)


def test_two_bars_a_session_are_as_long_as_the_shorter_distance():
    times = np.sort(np.concatenate([np.arange(5) * DAY_NS, np.arange(5) * DAY_NS + 4 * HOUR_NS]))
    assert usual_step_ns(times) == 4 * HOUR_NS
    assert usual_step_ns(times[1:]) == 4 * HOUR_NS


def test_lengths_of_time_are_told_in_two_units():
    assert [duration_text(n * 10**9) for n in (14, 106, 3600, 100_000)] == ["14s", "1m 46s", "1h", "1d 3h"]
    assert duration_text(250_000_000) == "0.25s"
