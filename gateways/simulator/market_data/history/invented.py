"""Invented klines from before the exchange's first start, generated on demand.

A seeded random walk runs backwards from the first price: minutes to the full hour, hours to the full
day, days to 1970. A day splits into hours and an hour into minutes by random numbers keyed with their
time, so any period can be generated alone, is always the same, and aggregates exactly to its parent. Only
+, -, *, / and sqrt of IEEE doubles are used, so every machine generates the same history.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateways.simulator.market_data.history.rows import (
    CLOSE,
    COUNT,
    DAY_MS,
    HIGH,
    HOUR_MS,
    LOW,
    MINUTE_MS,
    OPEN,
    OPEN_TIME,
    QUOTE,
    TAKER_QUOTE,
    TAKER_VOLUME,
    VOLUME,
    Rows,
    Unit,
    empty_rows,
)

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_REVERSION_PER_DAY: Final = 0.004
"""Mean reversion towards the first price, so that the price has its order of magnitude decades back too."""


@dataclass(frozen=True, slots=True)
class HistoryProfile:
    """Parameters of the invented history."""

    price_ticks: int
    minute_volume_lots: int
    minute_trades: int = 900
    daily_volatility: float = 0.025


def uniforms(seed: int, keys: NDArray[np.int64], channel: int) -> NDArray[np.float64]:
    """Numbers in [0, 1) from splitmix64 of (seed, key, channel)."""
    with np.errstate(over="ignore"):
        state = keys.astype(np.uint64) * _GOLDEN
        state ^= np.uint64((seed * 0xD1342543DE82EF95 + channel * 0xA0761D6478BD642F) % 2**64)
        for _ in range(2):
            state = state + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * _MIX_1
            state = (state ^ (state >> np.uint64(27))) * _MIX_2
            state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _gaussians(seed: int, keys: NDArray[np.int64], channel: int) -> NDArray[np.float64]:
    """Near-normal numbers (variance 1): a sum of four uniforms, which needs no logarithm."""
    total = np.zeros(keys.shape)
    for part in range(4):
        total += uniforms(seed, keys, channel * 8 + part)
    scaled: NDArray[np.float64] = (total - 2.0) * np.sqrt(3.0)
    return scaled


class History:
    """Rows of one symbol before `genesis_ms` (a full minute), whose last close is `price_ticks`."""

    def __init__(self, seed: int, genesis_ms: int, profile: HistoryProfile) -> None:
        if genesis_ms % MINUTE_MS:
            raise ValueError(f"history must end at a full minute, not at {genesis_ms} ms")
        self._seed = seed
        self.genesis_ms = genesis_ms
        self._profile = profile
        self._hour_ms = genesis_ms // HOUR_MS * HOUR_MS
        self._day_ms = genesis_ms // DAY_MS * DAY_MS
        self._last_minutes = self._walk(genesis_ms, self._hour_ms, MINUTE_MS, profile.price_ticks)
        hour_close = self._first_open(self._last_minutes, profile.price_ticks)
        self._last_hours = self._walk(self._hour_ms, self._day_ms, HOUR_MS, hour_close)
        day_close = self._first_open(self._last_hours, hour_close)
        self._days = self._walk(self._day_ms, 0, DAY_MS, day_close)
        self._hours_of = lru_cache(maxsize=256)(self._split_day)
        self._minutes_of = lru_cache(maxsize=2048)(self._split_hour)

    @staticmethod
    def _first_open(rows: Rows, otherwise: int) -> int:
        return int(rows[0, OPEN]) if len(rows) else otherwise

    def _walk(self, end_ms: int, start_ms: int, step_ms: int, close_ticks: int) -> Rows:
        """Make rows from `start_ms` to `end_ms`, backwards from the close of the last one."""
        profile = self._profile
        rows = empty_rows((end_ms - start_ms) // step_ms)
        if len(rows) == 0:
            return rows
        rows[:, OPEN_TIME] = np.arange(start_ms, end_ms, step_ms)
        keys = rows[:, OPEN_TIME] // MINUTE_MS * 4 + {MINUTE_MS: 0, HOUR_MS: 1, DAY_MS: 2}[step_ms]
        days = step_ms / DAY_MS
        sigma = profile.daily_volatility * np.sqrt(days)
        shocks = np.clip(_gaussians(self._seed, keys, 1), -3.0, 3.0) * sigma
        pull = _REVERSION_PER_DAY * days
        closes = np.empty(len(rows))
        price = float(close_ticks)
        for index in range(len(rows) - 1, -1, -1):
            closes[index] = price
            price += price * shocks[index] + pull * (profile.price_ticks - price)
            price = max(price, profile.price_ticks * 0.05)
        closes = np.maximum(np.rint(closes), 20.0)
        opens = np.append(max(np.rint(price), 20.0), closes[:-1])
        self._fill_prices(rows, keys, sigma, opens, closes)
        self._fill_volume(rows, keys, step_ms // MINUTE_MS)
        return rows

    def _fill_prices(
        self,
        rows: Rows,
        keys: NDArray[np.int64],
        sigma: float,
        opens: NDArray[np.float64],
        closes: NDArray[np.float64],
    ) -> None:
        wick = sigma * 0.5 * (uniforms(self._seed, keys, 90) + uniforms(self._seed, keys, 91))
        dip = sigma * 0.5 * (uniforms(self._seed, keys, 92) + uniforms(self._seed, keys, 93))
        rows[:, OPEN], rows[:, CLOSE] = opens, closes
        rows[:, HIGH] = np.rint(np.maximum(opens, closes) * (1.0 + wick))
        rows[:, LOW] = np.maximum(np.rint(np.minimum(opens, closes) * (1.0 - dip)), 10.0)

    def _fill_volume(self, rows: Rows, keys: NDArray[np.int64], minutes: int) -> None:
        profile = self._profile
        activity = 0.4 + 1.2 * uniforms(self._seed, keys, 94)
        rows[:, VOLUME] = np.rint(activity * profile.minute_volume_lots * minutes)
        rows[:, COUNT] = np.rint(activity * profile.minute_trades * minutes)
        typical = (rows[:, OPEN] + rows[:, CLOSE] + rows[:, HIGH] + rows[:, LOW]) / 4.0
        rows[:, QUOTE] = np.rint(rows[:, VOLUME] * typical)
        taken = 0.4 + 0.2 * uniforms(self._seed, keys, 95)
        rows[:, TAKER_VOLUME] = np.rint(rows[:, VOLUME] * taken)
        rows[:, TAKER_QUOTE] = np.rint(rows[:, QUOTE] * taken)

    def _split_day(self, open_ms: int) -> Rows:
        index = open_ms // DAY_MS
        return split_row(self._seed, self._days[index], 24, HOUR_MS)

    def _split_hour(self, open_ms: int) -> Rows:
        if open_ms >= self._day_ms:
            return split_row(self._seed, self._last_hours[(open_ms - self._day_ms) // HOUR_MS], 60, MINUTE_MS)
        day = open_ms // DAY_MS * DAY_MS
        return split_row(self._seed, self._hours_of(day)[(open_ms - day) // HOUR_MS], 60, MINUTE_MS)

    def oldest_ms(self, _unit: Unit) -> int:
        """Return 0: the history starts in 1970."""
        return 0

    @property
    def is_complete(self) -> bool:
        """Always true: any bar can be generated."""
        return True

    def between(self, start_ms: int, end_ms: int, ticks: tuple[int, int]) -> Rows:
        """Return minutes for a period in which the market was halted, from one price to another."""
        profile = self._profile
        rows = empty_rows(max(0, (end_ms - start_ms) // MINUTE_MS))
        if len(rows) == 0:
            return rows
        first, last = ticks
        rows[:, OPEN_TIME] = np.arange(start_ms, start_ms + len(rows) * MINUTE_MS, MINUTE_MS)
        keys = rows[:, OPEN_TIME] // MINUTE_MS * 4
        sigma = profile.daily_volatility * np.sqrt(MINUTE_MS / DAY_MS)
        place = np.arange(1, len(rows) + 1) / len(rows)
        walk = np.cumsum(np.clip(_gaussians(self._seed, keys, 1), -3.0, 3.0)) * sigma
        walk = np.clip(walk - place * walk[-1], -0.5, 0.5)
        closes = np.maximum(np.rint(first * (1.0 + walk) + place * (last - first)), 20.0)
        self._fill_prices(rows, keys, sigma, np.append(float(first), closes[:-1]), closes)
        self._fill_volume(rows, keys, 1)
        return rows

    def days(self, start_ms: int, end_ms: int) -> Rows:
        """Whole days that open in [start_ms, end_ms) and end before genesis day."""
        first = max(0, -(-start_ms // DAY_MS))
        return self._days[first : max(first, -(-end_ms // DAY_MS))]

    def hours(self, start_ms: int, end_ms: int) -> Rows:
        """Whole hours that open in [start_ms, end_ms) and end before the hour of genesis."""
        parts = [
            self._hours_of(day)
            for day in range(max(0, start_ms) // DAY_MS * DAY_MS, min(end_ms, self._day_ms), DAY_MS)
        ]
        return _within([*parts, self._last_hours], start_ms, end_ms)

    def minutes(self, start_ms: int, end_ms: int) -> Rows:
        """Minutes that open in [start_ms, end_ms) before genesis."""
        parts = [
            self._minutes_of(hour)
            for hour in range(max(0, start_ms) // HOUR_MS * HOUR_MS, min(end_ms, self._hour_ms), HOUR_MS)
        ]
        return _within([*parts, self._last_minutes], start_ms, end_ms)


def _within(parts: list[Rows], start_ms: int, end_ms: int) -> Rows:
    rows = np.concatenate(parts)
    times = rows[:, OPEN_TIME]
    return rows[np.searchsorted(times, start_ms) : np.searchsorted(times, end_ms)]


def split_row(seed: int, row: NDArray[np.int64], count: int, step_ms: int) -> Rows:
    """Split a row into `count` rows that aggregate to it exactly."""
    out = empty_rows(count)
    start = int(row[OPEN_TIME])
    out[:, OPEN_TIME] = start + np.arange(count) * step_ms
    keys = out[:, OPEN_TIME] // MINUTE_MS * 4 + (3 if step_ms == MINUTE_MS else 1)
    low, high = float(row[LOW]), float(row[HIGH])
    path = np.cumsum(np.clip(_gaussians(seed, keys, 2), -3.0, 3.0)) * ((high - low) / np.sqrt(count))
    drift = (np.arange(1, count + 1) / count) * (float(row[CLOSE] - row[OPEN]) - path[-1])
    weights = 0.3 + 1.7 * uniforms(seed, keys, 62)
    opens, closes = _bend_to_average(float(row[OPEN]) + path + drift, weights, row)
    reach = (high - low) / np.sqrt(count) * 0.5
    tops, bottoms = np.maximum(opens, closes), np.minimum(opens, closes)
    out[:, OPEN], out[:, CLOSE] = opens, closes
    out[:, HIGH] = np.minimum(np.rint(tops + reach * uniforms(seed, keys, 60)), high)
    out[:, LOW] = np.maximum(np.rint(bottoms - reach * uniforms(seed, keys, 61)), low)
    out[int(np.argmax(tops)), HIGH] = row[HIGH]
    out[int(np.argmin(bottoms)), LOW] = row[LOW]
    _share_volume(row, weights, out)
    return out


def _bend_to_average(
    path: NDArray[np.float64], weights: NDArray[np.float64], row: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opens and closes along `path`, bent so that their weighted mean is the row's average price."""
    low, high = float(row[LOW]), float(row[HIGH])
    target = float(row[QUOTE]) / max(1.0, float(row[VOLUME]))
    place = np.arange(1, len(path) + 1) / len(path)
    bow = place * (1.0 - place)
    bend = 0.0
    for _ in range(8):
        closes = np.rint(np.clip(path + bend * bow, low, high))
        closes[-1] = row[CLOSE]
        opens = np.append(float(row[OPEN]), closes[:-1])
        mean = float(np.sum(weights * (opens + closes))) / (2.0 * float(np.sum(weights)))
        bend += 6.0 * (target - mean)
    return opens, closes


