"""Reads and checks bars from files; an error is one sentence with file, row and what was expected.

Parquet, feather, JSON (a list of rows) and CSV (plain, gzip or zip) with the open time, open, high, low,
close and volume (optional), by any of their usual names; a CSV without a header has them in this order.
Rows count from 1 after the header, lines as an editor counts them.
"""

import re
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.backtest.data.columns import column as column_of
from engine.backtest.data.columns import numbers
from engine.backtest.data.funding import Funding
from engine.backtest.data.samples import DATASETS, dataset
from engine.backtest.data.table_files import DataError, errors_with_line, read_table, with_line
from engine.backtest.data.time_column import NO_ZONE, joined, times_ns
from engine.market_data.bar_times import early_rows, usual_step_ns
from engine.model.bars import Bars
from engine.model.timeframes import duration_text
from runtime.suggestions import did_you_mean

__all__ = [
    "DataError",
    "Loaded",
    "bars_of_table",
    "check_bars",
    "cut",
    "is_wanted",
    "load_bars",
    "open_bars",
    "read_bars",
    "read_funding",
]

_PRICES = ("open", "high", "low", "close")
_TIME_NAMES = (
    *("open_time", "opentime", "datetime", "date_time", "timestamp", "time", "date", "open_timestamp"),
    *("open_date", "start_time", "starttime", "start", "candle_begin_time", "bar_time", "gmt_time"),
    *("utc_time", "local_time", "unix", "unix_time", "unixtime", "epoch", "ts", "dt", "t"),
    *("index", "unnamed:_0", "", "__index_level_0__"),
)
"""In the order of preference; the last ones are a data frame's index."""
_FUNDING_TIMES = ("funding_time", "fundingtime", "calc_time")
_FUNDING_RATES = ("funding_rate", "fundingrate", "last_funding_rate")
_VOLUME_NAMES = ("volume", "vol", "v", "base_volume", "tick_volume", "tickvol")
_WANTED = (_TIME_NAMES, *((name, name[0]) for name in _PRICES), _VOLUME_NAMES)
_EXPORTED = re.compile(r"(?:.*_)?([^_]+), ?\w+")
"""TradingView's exports of bars: `BINANCE_BTCUSDT.P, 60.csv`."""
_SYMBOL = re.compile(r"(.+?)(?:_|-(?=\d+(?:mo|[smhdwM])(?:-|$))|$)")
_FLOAT32_EXACT = 1 << 24
_FIRST = 1000
_NO_PRICE_ABOVE = 1e15
_NO_VOLUME_ABOVE = 1e30
"""Amounts computed from larger numbers cannot represent cents, and their squares overflow."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Bars of a file, and notes on how they were read, one sentence each."""

    bars: Bars
    notes: tuple[str, ...] = ()


def read_bars(path: str | Path, symbol: str | None = None) -> Bars:
    """`load_bars` without the notes, of a file."""
    return _load_file(Path(path), symbol).bars


def open_bars(source: str | Path, symbol: str | None = None) -> Bars:
    """`load_bars` without the notes."""
    return load_bars(source, symbol).bars


def load_bars(source: str | Path, symbol: str | None = None) -> Loaded:
    """A file of bars, or a sample market by its name where there is no such file; raises `DataError`.

    The symbol is the file's name up to the first `_` or the timeframe, in TradingView's exports what stands
    between exchange and timeframe, unless given here or as `SYMBOL=FILE`. The timeframe is the usual
    distance of neighbours.
    """
    name, source = str(source), Path(source)
    given, equals, rest = name.partition("=")
    if equals and not source.exists():
        return load_bars(Path(rest), symbol or given)
    if name in DATASETS and not source.exists():
        return Loaded(replace(dataset(name), symbol=symbol or DATASETS[name].symbol))
    if not source.suffix and not source.exists():
        raise DataError(
            f"{source}: no such file{did_you_mean(name, DATASETS)}, expected bars as parquet or CSV,"
            f" or one of {', '.join(DATASETS)}"
        )
    return _load_file(source, symbol)


