"""The self-contained HTML report of a backtest. Imported only where one is written: plotly loads slowly."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.backtest.report import html_page
from engine.backtest.report import settings as report_settings
from engine.backtest.report import text as report_text
from engine.backtest.report.chart import (
    MS,
    add_candles,
    add_fills,
    add_hold,
    add_open,
    is_price_like,
    thinned,
)
from engine.backtest.report.settings import broker_line, data_lines
from runtime.control.shown import decimals_of

if TYPE_CHECKING:
    from engine.backtest.report.result import Result

_MOST_BARS = 5_000
_FIRST_SHOWN = 500
_COLORS = ("#1f5fbf", "#b3261e", "#1a7f37", "#8a5a00", "#6f42c1", "#0a7d8c", "#c2410c", "#555555")


def write_report(path: Path, result: "Result") -> None:
    """One strategy: equity, drawdown, price with indicators and fills, months, distribution, tables."""
    summary = result.summary
    parts = [
        _made_with(summary, *report_settings.params_lines(summary)),
        _warnings(summary),
        _equity_figure([result]),
        *(_price(result, s) for s in result.bars),
    ]
    parts += [_months_figure(summary), _distribution(result), _comparison_table([summary])]
    if summary["still_open"]:
        parts.append(_open_table(summary))
    for title, key in (("symbol", "per_symbol"), ("tag", "per_tag"), ("month", "per_month")):
        parts.append(_group_table(title, summary[key]))
    parts.append(_origin(summary))
    html_page.write(path, f"Backtest: {result.title}", parts)


def write_comparison(path: Path, results: "Sequence[Result]") -> None:
    """Several strategies side by side."""
    summaries = [one.summary for one in results]
    links = "".join(
        f'<li><a href="{escape(one.title)}/report.html">{escape(one.title)}</a></li>' for one in results
    )
    parts = [
        _made_with(summaries[0]),
        _equity_figure(results),
        _comparison_table(summaries),
        f"<ul>{links}</ul>",
    ]
    html_page.write(path, "Backtests side by side", parts)


def _made_with(summary: dict[str, Any], *more: str) -> str:
    """The head of a report: data and broker settings, and `more` lines."""
    lines = (*data_lines(summary), broker_line(summary["broker"]), *more)
    return "<p>" + "<br>".join(map(escape, lines)) + "</p>"


def _equity_figure(results: "Sequence[Result]") -> str:
    page = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.03)
    for k, one in enumerate(results):
        color = _COLORS[k % len(_COLORS)]
        curve, fall = one.curve, one.curve.drawdown_percent
        at = thinned(curve.equity, fall)
        x = curve.time_ns[at] / MS
        both = {"x": x, "legendgroup": one.title, "line": {"color": color, "width": 1.5}, "col": 1}
        page.add_scatter(y=curve.equity[at], name=one.title, row=1, **both)
        fill = "tozeroy" if len(results) == 1 else "none"
        name = f"{one.title}, drawdown"
        page.add_scatter(y=fall[at], name=name, showlegend=False, fill=fill, row=2, **both)
    if results:
        add_hold(page, results[0])
    page.update_xaxes(type="date")
    page.update_yaxes(title_text="equity", row=1, col=1)
    page.update_yaxes(title_text="drawdown, %", row=2, col=1)
    page.update_layout(
        height=560, title="Equity and drawdown", hovermode="x unified", margin={"t": 40, "b": 30}
    )
    return html_page.figure(page)


def _price(result: "Result", symbol: str) -> str:
    """Price with indicators and fills of the last bars; indicators far from price get their own panel."""
    bars, signals = result.bars[symbol], result.signals.get(symbol)
    values = np.zeros((0, 0)) if signals is None else signals.values
    first = max(0, len(bars) - _MOST_BARS)
    x = bars.open_time_ns[first:] / MS
    beside = [k for k in range(len(values)) if not is_price_like(values[k], bars.close)]
    rows = 2 if beside else 1
    page = make_subplots(
        rows=rows,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.03,
        row_heights=[0.7, 0.3][:rows] if beside else [1],
    )
    add_candles(page, symbol, x, (bars.open[first:], bars.high[first:], bars.low[first:], bars.close[first:]))
    for k, name in enumerate(result.value_names):
        row = 2 if k in beside else 1
        page.add_scatter(x=x, y=values[k][first:], name=name, line_width=1, row=row, col=1)
    add_fills(page, result, symbol, first)
    add_open(page, result, symbol, first)
    page.update_xaxes(type="date", rangeslider_visible=False)
    last = min(len(x), _FIRST_SHOWN)
    title = f"{symbol}{_shown(len(bars), len(x), last)}"
    page.update_layout(height=640, title=title, margin={"t": 40, "b": 30}, dragmode="pan")
    page.update_xaxes(range=[x[-last], x[-1]])
    over = [values[k][-last:] for k in range(len(values)) if k not in beside]
    decimals = decimals_of(str(_tick_of(result.summary, symbol)))
    page.update_yaxes(
        range=html_page.limits(bars.low[-last:], bars.high[-last:], *over),
        hoverformat=f".{decimals}f",
        row=1,
        col=1,
    )
    if beside:
        below = html_page.limits(*(values[k][-last:] for k in beside))
        page.update_yaxes(range=below, row=2, col=1)
    return html_page.figure(page)


def _tick_of(summary: dict[str, Any], symbol: str) -> float:
    """The tick by which hover labels round prices."""
    return next(float(one["tick"]) for one in summary["data"] if one["symbol"] == symbol)


def _shown(bars: int, drawn: int, in_view: int) -> str:
    """Which part of the bars a chart shows, where it is not all of them."""
    if in_view == bars:
        return ""
    within = "" if drawn == bars else f" (the last {drawn} are in the chart)"
    return f", zoomed to the last {in_view} of {bars} bars: drag to the right for earlier ones{within}"


def _months_figure(summary: dict[str, Any]) -> str:
    months = {name: numbers["return_percent"] for name, numbers in summary["per_month"].items()}
    years = sorted({name[:4] for name in months})
    grid = [[months.get(f"{year}-{month:02d}") for month in range(1, 13)] for year in years]
    text = [["" if value is None else f"{round(value, 1) + 0.0:.1f}" for value in row] for row in grid]
    page = go.Figure(
        go.Heatmap(
            x=[f"{month:02d}" for month in range(1, 13)],
            y=years,
            z=grid,
            text=text,
            texttemplate="%{text}",
            colorscale="RdYlGn",
            zmid=0,
        )
    )
    page.update_yaxes(type="category", autorange="reversed")
    page.update_xaxes(type="category")
    page.update_layout(height=160 + 40 * len(years), title="Monthly returns, %", margin={"t": 40, "b": 30})
    return html_page.figure(page)


def _distribution(result: "Result") -> str:
    columns = result.closed
    notional = columns["qty"] * columns["entry_price"] * result.summary["broker"]["point_value"]
    page = go.Figure(go.Histogram(x=columns["pnl"] / notional * 100.0, nbinsx=80))
    page.update_layout(
        height=320,
        title="Trades by net profit, % of their entry value",
        margin={"t": 40, "b": 30},
        bargap=0.02,
    )
    return html_page.figure(page)


def _comparison_table(summaries: Sequence[dict[str, Any]]) -> str:
    head = "".join(f"<th>{escape(one['name'])}" for one in summaries)
    rows = "".join(
        f"<tr><th>{label}" + "".join(f"<td>{report_text.cell(one, key, form)}" for one in summaries) + "</tr>"
        for label, key, form in report_text.ROWS
    )
    return f"<h2>Metrics</h2><table><tr><th>{head}</tr>{rows}</table>"


def _group_table(title: str, found: dict[str, dict[str, Any]]) -> str:
    used = [one for one in report_text.GROUP if any(one[0] in numbers for numbers in found.values())]
    rows = [
        (escape(name), [report_text.shown(numbers.get(key), form) for key, _, form in used])
        for name, numbers in found.items()
    ]
    return _table(f"By {title}", [label for _, label, _ in used], rows)


def _open_table(summary: dict[str, Any]) -> str:
    rows = [
        (escape(first), [escape(text) for text in rest])
        for first, *rest in (one.values() for one in report_text.open_rows(summary))
    ]
    return _table("Open at the end", [label for _, label, _ in report_text.OPEN[1:]], rows)


def _table(title: str, labels: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f"<th>{label}" for label in labels)
    body = "".join(
        f"<tr><th>{name}" + "".join(f"<td>{text}" for text in cells) + "</tr>" for name, cells in rows
    )
    return f"<h2>{title}</h2><table><tr><th>{head}</tr>{body}</table>"


def _warnings(summary: dict[str, Any]) -> str:
    return "".join(f'<p class="warning">{escape(text)}</p>' for text in summary["warnings"])


def _origin(summary: dict[str, Any]) -> str:
    facts = {
        **{f"{name} hash": value for name, value in summary["hashes"].items()},
        "versions": ", ".join(f"{name} {value}" for name, value in summary["versions"].items()),
    }
    rows = "".join(f"<tr><th>{escape(name)}<td>{escape(text)}</tr>" for name, text in facts.items())
    return f"<h2>Made from</h2><table>{rows}</table>"
