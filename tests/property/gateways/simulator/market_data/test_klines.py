"""Klines: every interval is the exact aggregation of the same minutes, invented or traded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.simulator.market_data.history.bars import Bars
from gateways.simulator.market_data.history.invented import History, HistoryProfile
from gateways.simulator.market_data.history.rows import (
    CLOSE,
    COUNT,
    DAY_MS,
    HIGH,
    HOUR_MS,
    INTERVAL_MS,
    LOW,
    MINUTE_MS,
    OPEN,
    OPEN_TIME,
    QUOTE,
    TAKER_QUOTE,
    TAKER_VOLUME,
    VOLUME,
    aggregate,
)

GENESIS_MS = 1_795_162_980_000
PROFILE = HistoryProfile(640_000, 100_000)


def _bars(seed: int = 7) -> Bars:
    return Bars(History(seed, GENESIS_MS, PROFILE), GENESIS_MS, PROFILE.price_ticks)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), days_back=st.integers(2, 3000), genesis=st.integers(0, 3000))
def test_a_day_is_its_hours_and_an_hour_its_minutes(seed: int, days_back: int, genesis: int):
    genesis_ms = GENESIS_MS + genesis * MINUTE_MS
    history = History(seed, genesis_ms, PROFILE)
    day = genesis_ms // DAY_MS * DAY_MS - days_back * DAY_MS
    minutes = history.minutes(day, day + DAY_MS)
    assert len(minutes) == 1440
    assert np.array_equal(aggregate("1h", minutes), history.hours(day, day + DAY_MS))
    assert np.array_equal(aggregate("1d", minutes), history.days(day, day + DAY_MS))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), hours_back=st.integers(0, 40_000))
def test_invented_minutes_are_plausible_bars(seed: int, hours_back: int):
    history = History(seed, GENESIS_MS, PROFILE)
    end = GENESIS_MS - hours_back * HOUR_MS
    rows = history.minutes(end - 3 * HOUR_MS, end)
    assert (rows[1:, OPEN] == rows[:-1, CLOSE]).all()
    assert (rows[:, LOW] <= rows[:, [OPEN, CLOSE]].min(axis=1)).all()
    assert (rows[:, HIGH] >= rows[:, [OPEN, CLOSE]].max(axis=1)).all()
    assert (rows[:, LOW] > 0).all()
    assert (rows[:, VOLUME:] >= 0).all()
    assert (rows[:, TAKER_VOLUME] <= rows[:, VOLUME]).all()
    assert (rows[:, TAKER_QUOTE] <= rows[:, QUOTE]).all()


def test_history_ends_at_the_first_price():
    history = History(3, GENESIS_MS, PROFILE)
    assert history.minutes(GENESIS_MS - HOUR_MS, GENESIS_MS)[-1, CLOSE] == PROFILE.price_ticks


@pytest.mark.parametrize("interval", [name for name in INTERVAL_MS if name not in {"1w", "1M"}])
def test_every_interval_has_1500_bars_without_a_hole(interval: str):
    rows = _bars().rows(interval, None, None, 1500)
    assert len(rows) == 1500
    assert (np.diff(rows[:, OPEN_TIME]) == INTERVAL_MS[interval]).all()
    assert (rows[1:, OPEN] == rows[:-1, CLOSE]).all()


def test_weeks_open_on_mondays_and_months_on_the_first():
    bars = _bars()
    weeks = bars.rows("1w", None, None, 1500)[:, OPEN_TIME].astype("datetime64[ms]")
    assert len(weeks) == 1500
    assert {day.astype("datetime64[D]").item().weekday() for day in weeks} == {0}
    months = bars.rows("1M", None, None, 1500)[:, OPEN_TIME].astype("datetime64[ms]")
    assert len(months) > 600
    assert {day.astype("datetime64[D]").item().day for day in months} == {1}


trade = st.tuples(st.integers(0, 100_000), st.integers(639_000, 641_000), st.integers(1, 50), st.booleans())


@settings(max_examples=60, deadline=None)
@given(trades=st.lists(trade, min_size=1, max_size=80), interval=st.sampled_from(["1m", "3m", "5m", "1h"]))
def test_traded_bars_equal_a_naive_aggregation(trades: list[tuple[int, int, int, bool]], interval: str):
    bars = _bars()
    now = GENESIS_MS
    naive: dict[int, list[tuple[int, int, bool]]] = {}
    for number, (pause_ms, ticks, lots, taker_buys) in enumerate(trades, start=1):
        now += pause_ms
        bars.add_trade(ticks, lots, taker_buys, now, number)
        naive.setdefault(now // MINUTE_MS * MINUTE_MS, []).append((ticks, lots, taker_buys))
    for row in bars.minutes(GENESIS_MS, now + 1):
        inside = naive.get(int(row[OPEN_TIME]), [])
        assert row[COUNT] == len(inside)
        assert row[VOLUME] == sum(lots for _, lots, _ in inside)
        assert row[TAKER_QUOTE] == sum(ticks * lots for ticks, lots, buys in inside if buys)
        if inside:
            prices = [ticks for ticks, _, _ in inside]
            assert row[[OPEN, HIGH, LOW, CLOSE]].tolist() == [
                prices[0], max(prices), min(prices), prices[-1]
            ]  # fmt: skip
    length = INTERVAL_MS[interval]
    start = GENESIS_MS // length * length
    joined = aggregate(interval, bars.minutes(start, now + 1))
    assert np.array_equal(bars.rows(interval, start, None, 1500), joined)
    assert np.array_equal(bars.current(interval)[0], joined[-1])


def test_start_and_end_choose_bars_as_the_exchange_does():
    bars = _bars()
    last = GENESIS_MS // HOUR_MS * HOUR_MS
    ten = bars.rows("1h", None, None, 10)[:, OPEN_TIME].tolist()
    assert ten == [last - (9 - index) * HOUR_MS for index in range(10)]
    from_start = bars.rows("1h", last - 20 * HOUR_MS + 1, None, 5)[:, OPEN_TIME].tolist()
    assert from_start == [last - (19 - index) * HOUR_MS for index in range(5)]
    to_end = bars.rows("1h", None, last - 3 * HOUR_MS, 2)[:, OPEN_TIME].tolist()
    assert to_end == [last - 4 * HOUR_MS, last - 3 * HOUR_MS]
    assert len(bars.rows("1h", last + HOUR_MS, None, 5)) == 0