def _load_file(path: Path, symbol: str | None) -> Loaded:
    with errors_with_line(path):
        found = bars_of_table(path, read_table(path), symbol)
    return replace(found, notes=tuple(with_line(path, note) for note in found.notes))


def is_wanted(column: str) -> bool:
    """Whether a column of that name may be one of those that bars are made of."""
    plain = _plain(column)
    return plain.startswith("vol") or any(plain in names for names in _WANTED)


def bars_of_table(path: Path, raw: pa.Table, symbol: str | None) -> Loaded:
    """Bars of a table with any of the usual names of columns; `path` is what errors name as its source."""
    table, rows, notes = _bars_table(path, raw)
    time_ns = numbers(table.column("open_time"))
    prices = {name: _floats(path, table, name, rows) for name in _PRICES}
    has_volume = "volume" in table.column_names
    volume = _floats(path, table, "volume", rows) if has_volume else np.zeros(len(time_ns))
    _check_prices(path, prices, volume, rows)
    columns = [time_ns, *prices.values(), volume]
    if len(time_ns) > 1 and (np.diff(time_ns) < 0).all():
        columns = [np.ascontiguousarray(column[::-1]) for column in columns]
        rows = rows[::-1]
        notes.append(f"{path.name} has the newest bar first and is read in reverse")
    _check_order(path, columns[0], rows)
    if len(time_ns) < 2:
        raise DataError(f"{path}: {len(time_ns)} bar, expected at least two")
    usual = usual_step_ns(columns[0])
    notes += _odd_times(path, columns[0], usual, rows)
    name = symbol or _symbol(path)
    return Loaded(Bars(name, usual, *columns), tuple(notes))


def _symbol(path: Path) -> str:
    """The symbol in the file's name."""
    found = _EXPORTED.fullmatch(path.stem) or _SYMBOL.match(path.name.split(".")[0])
    return found[1] if found else path.stem


def _bars_table(path: Path, table: pa.Table) -> tuple[pa.Table, NDArray[np.int64], list[str]]:
    """The columns by our names, `open_time` in nanoseconds, without rows that have no price; row numbers."""
    names: dict[str, str] = {}
    for name in table.column_names:
        names.setdefault(_plain(name), name)
    twice = next((name for name in table.column_names if table.column_names.count(name) > 1), None)
    if twice is not None and twice in {_named(names, *wanted) for wanted in _WANTED}:
        raise DataError(f"{path}: two columns are called {twice!r}, expected one")
    found = {name: _named(names, name, name[0]) for name in _PRICES}
    volume = _named(names, *_VOLUME_NAMES) or next((n for k, n in names.items() if k.startswith("vol")), None)
    time_name = _named(names, *_TIME_NAMES)
    missing = [name for name in _PRICES if found[name] is None]
    if time_name is None or missing:
        hint = " (a close time is when a bar ends)" if "close_time" in names and not missing else ""
        if not missing and not hint and not path.suffix:  # a data frame
            hint = "; a column of times or a DatetimeIndex says when each bar opens"
        if any(map(_is_number, table.column_names)):
            hint = "; its first line seems to be a row: write a line of names above it"
        raise DataError(
            f"{path}: no column {missing[0] if missing else 'open_time'!r} among"
            f" {', '.join(map(repr, table.column_names[:12]))},"
            f" expected open_time, open, high, low, close and perhaps volume{hint}"
        )
    if not table.num_rows:
        raise DataError(f"{path}: 0 bars, expected at least two")
    column = table.column(time_name)
    if {"date", "time"} <= set(names) and _is_time_of_day(table.column(names["time"])):
        column = joined(table.column(names["date"]), table.column(names["time"]))
    label = time_name if _plain(time_name) not in {"", "__index_level_0__"} else "the time"
    time_ns, no_zone = times_ns(path, column, label)
    chosen = {"open_time": pa.chunked_array([column_of(time_ns)])}
    chosen |= {name: table.column(found[name]) for name in _PRICES}
    if volume is not None:
        chosen["volume"] = table.column(volume)
    notes = [NO_ZONE] if no_zone else []
    made = pa.table(chosen)
    empty = _empty_rows(made)
    if empty.any() and not empty.all():
        rows = "1 row" if empty.sum() == 1 else f"{empty.sum()} rows"
        notes.append(f"{path.name} has {rows} without prices: treated as missing bars")
        return made.filter(pa.array(~empty)), np.flatnonzero(~empty) + 1, notes
    return made, np.arange(1, made.num_rows + 1), notes


