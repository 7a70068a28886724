"""The two engines by name; each is imported when it is used."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from engine.backtest.data.broker_config import BrokerConfig
from engine.backtest.data.market import MarketData
from engine.backtest.data.plans import SymbolPlan
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays
from engine.model.trades import BacktestResult
from engine.strategies.base import ScriptStrategy

EngineName = Literal["kernel", "event"]
"""The numba kernel, and the event-driven emulator."""

DEFAULT_ENGINE: EngineName = "kernel"
Engine = Callable[[Sequence[SymbolPlan]], BacktestResult]


def engines() -> dict[str, Engine]:
    """The engines that must agree on a signal strategy."""
    return {name: engine_of(name) for name in get_args(EngineName)}


def engine_of(name: EngineName) -> Engine:
    """The engine of that name for signal strategies."""
    if name == "event":
        from engine.backtest.emulator.signal_runner import run_signals  # noqa: PLC0415  # only what is used

        return run_signals
    from engine.backtest.kernel.runner import run_kernel  # noqa: PLC0415  # numba

    return run_kernel


def run_signals(
    name: EngineName,
    signals: Mapping[str, SignalArrays],
    rules: ExitRules,
    market: MarketData,
    broker: BrokerConfig,
) -> BacktestResult:
    """Backtest the signals of each symbol on one account."""
    plans = [
        SymbolPlan(
            bars,
            signals[symbol],
            rules,
            market.settings(broker, symbol),
            market.finer.get(symbol),
            market.funding.get(symbol),
        )
        for symbol, bars in market.bars.items()
    ]
    return engine_of(name)(plans)


def run_scripts(
    scripts: Sequence[ScriptStrategy], market: MarketData, broker: BrokerConfig
) -> BacktestResult:
    """Backtest a script of each symbol on one account, in the emulator."""
    from engine.backtest.emulator import script_runner  # noqa: PLC0415  # only what is used

    plans = [
        script_runner.ScriptPlan(
            script,
            bars,
            market.settings(broker, symbol),
            market.finer.get(symbol),
            market.funding.get(symbol),
            market.all_bars,
        )
        for script, (symbol, bars) in zip(scripts, market.bars.items(), strict=True)
    ]
    return script_runner.run_scripts(plans)
