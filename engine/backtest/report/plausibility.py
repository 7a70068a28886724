"""Warnings about impossible or implausible results."""

from collections.abc import Mapping
from dataclasses import astuple
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backtest.emulator.orders import LIQUIDATION, MARGIN_CALL
from engine.backtest.report.metrics import Columns
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from runtime.control.shown import digits

_MANY = 30
_NOISE = 2e-4
"""Of a tick: what rounding to the grid may add."""
_MUCH_SLIPPAGE_PERCENT = 0.5


def warnings(
    summary: dict[str, Any],
    columns: Columns,
    bars: Mapping[str, Bars],
    settings: Mapping[str, BrokerSettings],
) -> list[str]:
    """One sentence for each warning. `summary` holds the metrics, `settings` the settings by symbol."""
    return [
        *_impossible(summary, columns, bars, settings),
        *_lost(summary, columns),
        *_too_good(summary),
        *_thin(summary, columns, bars, settings),
        *_costs(summary, columns, bars, settings),
        *_size(columns, bars),
    ]


def _impossible(
    summary: dict[str, Any],
    columns: Columns,
    bars: Mapping[str, Bars],
    settings: Mapping[str, BrokerSettings],
) -> list[str]:
    found = []
    for what in ("entry", "exit"):
        outside = 0
        for symbol, history in bars.items():
            mine = columns["symbol"] == symbol
            at, price = columns[f"{what}_bar"][mine], columns[f"{what}_price"][mine]
            costs, tick = settings[symbol].costs, settings[symbol].market.tick
            room = costs.slippage_ticks * tick + history.high[at] * costs.slippage_bps / 1e4 + _NOISE * tick
            bad = (price < history.low[at] - room) | (price > history.high[at] + room) | (price <= 0.0)
            outside += int(bad.sum())
        if outside:
            found.append(f"{outside} {what} prices lie outside the bar they were filled in")
    backwards = int((columns["exit_time_ns"] < columns["entry_time_ns"]).sum())
    if backwards:
        found.append(f"{backwards} trades exit before they enter")
    expected = summary["initial_capital"] + summary["net_profit"] + summary["open_profit"]
    if abs(expected - summary["final_equity"]) > 1e-6 * max(1.0, abs(summary["initial_capital"])):
        found.append(
            f"final equity {summary['final_equity']:.2f} is not the sum of the trades ({expected:.2f})"
        )
    if summary["lowest_equity"] < 0:
        found.append(
            "equity falls below zero: price jumped past the liquidation price, or costs took the rest"
            if all(one.market.leverage > 0.0 for one in settings.values())
            else "equity falls below zero: a real account would have been liquidated; "
            "set leverage and brackets"
        )
    return found


def _lost(summary: dict[str, Any], columns: Columns) -> list[str]:
    """Liquidations, margin calls and rejected entries."""
    found = []
    for signal, what in ((LIQUIDATION, "liquidated"), (MARGIN_CALL, "closed by margin calls")):
        ended = columns["exit_signal"] == signal
        if ended.any():
            first = str(np.datetime64(int(columns["exit_time_ns"][ended].min()), "ns"))[:16].replace("T", " ")
            found.append(f"{_counted(int(ended.sum()), 'trade')} {what}, first on {first} UTC")
    if summary["margin_rejects"]:
        found.append(
            f"{_counted(summary['margin_rejects'], 'entry', 'entries')} rejected for lack of margin:"
            " use a smaller size or more leverage"
        )
    return found


def _counted(number: int, one: str, many: str = "") -> str:
    """ "1 trade was", "3 trades were"."""
    return f"1 {one} was" if number == 1 else f"{number} {many or one + 's'} were"


def _too_good(summary: dict[str, Any]) -> list[str]:
    found = []
    if summary["sharpe"] is not None and summary["sharpe"] > 4:
        found.append(
            f"a Sharpe ratio of {summary['sharpe']:.1f} is hardly ever real: check the data for look-ahead"
        )
    if summary["trades"] >= _MANY:
        factor, wins = summary["profit_factor"], summary["win_rate_percent"]
        if factor is None and summary["net_profit"] > 0:
            found.append("no losing trades: check for impossible fills")
        elif factor is not None and factor > 4:
            found.append(
                f"a profit factor of {factor:.1f} over {summary['trades']} trades is hardly ever real"
            )
        if wins > 90:
            found.append(f"{wins:.0f} % winners: losses may be hidden in open or rare trades")
    if summary["cagr_percent"] is not None and summary["cagr_percent"] > 300:
        found.append(f"{summary['cagr_percent']:.0f} % a year: growth this fast is hardly ever real")
    return found


