"""What is drawn of a backtest: bars, fills, indicators, equity; and all of it as one figure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from engine.backtest.report.metrics import hold_equity
from runtime.control.shown import digits

if TYPE_CHECKING:
    from engine.backtest.report.result import Result
    from engine.model.bars import Bars

MS = 1_000_000
_MOST_CANDLES = 5_000
_MOST_POINTS = 5_000
_FEW_TRADES = 100
"""More than these are marked smaller, so that the price can be seen."""
_ALIKE = 5.0
"""Series share a panel where the larger range is less than so many times the smaller."""
_COLORS = ("#1f5fbf", "#c2410c", "#6f42c1", "#0a7d8c", "#8a5a00", "#b3261e", "#1a7f37", "#555555")
_FILLS = {
    ("entry", 1): ("enters long (green)", "triangle-up", "#1a7f37"),
    ("entry", -1): ("enters short (red)", "triangle-down", "#b3261e"),
    ("exit", 1): ("leaves a long (green)", "square-open", "#1a7f37"),
    ("exit", -1): ("leaves a short (red)", "square-open", "#b3261e"),
}
"""Words of the legend, form and colour of a fill, by its kind and the trade's direction."""


def figure_of(result: "Result", symbol: str, first: int = 0, last: int | None = None) -> go.Figure:
    """Price with fills and plotted series, those of other scales in panels of their own; equity; drawdown.

    Of the bars from index `first` up to, not including, `last`. More than 5,000 bars are drawn as candles of
    several bars each.
    """
    bars = result.bars[symbol]
    part = bars.part(first, len(bars) if last is None else last)
    first = min(first, len(bars))
    values = _values(result, symbol, first, first + len(part))
    panels = _panels(values, part.close)
    heights = [5.0, *[1.5] * len(panels), 2.0, 1.0]
    page = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.02,
        row_heights=[one / sum(heights) for one in heights],
    )
    each = _draw_price(page, symbol, part)
    for row, names in enumerate([_over_price(values, panels), *panels], 1):
        _draw_series(page, part, {name: values[name] for name in names}, row)
    add_fills(page, result, symbol, first, first + len(part), scale=_scale(result, symbol, first, len(part)))
    if first + len(part) == len(bars):
        add_open(page, result, symbol, first)
    _draw_equity(page, result, part, len(heights) - 1)
    grouped = f", a candle is {each} bars: plot(start=..., end=...) shows each" if each > 1 else ""
    page.update_xaxes(type="date", rangeslider_visible=False)
    page.update_layout(
        height=int(420 + 110 * len(heights)),
        title=f"{result.title}: {symbol}{grouped}",
        hovermode="x unified",
        margin={"t": 40, "b": 30},
        dragmode="pan",
    )
    return page


def _scale(result: "Result", symbol: str, first: int, bars: int) -> float:
    """Of the marks of fills: smaller where there are many."""
    entered = result.closed["entry_bar"]
    drawn = (result.closed["symbol"] == symbol) & (entered >= first) & (entered < first + bars)
    return 1.0 if np.count_nonzero(drawn) <= _FEW_TRADES else 0.5


def _values(result: "Result", symbol: str, first: int, last: int) -> dict[str, NDArray[np.float64]]:
    signals = result.signals.get(symbol)
    if signals is None:
        return {}
    return {name: signals.values[k][first:last] for k, name in enumerate(result.value_names)}


def _panels(values: dict[str, NDArray[np.float64]], close: NDArray[np.float64]) -> list[list[str]]:
    """The series that are not drawn over the price, those of one scale together."""
    found: list[tuple[float, list[str]]] = []
    for name, one in values.items():
        if is_price_like(one, close):
            continue
        known = one[np.isfinite(one)]
        size = float(np.abs(known).max()) if len(known) else 0.0
        near = (names for other, names in found if _is_alike(size, other))
        names = next(near, None)
        if names is None:
            found.append((size, [name]))
        else:
            names.append(name)
    return [names for _, names in found]


def _is_alike(one: float, other: float) -> bool:
    return max(one, other) <= _ALIKE * min(one, other)


def _over_price(values: dict[str, NDArray[np.float64]], panels: Sequence[Sequence[str]]) -> list[str]:
    beside = {name for names in panels for name in names}
    return [name for name in values if name not in beside]


