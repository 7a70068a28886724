"""The summary of a backtest: every number, setting and hash that a report shows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_jsonable_python

from engine.backtest.report import metrics, plausibility
from engine.backtest.report.hashes import config_hash, data_hash, trades_hash, versions
from engine.backtest.report.outcome import Outcome
from engine.backtest.report.settings import describe_bars
from engine.backtest.report.trades import open_rows
from engine.market_data.bar_times import DAY_NS
from engine.model.signals import SignalArrays

_MOST_TAGS = 100


def metrics_of(result: Outcome) -> dict[str, float | int | None]:
    """Numbers of the account, then those of the trades."""
    closed, still_open, curve = result.closed, result.still_open, result.curve
    risk, _ = _risk_and_tags(result, closed)
    hold = metrics.hold_equity(curve, list(result.bars.values()))
    return {
        **_account_numbers(curve, still_open),
        "margin_rejects": result.margin_rejects,
        "exposure_percent": metrics.exposure_percent(
            closed, still_open, {symbol: len(bars) for symbol, bars in result.bars.items()}
        ),
        "hold_return_percent": float(hold[-1] / curve.initial_capital - 1) * 100,
        **metrics.trade_metrics(closed, risk, still_open),
    }


def summary_of(result: Outcome, numbers: dict[str, float | int | None]) -> dict[str, Any]:
    """Settings, data, metrics, groups of trades, warnings, versions and hashes, JSON-able.

    `numbers` is what `metrics_of` says of the same outcome.
    """
    choice, closed, still_open = result.choice, result.closed, result.still_open
    risk, tags = _risk_and_tags(result, closed)
    _, open_tags = _risk_and_tags(result, still_open)
    found: dict[str, Any] = {
        "name": choice.title,
        "strategy": choice.strategy,
        "engine": result.engine,
        "params": dict(result.params),
        "exits": choice.exits,
        "broker": result.broker.model_dump(),
        "data": _describe_data(result),
        "notes": list(result.market.notes),
        **numbers,
        "buy_and_hold_percent": {s: float(b.close[-1] / b.open[0] - 1) * 100 for s, b in result.bars.items()},
        "per_symbol": metrics.grouped(closed, closed["symbol"], risk, (still_open, still_open["symbol"])),
        "per_tag": _most_traded(metrics.grouped(closed, tags, risk, (still_open, open_tags))),
        "per_month": _months(result.curve, closed, risk),
        "still_open": open_rows(still_open),
    }
    for symbol, held in found["buy_and_hold_percent"].items():
        none = {"trades": 0, "net_profit": 0.0}
        found["per_symbol"].setdefault(symbol, none)["buy_and_hold_percent"] = held
    found["warnings"] = plausibility.warnings(found, closed, result.bars, result.settings)
    found["versions"] = versions()
    market = result.market
    asked = {"broker": result.broker, "start": market.start, "end": market.end}
    found["hashes"] = {
        "config": config_hash(to_jsonable_python(asked) | choice.model_dump(mode="json")),
        "data": data_hash([*market.bars.values(), *market.finer.values(), *market.beside]),
        "trades": trades_hash(closed),
    }
    return found


def _account_numbers(curve: metrics.Curve, still_open: metrics.Columns) -> dict[str, Any]:
    returns, fall, cagr = (
        metrics.daily_returns(curve),
        metrics.max_drawdown(curve),
        metrics.cagr_percent(curve),
    )
    a_year = metrics.returns_a_year(curve)
    final = float(curve.equity[-1])
    return {
        "initial_capital": curve.initial_capital,
        "final_equity": final,
        "lowest_equity": float(curve.equity.min()),
        "total_return_percent": (final / curve.initial_capital - 1.0) * 100.0,
        "days": curve.years * metrics.DAYS_A_YEAR,
        "cagr_percent": cagr,
        "volatility_percent": metrics.volatility_percent(returns, a_year),
        "sharpe": metrics.sharpe(returns, a_year),
        "sortino": metrics.sortino(returns, a_year),
        "calmar": metrics.calmar(cagr, fall.percent),
        "max_drawdown_percent": fall.percent,
        "max_drawdown": fall.amount,
        "max_drawdown_days": fall.lasted_ns / DAY_NS,
        "longest_drawdown_days": fall.longest_ns / DAY_NS,
        "open_trades": len(still_open["pnl"]),
        "open_profit": float(still_open["pnl"].sum()),
    }


def _risk_and_tags(result: Outcome, columns: metrics.Columns) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """What each trade would have lost at one R, and its signal tag (its entry text where it has none).

    One R is the risk distance of the signal that decided the entry, else the distance of a percent stop.
    """
    rules, broker = result.exit_rules, result.broker
    distance = np.full(len(columns["pnl"]), np.nan)
    if rules is not None and rules.stop_loss_percent is not None:
        distance = columns["entry_price"] * rules.stop_loss_percent / 100.0
    tags = columns["entry_signal"].astype(object)
    for symbol, one in result.signals.items():
        mine = np.flatnonzero(columns["symbol"] == symbol)
        decided = _signal_bars(result, one, columns["entry_bar"][mine], columns["direction"][mine])
        given = one.risk_distance[decided]
        distance[mine] = np.where(given > 0, given, distance[mine])
        named = np.array(one.tags, dtype=object)[one.tag[decided]]
        tags[mine] = np.where(named == "", tags[mine], named)
    return distance * columns["qty"] * broker.point_value, tags


def _signal_bars(
    result: Outcome, signals: SignalArrays, entry_bar: NDArray[np.int64], direction: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The bar whose signal placed each entry: the one before the fill, for one that rests the last in its
    direction.
    """
    bar = np.maximum(entry_bar - (0 if result.broker.process_orders_on_close else 1), 0)
    if result.broker.entry.kind == "market":
        return bar
    rows = np.arange(len(signals.enter_long))
    last_long = np.maximum.accumulate(np.where(signals.enter_long, rows, 0))
    last_short = np.maximum.accumulate(np.where(signals.enter_short, rows, 0))
    return np.where(direction > 0, last_long[bar], last_short[bar])


def _most_traded(groups: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    names = sorted(groups, key=lambda name: (-groups[name]["trades"], name))[:_MOST_TAGS]
    return {name: groups[name] for name in names}


def _months(
    curve: metrics.Curve, closed: metrics.Columns, risk: NDArray[np.float64]
) -> dict[str, dict[str, Any]]:
    by_exit = metrics.grouped(closed, metrics.exit_months(closed), risk)
    return {
        month: {"return_percent": change, **by_exit.get(month, {"trades": 0, "net_profit": 0.0})}
        for month, change in metrics.monthly_returns(curve).items()
    }


def _describe_data(result: Outcome) -> list[dict[str, Any]]:
    lines = []
    for symbol, bars in result.bars.items():
        market, grid = result.settings[symbol].market, result.market.grids[symbol]
        lines.append(
            {
                **describe_bars(bars),
                "tick": market.tick,
                "tick_source": grid.tick_source,
                "qty_step": market.qty_step,
                "qty_step_source": grid.qty_step_source,
            }
        )
    return lines
