"""Runs one strategy of a configuration; what comes back can be sent between processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backtest.data.market_files import Market, load_market
from engine.backtest.data.plans import SymbolPlan
from engine.backtest.parity.config import ConfigError
from engine.backtest.report import metrics, plausibility
from engine.backtest.report.hashes import config_hash, data_hash, trades_hash, versions
from engine.backtest.report.settings import bars_told
from engine.backtest.report.trades import open_rows, trade_columns
from engine.backtest.runs.config import RunConfig, StrategyChoice, changed_exits
from engine.backtest.runs.first_run import say_when_compiling
from engine.backtest.runs.strategies import build_script, build_signal_strategy, strategy_class
from engine.backtest.trades import BacktestResult
from engine.model.bars import Bars
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays
from engine.strategies.base import ScriptStrategy, SignalStrategy
from engine.strategies.calls import StrategyFault
from engine.strategies.faults import signals_of

_MOST_TAGS = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """One strategy's backtest: the summary, its trades as columns, equity, and what a page draws."""

    title: str
    summary: dict[str, Any]
    closed: metrics.Columns
    still_open: metrics.Columns
    curve: metrics.Curve
    bars: dict[str, Bars]
    values: dict[str, NDArray[np.float64]]
    value_names: tuple[str, ...]


def check(choice: StrategyChoice) -> None:
    """Raise `ConfigError` where the strategy, its parameters or exit rules cannot be used."""
    cls = strategy_class(choice.strategy)
    if issubclass(cls, SignalStrategy):
        changed_exits(build_signal_strategy(cls, choice.params).exit_rules, choice.exits)
    elif choice.exits:
        raise ConfigError(
            f"{choice.strategy} is a script, it leaves by its own calls and takes no exit rules"
        )
    else:
        build_script(cls, choice.params)


def run_or_fault(config: RunConfig, choice: StrategyChoice, market: Market) -> Outcome | StrategyFault:
    """`run_choice`, with a fault of the strategy as what it comes to: the others of a run go on."""
    try:
        return run_choice(config, choice, market)
    except StrategyFault as fault:
        return fault


def run_choice(config: RunConfig, choice: StrategyChoice, market: Market | None = None) -> Outcome:
    """Backtest one strategy over all symbols on one account and work out its metrics.

    A script runs in the event-driven engine whichever was asked for. `StrategyFault` for its exceptions.
    """
    say_when_compiling()
    market = load_market(config) if market is None else market
    check(choice)
    try:
        return _run(config, choice, market)
    except StrategyFault as fault:
        raise StrategyFault(f"strategy {choice.title}: {fault}", fault.trace) from None


def _run(config: RunConfig, choice: StrategyChoice, market: Market) -> Outcome:
    cls = strategy_class(choice.strategy)
    signals: dict[str, SignalArrays] = {}
    rules, params = ExitRules(), dict(choice.params)
    names: tuple[str, ...] = ()
    if issubclass(cls, SignalStrategy):
        strategy = build_signal_strategy(cls, choice.params)
        rules, names = changed_exits(strategy.exit_rules, choice.exits), strategy.value_names
        params = strategy.params.model_dump() if hasattr(strategy, "params") else params
        signals = {symbol: signals_of(strategy, bars) for symbol, bars in market.bars.items()}
        result = _run_signals(config, market, signals, rules)
    else:
        config = config.model_copy(update={"engine": "event"})
        result = _run_script(config, market, cls, choice.params)
    closed, still_open = trade_columns(result), trade_columns(result, still_open=True)
    times = np.unique(np.concatenate([bars.open_time_ns for bars in market.bars.values()]))
    step = min(bars.timeframe_ns for bars in market.bars.values())
    curve = metrics.Curve(times, np.asarray(_equity(result)), config.broker.initial_capital, step)
    summary = _summary(config, choice, market, rules, result, (closed, still_open), curve, signals)
    summary["params"] = params
    values = {symbol: one.values for symbol, one in signals.items()}
    return Outcome(choice.title, summary, closed, still_open, curve, market.bars, values, names)


def _run_signals(
    config: RunConfig, market: Market, signals: Mapping[str, SignalArrays], rules: ExitRules
) -> BacktestResult:
    plans = [
        SymbolPlan(
            bars,
            signals[symbol],
            rules,
            market.settings(config, symbol),
            market.finer.get(symbol),
            market.funding.get(symbol),
        )
        for symbol, bars in market.bars.items()
    ]
    result: BacktestResult = _engine(config)(plans)
    return result


def _run_script(
    config: RunConfig, market: Market, cls: type[ScriptStrategy], params: Mapping[str, object]
) -> BacktestResult:
    from engine.backtest.emulator.script_runner import ScriptPlan, run_scripts  # noqa: PLC0415  # scripts only

    return run_scripts(
        [
            ScriptPlan(
                build_script(cls, params),
                bars,
                market.settings(config, symbol),
                market.finer.get(symbol),
                market.funding.get(symbol),
            )
            for symbol, bars in market.bars.items()
        ]
    )


