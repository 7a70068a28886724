"""The cash and margin that the symbols of one backtest share (event-driven engine)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.backtest.emulator.desk import Desk
    from engine.model.broker_settings import Market
    from engine.model.trades import Trade


class Account:
    """Initial capital, and the desks whose ledgers draw on it; closed trades in the order they closed."""

    __slots__ = ("desks", "initial_capital", "margin_rejects", "trades")

    def __init__(self, initial_capital: float) -> None:
        self.initial_capital = initial_capital
        self.desks: list[Desk] = []
        self.trades: list[Trade] = []
        self.margin_rejects = 0

    @property
    def cash(self) -> float:
        """Initial capital, gross profit of what was closed, commissions and funding."""
        cash = self.initial_capital
        for desk in self.desks:
            cash += desk.ledger.net_profit
        return cash

    @property
    def equity(self) -> float:
        """Cash and the open profit of every symbol at its last price."""
        cash, profit = self.initial_capital, 0.0
        for desk in self.desks:
            ledger = desk.ledger
            cash += ledger.realised - ledger.commission_paid + ledger.funding_paid
            if ledger.lots:
                profit += ledger.open_profit(desk.close)
        return cash + profit

    def open_profit_without(self, excepted: Desk | None) -> float:
        """Gross open profit at the last prices, of all symbols but one."""
        profit = 0.0
        for desk in self.desks:
            if desk is not excepted and desk.ledger.lots:
                profit += desk.ledger.open_profit(desk.close)
        return profit

    def margin_without(self, excepted: Desk) -> float:
        """Initial margin held by the other symbols' positions at their last price."""
        margin = 0.0
        for desk in self.desks:
            if desk is not excepted:
                margin += _initial_margin(desk)
        return margin

    def maintenance_without(self, excepted: Desk) -> float:
        """Maintenance margin of the other symbols' positions at their last price."""
        margin = 0.0
        for desk in self.desks:
            if desk is not excepted:
                margin += _maintenance(desk)
        return margin


def bracket(market: Market, notional: float) -> tuple[float, float]:
    """Maintenance ratio and cum of the bracket whose floor is the largest not above `notional`."""
    found = (0.0, 0.0)
    for floor, ratio, cum in market.brackets:
        if floor <= notional:
            found = (ratio, cum)
    return found


def _notional(desk: Desk) -> float:
    size = abs(desk.ledger.position_size)
    return size * desk.close * desk.settings.market.point_value if size else 0.0


def _initial_margin(desk: Desk) -> float:
    leverage = desk.settings.market.leverage
    return _notional(desk) / leverage if leverage else 0.0


def _maintenance(desk: Desk) -> float:
    notional = _notional(desk)
    ratio, cum = bracket(desk.settings.market, notional)
    return notional * ratio - cum if notional else 0.0
