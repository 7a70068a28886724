"""The cash and margin that the symbols of one backtest share (event-driven engine)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.backtest.emulator.ledger import Ledger
    from engine.model.broker_settings import BrokerSettings, Market
    from engine.model.trades import Trade


class Holding(Protocol):
    """A symbol of the account: its ledger, its last price and its settings."""

    ledger: Ledger
    close: float
    settings: BrokerSettings


class Account:
    """Initial capital, and the symbols whose ledgers draw on it; closed trades in the order they closed."""

    __slots__ = ("initial_capital", "margin_rejects", "symbols", "trades")

    def __init__(self, initial_capital: float) -> None:
        self.initial_capital = initial_capital
        self.symbols: list[Holding] = []
        self.trades: list[Trade] = []
        self.margin_rejects = 0

    @property
    def cash(self) -> float:
        """Initial capital, gross profit of what was closed, commissions and funding."""
        cash = self.initial_capital
        for state in self.symbols:
            ledger = state.ledger
            cash += ledger.realised - ledger.commission_paid + ledger.funding_paid
        return cash

    @property
    def equity(self) -> float:
        """Cash and the open profit of every symbol at its last price."""
        cash, profit = self.initial_capital, 0.0
        for state in self.symbols:
            ledger = state.ledger
            cash += ledger.realised - ledger.commission_paid + ledger.funding_paid
            if ledger.lots:
                profit += ledger.open_profit(state.close)
        return cash + profit

    def open_profit_without(self, excepted: Holding | None) -> float:
        """Gross open profit at the last prices, of all symbols but one."""
        profit = 0.0
        for state in self.symbols:
            if state is not excepted and state.ledger.lots:
                profit += state.ledger.open_profit(state.close)
        return profit

    def margin_without(self, excepted: Holding) -> float:
        """Initial margin held by the other symbols' positions at their last price."""
        margin = 0.0
        for state in self.symbols:
            if state is not excepted:
                margin += _initial_margin(state)
        return margin

    def maintenance_without(self, excepted: Holding) -> float:
        """Maintenance margin of the other symbols' positions at their last price."""
        margin = 0.0
        for state in self.symbols:
            if state is not excepted:
                margin += _maintenance(state)
        return margin


def bracket(market: Market, notional: float) -> tuple[float, float]:
    """Maintenance ratio and cum of the bracket whose floor is the largest not above `notional`."""
    found = (0.0, 0.0)
    for floor, ratio, cum in market.brackets:
        if floor <= notional:
            found = (ratio, cum)
    return found


def _notional(state: Holding) -> float:
    size = abs(state.ledger.position_size)
    return size * state.close * state.settings.market.point_value if size else 0.0


def _initial_margin(state: Holding) -> float:
    leverage = state.settings.market.leverage
    return _notional(state) / leverage if leverage else 0.0


def _maintenance(state: Holding) -> float:
    notional = _notional(state)
    ratio, cum = bracket(state.settings.market, notional)
    return notional * ratio - cum if notional else 0.0
