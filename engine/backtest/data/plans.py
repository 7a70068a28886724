"""The input of both engines for a signal strategy."""

from dataclasses import dataclass

from engine.backtest.data.funding import Funding
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays


@dataclass(frozen=True, slots=True)
class SymbolPlan:
    """One symbol of a backtest: bars, the strategy's signals on each, exit rules, and settings."""

    bars: Bars
    signals: SignalArrays
    exit_rules: ExitRules
    settings: BrokerSettings
    finer: Bars | None = None
    funding: Funding | None = None
