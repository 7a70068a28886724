"""TradingView's "List of trades" as exported: reading it, and printing numbers the way it does.

Both layouts are read (exit row first or entry row first), old and new column names, with or without a
byte-order mark, plain or gzip, stamps in any chart zone.
"""

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

_COLUMNS: dict[str, tuple[str, ...]] = {
    "number": ("Trade #", "Trade number"),
    "type": ("Type",),
    "time": ("Date and time", "Date/Time"),
    "signal": ("Signal",),
    "price": ("Price",),
    "qty": ("Position size (qty)", "Size (qty)", "Contracts", "Quantity"),
    "value": ("Position size (value)", "Size (value)"),
    "pnl": ("Net P&L", "Net PnL", "P&L", "Profit"),
    "pnl_percent": ("Net P&L %", "Net PnL %", "P&L %", "Profit %"),
    "run_up": ("Favorable excursion", "Run-up"),
    "run_up_percent": ("Favorable excursion %", "Run-up %"),
    "drawdown": ("Adverse excursion", "Drawdown"),
    "drawdown_percent": ("Adverse excursion %", "Drawdown %"),
    "cumulative": ("Cumulative P&L", "Cumulative PnL", "Cum. Profit", "Cumulative profit"),
    "cumulative_percent": ("Cumulative P&L %", "Cumulative PnL %", "Cum. Profit %", "Cumulative profit %"),
}
_REQUIRED = ("number", "type", "time", "signal", "price", "qty")
MONEY_COLUMNS = (
    "value",
    "pnl",
    "pnl_percent",
    "run_up",
    "run_up_percent",
    "drawdown",
    "drawdown_percent",
    "cumulative",
    "cumulative_percent",
)


class ExportError(ValueError):
    """The file is no trade list; one sentence names file, row and what was expected."""


@dataclass(frozen=True, slots=True)
class ListedTrade:
    """One trade of the export. `money` holds the printed cells that the export has, by our column name.

    `is_open` marks a trade that was still open at the export: its exit fields mean nothing.
    """

    number: int
    direction: int
    qty: Decimal
    entry_time_ns: int
    entry_price: Decimal
    entry_signal: str
    exit_time_ns: int
    exit_price: Decimal
    exit_signal: str
    is_open: bool
    money: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    number: int
    is_entry: bool
    direction: int
    time_ns: int
    signal: str
    price: Decimal
    qty: Decimal
    money: dict[str, Decimal]


def read_trade_list(path: Path, utc_offset_hours: float) -> list[ListedTrade]:
    """The trades of an export in trade-number order.

    `utc_offset_hours` is the chart's zone; stamps that carry their own offset ignore it. Raises
    `ExportError` when the file is missing or is no trade list.
    """
    reader = csv.reader(io.StringIO(_text(path)))
    header = next(reader, None)
    if header is None:
        raise ExportError(f"{path}: empty file, expected TradingView's list of trades")
    columns = _columns(path, header)
    rows: dict[int, list[_Row]] = {}
    for cells in reader:
        if not any(cells):
            continue
        row = _row(path, reader.line_num, cells, columns, utc_offset_hours)
        rows.setdefault(row.number, []).append(row)
    return [_trade(path, pair) for _, pair in sorted(rows.items())]


def printed_money(amount: float, decimals: int = 2) -> Decimal:
    """Money as TradingView prints it (pine_semantics 4).

    Half away from zero on two decimals; when that is 0 and the amount is not, the first of the third to
    eighth decimal that shows something.
    """
    value = Decimal(repr(amount)).quantize(Decimal("1e-8"), ROUND_HALF_UP)
    for places in range(decimals, 9):
        shown = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        if shown or not value:
            return shown
    return Decimal(0)