def _draw_price(page: go.Figure, symbol: str, bars: "Bars") -> int:
    """Candles of one or several bars each; returns how many."""
    each = -(-len(bars) // _MOST_CANDLES) or 1
    begins = np.arange(0, len(bars), each)
    if not len(begins):
        return 1
    ends = np.append(begins[1:], len(bars)) - 1
    prices = (
        bars.open[begins],
        np.maximum.reduceat(bars.high, begins),
        np.minimum.reduceat(bars.low, begins),
        bars.close[ends],
    )
    add_candles(page, symbol, bars.open_time_ns[begins] / MS, prices)
    return each


def _draw_series(page: go.Figure, bars: "Bars", values: dict[str, NDArray[np.float64]], row: int) -> None:
    for k, (name, one) in enumerate(values.items()):
        at = thinned(np.nan_to_num(one))
        line = {"width": 1.2, "color": _COLORS[k % len(_COLORS)]}
        page.add_scatter(x=bars.open_time_ns[at] / MS, y=one[at], name=name, line=line, row=row, col=1)


def _draw_equity(page: go.Figure, result: "Result", bars: "Bars", row: int) -> None:
    curve = result.curve
    if not len(bars):
        return
    span = slice(*np.searchsorted(curve.time_ns, [bars.open_time_ns[0], bars.open_time_ns[-1] + 1]))
    time_ms, equity, fall = curve.time_ns[span] / MS, curve.equity[span], curve.drawdown_percent[span]
    at = thinned(equity, fall)
    page.add_scatter(x=time_ms[at], y=equity[at], name="equity", line_color=_COLORS[0], row=row, col=1)
    held = hold_equity(curve, list(result.bars.values()))[span]
    line = {"color": "#999", "width": 1, "dash": "dot"}
    page.add_scatter(x=time_ms[at], y=held[at], name="buy and hold", line=line, row=row, col=1)
    page.add_scatter(
        x=time_ms[at],
        y=fall[at],
        name="drawdown, %",
        line_color="#b3261e",
        fill="tozeroy",
        row=row + 1,
        col=1,
    )
    page.update_yaxes(title_text="equity", row=row, col=1)
    page.update_yaxes(title_text="drawdown, %", row=row + 1, col=1)


def add_candles(
    page: go.Figure,
    symbol: str,
    time_ms: NDArray[np.float64],
    prices: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Candles of opens, highs, lows and closes in the first panel."""
    page.add_candlestick(
        x=time_ms,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        name=f"{symbol} (light rises, dark falls)",
        increasing_line_color="#9db2c7",
        decreasing_line_color="#5b6b7b",
        row=1,
        col=1,
    )


def add_fills(
    page: go.Figure,
    result: "Result",
    symbol: str,
    first: int = 0,
    last: int | None = None,
    *,
    scale: float = 1.0,
) -> None:
    """Entries and exits from bar `first` up to, not including, `last`, in the first panel.

    `scale` is the size of their marks.
    """
    # Exits first and larger: where a position turns, both are at one place.
    for kind, size in (("exit", 16 * scale), ("entry", 11 * scale)):
        for direction in (1, -1):
            _add_fills(page, result, symbol, kind, (first, last), direction, size)


def _add_fills(
    page: go.Figure,
    result: "Result",
    symbol: str,
    kind: str,
    span: tuple[int, int | None],
    direction: int,
    size: float,
) -> None:
    """Fills of one kind and side, which the legend names by their colour and form."""
    columns = result.closed
    if kind == "entry":
        columns = {
            name: np.concatenate([values, result.still_open[name]]) for name, values in columns.items()
        }
    bar, (first, last) = columns[f"{kind}_bar"], span
    mine = (columns["symbol"] == symbol) & (bar >= first)
    if last is not None:
        mine &= bar < last
    mine &= np.sign(columns["direction"]) == direction
    name, form, color = _FILLS[kind, direction]
    page.add_scatter(
        x=columns[f"{kind}_time_ns"][mine] / MS,
        y=columns[f"{kind}_price"][mine],
        text=columns[f"{kind}_signal"][mine].tolist(),
        name=name,
        mode="markers",
        marker={
            "symbol": form,
            "color": color,
            "size": size,
            "line": {"width": 2} if kind == "exit" else {"width": 1, "color": "white"},
        },
        row=1,
        col=1,
    )


def add_open(page: go.Figure, result: "Result", symbol: str, first: int) -> None:
    """Trades that are open at the end: from their entry to the last price."""
    bars = result.bars[symbol]
    for row in result.summary["still_open"]:
        if row["symbol"] != symbol:
            continue
        entered = max(np.datetime64(row["entry_time"], "ns").astype(np.int64), bars.open_time_ns[first])
        page.add_scatter(
            x=[int(entered) / MS, int(bars.open_time_ns[-1]) / MS],
            y=[row["entry_price"], row["last_price"]],
            text=[f"{row['side']} {digits(row['qty'])}", f"still open, profit {row['profit']:.2f}"],
            name="open at the end",
            mode="lines+markers",
            marker={"symbol": "circle-open", "size": 11},
            line={"color": "#8a5a00", "dash": "dot", "width": 1.5},
            row=1,
            col=1,
        )


def add_hold(page: go.Figure, one: "Result") -> None:
    """The same capital in the same symbols without trading."""
    held = hold_equity(one.curve, list(one.bars.values()))
    at = thinned(held)
    line = {"color": "#999", "width": 1, "dash": "dot"}
    x = one.curve.time_ns[at] / MS
    page.add_scatter(x=x, y=held[at], name="buy and hold", line=line, row=1, col=1)


def is_price_like(values: NDArray[np.float64], close: NDArray[np.float64]) -> bool:
    """Whether a series lies near the price, so that both are drawn over one another."""
    known = np.isfinite(values)
    if not known.any():
        return False
    ratio = values[known] / close[known]
    return bool(0.5 < np.median(ratio) < 2.0)


def thinned(*curves: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices at which curves of one length are drawn: all, or the extremes of evenly spread stretches.

    Highest and lowest point of each curve are among them, and the first and last one.
    """
    n = len(curves[0])
    if n <= _MOST_POINTS:
        return np.arange(n)
    edges = np.linspace(0, n, _MOST_POINTS // (2 * len(curves)), dtype=np.int64)
    extremes = [
        first + find(curve[first:last])
        for first, last in pairwise(edges)
        for curve in curves
        for find in (np.argmin, np.argmax)
    ]
    return np.unique([0, *extremes, n - 1])
