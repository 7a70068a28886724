"""Hours, days and weeks of a time zone as conditions of a bar."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.model.bars import Bars
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds
from engine.series.nodes import Node, SeriesError

HALF_HOUR_NS = 1_800_000_000_000
NEW_YORK = ZoneInfo("America/New_York")
SUNDAY = int(datetime(2024, 3, 10, tzinfo=NEW_YORK).timestamp()) * 1_000_000_000
"""The day on which clocks go forward in New York: its 02:00 is 03:00."""


def bars(opens_ns: np.ndarray) -> Bars:
    x = np.ones(len(opens_ns))
    return Bars("X", HALF_HOUR_NS, opens_ns, x, x, x, x, x)


def true_at(node: Node, opens_ns: np.ndarray) -> list[str]:
    """The local times of the bars where a condition holds."""
    (values,) = History(Feeds(bars(opens_ns))).values([node])
    times = [datetime.fromtimestamp(time / 1e9, NEW_YORK) for time in opens_ns[values].tolist()]
    return [f"{time:%a %H:%M}" for time in times]


THREE_DAYS = SUNDAY + np.arange(-8 * 2, 2 * 48 - 2) * HALF_HOUR_NS
"""From Saturday 16:00 to the end of Monday."""
BAR = BarSeries()
TZ = "America/New_York"


@pytest.mark.parametrize(
    ("hours", "sunday"),
    [
        ("02:30-04:00", ["Sun 03:00", "Sun 03:30"]),
        ("23:00-01:00", ["Sun 00:00", "Sun 00:30", "Sun 23:00", "Sun 23:30"]),
        ("22:30-24:00", ["Sun 22:30", "Sun 23:00", "Sun 23:30"]),
    ],
)
def test_a_session_is_in_the_hours_of_its_time_zone(hours: str, sunday: list[str]) -> None:
    found = true_at(BAR.session(hours, TZ), THREE_DAYS)
    assert [time for time in found if time.startswith("Sun")] == sunday
    assert len(true_at(BAR.session("00:00-24:00", TZ), THREE_DAYS)) == len(THREE_DAYS)


def test_a_day_a_week_and_a_session_begin_on_their_first_bar() -> None:
    assert true_at(BAR.new_day(TZ), THREE_DAYS) == ["Sun 00:00", "Mon 00:00"]
    assert true_at(BAR.new_week(TZ), THREE_DAYS) == ["Mon 00:00"]
    assert true_at(BAR.new_session("23:00-01:00", TZ), THREE_DAYS) == ["Sat 23:00", "Sun 23:00", "Mon 23:00"]
    once = ta.once_per(BAR.hour_in(TZ) > 4, BAR.new_session("03:00-12:00", TZ))
    assert true_at(once, THREE_DAYS) == ["Sun 05:00", "Mon 05:00"]


def test_sessions_begin_also_where_there_are_no_bars_between_them() -> None:
    opens = np.concatenate([SUNDAY + (day * 48 + 20 + np.arange(12)) * HALF_HOUR_NS for day in range(1, 4)])
    found = true_at(BAR.new_session("09:30-16:00", TZ), opens)
    assert len(found) == 2  # the first day may have begun before history
    assert [time[:3] for time in found] == ["Tue", "Wed"]


@pytest.mark.parametrize("hours", ["9:30-16:00", "09:30", "0930-1600", "25:00-26:00", "", None])
def test_hours_that_are_none_are_refused_in_one_sentence(hours: str) -> None:
    with pytest.raises(SeriesError, match="a session is hours such as"):
        BAR.session(hours)
    with pytest.raises(SeriesError, match="'Amerika' is no time zone"):
        BAR.session("09:30-16:00", "Amerika")
