"""A backtest in words and tables: for the terminal and as report.txt."""

import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

ROWS: tuple[tuple[str, str, str], ...] = (
    ("final equity", "final_equity", ".2f"),
    ("net profit", "net_profit", ".2f"),
    ("total return %", "total_return_percent", ".2f"),
    ("CAGR %", "cagr_percent", ".2f"),
    ("volatility %", "volatility_percent", ".2f"),
    ("Sharpe", "sharpe", ".2f"),
    ("Sortino", "sortino", ".2f"),
    ("Calmar", "calmar", ".2f"),
    ("max drawdown %", "max_drawdown_percent", ".2f"),
    ("max drawdown, days", "max_drawdown_days", ".1f"),
    ("longest drawdown, days", "longest_drawdown_days", ".1f"),
    ("trades", "trades", "d"),
    ("long / short", "", ""),
    ("win rate %", "win_rate_percent", ".2f"),
    ("profit factor", "profit_factor", ".2f"),
    ("expectancy", "expectancy", ".4f"),
    ("expectancy, R", "expectancy_r", ".4f"),
    ("average win", "average_win", ".2f"),
    ("average loss", "average_loss", ".2f"),
    ("best trade", "best_trade", ".2f"),
    ("worst trade", "worst_trade", ".2f"),
    ("average bars held", "average_bars_held", ".1f"),
    ("exposure %", "exposure_percent", ".2f"),
    ("commission", "commission", ".2f"),
    ("funding", "funding", ".2f"),
    ("open trades", "open_trades", "d"),
    ("open profit", "open_profit", ".2f"),
)
"""Label, key of the summary, format."""

_GROUP = (
    ("trades", "d"),
    ("net_profit", ".2f"),
    ("win_rate_percent", ".2f"),
    ("profit_factor", ".2f"),
    ("expectancy_r", ".3f"),
)


def shown(value: float | None, form: str) -> str:
    """A number by its format, "-" where there is none."""
    return "-" if value is None else format(value, form)


def cell(summary: dict[str, Any], key: str, form: str) -> str:
    """One value of the comparison."""
    if not key:
        return f"{summary['long_trades']} / {summary['short_trades']}"
    return shown(summary[key], form)


def comparison(summaries: Sequence[dict[str, Any]]) -> Table:
    """The strategies side by side, one column each."""
    table = Table("", *(one["name"] for one in summaries))
    for column in table.columns[1:]:
        column.justify = "right"
    for label, key, form in ROWS:
        table.add_row(label, *(cell(one, key, form) for one in summaries))
    return table


def groups(title: str, found: dict[str, dict[str, Any]]) -> Table:
    """One row a symbol, tag or month."""
    months = any("return_percent" in numbers for numbers in found.values())
    table = Table(title, *(["return %"] if months else []), *(name.replace("_", " ") for name, _ in _GROUP))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, numbers in found.items():
        first = [shown(numbers.get("return_percent"), ".2f")] if months else []
        table.add_row(name, *first, *(shown(numbers.get(key), form) for key, form in _GROUP))
    return table


def report(summary: dict[str, Any]) -> str:
    """The whole text of one strategy."""
    file = io.StringIO()
    console = Console(file=file, width=110, highlight=False)
    console.print(f"{summary['name']} ({summary['engine']} engine)")
    for one in summary["data"]:
        every = f"every {one['timeframe_seconds']} s"
        console.print(
            f"{one['symbol']}: {one['bars']} bars {every}, {one['first_open']} to {one['last_open']} UTC"
        )
    console.print("parameters: " + ", ".join(f"{name} {value}" for name, value in summary["params"].items()))
    console.print(comparison([summary]))
    for title, key in (("symbol", "per_symbol"), ("tag", "per_tag"), ("month", "per_month")):
        console.print(groups(title, summary[key]))
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}")
    for kind in ("versions", "hashes"):
        console.print(", ".join(f"{name} {value}" for name, value in summary[kind].items()), soft_wrap=True)
    return file.getvalue()
