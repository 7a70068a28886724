"""The self-contained HTML report of a backtest. Imported only where one is written: plotly loads slowly."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from engine.backtest import html_page, report_text

if TYPE_CHECKING:
    from engine.backtest.cli_run import Outcome

_MOST_BARS = 5_000
_MOST_POINTS = 5_000
_FIRST_SHOWN = 500
_COLORS = ("#1f5fbf", "#b3261e", "#1a7f37", "#8a5a00", "#6f42c1", "#0a7d8c", "#c2410c", "#555555")
_MS = 1_000_000


def write_report(path: Path, outcome: "Outcome") -> None:
    """One strategy: equity, drawdown, price with indicators and fills, months, distribution, tables."""
    summary = outcome.summary
    parts = [_warnings(summary), _equity_figure([outcome]), *(_price(outcome, s) for s in outcome.bars)]
    parts += [_months_figure(summary), _distribution(outcome), _comparison_table([summary])]
    for title, key in (("symbol", "per_symbol"), ("tag", "per_tag"), ("month", "per_month")):
        parts.append(_group_table(title, summary[key]))
    parts.append(_origin(summary))
    html_page.write(path, f"Backtest: {outcome.title}", parts)


def write_comparison(path: Path, outcomes: "Sequence[Outcome]") -> None:
    """Several strategies side by side."""
    summaries = [one.summary for one in outcomes]
    links = "".join(
        f'<li><a href="{escape(one.title)}/report.html">{escape(one.title)}</a></li>' for one in outcomes
    )
    parts = [_equity_figure(outcomes), _comparison_table(summaries), f"<ul>{links}</ul>"]
    html_page.write(path, "Backtests side by side", parts)


def _equity_figure(outcomes: "Sequence[Outcome]") -> str:
    page = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.03)
    for k, one in enumerate(outcomes):
        color = _COLORS[k % len(_COLORS)]
        curve = one.curve
        peak = np.maximum.accumulate(curve.equity)
        at = _thinned(len(curve.equity))
        x = curve.time_ns[at] / _MS
        both = {"x": x, "legendgroup": one.title, "line": {"color": color, "width": 1.5}, "col": 1}
        page.add_scatter(y=curve.equity[at], name=one.title, row=1, **both)
        fall = (curve.equity / peak - 1.0) * 100.0
        fill = "tozeroy" if len(outcomes) == 1 else "none"
        name = f"{one.title}, drawdown"
        page.add_scatter(y=fall[at], name=name, showlegend=False, fill=fill, row=2, **both)
    page.update_xaxes(type="date")
    page.update_yaxes(title_text="equity", row=1, col=1)
    page.update_yaxes(title_text="drawdown, %", row=2, col=1)
    page.update_layout(
        height=560, title="Equity and drawdown", hovermode="x unified", margin={"t": 40, "b": 30}
    )
    return html_page.figure(page)


def _price(outcome: "Outcome", symbol: str) -> str:
    """Price with indicators and fills of the last bars; indicators far from price get their own panel."""
    bars, values = outcome.bars[symbol], outcome.values.get(symbol, np.zeros((0, 0)))
    first = max(0, len(bars) - _MOST_BARS)
    x = bars.open_time_ns[first:] / _MS
    beside = [k for k in range(len(values)) if not _is_price_like(values[k], bars.close)]
    rows = 2 if beside else 1
    page = make_subplots(
        rows=rows,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.03,
        row_heights=[0.7, 0.3][:rows] if beside else [1],
    )
    page.add_candlestick(
        x=x,
        open=bars.open[first:],
        high=bars.high[first:],
        low=bars.low[first:],
        close=bars.close[first:],
        name=symbol,
        increasing_line_color="#9db2c7",
        decreasing_line_color="#5b6b7b",
        row=1,
        col=1,
    )
    for k, name in enumerate(outcome.value_names):
        row = 2 if k in beside else 1
        page.add_scatter(x=x, y=values[k][first:], name=name, line_width=1, row=row, col=1)
    for kind, symbol_up, symbol_down in (("entry", "triangle-up", "triangle-down"), ("exit", "x", "x")):
        _add_fills(page, outcome, symbol, kind, first, (symbol_up, symbol_down))
    page.update_xaxes(type="date", rangeslider_visible=False)
    shown = "" if first == 0 else f", the last {_MOST_BARS} bars"
    page.update_layout(height=640, title=f"{symbol}{shown}", margin={"t": 40, "b": 30}, dragmode="pan")
    last = min(len(x), _FIRST_SHOWN)
    page.update_xaxes(range=[x[-last], x[-1]])
    over = [values[k][-last:] for k in range(len(values)) if k not in beside]
    page.update_yaxes(range=html_page.limits(bars.low[-last:], bars.high[-last:], *over), row=1, col=1)
    if beside:
        below = html_page.limits(*(values[k][-last:] for k in beside))
        page.update_yaxes(range=below, row=2, col=1)
    return html_page.figure(page)


def _add_fills(
    page: go.Figure, outcome: "Outcome", symbol: str, kind: str, first: int, markers: tuple[str, str]
) -> None:
    columns = outcome.closed
    mine = (columns["symbol"] == symbol) & (columns[f"{kind}_bar"] >= first)
    long = columns["direction"][mine] > 0
    page.add_scatter(
        x=columns[f"{kind}_time_ns"][mine] / _MS,
        y=columns[f"{kind}_price"][mine],
        text=columns[f"{kind}_signal"][mine].tolist(),
        name=f"{kind} fills",
        mode="markers",
        marker={
            "symbol": np.where(long, markers[0], markers[1]).tolist(),
            "color": np.where(long, "#1a7f37", "#b3261e").tolist(),
            "size": 11,
            "line": {"width": 1, "color": "white"},
        },
        row=1,
        col=1,
    )


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


def _distribution(outcome: "Outcome") -> str:
    columns = outcome.closed
    notional = columns["qty"] * columns["entry_price"] * outcome.summary["broker"]["point_value"]
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
    keys = (
        ("return_percent", "return %", ".2f"),
        ("trades", "trades", "d"),
        ("net_profit", "net profit", ".2f"),
        ("win_rate_percent", "win rate %", ".2f"),
        ("profit_factor", "profit factor", ".2f"),
        ("expectancy_r", "expectancy, R", ".3f"),
    )
    used = [one for one in keys if any(one[0] in numbers for numbers in found.values())]
    head = "".join(f"<th>{label}" for _, label, _ in used)
    rows = "".join(
        f"<tr><th>{escape(name)}"
        + "".join(f"<td>{report_text.shown(numbers.get(key), form)}" for key, _, form in used)
        + "</tr>"
        for name, numbers in found.items()
    )
    return f"<h2>By {title}</h2><table><tr><th>{head}</tr>{rows}</table>"


def _warnings(summary: dict[str, Any]) -> str:
    return "".join(f'<p class="warning">{escape(text)}</p>' for text in summary["warnings"])


def _origin(summary: dict[str, Any]) -> str:
    broker = {name: value for name, value in summary["broker"].items() if value is not None}
    facts = {
        "parameters": ", ".join(f"{name} {value}" for name, value in summary["params"].items()),
        "broker": ", ".join(f"{name} {value}" for name, value in broker.items()),
        **{f"{one['symbol']} data": f"{one['bars']} bars, {one['first_open']} to {one['last_open']} UTC"
           for one in summary["data"]},
        **{f"{name} hash": value for name, value in summary["hashes"].items()},
        "versions": ", ".join(f"{name} {value}" for name, value in summary["versions"].items()),
    }  # fmt: skip
    rows = "".join(f"<tr><th>{escape(name)}<td>{escape(text)}</tr>" for name, text in facts.items())
    return f"<h2>Made from</h2><table>{rows}</table>"


def _is_price_like(values: NDArray[np.float64], close: NDArray[np.float64]) -> bool:
    known = np.isfinite(values)
    if not known.any():
        return False
    ratio = values[known] / close[known]
    return bool(0.5 < np.median(ratio) < 2.0)


def _thinned(n: int) -> NDArray[np.int64]:
    """At most `_MOST_POINTS` indices, evenly spread, the last one among them."""
    return np.unique(np.linspace(0, n - 1, min(n, _MOST_POINTS)).astype(np.int64))