def _plain(name: str) -> str:
    plain = re.sub(r"[\s\-.]+", "_", name.strip().strip("<>").lower())
    return re.sub(r"_?\(?utc\)?$", "", plain) or plain


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _named(names: dict[str, str], *wanted: str) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _is_time_of_day(column: pa.ChunkedArray) -> bool:
    if pa.types.is_time(column.type):
        return True
    return pa.types.is_string(column.type) and bool(
        pc.all(pc.match_substring_regex(column, r"^\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*$")).as_py()
    )


def _empty_rows(table: pa.Table) -> NDArray[np.bool_]:
    """Rows with a time but no prices: the source marks a missing bar that way."""
    empty = np.ones(table.num_rows, np.bool_)
    for name in _PRICES:
        column = table.column(name)
        if pa.types.is_float64(column.type):
            column = pc.fill_null(column, nan) if column.null_count else column
            empty &= np.isnan(numbers(column))
        else:
            empty &= pc.is_null(column).to_numpy() if column.null_count else False
        if not empty.any():
            break
    return empty


def _odd_times(path: Path, time_ns: NDArray[np.int64], usual: int, rows: NDArray[np.int64]) -> list[str]:
    steps, notes = np.diff(time_ns), []
    early = early_rows(time_ns, usual)
    if len(early):
        row, more = int(early[0]), f" ({len(early)} such rows)" if len(early) > 1 else ""
        notes.append(
            f"{path.name}, row {rows[row]}: opens {duration_text(int(steps[row - 1]))} after the bar before,"
            f" bars are {duration_text(usual)} apart{more}"
        )
    share = float((steps == usual).mean())
    if share < 0.5 and len(steps) > 2 and usual < 28 * 86_400 * 10**9:
        notes.append(f"{path.name}: only {share:.0%} of the bars are {duration_text(usual)} apart")
    return notes


def read_funding(path: Path) -> Funding:
    """Funding events from columns funding_time and funding_rate (what a long pays, a fraction).

    Raises `DataError`.
    """
    with errors_with_line(path):
        return _read_funding(path)


def _read_funding(path: Path) -> Funding:
    table = read_table(path, "funding")
    names = {_plain(name): name for name in reversed(table.column_names)}
    time_name, rate_name = _named(names, *_FUNDING_TIMES, *_TIME_NAMES), _named(names, *_FUNDING_RATES)
    for wanted, found in (("funding_time", time_name), ("funding_rate", rate_name)):
        if found is None:
            raise DataError(f"{path}: no column {wanted!r}, expected funding_time and funding_rate")
    time_ns, _ = times_ns(path, table.column(time_name), "funding_time")
    rows = np.arange(1, len(time_ns) + 1)
    rate = _floats(path, table, str(rate_name), rows)
    if len(time_ns) > 1 and (np.diff(time_ns) < 0).all():
        time_ns, rate = np.ascontiguousarray(time_ns[::-1]), np.ascontiguousarray(rate[::-1])
        rows = rows[::-1]
    _check_order(path, time_ns, rows, "funding_time")
    bad = ~np.isfinite(rate)
    if bad.any():
        raise DataError(f"{path}, row {rows[int(np.argmax(bad))]}: funding_rate is not a number")
    return Funding(time_ns, rate)


