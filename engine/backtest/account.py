"""The cash and margin that the symbols of one backtest share (event-driven engine)."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.backtest.broker import BacktestBroker
    from engine.backtest.trades import Trade


class Account:
    """Initial capital, and the brokers whose ledgers draw on it; closed trades in the order they closed."""

    __slots__ = ("brokers", "initial_capital", "margin_rejects", "trades")

    def __init__(self, initial_capital: float) -> None:
        self.initial_capital = initial_capital
        self.brokers: list[BacktestBroker] = []
        self.trades: list[Trade] = []
        self.margin_rejects = 0

    @property
    def cash(self) -> float:
        """Initial capital, gross profit of what was closed, commissions and funding."""
        cash = self.initial_capital
        for broker in self.brokers:
            cash += broker.net_profit
        return cash

    @property
    def equity(self) -> float:
        """Cash and the open profit of every symbol at its last price."""
        return self.cash + self.open_profit_without(None)

    def open_profit_without(self, excepted: BacktestBroker | None) -> float:
        """Gross open profit at the last prices, of all symbols but one."""
        profit = 0.0
        for broker in self.brokers:
            if broker is not excepted and broker.ledger.lots:
                profit += broker.ledger.open_profit(broker.mark)
        return profit

    def margin_without(self, excepted: BacktestBroker) -> float:
        """Initial margin held by the other symbols' positions at their last price."""
        return sum(
            (
                abs(b.ledger.position_size) * b.mark * b.market.point_value / b.market.leverage
                for b in self.brokers
                if b is not excepted and b.ledger.lots and b.market.leverage and not isnan(b.mark)
            ),
            0.0,
        )

    def maintenance_without(self, excepted: BacktestBroker) -> float:
        """Maintenance margin of the other symbols' positions at their last price."""
        return sum((b.maintenance(b.mark) for b in self.brokers if b is not excepted and b.ledger.lots), 0.0)
