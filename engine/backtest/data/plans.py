"""What a backtest of signal strategies is asked to run; both engines take this."""

from dataclasses import dataclass

from engine.backtest.data.funding import Funding
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays


@dataclass(frozen=True, slots=True)
class SymbolPlan:
    """One symbol of a backtest: its bars, what the strategy said about each, and how it leaves."""

    bars: Bars
    signals: SignalArrays
    exit_rules: ExitRules
    settings: BrokerSettings
    finer: Bars | None = None
    funding: Funding | None = None