def _share_volume(row: NDArray[np.int64], weights: NDArray[np.float64], out: Rows) -> None:
    """Distribute the volume; cumulative rounding keeps the sums exact and taker <= total."""
    share = np.cumsum(weights)
    share = share / share[-1]
    for column in (VOLUME, COUNT):
        out[:, column] = _differences(np.floor(share * float(row[column])), int(row[column]))
    middle = (out[:, HIGH] + out[:, LOW]) / 2.0
    half = (out[:, HIGH] - out[:, LOW]) / 2.0
    spread = float(np.sum(out[:, VOLUME] * half))
    tilt = (float(row[QUOTE]) - float(np.sum(out[:, VOLUME] * middle))) / spread if spread else 0.0
    quote = np.cumsum(out[:, VOLUME] * (middle + tilt * half))
    out[:, QUOTE] = _differences(np.rint(quote), int(row[QUOTE]))
    taken = row[TAKER_VOLUME] / max(1, int(row[VOLUME]))
    out[:, TAKER_VOLUME] = _differences(np.floor(np.cumsum(out[:, VOLUME]) * taken), int(row[TAKER_VOLUME]))
    out[:, TAKER_QUOTE] = _differences(
        np.floor(np.cumsum(out[:, QUOTE]) * (row[TAKER_QUOTE] / max(1, int(row[QUOTE])))),
        int(row[TAKER_QUOTE]),
    )


def _differences(cumulative: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    whole = cumulative.astype(np.int64)
    whole[-1] = total
    return np.diff(whole, prepend=np.int64(0))
