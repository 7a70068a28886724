"""`backtest`: one strategy over bars on one account; and the same for the strategies of a configuration."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from engine.backtest.data.broker_config import BrokerConfig, EntryConfig, config_of, merged_broker
from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.funding import Funding
from engine.backtest.data.gaps import DEFAULT_GAPS, GapRule
from engine.backtest.data.instruments import read_instruments
from engine.backtest.data.market import MarketData, market_of
from engine.backtest.data.price_grid import Grid
from engine.backtest.data.sources import Source, all_bars, bars_of
from engine.backtest.report.metrics import Curve
from engine.backtest.report.result import Result
from engine.backtest.report.trades import trade_columns
from engine.backtest.runs.compile_notice import announce_compiling
from engine.backtest.runs.config import RunConfig, StrategyChoice
from engine.backtest.runs.engines import DEFAULT_ENGINE, EngineName, run_scripts, run_signals
from engine.backtest.runs.strategies import (
    AnyClass,
    AnyStrategy,
    built,
    check_inputs,
    name_of,
    strategy_class,
)
from engine.exits.changed import ExitsRefused, changed_exits
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays
from engine.model.trades import BacktestResult
from engine.strategies.base import ScriptStrategy, SignalStrategy
from engine.strategies.calls import StrategyFault
from engine.strategies.faults import signals_of
from runtime.settings.refusals import sentence

Part = TypeVar("Part", Bars, Funding)


def backtest(
    strategy: str | AnyClass | AnyStrategy,
    bars: Source | Iterable[Source] | MarketData,
    *,
    params: Mapping[str, object] | None = None,
    exits: ExitRules | Mapping[str, object] | None = None,
    broker: BrokerConfig | BrokerSettings | Mapping[str, object] | None = None,
    engine: EngineName = DEFAULT_ENGINE,
    finer: Source | Mapping[str, Source] | None = None,
    funding: Funding | Mapping[str, Funding] | None = None,
    instruments: str | Path | Mapping[str, Grid] | None = None,
    gaps: GapRule = DEFAULT_GAPS,
    beside: Source | Iterable[Source] | Mapping[str, Source] = (),
    name: str = "",
) -> Result:
    """Backtest a strategy over the bars of one or several symbols that share one account.

    `strategy` is a name, `FILE.py:Class`, `package.module:Class`, a class, or an object. `params` are for a
    name or a class. An object of a script keeps what it has seen, so it runs once and on one symbol.

    `bars` are what `bars_of` takes (a file, a data frame, a sample's name, `Bars`) of one or several
    symbols, also by symbol, or `MarketData` with everything about the data in it. `finer` (bars inside the
    bars, given alike) and `funding` are by symbol; where there is one symbol, its own will do.
    `instruments` are grids by symbol, or the file of a saved answer of `exchangeInfo`. `gaps` is the rule
    for missing bars. `beside` are bars, given as `bars` or by symbol, that the strategy only looks at: of
    other symbols, or longer ones in place of those that are made of the deciding ones.

    `exits` replaces exit rules of a signal strategy, all or some by name. `broker` are settings by name on
    top of the defaults of the command line; a `BrokerConfig` or `BrokerSettings` is taken as it is. `engine`
    "kernel" is compiled, "event" the event-driven emulator, with the same trades; a script always runs in
    the emulator. `name` is the result's title.

    Raises `ConfigError` or `DataError` with what was wrong, `StrategyFault` for an exception in the strategy.
    """
    announce_compiling()
    how = _broker(broker)
    market = _market(bars, how, finer, funding, instruments, gaps, all_bars(beside))
    choice = _choice(strategy, params, exits, name)
    ready = _ready(strategy, choice, list(market.bars))
    rules = _rules(ready[0], choice, how)
    try:
        check_inputs(f"strategy {choice.title}", ready[0], market.bars.values(), market.all_bars)
        return _run(choice, ready, rules, how, market, engine)
    except StrategyFault as fault:
        raise StrategyFault(f"strategy {choice.title}: {fault}", fault.trace) from None


def check(config: RunConfig, choice: StrategyChoice) -> None:
    """Raise `ConfigError` where the strategy, its parameters or exit rules cannot be used."""
    _rules(_ready(choice.strategy, choice, [""])[0], choice, config.broker)


def run_choice(config: RunConfig, choice: StrategyChoice, market: MarketData) -> Result:
    """`backtest` of one strategy of a configuration over its data."""
    return backtest(
        choice.strategy,
        market,
        params=choice.params,
        exits=choice.exits,
        broker=config.broker,
        engine=config.engine,
        name=choice.name,
    )


def run_or_fault(config: RunConfig, choice: StrategyChoice, market: MarketData) -> Result | StrategyFault:
    """`run_choice` for a report; returns a fault of the strategy, so that the others of a run go on.

    The returned object can be sent between processes.
    """
    try:
        return run_choice(config, choice, market).for_a_report()
    except StrategyFault as fault:
        return fault


def _broker(given: BrokerConfig | BrokerSettings | Mapping[str, object] | None) -> BrokerConfig:
    if isinstance(given, BrokerConfig):
        return given
    try:
        if isinstance(given, BrokerSettings):
            return config_of(given)
        return BrokerConfig.model_validate(merged_broker(dict(given or {})))
    except ValidationError as e:
        raise ConfigError(f"broker: {sentence(e, BrokerConfig)}") from e
    except ValueError as e:
        raise ConfigError(f"broker: {e}") from e


def _market(
    bars: Source | Iterable[Source] | MarketData,
    broker: BrokerConfig,
    finer: Source | Mapping[str, Source] | None,
    funding: Funding | Mapping[str, Funding] | None,
    instruments: str | Path | Mapping[str, Grid] | None,
    gaps: GapRule,
    beside: list[Bars],
) -> MarketData:
    if isinstance(bars, MarketData):
        if (
            any(given is not None for given in (finer, funding, instruments))
            or gaps != DEFAULT_GAPS
            or beside
        ):
            raise ConfigError("finer, funding, instruments, gaps and beside are part of the MarketData given")
        return bars
    histories = all_bars(bars)
    grids = read_instruments(Path(instruments)) if isinstance(instruments, str | Path) else instruments
    return market_of(
        histories,
        broker,
        finer=_by_symbol("finer", _finer(finer), histories),
        funding=_by_symbol("funding", funding, histories),
        instruments=grids or {},
        gaps=gaps,
        beside=beside,
    )


def _finer(given: Source | Mapping[str, Source] | None) -> Bars | Mapping[str, Bars] | None:
    if isinstance(given, Mapping):
        return {symbol: bars_of(one, symbol) for symbol, one in given.items()}
    return None if given is None else bars_of(given)


def _by_symbol(
    what: str, given: Part | Mapping[str, Part] | None, histories: list[Bars]
) -> Mapping[str, Part]:
    """`given` as a mapping by symbol; a single value belongs to the only symbol."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return given
    if len(histories) != 1:
        raise ConfigError(f"{what}: expected a mapping by symbol, there are {len(histories)} symbols")
    return {histories[0].symbol: given}


def _choice(
    strategy: str | AnyClass | AnyStrategy,
    params: Mapping[str, object] | None,
    exits: ExitRules | Mapping[str, object] | None,
    name: str,
) -> StrategyChoice:
    is_object = isinstance(strategy, SignalStrategy | ScriptStrategy)
    if is_object and params:
        raise ConfigError("params go with a strategy's name or class, an object has its own")
    changes = asdict(exits) if isinstance(exits, ExitRules) else dict(exits or {})
    asked = {"strategy": name_of(strategy), "name": name, "params": dict(params or {}), "exits": changes}
    try:
        return StrategyChoice.model_validate(asked)
    except ValidationError as e:
        raise ConfigError(sentence(e, StrategyChoice)) from e


def _ready(
    strategy: str | AnyClass | AnyStrategy, choice: StrategyChoice, symbols: list[str]
) -> list[AnyStrategy]:
    """The strategy objects to run: one, or for a script one for each symbol."""
    if isinstance(strategy, ScriptStrategy) and len(symbols) > 1:
        raise ConfigError(
            f"{choice.title}: a script's object trades one symbol, for {len(symbols)} give its class or name"
        )
    if isinstance(strategy, SignalStrategy | ScriptStrategy):
        return [strategy]
    cls = strategy_class(strategy) if isinstance(strategy, str) else strategy
    first = built(cls, choice.params)
    if isinstance(first, SignalStrategy):
        return [first]
    return [first, *(built(cls, choice.params) for _ in symbols[1:])]


def _rules(strategy: AnyStrategy, choice: StrategyChoice, broker: BrokerConfig) -> ExitRules | None:
    """The strategy's exit rules with the changes; a script has none."""
    if isinstance(strategy, SignalStrategy):
        try:
            rules, gives = strategy.exit_rules, strategy.gives_distance
            return changed_exits(rules, choice.exits, gives_distance=gives)
        except ExitsRefused as error:
            raise ConfigError(str(error)) from error
    if choice.exits:
        raise ConfigError(
            f"{choice.strategy} is a script: it closes positions itself and takes no exit rules"
        )
    if broker.entry != EntryConfig():
        raise ConfigError(
            f"{choice.strategy} is a script: it places its own orders and takes no broker.entry"
        )
    return None


def _run(
    choice: StrategyChoice,
    ready: list[AnyStrategy],
    rules: ExitRules | None,
    broker: BrokerConfig,
    market: MarketData,
    engine: EngineName,
) -> Result:
    first = ready[0]
    signals: dict[str, SignalArrays] = {}
    if isinstance(first, SignalStrategy) and rules is not None:
        signals = {symbol: signals_of(first, bars, market.all_bars) for symbol, bars in market.bars.items()}
        ran = run_signals(engine, signals, rules, market, broker)
    else:
        engine = "event"
        ran = run_scripts([one for one in ready if isinstance(one, ScriptStrategy)], market, broker)
    return Result(
        choice=choice,
        engine=engine,
        broker=broker,
        market=market,
        params=first.params.model_dump() if hasattr(first, "params") else dict(choice.params),
        exit_rules=rules,
        signals=signals,
        value_names=first.value_names if isinstance(first, SignalStrategy) else (),
        closed=trade_columns(ran),
        still_open=trade_columns(ran, still_open=True),
        curve=_curve(ran, market, broker),
        margin_rejects=ran.margin_rejects,
    )


def _curve(ran: BacktestResult, market: MarketData, broker: BrokerConfig) -> Curve:
    values: Any = getattr(ran, "equity_values", None)  # an array where the engine has one
    each = [bars.open_time_ns for bars in market.bars.values()]
    times = np.unique(np.concatenate(each)) if len(each) > 1 else each[0]  # a symbol's are ascending
    step = min(bars.timeframe_ns for bars in market.bars.values())
    return Curve(times, np.asarray(ran.equity if values is None else values), broker.initial_capital, step)
