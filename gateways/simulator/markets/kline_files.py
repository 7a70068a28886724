"""Reads bars from parquet or CSV and converts them to a symbol's ticks and lots."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gateways.simulator.exchange.model.symbols import SymbolSpec
from gateways.simulator.markets.base import MarketError

_YEAR_1990_S = 631_152_000
_MOST_VOLUME = 1e12
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class GridBars:
    """Bars in ticks and lots. `rows` is int64: open, high, low, close, volume. `interval_ms` is the
    usual distance of two bars."""

    interval_ms: int
    open_ms: NDArray[np.int64]
    rows: NDArray[np.int64]

    def end_ms(self, number: int) -> int:
        """Return when a bar ends: an interval after its open, or earlier when the next bar opens."""
        end_ms = int(self.open_ms[number]) + self.interval_ms
        return min(end_ms, int(self.open_ms[number + 1])) if number + 1 < len(self.open_ms) else end_ms


def read_bars(path: Path, spec: SymbolSpec) -> GridBars:
    """Read `open_time, open, high, low, close, volume`; raises MarketError that names a bad row."""
    if not path.exists():
        raise MarketError(f"{path}: no such file of klines")
    frame = _read_table(path)
    missing = {"open_time", *_PRICES, "volume"} - set(frame.columns)
    if missing or len(frame) < 2:
        raise MarketError(
            f"{path}: expected the columns open_time, open, high, low, close, volume and two rows or more"
        )
    open_ms = _milliseconds(path, frame["open_time"])
    if not (np.diff(open_ms) > 0).all():
        raise MarketError(f"{path}: open_time must be strictly ascending")
    rows = np.empty((len(frame), 5), dtype=np.int64)
    for column, name in enumerate((*_PRICES, "volume")):
        unit = float(spec.step_size if name == "volume" else spec.tick_size)
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
        least, most = (0.0, _MOST_VOLUME) if name == "volume" else (unit, float(spec.max_price))
        wrong = np.flatnonzero(~((values >= least) & (values <= most)))
        if len(wrong):
            row = int(wrong[0])
            value = frame[name].iloc[row]
            raise MarketError(f"{path}, row {row}: {name} {value} is not a number from {least:g} to {most:g}")
        scaled = values / unit
        rows[:, column] = np.rint(scaled)
        bad = np.flatnonzero(np.abs(scaled - rows[:, column]) > 1e-3)
        if len(bad):
            row = int(bad[0])
            raise MarketError(
                f"{path}, row {row}: {name} {frame[name].iloc[row]} is not a multiple of {unit:g}"
            )
    inside = (rows[:, 2] <= rows[:, [0, 3]].min(axis=1)) & (rows[:, 1] >= rows[:, [0, 3]].max(axis=1))
    if not inside.all():
        raise MarketError(f"{path}, row {int(np.flatnonzero(~inside)[0])}: high or low is inside the body")
    return GridBars(_usual_ms(open_ms), open_ms, rows)


def _usual_ms(open_ms: NDArray[np.int64]) -> int:
    """Return the most frequent distance of neighbouring bars, the shortest of equally frequent ones, so that
    single irregular bars (a day of 23 hours) do not change the interval."""
    distances, counts = np.unique(np.diff(open_ms), return_counts=True)
    return int(distances[counts.argmax()])


def odd_distance(bars: GridBars) -> str | None:
    """Describe bars at an irregular distance in one sentence; None if all gaps are whole bars."""
    distances = np.diff(bars.open_ms)
    odd = np.flatnonzero(distances % bars.interval_ms)
    if not len(odd):
        return None
    row = int(odd[0]) + 1
    return (
        f"row {row} opens {distances[row - 1] / 1000:g} s after the previous one, but bars are "
        f"{bars.interval_ms / 1000:g} s long; {len(odd)} such row(s) in all are played unchanged"
    )


def _read_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError) as error:  # of pandas and pyarrow both
        reason = str(error).strip().partition("\n")[0]
        raise MarketError(f"{path}: not a table of bars ({reason})") from error


def _milliseconds(path: Path, column: "pd.Series[pd.Timestamp]") -> NDArray[np.int64]:
    """Convert open times to ms; the unit of integers is the one that makes the first a date since 1990."""
    if pd.api.types.is_integer_dtype(column):
        stamps = column.to_numpy(dtype=np.int64)
        for unit_ns in (1, 1_000, 1_000_000, 1_000_000_000):
            since_1990 = _YEAR_1990_S * 1_000_000_000 // unit_ns
            if stamps[0] >= since_1990:
                if (stamps >= since_1990 * 1000).any() or (stamps < since_1990).any():
                    row = int(np.flatnonzero((stamps >= since_1990 * 1000) | (stamps < since_1990))[0])
                    raise MarketError(
                        f"{path}, row {row}: open_time {stamps[row]} has another unit than the first row"
                    )
                return stamps * unit_ns // 1_000_000
        raise MarketError(f"{path}, row 0: open_time {stamps[0]} is not a time since 1990 in s, ms, us or ns")
    times = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    wrong = np.flatnonzero(times.isna())
    if len(wrong):
        row = int(wrong[0])
        raise MarketError(f"{path}, row {row}: open_time {column.iloc[row]} is not a date and time")
    return times.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)


def bar_path(row: NDArray[np.int64], steps: int) -> list[tuple[int, int]]:
    """Return prices (ticks) and sizes (lots) of a bar's trades along TradingView's path.

    The path goes open-high-low-close where the high is nearer to the open than the low, else (also on a
    tie) open-low-high-close. The trades have exactly the bar's extremes, ends and volume; with fewer lots
    than corners in the path, some corners get size 0 (they move the price without a trade).
    """
    first, high, low, last, volume = (int(value) for value in row)
    high_first = high - first < first - low
    corners = [first, high, low, last] if high_first else [first, low, high, last]
    length = sum(abs(b - a) for a, b in pairwise(corners))
    count = max(4, min(steps, volume, length + 1))
    prices = [corners[0]]
    for start, end in pairwise(corners):
        share = 1 if not length else max(1, (count - 1) * abs(end - start) // length)
        prices += [start + (end - start) * index // share for index in range(1, share)]
        prices.append(end)
    per_trade, surplus = divmod(volume, len(prices))
    return [(price, per_trade + (index < surplus)) for index, price in enumerate(prices)]
