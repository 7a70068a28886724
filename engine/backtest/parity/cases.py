"""Runs the cases of a validation configuration through the engines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from pathlib import Path

import numpy as np

from engine.backtest.data.broker_config import BrokerConfig
from engine.backtest.data.configuration import ConfigError, period_text, to_ns
from engine.backtest.data.gaps import by_rule
from engine.backtest.data.loaders import DataError, cut, load_bars
from engine.backtest.data.market import grid_for
from engine.backtest.data.market_files import finer_for
from engine.backtest.data.plans import SymbolPlan
from engine.backtest.data.price_grid import ASSUMED_QTY_STEP
from engine.backtest.emulator.script_runner import run_script
from engine.backtest.parity.comparison import Comparison, compare
from engine.backtest.parity.config import Case, ValidateConfig
from engine.backtest.parity.tv_export import ListedTrade, read_trade_list
from engine.backtest.runs.engines import Engine, engine_of, engines
from engine.backtest.runs.strategies import built, check_inputs, strategy_class
from engine.model.bars import Bars
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays
from engine.model.trades import BacktestResult
from engine.strategies.base import ScriptStrategy, SignalStrategy
from engine.strategies.faults import signals_of
from runtime.suggestions import allowed


@dataclass(frozen=True, slots=True)
class Prepared:
    """One case whose inputs have been read and checked; tick and quantity step are settled.

    `history` is the whole file of bars, `notes` are for the user.
    """

    case: Case
    history: Bars
    listed: tuple[ListedTrade, ...]
    finer: Bars | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case through one engine."""

    prepared: Prepared
    engine: str
    plan: SymbolPlan
    strategy: SignalStrategy | ScriptStrategy
    result: BacktestResult
    comparison: Comparison

    @property
    def case(self) -> Case:
        """The case as it was configured."""
        return self.prepared.case

    @property
    def zone(self) -> tzinfo:
        """Of the list's stamps."""
        return self.prepared.listed[0].zone

    @property
    def value_names(self) -> tuple[str, ...]:
        """Of the strategy's indicator values; a script has none."""
        return self.strategy.value_names if isinstance(self.strategy, SignalStrategy) else ()


def engines_of(case: Case) -> Mapping[str, Engine]:
    """Those that can run the case: a script runs in the event-driven engine alone."""
    if isinstance(build_strategy(case), SignalStrategy):
        return engines()
    return {"event": engine_of("event")}


def prepare(config: ValidateConfig, references: Mapping[str, Path]) -> list[Prepared]:
    """Read and check all inputs before anything runs.

    Raises `ConfigError`, `DataError` or `ExportError`; `references` replaces the lists of named cases.
    """
    known = {case.name for case in config.cases}
    for name in references:
        if name not in known:
            raise ConfigError(f"--reference {name}: no such case{allowed(name, sorted(known))}")
    read = cache(load_bars)
    prepared = []
    for case in config.cases:
        path = case.bars or config.bars
        assert path is not None
        history = read(path).bars
        broker, about_grid = settled_broker(case.broker, history)
        chosen = case.model_copy(
            update={"reference": references.get(case.name, case.reference), "broker": broker}
        )
        strategy = build_strategy(chosen)
        if len(bars_of(chosen, history)) < 2:
            period = period_text(case.history_start, case.history_end)
            raise DataError(f"case {case.name}: {path} has no two bars {period}")
        _, about_gaps = by_rule(bars_of(chosen, history), config.gaps, path)
        if config.gaps == "fill":
            history, _ = by_rule(history, "fill", path)
        listed = tuple(read_trade_list(chosen.reference, chosen.utc_offset_hours, chosen.time_zone))
        within = bars_of(chosen, history)
        check_inputs(f"case {case.name}", strategy, [within])
        finer, about_finer = (None, ()) if case.finer is None else finer_for(within, case.finer)
        notes = (*read(path).notes, *about_grid, *about_gaps, *about_finer)
        prepared.append(Prepared(chosen, history, listed, finer, notes))
    return prepared


def settled_broker(broker: BrokerConfig, history: Bars) -> tuple[BrokerConfig, list[str]]:
    """The settings with the data's tick and TradingView's usual quantity step where none is given.

    `ConfigError` for a tick larger than a price.
    """
    stepped = broker.model_copy(update={"qty_step": broker.qty_step or ASSUMED_QTY_STEP})
    grid, notes = grid_for(stepped, history)
    return stepped.model_copy(update={"tick": grid.tick, "qty_step": grid.qty_step}), notes


def bars_of(case: Case, history: Bars) -> Bars:
    """The bars that the case's script saw."""
    return cut(history, to_ns(case.history_start), to_ns(case.history_end))


def build_strategy(case: Case) -> SignalStrategy | ScriptStrategy:
    """The case's strategy, registered or `package.module:Class`, or `ConfigError`."""
    try:
        return built(strategy_class(case.strategy), case.params)
    except ConfigError as e:
        raise ConfigError(f"case {case.name}: {e}") from e


def run_case(prepared: Prepared, engine_name: str, engine: Engine) -> CaseResult:
    """Generate the case's trades and compare them with its list. A script has its own runner."""
    case = prepared.case
    strategy = build_strategy(case)
    bars, settings = bars_of(case, prepared.history), case.broker.settings()
    if isinstance(strategy, SignalStrategy):
        plan = SymbolPlan(bars, signals_of(strategy, bars), strategy.exit_rules, settings, prepared.finer)
        result = engine([plan])
    else:
        plan = SymbolPlan(bars, _no_signals(len(bars)), ExitRules(), settings, prepared.finer)
        result = run_script(strategy, bars, settings, finer=prepared.finer)
    comparison = compare(
        prepared.listed,
        [*result.trades, *result.open_trades],
        commission_percent=case.broker.commission_percent,
        initial_capital=case.broker.initial_capital,
        point_value=case.broker.point_value,
        end_ns=to_ns(case.history_end),
        bar_ns=bars.timeframe_ns,
    )
    return CaseResult(prepared, engine_name, plan, strategy, result, comparison)


def _no_signals(n: int) -> SignalArrays:
    """The signals of a script: none."""
    never = np.zeros(n, dtype=np.bool_)
    tags, risk = np.zeros(n, dtype=np.int32), np.full(n, np.nan)
    return SignalArrays(never, never, never, never, tags, ("",), risk, np.zeros((0, n)))
