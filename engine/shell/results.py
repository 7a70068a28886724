"""`engine.ctl trades` and `profit`: results from the journal, as tables or JSON."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.table import Table

from engine.account.daily import DAY_NS
from engine.model.lots import plain
from engine.model.owners import strategy_name
from engine.model.timeframes import SECOND_NS
from engine.tables.round_trips import Results, RoundTrip
from runtime.control.shown import ShowPrice, counted, money
from runtime.control.status import EngineStatus
from runtime.control.status_tables import NARROW_COLUMNS, shortened
from runtime.suggestions import SYMBOL_LIKENESS, allowed

ZERO = Decimal(0)


def chosen(results: Results, strategy: str, symbol: str) -> list[RoundTrip]:
    """Closed trades, then open ones, of a strategy (its name or "name:id") and a symbol."""
    return [
        one
        for one in (*results.closed, *results.still_open)
        if strategy in {"", one.strategy, strategy_name(one.strategy)} and symbol in {"", one.symbol}
    ]


def unknown(results: Results, status: EngineStatus | None, strategy: str, symbol: str) -> str:
    """What is wrong with names for which there is no trade: neither the journal nor the last status has them
    ("": nothing)."""
    trips, running = (*results.closed, *results.still_open), () if status is None else status.strategies
    owners = {one.strategy for one in trips} | {one.strategy for one in running}
    symbols = {one.symbol for one in trips} | {one.symbol for one in running}
    symbols |= set(() if status is None else status.tick_sizes)
    names = sorted(owners | {strategy_name(one) for one in owners})
    if strategy and strategy not in names:
        return f"no trade of {strategy!r}, which has not run here{allowed(strategy, names)}"
    if symbol and symbol not in symbols:
        more = allowed(symbol, sorted(symbols), likeness=SYMBOL_LIKENESS)
        return f"no trade of {symbol!r}, which has not been traded here{more}"
    return ""


def trades_table(trips: Sequence[RoundTrip], price: ShowPrice, width: int) -> Table:
    """One row per trade, the newest last. Times are UTC; on a narrow terminal a short has a minus sign."""
    is_narrow = width < NARROW_COLUMNS
    names = ["closed, UTC", "strategy", "symbol", "qty", "entry", "exit", "net"]
    names += [] if is_narrow else ["fees", "held", "side"]
    table = _table(names, left=3, padding=1 if is_narrow else 2)
    for one in trips:
        at = _time(one.closed_ns) if one.closed_ns else "open"
        qty = plain(one.qty_base)
        row = [
            at[5:] if is_narrow and one.closed_ns else at,
            shortened(one.strategy) if is_narrow else one.strategy,
            one.symbol,
            f"-{qty}" if is_narrow and one.side == "short" else qty,
            price(one.symbol, one.entry_price),
            "" if one.exit_price is None else price(one.symbol, one.exit_price),
            _money(one.net),
        ]
        table.add_row(*row, *([] if is_narrow else [_money(one.fees), _held(one), one.side]))
    return table


def profit_tables(trips: Sequence[RoundTrip]) -> tuple[Table, Table]:
    """By strategy and symbol, and by the day (UTC) on which trades were closed."""
    of_day = [one for one in trips if one.closed_ns]
    return (
        _grouped("strategy on symbol", trips, lambda one: f"{one.strategy} on {one.symbol}"),
        _grouped("closed on, UTC", of_day, lambda one: _day(one.closed_ns)),
    )


def profit_lines(results: Results, trips: Sequence[RoundTrip], *, is_all: bool) -> list[str]:
    """The sum, and amounts that belong to no trade."""
    done = sum(1 for one in trips if one.closed_ns)
    net = sum((one.net for one in trips), ZERO)
    lines = [f"{counted(done, 'closed trade')}, net {_money(net)} with what open trades have realised so far"]
    if not is_all:
        return lines
    funding = sum((amount for _, amount in results.funding), ZERO)
    if funding:
        lines.append(f"funding {_money(funding)}")
        net += funding
    for reason in sorted({reason for *_, reason in results.other}):
        amount = sum((one for _, one, said in results.other if said == reason), ZERO)
        lines.append(f"{reason.lower().replace('_', ' ')} {_money(amount)}")
        net += amount
    if len(lines) > 1:
        lines.append(f"together {_money(net)}")
    for asset, fee in sorted(results.fees_elsewhere.items()):
        lines.append(f"fees of {plain(fee)} {asset} are not in these numbers")
    if results.begins_after:
        lines.append(f"without records 1 to {results.begins_after}, which were deleted because of their age")
    return lines


def profit_data(results: Results, trips: Sequence[RoundTrip]) -> dict[str, Any]:
    """For JSON: sums as exact text, by strategy and symbol."""
    groups: dict[str, list[RoundTrip]] = {}
    for one in trips:
        groups.setdefault(f"{one.strategy} on {one.symbol}", []).append(one)
    return {
        "by_strategy": {
            name: {"trades": sum(bool(one.closed_ns) for one in of)}
            | {part: plain(_sum(getattr(one, part) for one in of)) for part in ("profit", "fees", "net")}
            for name, of in groups.items()
        },
        "funding": plain(_sum(amount for _, amount in results.funding)),
        "other_changes": plain(_sum(amount for _, amount, _ in results.other)),
    }


def as_data(trips: Iterable[RoundTrip]) -> list[dict[str, Any]]:
    """For JSON: exact numbers as text, times in nanoseconds (`closed_ns` null while it is open)."""
    return [
        {
            "strategy": one.strategy,
            "symbol": one.symbol,
            "side": one.side,
            "qty_base": plain(one.qty_base),
            "entry_price": plain(one.entry_price),
            "exit_price": None if one.exit_price is None else plain(one.exit_price),
            "profit": plain(one.profit),
            "fees": plain(one.fees),
            "net": plain(one.net),
            "opened_ns": one.opened_ns or None,
            "closed_ns": one.closed_ns or None,
        }
        for one in trips
    ]


def _grouped(title: str, trips: Sequence[RoundTrip], key: Callable[[RoundTrip], str]) -> Table:
    table = _table((title, "trades", "won", "profit", "fees", "net"), left=1)
    groups: dict[str, list[RoundTrip]] = {}
    for one in trips:
        groups.setdefault(key(one), []).append(one)
    for name in sorted(groups):
        of = groups[name]
        closed = [one for one in of if one.closed_ns]
        table.add_row(
            name,
            str(len(closed)),
            str(sum(one.net > ZERO for one in closed)),
            *(_money(sum((getattr(one, part) for one in of), ZERO)) for part in ("profit", "fees", "net")),
        )
    return table


def _table(names: Sequence[str], *, left: int, padding: int = 2) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, padding, 0, 0))
    for number, name in enumerate(names):
        table.add_column(name, no_wrap=True, justify="left" if number < left else "right")
    return table


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _money(amount: Decimal) -> str:
    return money(f"{amount:f}") or ""


def _time(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%Y-%m-%d %H:%M:%S}"


def _day(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // DAY_NS * (DAY_NS // SECOND_NS), UTC):%Y-%m-%d}"


def _held(one: RoundTrip) -> str:
    """How long, in two units: "3h 12m"."""
    if not one.closed_ns or not one.opened_ns:
        return ""
    seconds = (one.closed_ns - one.opened_ns) // SECOND_NS
    for unit, length, part, smaller in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if seconds >= length:
            return f"{seconds // length}{unit} {seconds % length // smaller}{part}"
    return f"{seconds}s"
