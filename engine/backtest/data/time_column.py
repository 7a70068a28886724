"""A column of times in any usual form as integer nanoseconds UTC.

With a zone or without (then UTC), dates alone, text, and integers since 1970 in s, ms, us or ns.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.backtest.data.columns import numbers
from engine.backtest.data.table_files import DataError

NO_ZONE = "times without a zone are read as UTC"
_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_BORDERS = np.array([5 * 10**8, 5 * 10**11, 5 * 10**14, 5 * 10**17])
"""From 1985-11-05 in seconds, milliseconds, microseconds and nanoseconds: no time fits two units."""
_NS = (1_000_000_000, 1_000_000, 1_000, 1)
_LAST_NS = 2**63 - 1
_COUNTABLE = "expected times between 1970 and 2261"
_WRITE = "expected a time like 2025-01-31 14:00 (UTC) or 2025-01-31T14:00:00+08:00, or an integer since 1970"
_DIGITS = (
    (19_700_101, 22_611_231, "%Y%m%d"),
    (197_001_010_000, 226_112_312_359, "%Y%m%d%H%M"),
    (19_700_101_000_000, 22_611_231_235_959, "%Y%m%d%H%M%S"),
)
_YEAR_FIRST = re.compile(r"(\d{4})[./](\d{1,2})[./](\d{1,2})")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_YEAR_LAST = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
_ZONE_WORD = re.compile(r"\s*(?:UTC|GMT)([+-]\d{2}:?\d{2})?$")


def times_ns(path: Path, column: pa.ChunkedArray, name: str) -> tuple[NDArray[np.int64], bool]:
    """Nanoseconds of each row, and whether a zone was missing. Raises `DataError` with file and row."""
    if column.null_count:
        row = int(np.argmax(pc.is_null(column).to_numpy())) + 1
        raise DataError(f"{path}, row {row}: no {name}")
    kind = column.type
    if pa.types.is_date(kind):
        return _cast(path, column, name), True
    if pa.types.is_timestamp(kind):
        return _cast(path, column, name), kind.tz is None
    if pa.types.is_floating(kind):
        column = _whole(path, column, name)
    if pa.types.is_integer(column.type):
        raw = numbers(column.cast(pa.int64()))
        return _counted(path, raw, name), False
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _read(path, column.to_pylist(), name)
    raise DataError(f"{path}: {name} is {kind}, {_WRITE}")


def joined(dates: pa.ChunkedArray, times: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of dates and one of times of day as one column of text."""
    pairs = zip(dates.to_pylist(), times.to_pylist(), strict=True)
    return pa.chunked_array([pa.array([f"{date} {time}" for date, time in pairs])])


def _cast(path: Path, column: pa.ChunkedArray, name: str) -> NDArray[np.int64]:
    try:
        stamps = column.cast(pa.timestamp("ns")) if pa.types.is_date(column.type) else column
        zone = stamps.type.tz
        return numbers(stamps.cast(pa.timestamp("ns", "UTC" if zone else None)).cast(pa.int64()))
    except pa.ArrowInvalid as e:
        years = pc.year(column).to_numpy()
        row = int(np.argmax((years < 1970) | (years > 2261)))
        raise DataError(f"{path}, row {row + 1}: {name} is in the year {years[row]}, {_COUNTABLE}") from e


def _whole(path: Path, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as e:
        values = numbers(column.cast(pa.float64()))
        row = int(np.argmax((values != np.rint(values)) | ~(np.abs(values) < 2.0**63)))
        raise DataError(
            f"{path}, row {row + 1}: {name} is {values[row]}, not a whole number, {_WRITE}"
        ) from e


def _counted(path: Path, raw: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """Integers since 1970, all in one unit, or dates written as digits."""
    if not len(raw):
        return raw
    for least, most, form in _DIGITS:
        if least <= raw.min() and raw.max() <= most:
            return _digits(path, raw, name, form)
    unit = np.searchsorted(_BORDERS, raw, side="right") - 1
    if unit[0] < 0:
        raise DataError(f"{path}, row 1: {name} {_too_small(int(raw[0]))}")
    other = np.flatnonzero(unit != unit[0])
    if len(other):
        row = int(other[0])
        now = _UNITS[unit[row]] if unit[row] >= 0 else "no unit that fits"
        raise DataError(
            f"{path}, row {row + 1}: {name} {raw[row]} is in {now}, the rows above are in {_UNITS[unit[0]]},"
            " expected one unit in a file"
        )
    scale = _NS[int(unit[0])]
    late = raw > _LAST_NS // scale
    if late.any():
        row = int(np.argmax(late))
        raise DataError(
            f"{path}, row {row + 1}: {name} {raw[row]} in {_UNITS[int(unit[0])]} is not a time, {_COUNTABLE}"
        )
    return np.ascontiguousarray(raw * scale)


def _too_small(value: int) -> str:
    if value < 10_000_000:
        return f"{value} is not a time, {_WRITE}"
    meant = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d")
    return (
        f"{value} would be {meant} in seconds; integers are only read from 1985-11-05 on, because smaller"
        f" ones may be in another unit: write older times as text, such as {meant}"
    )


def _digits(path: Path, raw: NDArray[np.int64], name: str, form: str) -> NDArray[np.int64]:
    found = np.empty(len(raw), np.int64)
    for row, value in enumerate(raw.tolist()):
        try:
            found[row] = _ns(datetime.strptime(str(value), form).replace(tzinfo=UTC))
        except ValueError as e:
            raise DataError(f"{path}, row {row + 1}: {name} {value} is not a date, {_WRITE}") from e
    return found


def _read(path: Path, texts: list[str], name: str) -> tuple[NDArray[np.int64], bool]:
    found = np.empty(len(texts), np.int64)
    no_zone = False
    for row, text in enumerate(texts):
        try:
            moment = parse_time(text)
        except ValueError as e:
            odd = _first_odd(texts, row)
            said = f"{texts[odd]!r} cannot be read, {_WRITE}{two_days(texts[odd])}"
            raise DataError(f"{path}, row {odd + 1}: {name} {said}") from e
        no_zone = no_zone or moment.tzinfo is None
        value = _ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        if not -_LAST_NS <= value <= _LAST_NS:
            raise DataError(f"{path}, row {row + 1}: {name} is {text!r}, {_COUNTABLE}")
        found[row] = value
    return found, no_zone


def _first_odd(texts: list[str], row: int) -> int:
    """The row to name: where integers are mixed with text, the text made all of them text."""
    if not texts[row].strip().isdigit():
        return row
    return next((k for k, text in enumerate(texts) if not text.strip().isdigit()), row)


def two_days(text: str) -> str:
    """Why a date is refused that has slashes and its year last, or ""."""
    if not _YEAR_LAST.match(text.strip()):
        return ""
    return "; with slashes it may be day or month first: write 2025/01/31, or 31.01.2025, which is day first"


def parse_time(text: str) -> datetime:
    """A time as people write it: ISO 8601, also with `.` or `/` in the date, 31.01.2025, UTC or GMT behind.

    Without a zone the result has none. ValueError for anything else, and for dates like 01/02/2025, which
    mean two days.
    """
    text = text.strip()
    zone = _ZONE_WORD.search(text)
    if zone:
        text = text[: zone.start()] + (zone[1] or "+00:00")
    first, separator, rest = text.partition("T" if "T" in text else " ")
    if match := _YEAR_FIRST.fullmatch(first):
        first = f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}"
    elif match := _DAY_FIRST.fullmatch(first):
        first = f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}"
    return datetime.fromisoformat(first + separator + rest.strip())


def _ns(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