def printed_percent(percent: float) -> Decimal:
    """A percent column: always two decimals, half away from zero."""
    return (
        Decimal(repr(percent))
        .quantize(Decimal("1e-8"), ROUND_HALF_UP)
        .quantize(Decimal("0.01"), ROUND_HALF_UP)
    )


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise ExportError(f"{path}: cannot be read ({e.strerror})") from e
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as e:
        raise ExportError(f"{path}: not a text file, expected TradingView's list of trades as CSV") from e


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip() for name in header]
    found: dict[str, int] = {}
    for key, titles in _COLUMNS.items():
        for title in titles:
            matches = [i for i, name in enumerate(names) if _is_title(name, title)]
            if matches:
                found[key] = matches[0]
                break
    missing = [_COLUMNS[key][0] for key in _REQUIRED if key not in found]
    if missing:
        raise ExportError(
            f"{path}, row 1: no column {missing[0]!r}, expected the header of TradingView's list of trades"
        )
    return found


def _is_title(name: str, title: str) -> bool:
    """`title` itself, or `title` followed by a currency ("Price USDT"), never by a percent sign."""
    if name == title:
        return True
    if title.endswith("%") or not name.startswith(title + " "):
        return False
    rest = name[len(title) + 1 :]
    return rest.isalnum() and rest.isupper()


def _row(path: Path, line: int, cells: list[str], columns: dict[str, int], offset_hours: float) -> _Row:
    def cell(key: str) -> str:
        index = columns[key]
        if index >= len(cells):
            raise ExportError(
                f"{path}, row {line}: {len(cells)} columns, the header has {max(columns.values()) + 1}"
            )
        return cells[index].strip()

    words = cell("type").lower().split()
    if len(words) < 2 or words[0] not in {"entry", "exit"} or words[1] not in {"long", "short"}:
        raise ExportError(f"{path}, row {line}: type {cell('type')!r}, expected entry or exit, long or short")
    if not cell("number").isdigit():
        raise ExportError(f"{path}, row {line}: trade number {cell('number')!r}, expected a whole number")
    money = {}
    for key in MONEY_COLUMNS:
        if key in columns and cell(key):
            money[key] = _decimal(path, line, key, cell(key))
    return _Row(
        line,
        int(cell("number")),
        words[0] == "entry",
        1 if words[1] == "long" else -1,
        _time_ns(path, line, cell("time"), offset_hours),
        cell("signal"),
        _decimal(path, line, "price", cell("price") or "nan"),
        _decimal(path, line, "qty", cell("qty") or "nan"),
        money,
    )


def _trade(path: Path, pair: list[_Row]) -> ListedTrade:
    entries = [row for row in pair if row.is_entry]
    exits = [row for row in pair if not row.is_entry]
    if len(entries) != 1 or len(exits) > 1 or (exits and exits[0].direction != entries[0].direction):
        raise ExportError(
            f"{path}, row {pair[0].line}: trade {pair[0].number} has {len(entries)} entry"
            f" and {len(exits)} exit rows, expected one of each and of one side"
        )
    entry = entries[0]
    left = exits[0] if exits else entry
    return ListedTrade(
        number=entry.number,
        direction=entry.direction,
        qty=entry.qty,
        entry_time_ns=entry.time_ns,
        entry_price=entry.price,
        entry_signal=entry.signal,
        exit_time_ns=left.time_ns,
        exit_price=left.price,
        exit_signal=left.signal,
        is_open=not exits or left.signal in {"Open", ""},
        money=left.money,
    )


def _decimal(path: Path, line: int, column: str, text: str) -> Decimal:
    try:
        return Decimal(text.replace("\u2212", "-").replace(",", ""))
    except InvalidOperation as e:
        raise ExportError(f"{path}, row {line}: {column} is {text!r}, expected a number") from e


def _time_ns(path: Path, line: int, text: str, offset_hours: float) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise ExportError(f"{path}, row {line}: time {text!r}, expected a date like 2025-01-31 14:00") from e
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone(timedelta(hours=offset_hours)))
    return int(moment.timestamp()) * 1_000_000_000
