"""What came out of a backtest, before any number is worked out from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backtest.data.broker_config import BrokerConfig
from engine.backtest.data.market import MarketData
from engine.backtest.report.metrics import Columns, Curve
from engine.backtest.report.trades import trades_of
from engine.backtest.runs.config import StrategyChoice
from engine.backtest.runs.engines import EngineName
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays
from engine.model.trades import Trade


@dataclass(frozen=True)
class Outcome:
    """One strategy's backtest over all its symbols on one account, and what it was made with.

    `choice` is what was asked for, `params` the strategy's parameters with their defaults; a script has no
    `exit_rules` (None), no `signals` and no `value_names`. `engine` is the one that ran. `closed` and
    `still_open` are the trades as columns, one array for each field of `Trade`; `curve` is equity by bar.
    `margin_rejects` counts entries that the account could not carry.
    """

    choice: StrategyChoice
    engine: EngineName
    broker: BrokerConfig
    market: MarketData
    params: Mapping[str, Any]
    exit_rules: ExitRules | None
    signals: Mapping[str, SignalArrays]
    value_names: tuple[str, ...]
    closed: Columns
    still_open: Columns
    curve: Curve
    margin_rejects: int

    @property
    def title(self) -> str:
        """The name given, or the strategy's."""
        return self.choice.title

    @property
    def bars(self) -> Mapping[str, Bars]:
        """Bars by symbol."""
        return self.market.bars

    @property
    def settings(self) -> dict[str, BrokerSettings]:
        """The broker's settings by symbol, tick and quantity step among them."""
        return {symbol: self.market.settings(self.broker, symbol) for symbol in self.market.bars}

    @cached_property
    def trades(self) -> tuple[Trade, ...]:
        """Closed trades in the order they closed."""
        return trades_of(self.closed)

    @cached_property
    def open_trades(self) -> tuple[Trade, ...]:
        """Trades that are open at the end, symbol by symbol."""
        return trades_of(self.still_open)

    @property
    def equity(self) -> NDArray[np.float64]:
        """Equity at the close of each bar of `time_ns`, account currency."""
        return self.curve.equity

    @property
    def time_ns(self) -> NDArray[np.int64]:
        """Open times of all symbols' bars, each once, nanoseconds UTC."""
        return self.curve.time_ns
