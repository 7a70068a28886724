"""TradingView's "List of trades" as exported: reading it, and printing numbers the way it does.

Both layouts are read (exit row first or entry row first), old and new column names, with or without a
byte-order mark, plain or gzip, stamps in any chart zone.
"""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from math import floor
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

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
_MOST_DIGITS = 15
_OPEN = frozenset({"Open", ""})
"""Signals of the exit row of a trade that is still open."""
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
    """The file is no trade list; one sentence names file, line and what was expected."""


@dataclass(frozen=True, slots=True)
class ListedTrade:
    """One trade of the export. `money` holds the printed cells that the export has, by our column name.

    `is_open` marks a trade that was still open at the export: its exit fields are the moment of the export
    and the price of that moment. `zone` is that of the printed stamps. A clock time that came twice, when
    clocks were put back, is given as its first moment, and the second one as `..._again_ns`.
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
    zone: tzinfo = field(default=UTC, compare=False)
    entry_again_ns: int | None = None
    exit_again_ns: int | None = None

    @property
    def entry_times_ns(self) -> tuple[int, ...]:
        """The moments that the printed entry time may mean."""
        return _moments(self.entry_time_ns, self.entry_again_ns)

    @property
    def exit_times_ns(self) -> tuple[int, ...]:
        """The moments that the printed exit time may mean."""
        return _moments(self.exit_time_ns, self.exit_again_ns)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    number: int
    is_entry: bool
    direction: int
    stamp: "_Stamp"
    signal: str
    price: Decimal
    qty: Decimal
    money: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class _Stamp:
    time_ns: int
    again_ns: int | None
    zone: tzinfo


def read_trade_list(path: Path, utc_offset_hours: float, zone: str | None = None) -> list[ListedTrade]:
    """The trades of an export in trade-number order.

    The chart's zone is `zone` by its IANA name if given, else `utc_offset_hours`; stamps that carry
    their own offset ignore both. Raises `ExportError` when the file is missing or is no trade list.
    """
    chart = ZoneInfo(zone) if zone else timezone(timedelta(hours=utc_offset_hours))
    reader = csv.reader(io.StringIO(_text(path), newline=None))
    rows: dict[int, list[_Row]] = {}
    try:
        header = next(reader, None)
        if header is None:
            raise ExportError(f"{path}: empty file, expected TradingView's list of trades")
        columns = _columns(path, header)
        for cells in reader:
            if not any(cells):
                continue
            row = _row(path, reader.line_num, cells, columns, chart)
            rows.setdefault(row.number, []).append(row)
    except csv.Error as e:
        raise ExportError(f"{path}, line {reader.line_num}: not CSV ({e})") from e
    if not rows:
        raise ExportError(f"{path}: no trades below the header, expected TradingView's list of trades")
    return _with_open_ones([_trade(path, pair) for _, pair in sorted(rows.items())])


def _with_open_ones(trades: list[ListedTrade]) -> list[ListedTrade]:
    """Marks what is open; a trade without an exit row gets the end of the list as its exit.

    An exit that is called "Open" before the end of the list is an order of that name.
    """
    end = max(moment for one in trades for moment in (*one.entry_times_ns, *one.exit_times_ns))
    return [
        replace(one, exit_time_ns=end, exit_again_ns=None, exit_signal="")
        if one.is_open
        else replace(one, is_open=one.exit_signal in _OPEN and end in one.exit_times_ns)
        for one in trades
    ]


def printed_money(amount: float) -> Decimal:
    """Money as TradingView prints it: two decimals, or the first of three to eight that shows something.

    The export carries single precision: the amount becomes the nearest float32, its shortest decimal
    form is read as a double x, and what is printed is floor(x * 10**places + 0.5) / 10**places. On the
    four broker lists and the ten strategy lists this gives all 15,858 profits, among them
    -12.26500048 as -12.26, 1345.454919 as 1345.46 and -0.00035 as -0.0003.
    """
    value = single(amount)
    for places in range(2, 9):
        shown = _round_half_up(value, places)
        if shown:
            return shown
    return Decimal(0)


def printed_percent(percent: float) -> Decimal:
    """A percent column: two decimals, by the same rounding as money."""
    return _round_half_up(single(percent), 2)


def single(amount: float) -> float:
    """The double that a single-precision amount reads back as."""
    return float(str(np.float32(amount)))


def _round_half_up(value: float, places: int) -> Decimal:
    scale = 10**places
    return Decimal(floor(value * scale + 0.5)).scaleb(-places)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise ExportError(f"{path}: cannot be read ({e.strerror})") from e
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as e:
        raise ExportError(f"{path}: damaged or incomplete gzip ({e})") from e
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
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
            f"{path}, line 1: no column {missing[0]!r}, expected the header of TradingView's list of trades"
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


def _row(path: Path, line: int, cells: list[str], columns: dict[str, int], chart: tzinfo) -> _Row:
    def cell(key: str) -> str:
        index = columns[key]
        if index >= len(cells):
            raise ExportError(
                f"{path}, line {line}: {len(cells)} columns, the header has {max(columns.values()) + 1}"
            )
        return cells[index].strip()

    words = cell("type").lower().split()
    if len(words) < 2 or words[0] not in {"entry", "exit"} or words[1] not in {"long", "short"}:
        raise ExportError(
            f"{path}, line {line}: type {cell('type')!r}, expected entry or exit, long or short"
        )
    if not cell("number").isdecimal():
        raise ExportError(f"{path}, line {line}: trade number {cell('number')!r}, expected a whole number")
    is_entry = words[0] == "entry"
    is_open = not is_entry and cell("signal") in _OPEN
    money = {}
    for key in MONEY_COLUMNS:
        if key in columns and cell(key):
            money[key] = _decimal(path, line, key, cell(key))
    return _Row(
        line,
        int(cell("number")),
        is_entry,
        1 if words[1] == "long" else -1,
        _stamp(path, line, cell("time"), chart),
        cell("signal"),
        _price_or_qty(path, line, "price", cell("price"), is_open),
        _price_or_qty(path, line, "qty", cell("qty"), is_open),
        money,
    )


def _trade(path: Path, pair: list[_Row]) -> ListedTrade:
    entries = [row for row in pair if row.is_entry]
    exits = [row for row in pair if not row.is_entry]
    if len(entries) != 1 or len(exits) > 1 or (exits and exits[0].direction != entries[0].direction):
        raise ExportError(
            f"{path}, line {pair[0].line}: trade {pair[0].number} has {len(entries)} entry"
            f" and {len(exits)} exit rows, expected one of each and of one side"
        )
    entry = entries[0]
    left = exits[0] if exits else entry
    return ListedTrade(
        number=entry.number,
        direction=entry.direction,
        qty=entry.qty,
        entry_time_ns=entry.stamp.time_ns,
        entry_price=entry.price,
        entry_signal=entry.signal,
        exit_time_ns=left.stamp.time_ns,
        exit_price=left.price,
        exit_signal=left.signal,
        is_open=not exits,
        money=left.money,
        zone=entry.stamp.zone,
        entry_again_ns=entry.stamp.again_ns,
        exit_again_ns=left.stamp.again_ns,
    )


def _moments(first_ns: int, again_ns: int | None) -> tuple[int, ...]:
    return (first_ns,) if again_ns is None else (first_ns, again_ns)


def _price_or_qty(path: Path, line: int, column: str, text: str, is_open: bool) -> Decimal:
    """The exit of an open trade means nothing and may have none."""
    return Decimal("nan") if is_open and not text else _decimal(path, line, column, text)


def _decimal(path: Path, line: int, column: str, text: str) -> Decimal:
    try:
        number = Decimal(text.replace("\u2212", "-").replace(",", ""))
        if number.is_finite() and number.adjusted() < _MOST_DIGITS:
            return Decimal(f"{number:f}")  # written out: 3E+3 has digits only before its thousands
    except InvalidOperation:
        pass
    raise ExportError(f"{path}, line {line}: {column} is {text!r}, expected a number")


def restamped(trade: ListedTrade, zone: tzinfo) -> ListedTrade:
    """The trade had its stamps been printed in another zone."""
    entry = _in_zone(_clock(trade.entry_time_ns, trade.zone), zone)
    left = _in_zone(_clock(trade.exit_time_ns, trade.zone), zone)
    return replace(
        trade,
        zone=zone,
        entry_time_ns=entry.time_ns,
        entry_again_ns=entry.again_ns,
        exit_time_ns=left.time_ns,
        exit_again_ns=left.again_ns,
    )


def _clock(time_ns: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, zone).replace(tzinfo=None)


def _stamp(path: Path, line: int, text: str, chart: tzinfo) -> _Stamp:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise ExportError(f"{path}, line {line}: time {text!r}, expected a date like 2025-01-31 14:00") from e
    if moment.tzinfo is not None:
        return _Stamp(_ns(moment), None, moment.tzinfo)
    return _in_zone(moment, chart)


def _in_zone(moment: datetime, zone: tzinfo) -> _Stamp:
    first, second = (_ns(moment.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    # In the hour that is left out in spring the second one is the earlier.
    return _Stamp(first, second if second > first else None, zone)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000