def _engine(config: RunConfig) -> Any:  # noqa: ANN401  # both take plans and return a BacktestResult
    if config.engine == "event":
        from engine.backtest.emulator.signal_runner import run_signals  # noqa: PLC0415  # only the one asked for

        return run_signals
    from engine.backtest.kernel.runner import run_kernel  # noqa: PLC0415

    return run_kernel


def _equity(result: BacktestResult) -> Any:  # noqa: ANN401  # an array where the engine has one
    values = getattr(result, "equity_values", None)
    return result.equity if values is None else values


def _summary(
    config: RunConfig,
    choice: StrategyChoice,
    market: Market,
    rules: ExitRules,
    result: BacktestResult,
    trades: tuple[metrics.Columns, metrics.Columns],
    curve: metrics.Curve,
    signals: Mapping[str, SignalArrays],
) -> dict[str, Any]:
    closed, still_open = trades
    on_close = config.broker.process_orders_on_close
    late, hold = 0 if on_close else 1, metrics.hold_equity(curve, list(market.bars.values()))
    risk, tags = _risk_and_tags(closed, signals, rules, config.broker.point_value, late)
    _, open_tags = _risk_and_tags(still_open, signals, rules, config.broker.point_value, late)
    found: dict[str, Any] = {
        "name": choice.title,
        "strategy": choice.strategy,
        "engine": config.engine,
        "exits": choice.exits,
        "broker": config.broker.model_dump(),
        "data": [_told(config, market, bars) for bars in market.bars.values()],
        "notes": list(market.notes),
        **_account_numbers(curve, still_open),
        "margin_rejects": result.margin_rejects,
        "exposure_percent": metrics.exposure_percent(
            closed, still_open, {symbol: len(bars) for symbol, bars in market.bars.items()}
        ),
        "buy_and_hold_percent": {s: float(b.close[-1] / b.open[0] - 1) * 100 for s, b in market.bars.items()},
        "hold_return_percent": float(hold[-1] / curve.initial_capital - 1) * 100,
        **metrics.trade_metrics(closed, risk, still_open),
        "per_symbol": metrics.grouped(closed, closed["symbol"], risk, (still_open, still_open["symbol"])),
        "per_tag": _most_traded(metrics.grouped(closed, tags, risk, (still_open, open_tags))),
        "per_month": _months(curve, closed, risk),
        "still_open": open_rows(still_open),
    }
    for symbol, held in found["buy_and_hold_percent"].items():
        none = {"trades": 0, "net_profit": 0.0}
        found["per_symbol"].setdefault(symbol, none)["buy_and_hold_percent"] = held
    settings = {symbol: market.settings(config, symbol) for symbol in market.bars}
    found["warnings"] = plausibility.warnings(found, closed, market.bars, settings)
    found["versions"] = versions()
    found["hashes"] = {
        "config": config_hash(
            config.model_dump(mode="json", include={"broker", "start", "end"})
            | choice.model_dump(mode="json")
        ),
        "data": data_hash([*market.bars.values(), *market.finer.values()]),
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
        "max_drawdown_days": fall.lasted_ns / metrics.DAY_NS,
        "longest_drawdown_days": fall.longest_ns / metrics.DAY_NS,
        "open_trades": len(still_open["pnl"]),
        "open_profit": float(still_open["pnl"].sum()),
    }


def _risk_and_tags(
    closed: metrics.Columns,
    signals: Mapping[str, SignalArrays],
    rules: ExitRules,
    point_value: float,
    late: int,
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """What each trade would have lost at one R, and its signal tag (its entry text where it has none).

    One R is the risk distance of the signal that decided the entry, else the distance of a percent stop.
    """
    distance = np.full(len(closed["pnl"]), np.nan)
    if rules.stop_loss_percent is not None:
        distance = closed["entry_price"] * rules.stop_loss_percent / 100.0
    tags = closed["entry_signal"].astype(object)
    for symbol, one in signals.items():
        mine = np.flatnonzero(closed["symbol"] == symbol)
        decided = np.maximum(closed["entry_bar"][mine] - late, 0)
        given = one.risk_distance[decided]
        distance[mine] = np.where(given > 0, given, distance[mine])
        named = np.array(one.tags, dtype=object)[one.tag[decided]]
        tags[mine] = np.where(named == "", tags[mine], named)
    return distance * closed["qty"] * point_value, tags


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


def _told(config: RunConfig, market: Market, bars: Bars) -> dict[str, Any]:
    settings, grid = market.settings(config, bars.symbol).market, market.grids[bars.symbol]
    return {
        **bars_told(bars),
        "tick": settings.tick,
        "tick_source": grid.tick_source,
        "qty_step": settings.qty_step,
        "qty_step_source": grid.qty_step_source,
    }
