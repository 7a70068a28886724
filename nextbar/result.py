"""What a backtest returns to people: numbers, frames, a picture, files."""

import re
from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.output_folder import folder_in_one_step
from engine.backtest.report.metrics import Columns, hold_equity
from engine.backtest.report.result import Result as Backtest
from engine.backtest.report.text import ROWS, cell

_SHOWN = 14
_WIDTH, _HEIGHT, _POINTS = 420, 120, 300

Moment = str | pd.Timestamp | None


class Result:
    """One strategy's backtest.

    In a notebook it shows itself as a table and a small picture. `backtest` holds all that it was made with:
    settings by symbol, exit rules, parameters, bars, signals.
    """

    def __init__(self, backtest: Backtest) -> None:
        self.backtest = backtest

    @property
    def title(self) -> str:
        """The name given, or the strategy's."""
        return self.backtest.title

    @property
    def summary(self) -> dict[str, Any]:
        """Settings, data, metrics, groups of trades, warnings, versions, hashes; can be written as JSON."""
        return self.backtest.summary

    @cached_property
    def stats(self) -> "pd.Series[float]":
        """Return, risk and trade numbers by name; nan where one is undefined.

        Percents are percents. Each name: docs/backtesting.md. Formulas: `engine.backtest.report.metrics`.
        """
        return pd.Series(self.backtest.metrics, dtype=np.float64, name=self.title)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Closed trades in the order they closed, one row for each entry and the order that closed it.

        Times are the open of the bar of the fill, UTC. `profit` is net of `commission` and `funding`, account
        currency; `return_percent` is profit over the value at entry.
        """
        return _trades(self.backtest.closed, self._point_value)

    @cached_property
    def open_trades(self) -> pd.DataFrame:
        """Trades that are open at the end; exit price and profit are as of the last close."""
        return _trades(self.backtest.still_open, self._point_value)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Filled orders by time: side "buy" or "sell", quantity, price, the signal they came from.

        What closes one side and opens the other at once stands as two rows.
        """
        return _orders(self.backtest.closed, self.backtest.still_open)

    @cached_property
    def equity(self) -> pd.DataFrame:
        """`equity` (account currency), `drawdown_percent` (0 or below), `hold`, by the open of each bar, UTC.

        `hold` is the same capital in the same symbols without trading.
        """
        curve = self.backtest.curve
        columns = {
            "equity": curve.equity,
            "drawdown_percent": curve.drawdown_percent,
            "hold": hold_equity(curve, list(self.backtest.bars.values())),
        }
        return pd.DataFrame(columns, index=_times(curve.time_ns).rename("time"))

    def plots(self, symbol: str | None = None) -> pd.DataFrame:
        """The plotted series of the strategy, a column each, by the open of each bar, UTC."""
        symbol = self._symbol(symbol)
        signals = self.backtest.signals.get(symbol)
        names = () if signals is None else self.backtest.value_names
        columns = {name: signals.values[k] for k, name in enumerate(names) if signals is not None}
        return pd.DataFrame(columns, index=_times(self.backtest.bars[symbol].open_time_ns).rename("time"))

    def plot(self, symbol: str | None = None, start: Moment = None, end: Moment = None) -> Any:  # noqa: ANN401  # plotly has no types
        """One interactive figure (plotly): price with fills and plotted series, equity and drawdown.

        `start` and `end` (exclusive) are times, UTC without a zone. Of more than 5,000 bars, a candle is
        several.
        """
        from engine.backtest.report.chart import figure_of  # noqa: PLC0415  # plotly is slow

        symbol = self._symbol(symbol)
        times = self.backtest.bars[symbol].open_time_ns
        first = 0 if start is None else int(np.searchsorted(times, _time_ns("start", start)))
        last = len(times) if end is None else int(np.searchsorted(times, _time_ns("end", end)))
        if first >= last:
            raise ConfigError(f"plot: there is no bar of {symbol} from {start} on and before {end}")
        return figure_of(self.backtest, symbol, first, last)

    def report(self, path: str | Path) -> Path:
        """Write one HTML file with figures and tables; it needs no network. Returns its path."""
        from engine.backtest.report.page import write_report  # noqa: PLC0415  # plotly is slow

        target = Path(path)
        with folder_in_one_step(target.parent) as folder:
            write_report(folder / target.name, self.backtest)
        return target

    def to_parquet(self, folder: str | Path) -> Path:
        """Write trades, open trades, orders, equity and plotted series as Parquet files into a folder.

        Returns the folder. Files of these names are replaced. Plotted series are a file for each symbol.
        """
        frames = {name: getattr(self, name) for name in ("trades", "open_trades", "orders", "equity")}
        if self.backtest.value_names:
            frames |= {f"plots_{_file_name(symbol)}": self.plots(symbol) for symbol in self.backtest.bars}
        with folder_in_one_step(Path(folder)) as inside:
            for name, frame in frames.items():
                frame.to_parquet(inside / f"{name}.parquet", compression="zstd")
        return Path(folder)

    def __repr__(self) -> str:
        rows = [(label, cell(self.backtest.metrics, key, form)) for label, key, form in _shown_rows()]
        width = max(len(label) for label, _ in rows)
        return "\n".join([self.title, *(f"{label:<{width}}  {text:>14}" for label, text in rows)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th><td>{escape(text)}</td></tr>"
            for label, text in (
                (label, cell(self.backtest.metrics, key, form)) for label, key, form in _shown_rows()
            )
        )
        return (
            f"<div style='display:flex;gap:2em;align-items:flex-start'><table><caption>{escape(self.title)}"
            f"</caption>{rows}</table>{_picture(self.backtest.equity)}</div>"
        )

    @property
    def _point_value(self) -> float:
        return self.backtest.broker.point_value

    def _symbol(self, given: str | None) -> str:
        symbols = list(self.backtest.bars)
        if given is None and len(symbols) > 1:
            raise ConfigError(f"give the symbol, one of {', '.join(symbols)}")
        if given is not None and given not in symbols:
            raise ConfigError(f"there is no symbol {given!r}; there are {', '.join(symbols)}")
        return given or symbols[0]


def compare(results: Sequence[Result]) -> pd.DataFrame:
    """The numbers of several results side by side: a row for each number, a column for each result."""
    titles = [one.title for one in results]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:
        raise ConfigError(f"two results are called {twice!r}; give each backtest its name=")
    return pd.DataFrame({one.title: one.stats for one in results})


def _file_name(symbol: str) -> str:
    return re.sub(r"[^\w.-]+", "_", symbol)


def _times(time_ns: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(time_ns.astype("datetime64[ns]"), tz="UTC")


def _time_ns(what: str, given: str | pd.Timestamp) -> int:
    try:
        moment = pd.Timestamp(given)
    except ValueError:
        raise ConfigError(f"{what}: {given!r} is not a time, expected one like 2023-05-01") from None
    aware = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    return int(aware.as_unit("ns").value)


def _trades(columns: Columns, point_value: float) -> pd.DataFrame:
    value = columns["qty"] * columns["entry_price"] * point_value
    return pd.DataFrame(
        {
            "symbol": columns["symbol"],
            "side": np.where(columns["direction"] > 0, "long", "short"),
            "qty": columns["qty"],
            "entry_time": _times(columns["entry_time_ns"]),
            "entry_price": columns["entry_price"],
            "entry_signal": columns["entry_signal"],
            "exit_time": _times(columns["exit_time_ns"]),
            "exit_price": columns["exit_price"],
            "exit_signal": columns["exit_signal"],
            "bars": columns["exit_bar"] - columns["entry_bar"],
            "profit": columns["pnl"],
            "return_percent": columns["pnl"] / value * 100.0,
            "commission": columns["entry_commission"] + columns["exit_commission"],
            "funding": columns["funding"],
            "run_up": columns["run_up"],
            "drawdown": columns["drawdown"],
        }
    )


def _orders(closed: Columns, still_open: Columns) -> pd.DataFrame:
    fills = [
        _fills(
            "entry", {name: np.concatenate([values, still_open[name]]) for name, values in closed.items()}
        ),
        _fills("exit", closed),
    ]
    # An exit comes before an entry of the same bar: that is how a position turns.
    both = pd.concat(fills[::-1], ignore_index=True)
    order = ["time", "symbol", "kind", "side", "price", "signal"]
    grouped = both.groupby(order, sort=False, as_index=False)[["qty", "commission"]].sum()
    shown = ["time", "symbol", "side", "kind", "qty", "price", "signal", "commission"]
    return grouped.sort_values("time", kind="stable", ignore_index=True)[shown]


def _fills(kind: str, columns: Columns) -> pd.DataFrame:
    buys = (columns["direction"] > 0) == (kind == "entry")
    return pd.DataFrame(
        {
            "time": _times(columns[f"{kind}_time_ns"]),
            "symbol": columns["symbol"],
            "kind": kind,
            "side": np.where(buys, "buy", "sell"),
            "price": columns[f"{kind}_price"],
            "signal": columns[f"{kind}_signal"],
            "qty": columns["qty"],
            "commission": columns[f"{kind}_commission"],
        }
    )


def _shown_rows() -> tuple[tuple[str, str, str], ...]:
    return ROWS[:_SHOWN]


def _picture(equity: NDArray[np.float64]) -> str:
    """The equity curve as a small SVG."""
    if len(equity) < 2:
        return ""
    at = np.unique(np.linspace(0, len(equity) - 1, _POINTS).astype(np.int64))
    curve = equity[at]
    low, high = float(curve.min()), float(curve.max())
    y = _HEIGHT - (curve - low) / ((high - low) or 1.0) * _HEIGHT
    x = at / (len(equity) - 1) * _WIDTH
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        f"<svg width='{_WIDTH}' height='{_HEIGHT}' viewBox='-2 -2 {_WIDTH + 4} {_HEIGHT + 4}'>"
        f"<polyline points='{points}' fill='none' stroke='#1f5fbf' stroke-width='1.5'/></svg>"
    )
