"""A backtest in words and tables: for the terminal and as report.txt."""

import io
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from engine.backtest.report.settings import broker_line, data_lines, params_lines
from runtime.control.shown import digits, price

ROWS: tuple[tuple[str, str, str], ...] = (
    ("final equity", "final_equity", ".2f"),
    ("net profit", "net_profit", ".2f"),
    ("total return %", "total_return_percent", ".2f"),
    ("buy and hold %", "hold_return_percent", ".2f"),
    ("CAGR %", "cagr_percent", ".2f"),
    ("volatility %", "volatility_percent", ".2f"),
    ("Sharpe", "sharpe", ".2f"),
    ("Sortino", "sortino", ".2f"),
    ("Calmar", "calmar", ".2f"),
    ("max drawdown %", "max_drawdown_percent", ".2f"),
    ("max drawdown, days", "max_drawdown_days", ".1f"),
    ("longest drawdown, days", "longest_drawdown_days", ".1f"),
    ("trades", "trades", "d"),
    ("long trades", "long_trades", "d"),
    ("short trades", "short_trades", "d"),
    ("win rate %", "win_rate_percent", ".2f"),
    ("profit factor", "profit_factor", ".2f"),
    ("expectancy", "expectancy", ".4f"),
    ("expectancy, R", "expectancy_r", ".4f"),
    ("average win", "average_win", ".2f"),
    ("average loss", "average_loss", ".2f"),
    ("best trade", "best_trade", ".2f"),
    ("worst trade", "worst_trade", ".2f"),
    ("bars held", "average_bars_held", ".1f"),
    ("exposure %", "exposure_percent", ".2f"),
    ("commission", "commission", ".2f"),
    ("funding", "funding", ".2f"),
    ("open trades", "open_trades", "d"),
    ("open profit", "open_profit", ".2f"),
)
"""Label, key of the summary, format."""

GROUP: tuple[tuple[str, str, str], ...] = (
    ("return_percent", "return %", ".2f"),
    ("buy_and_hold_percent", "buy and hold %", ".2f"),
    ("trades", "trades", "d"),
    ("net_profit", "net profit", ".2f"),
    ("win_rate_percent", "win rate %", ".2f"),
    ("profit_factor", "profit factor", ".2f"),
    ("expectancy_r", "expectancy, R", ".3f"),
)
"""Key of a group of trades, label, format; a table shows the keys that its groups have."""

PRICE, DIGITS = "by tick", "as it is"
OPEN: tuple[tuple[str, str, str], ...] = (
    ("symbol", "symbol", ""),
    ("side", "side", ""),
    ("qty", "quantity", DIGITS),
    ("entry_time", "entered, UTC", ""),
    ("entry_price", "at", PRICE),
    ("last_price", "last price", PRICE),
    ("profit", "profit", ".2f"),
    ("commission", "commission", ".2f"),
    ("funding", "funding", ".2f"),
)
"""Key of a trade that is still open, label, format."""

_NARROWEST = 8


def shown(value: float | None, form: str) -> str:
    """A number by its format, "-" where there is none."""
    if value is None:
        return "-"
    text = format(value, form)
    return text.removeprefix("-") if form.endswith("f") and float(text) == 0 else text


def cell(summary: dict[str, Any], key: str, form: str) -> str:
    """One value of the comparison."""
    return shown(summary[key], form)


def comparison(summaries: Sequence[dict[str, Any]], width: int = 10_000) -> Iterator[Table]:
    """The strategies side by side, one column each.

    Where they do not fit into `width` characters, long names are folded, then large amounts lose their
    decimals; what still does not fit goes into a further table.
    """
    labels = max(len(label) for label, _, _ in ROWS)
    for longest_name, short in ((width, False), (_NARROWEST, False), (_NARROWEST, True)):
        columns = [_column(one, longest_name, short=short) for one in summaries]
        if labels + sum(1 + each for each, _ in columns) <= width:
            break
    names = [str(one["name"]) for one in summaries]
    while columns:
        fitting, used = 0, labels
        while fitting < len(columns) and (not fitting or used + 1 + columns[fitting][0] <= width):
            used += 1 + columns[fitting][0]
            fitting += 1
        yield _side_by_side(names[:fitting], columns[:fitting])
        names, columns = names[fitting:], columns[fitting:]


