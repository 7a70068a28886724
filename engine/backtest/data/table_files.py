"""Files of rows as Arrow tables: parquet, feather, JSON, CSV (plain, gzip or zip; with a header or not)."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
from pyarrow import feather

from engine.backtest.data.columns import read_parquet
from engine.model.sentences import SentenceError

_HEADERLESS = ("open_time", "open", "high", "low", "close", "volume")
"""Order of the columns in files of exchanges that have no header."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DELIMITERS = (",", ";", "\t")
_FEWEST_COLUMNS = 2
_TWO_HEADERS = b"Price,"
_ROW = re.compile(r", row (\d+):")


class DataError(SentenceError):
    """A data file cannot be used; the message is one sentence for the user."""


def read_table(path: Path, holding: str = "bars") -> pa.Table:
    """The whole file; raises `DataError`. `holding` is what the file should hold, in words."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {what}, expected {holding} as parquet or CSV")
    kind, read = _KINDS.get(_suffix(path), ("CSV", _read_csv))
    try:
        table = read(path)
        # Decodes the names, which pyarrow leaves to the first who asks.
        return table if table.column_names else pa.table({})
    except UnicodeDecodeError as e:
        raise DataError(f"{path}: not a text file, expected {holding} as CSV") from e
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError, EOFError, zlib.error, json.JSONDecodeError) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise DataError(f"{path}: cannot be read as {kind} ({reason})") from e


def _suffix(path: Path) -> str:
    return path.with_suffix("").suffix if path.suffix in {".gz", ".zip"} else path.suffix


def _read_feather(path: Path) -> pa.Table:
    return feather.read_table(path, use_threads=False, memory_map=False)


def _read_json(path: Path) -> pa.Table:
    """Rows as exchanges send them and freqtrade keeps them: [open time, open, high, low, close, volume]."""
    rows = json.loads(_unpacked(path))
    is_rows = isinstance(rows, list) and rows and all(isinstance(row, list) for row in rows)
    if not is_rows or len({len(row) for row in rows}) > 1:
        raise DataError(f"{path}: expected a list of rows [open_time, open, high, low, close, volume]")
    extra = [f"column {number}" for number in range(len(_HEADERLESS) + 1, len(rows[0]) + 1)]
    names = [*_HEADERLESS, *extra][: len(rows[0])]
    return pa.table([pa.array(values) for values in zip(*rows, strict=True)], names=names)


def _read_csv(path: Path) -> pa.Table:
    data = _unpacked(path)
    if not data.strip():
        raise DataError(f"{path}: empty file, expected a CSV table")
    skipped, delimiter, names = _layout(path, data)
    before = skipped + (names is None)
    odd: list[pa_csv.InvalidRow] = []

    def skip(row: pa_csv.InvalidRow) -> str:
        odd.append(row)
        return "skip"

    table = pa_csv.read_csv(
        io.BytesIO(data if data.endswith(b"\n") else data + b"\n"),  # else a lone header is an error
        # On one thread: rows have their number, and a process that ends at once does not end in an abort
        # because threads of the pool still start.
        read_options=pa_csv.ReadOptions(skip_rows=skipped, column_names=names, use_threads=False),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
        # Where columns part at semicolons, a comma is the decimal one.
        convert_options=pa_csv.ConvertOptions(
            decimal_point="," if delimiter == ";" and b"," in data else "."
        ),
    )
    if odd:
        first = odd[0]
        raise DataError(
            f"{path}, row {first.number - before}: {first.actual_columns} columns,"
            f" the first line has {first.expected_columns}"
        )
    return table


def _layout(path: Path, data: bytes) -> tuple[int, str, list[str] | None]:
    """Lines before the table, what parts its columns, and their names where no line of it has them."""
    skipped, line = _first_row(data)
    if data.startswith(_TWO_HEADERS) and data.splitlines()[1].startswith(b"Ticker"):
        # Yahoo's downloader writes a table of two header rows and puts the index's name in a third.
        skipped, line = 3, line.replace("Price", "Date", 1)
    delimiter = max(_DELIMITERS, key=line.count)
    if delimiter not in line:
        raise DataError(f"{path}: its first line, {line[:60]!r}, has one column, expected a CSV table")
    fields = [field.strip().strip('"') for field in line.split(delimiter)]
    if len(fields) > _FEWEST_COLUMNS and all(_NUMBER.fullmatch(field) for field in fields[1:5]):
        extra = [f"column {number}" for number in range(len(_HEADERLESS) + 1, len(fields) + 1)]
        return skipped, delimiter, [*_HEADERLESS[: len(fields)], *extra]
    return skipped, delimiter, fields if skipped > 1 else None


def with_line(path: Path, text: str) -> str:
    """A sentence about a row of a CSV with the line number of an editor added; others unchanged.

    Rows count from 1 after the header; lines from 1 at the top, empty ones too.
    """
    named = _ROW.search(text)
    if named is None or _suffix(path) in _KINDS or not path.is_file():
        return text
    data = _unpacked(path)
    skipped, _, names = _layout(path, data)
    lines = data.splitlines()
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    at = skipped + (names is None) + int(named[1]) - 1
    if at >= len(filled):
        return text
    return f"{text[: named.start()]}, line {filled[at]}{text[named.start() :]}"


@contextmanager
def errors_with_line(path: Path) -> Iterator[None]:
    """Add the line number of the file to a `DataError` about a row of `path`."""
    try:
        yield
    except DataError as e:
        raise DataError(with_line(path, str(e))) from e


def _unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            return file.read()
    if path.suffix != ".zip":
        return path.read_bytes()
    return _only_file(path)


def _only_file(path: Path) -> bytes:
    import zipfile  # noqa: PLC0415  # few files are packed like that

    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise DataError(f"{path}: {len(names)} files inside, expected one CSV")
            return archive.read(names[0])
    except (zipfile.BadZipFile, RuntimeError, zlib.error) as e:  # RuntimeError: it wants a password
        raise DataError(f"{path}: cannot be read as CSV ({e})") from e


def _first_row(data: bytes) -> tuple[int, str]:
    """Number of lines above the table (a title, an address), and the table's first line."""
    lines = [line.decode("utf-8-sig") for line in data[:8192].splitlines()[:2]]
    if len(lines) > 1 and not any(mark in lines[0] for mark in _DELIMITERS) and "," in lines[1]:
        return 1, lines[1]
    return 0, lines[0] if lines else ""


_KINDS: Mapping[str, tuple[str, Callable[[Path], pa.Table]]] = {
    ".parquet": ("parquet", read_parquet),
    ".feather": ("feather", _read_feather),
    ".json": ("JSON", _read_json),
}
"""By the end of a file's name; all others are CSV."""
