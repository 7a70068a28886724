"""Bars from files, checked: a fault is one sentence naming file, row and what was expected.

Parquet, CSV and gzipped CSV with the columns open_time, open, high, low, close and volume (optional).
`open_time` carries a zone or is an integer since 1970 in s, ms, us or ns. Rows count from 1 after the header.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from engine.backtest.columns import numbers, read_parquet
from engine.backtest.datasets import DATASETS, dataset
from engine.market_data.bars import Bars

if TYPE_CHECKING:
    from engine.backtest.plans import Funding

_PRICES = ("open", "high", "low", "close")
_TIME_NAMES = ("open_time", "time", "timestamp", "date")
_FIRST_NS = 1_000_000_000_000_000_000 // 2
_LAST_NS = 2**63 - 1
_UNCOUNTABLE = "has a time that nanoseconds cannot count, expected times between 1970 and 2261"
_UNITS_NS = (1, 1_000, 1_000_000, 1_000_000_000)


class DataError(ValueError):
    """A data file cannot be used; the message is one sentence for a person."""


def read_bars(path: Path, symbol: str | None = None) -> Bars:
    """Read and check a file of bars; the symbol is taken from the file's name unless given.

    Raises `DataError`. The timeframe is the smallest distance between neighbours.
    """
    table = _read_table(path)
    names = {name.lower(): name for name in table.column_names}
    time_name = next((names[name] for name in _TIME_NAMES if name in names), None)
    missing = [name for name in _PRICES if name not in names]
    if time_name is None or missing:
        raise DataError(
            f"{path}: no column {missing[0] if missing else 'open_time'!r},"
            " expected open_time, open, high, low, close and perhaps volume"
        )
    if table.num_rows < 2:
        raise DataError(f"{path}: {table.num_rows} bars, expected at least two")
    time_ns = _times(path, table.column(time_name))
    prices = {name: _floats(path, table, names[name]) for name in _PRICES}
    volume = _floats(path, table, names["volume"]) if "volume" in names else np.zeros(len(time_ns))
    _check_order(path, time_ns)
    _check_prices(path, prices, volume)
    return Bars(
        symbol or path.name.split(".")[0].split("_")[0],
        int(np.diff(time_ns).min()),
        time_ns,
        prices["open"],
        prices["high"],
        prices["low"],
        prices["close"],
        volume,
    )


def open_bars(source: Path, symbol: str | None = None) -> Bars:
    """A file of bars, or a sample market by its name where there is no such file; raises `DataError`."""
    name = str(source)
    if name in DATASETS and not source.exists():
        return dataset(name)
    if not source.suffix and not source.exists():
        known = ", ".join(DATASETS)
        raise DataError(f"{source}: no such file, expected bars as parquet or CSV, or one of {known}")
    return read_bars(source, symbol)


def read_funding(path: Path) -> "Funding":
    """Funding events from columns funding_time and funding_rate (what a long pays, a fraction).

    Raises `DataError`.
    """
    from engine.backtest.plans import Funding  # noqa: PLC0415  # brings all strategies, and so numba

    table = _read_table(path)
    for name in ("funding_time", "funding_rate"):
        if name not in table.column_names:
            raise DataError(f"{path}: no column {name!r}, expected funding_time and funding_rate")
    time_ns = _times(path, table.column("funding_time"), "funding_time")
    rate = _floats(path, table, "funding_rate")
    _check_order(path, time_ns, "funding_time")
    bad = ~np.isfinite(rate)
    if bad.any():
        raise DataError(f"{path}, row {int(np.argmax(bad)) + 1}: funding_rate is no number")
    return Funding(time_ns, rate)


def cut(bars: Bars, start_ns: int | None, end_ns: int | None = None) -> Bars:
    """The bars that open at or after `start_ns` and before `end_ns`."""
    first = 0 if start_ns is None else int(np.searchsorted(bars.open_time_ns, start_ns))
    last = len(bars) if end_ns is None else int(np.searchsorted(bars.open_time_ns, end_ns))
    return bars.part(first, last)


def _read_table(path: Path) -> pa.Table:
    if not path.is_file():
        raise DataError(f"{path}: no such file, expected bars as parquet or CSV")
    try:
        table = read_parquet(path) if path.suffix == ".parquet" else pa_csv.read_csv(path)
        # Decodes the names, which pyarrow leaves to the first who asks.
        return table if table.column_names else pa.table({})
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as e:
        kind = "parquet" if path.suffix == ".parquet" else "CSV"
        raise DataError(f"{path}: cannot be read as {kind} ({str(e).splitlines()[0]})") from e


def _times(path: Path, column: pa.ChunkedArray, name: str = "open_time") -> NDArray[np.int64]:
    if column.null_count:
        raise DataError(f"{path}, row {_first(pc.is_null(column)) + 1}: no {name}")
    kind = column.type
    if pa.types.is_string(kind):
        try:
            column = pc.strptime(column, "%Y-%m-%dT%H:%M:%S%z", "s")
            kind = column.type
        except pa.ArrowInvalid as e:
            raise DataError(
                f"{path}: {name} {column[0].as_py()!r}, expected a time with a zone like 2025-01-31T14:00:00Z"
            ) from e
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            raise DataError(f"{path}: {name} has no time zone, expected UTC")
        try:
            return numbers(column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()))
        except pa.ArrowInvalid as e:
            raise DataError(f"{path}: {name} {_UNCOUNTABLE}") from e
    if pa.types.is_integer(kind):
        raw = numbers(column.cast(pa.int64()))
        unit = next((unit for unit in _UNITS_NS if int(raw[0]) * unit >= _FIRST_NS), None) if len(raw) else 1
        if unit is not None:
            if raw.max() > _LAST_NS // unit:
                raise DataError(f"{path}: {name} {_UNCOUNTABLE}")
            return np.ascontiguousarray(raw * unit)
    raise DataError(f"{path}: {name} is {kind}, expected a time with a zone or an integer since 1970")


def _floats(path: Path, table: pa.Table, name: str) -> NDArray[np.float64]:
    try:
        column = table.column(name).cast(pa.float64())
    except pa.ArrowInvalid as e:
        raise DataError(f"{path}: column {name!r} is not made of numbers") from e
    if column.null_count:
        raise DataError(
            f"{path}, row {_first(pc.is_null(column)) + 1}: {name} is empty or nan, expected a number"
        )
    return numbers(column)


def _check_order(path: Path, time_ns: NDArray[np.int64], name: str = "open_time") -> None:
    step = np.diff(time_ns)
    if (step > 0).all():
        return
    row = int(np.argmax(step <= 0)) + 2
    if step[row - 2] == 0:
        raise DataError(f"{path}, row {row}: the same {name} as the row before, expected each once")
    raise DataError(f"{path}, row {row}: opens before the row above, expected rows sorted by {name}")


def _check_prices(path: Path, prices: dict[str, NDArray[np.float64]], volume: NDArray[np.float64]) -> None:
    for name, values in prices.items():
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(f"{path}, row {row + 1}: {name} is {values[row]}, expected a positive price")
    high, low = prices["high"], prices["low"]
    wrong = high < low
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{path}, row {row + 1}: high {high[row]} is below low {low[row]}")
    for name in ("open", "close"):
        outside = (prices[name] > high) | (prices[name] < low)
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(
                f"{path}, row {row + 1}: {name} {prices[name][row]}"
                f" lies outside low {low[row]} and high {high[row]}"
            )
    bad = ~(np.isfinite(volume) & (volume >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{path}, row {row + 1}: volume is {volume[row]}, expected zero or more")


def _first(mask: pa.ChunkedArray) -> int:
    return int(np.argmax(mask.to_numpy()))