def _column(summary: dict[str, Any], longest_name: int, *, short: bool) -> tuple[int, list[str]]:
    """Width and cells of one strategy's column; a longer name is folded into the width."""
    cells = [cell(summary, key, form) for _, key, form in ROWS]
    if short:
        cells = [_without_decimals(text) for text in cells]
    width = max(map(len, cells))
    return max(width, min(len(str(summary["name"])), longest_name)), cells


def _without_decimals(text: str) -> str:
    """A number of four and more digits before the point, rounded to a whole one."""
    whole = text.partition(".")[0].lstrip("-")
    return f"{float(text):.0f}" if len(whole) > 3 else text


def _side_by_side(names: Sequence[str], columns: Sequence[tuple[int, list[str]]]) -> Table:
    heads = [
        Column(name, justify="right", width=width, overflow="fold")
        for name, (width, _) in zip(names, columns, strict=True)
    ]
    table = Table("", *heads, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for (label, _, _), *cells in zip(ROWS, *(cells for _, cells in columns), strict=True):
        table.add_row(label, *cells)
    return table


def groups(title: str, found: dict[str, dict[str, Any]]) -> Table:
    """One row a symbol, tag or month."""
    used = [one for one in GROUP if any(one[0] in numbers for numbers in found.values())]
    table = _table(title, [label for _, label, _ in used])
    for name, numbers in found.items():
        table.add_row(name, *(shown(numbers.get(key), form) for key, _, form in used))
    return table


def open_rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    """The trades that were open at the end, with what they have cost so far, in words: prices by the tick."""
    ticks = {one["symbol"]: Decimal(str(one["tick"])) for one in summary["data"]}
    return [
        {key: _open_cell(row[key], form, ticks.get(row["symbol"])) for key, _, form in OPEN}
        for row in summary["still_open"]
    ]


def _open_cell(value: Any, form: str, tick: Decimal | None) -> str:  # noqa: ANN401  # a number or a text
    if form == PRICE:
        return price(value, tick)
    return digits(value) if form == DIGITS else shown(value, form)


def still_open(summary: dict[str, Any]) -> Table:
    """One row for each trade that was open at the end."""
    table = _table("open at the end", [label for _, label, _ in OPEN[1:]])
    for row in open_rows(summary):
        table.add_row(*row.values())
    return table


def open_lines(summary: dict[str, Any]) -> list[str]:
    """The trades that are still open, each in a line for the terminal."""
    return [
        f"still open: {one['symbol']} {one['side']} {one['qty']} since {one['entry_time']} UTC at"
        f" {one['entry_price']}, last price {one['last_price']}, profit {one['profit']}"
        f" (commission {one['commission']}, funding {one['funding']})"
        for one in open_rows(summary)
    ]


def _table(title: str, labels: Sequence[str]) -> Table:
    return Table(
        title, *(Column(label, justify="right") for label in labels), box=SIMPLE_HEAD, show_edge=False
    )


def report(summary: dict[str, Any]) -> str:
    """The whole text of one strategy."""
    file = io.StringIO()
    console = Console(file=file, width=110, highlight=False, markup=False)
    console.print(f"{summary['name']} ({summary['engine']} engine)")
    for line in (*data_lines(summary), broker_line(summary["broker"]), *params_lines(summary)):
        console.print(line, soft_wrap=True)
    for table in comparison([summary]):
        console.print(table)
    if summary["still_open"]:
        console.print(still_open(summary))
    for title, key in (("symbol", "per_symbol"), ("tag", "per_tag"), ("month", "per_month")):
        console.print(groups(title, summary[key]))
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}")
    for kind in ("versions", "hashes"):
        console.print(", ".join(f"{name} {value}" for name, value in summary[kind].items()), soft_wrap=True)
    return file.getvalue()