def check_bars(bars: Bars) -> None:
    """Check bars in memory as a file of bars is checked; raises `DataError`."""
    what = f"bars of {bars.symbol}"
    columns = {name: getattr(bars, name) for name in ("open_time_ns", *_PRICES, "volume_base")}
    for name, values in columns.items():
        kind = np.int64 if name == "open_time_ns" else np.float64
        if not isinstance(values, np.ndarray) or values.dtype != kind or values.shape != (len(bars),):
            raise DataError(f"{what}: {name} is not an array of {len(bars)} {np.dtype(kind)} numbers")
    if len(bars) < 2:
        raise DataError(f"{what}: {len(bars)} {'bar' if len(bars) == 1 else 'bars'}, expected at least two")
    rows = np.arange(1, len(bars) + 1)
    _check_prices(what, {name: columns[name] for name in _PRICES}, bars.volume_base, rows)
    _check_order(what, bars.open_time_ns, rows)


def cut(bars: Bars, start_ns: int | None, end_ns: int | None = None) -> Bars:
    """The bars that open at or after `start_ns` and before `end_ns`."""
    first = 0 if start_ns is None else int(np.searchsorted(bars.open_time_ns, start_ns))
    last = len(bars) if end_ns is None else int(np.searchsorted(bars.open_time_ns, end_ns))
    return bars.part(first, last)


def _floats(path: Path, table: pa.Table, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    try:
        column = table.column(name).cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as e:
        row, value = _no_number(table.column(name))
        raise DataError(f"{path}, row {rows[row]}: {name} is {value!r}, expected a number") from e
    if column.null_count:
        raise DataError(
            f"{path}, row {rows[_first(pc.is_null(column))]}: {name} is empty or nan, expected a number"
        )
    return _printed(numbers(column))


def _no_number(column: pa.ChunkedArray) -> tuple[int, object]:
    """Row and value of the first cell that is not a number."""
    for row, value in enumerate(column.to_pylist()):
        if not _is_number(str(value)):
            return row, value
    return 0, column[0].as_py()  # a kind of column that holds no numbers at all, such as times


def _printed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers that came from float32 (0.30000001192) as the decimals they stand for (0.3)."""
    with np.errstate(over="ignore"):  # what does not fit is infinite, and so different
        if (values[:_FIRST].astype(np.float32) != values[:_FIRST]).any():
            return values
        narrow = values.astype(np.float32)
    if not len(values) or not (narrow == values).all() or (np.abs(values) >= _FLOAT32_EXACT).any():
        return values
    if (values == np.rint(values * 64.0) / 64.0).all():
        return values
    different, rows = np.unique(narrow, return_inverse=True)
    return np.asarray(different.astype(str).astype(np.float64)[rows])


def _check_order(
    source: object, time_ns: NDArray[np.int64], rows: NDArray[np.int64], name: str = "open_time"
) -> None:
    step = np.diff(time_ns)
    if (step > 0).all():
        return
    at = int(np.argmax(step <= 0)) + 1
    if step[at - 1] == 0:
        raise DataError(f"{source}, row {rows[at]}: the same {name} as the row before, expected each once")
    raise DataError(f"{source}, row {rows[at]}: opens before the row above, expected rows sorted by {name}")


def _check_prices(
    source: object,
    prices: dict[str, NDArray[np.float64]],
    volume: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> None:
    for name, values in prices.items():
        bad = ~((values > 0) & (values < _NO_PRICE_ABOVE))
        if bad.any():
            at = int(np.argmax(bad))
            raise DataError(
                f"{source}, row {rows[at]}: {name} is {values[at]}, expected a positive price below 1e15"
            )
    high, low = prices["high"], prices["low"]
    wrong = high < low
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(f"{source}, row {rows[at]}: high {high[at]} is below low {low[at]}")
    for name in ("open", "close"):
        outside = (prices[name] > high) | (prices[name] < low)
        if outside.any():
            at = int(np.argmax(outside))
            raise DataError(
                f"{source}, row {rows[at]}: {name} {prices[name][at]}"
                f" lies outside low {low[at]} and high {high[at]}"
            )
    bad = ~((volume >= 0) & (volume < _NO_VOLUME_ABOVE))
    if bad.any():
        at = int(np.argmax(bad))
        raise DataError(f"{source}, row {rows[at]}: volume is {volume[at]}, expected from 0 to 1e30")


def _first(mask: pa.ChunkedArray) -> int:
    return int(np.argmax(mask.to_numpy()))