def _thin(
    summary: dict[str, Any],
    columns: Columns,
    bars: Mapping[str, Bars],
    settings: Mapping[str, BrokerSettings],
) -> list[str]:
    if not summary["trades"] and summary.get("open_trades"):
        return [f"no trade has closed yet, {summary['open_trades']} still open: trade statistics are empty"]
    if not summary["trades"]:
        small = [text for symbol, one in settings.items() if (text := _too_small(symbol, one, bars[symbol]))]
        refused = ["no trades"] if summary["margin_rejects"] else []
        return small or refused or ["no trades: check thresholds, warm-up and the period"]
    found = []
    if summary["trades"] < _MANY:
        trades = "1 trade" if summary["trades"] == 1 else f"{summary['trades']} trades"
        found.append(f"only {trades}: too few for meaningful ratios")
    best = float(columns["pnl"].max())
    if summary["net_profit"] > 0 and best > summary["net_profit"] / 2 and summary["trades"] > 1:
        found.append(_best_of(best, summary["net_profit"]))
    if summary["days"] < 90:
        found.append(f"only {summary['days']:.0f} days of data: yearly figures are extrapolated")
    return found


def _best_of(best: float, net: float) -> str:
    """The share of one trade in the net profit; more than all of it where the others lose."""
    if best > net:
        return f"one trade ({best:.2f}) makes {best / net:.3g} times the net profit: the others lose in total"
    return f"one trade ({best:.2f}) makes {100 * best / net:.0f} % of the net profit"


def _too_small(symbol: str, one: BrokerSettings, history: Bars) -> str:
    """Why no entry of the size that is set can be placed at any price of the bars, or ""."""
    sizing, market = one.sizing, one.market
    lowest, highest = float(history.low.min()), float(history.high.max())
    money = {"cash": sizing.value, "percent_of_equity": one.initial_capital * sizing.value / 100.0}
    if sizing.kind not in ("fixed", *money):
        return ""
    most = sizing.value if sizing.kind == "fixed" else money[sizing.kind] / (lowest * market.point_value)
    worth = min(most * highest * market.point_value, money.get(sizing.kind, inf))
    for name, smallest, has in (
        ("qty_step", market.qty_step, most),
        ("min_qty", market.min_qty, most),
        ("min_notional", market.min_notional, worth),
    ):
        if has < smallest:
            return f"no trades: an entry of {symbol} has at most {has:.6g}, its {name} is {smallest:.10g}"
    return ""


def _costs(
    summary: dict[str, Any],
    columns: Columns,
    bars: Mapping[str, Bars],
    settings: Mapping[str, BrokerSettings],
) -> list[str]:
    found = []
    if not any(any(astuple(one.costs)) for one in settings.values()):
        found.append("commission and slippage are zero")
    for symbol, one in settings.items():
        lowest = float(bars[symbol].low.min())
        share = one.costs.slippage_ticks * one.market.tick / lowest * 100.0
        if share > _MUCH_SLIPPAGE_PERCENT:
            found.append(
                f"{symbol}: a tick of {digits(one.market.tick)} is large for a price of {digits(lowest)}:"
                f" the slippage is up to {share:.1f} % a fill"
            )
    if summary["trades"]:
        tick_value = _tick_values(columns, settings)
        in_ticks = float(columns["pnl"].mean() / (columns["qty"] * tick_value).mean())
        if 0 < in_ticks < 2:
            found.append(f"the mean profit is {in_ticks:.2f} ticks: one more tick of slippage removes it")
        if float(np.median(np.abs(columns["pnl"]) / columns["qty"] / tick_value)) < 1.0:
            found.append("half of the trades move less than a tick")
    return found


def _tick_values(columns: Columns, settings: Mapping[str, BrokerSettings]) -> NDArray[np.float64]:
    """The money that one tick makes of one unit, for each trade."""
    values = np.empty(len(columns["pnl"]))
    for symbol, one in settings.items():
        values[columns["symbol"] == symbol] = one.market.tick * one.market.point_value
    return values


def _size(columns: Columns, bars: Mapping[str, Bars]) -> list[str]:
    large = 0
    for symbol, history in bars.items():
        if not history.volume_base.any():
            continue
        mine = columns["symbol"] == symbol
        large += int((columns["qty"][mine] > 0.1 * history.volume_base[columns["entry_bar"][mine]]).sum())
    if large:
        return [
            f"{large} entries are more than a tenth of their bar's volume: they would have moved the price"
        ]
    return []
