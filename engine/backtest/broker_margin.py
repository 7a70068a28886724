"""Leverage: initial and maintenance margin, and the price of liquidation (event-driven engine)."""

from math import nan

from engine.backtest.account import bracket
from engine.backtest.broker_desk import Desk


def margin_allows(desk: Desk, qty: float, price: float) -> bool:
    """Whether the account can carry `qty` more at `price`; a refusal is counted."""
    market = desk.settings.market
    if not market.leverage:
        return True
    own = (abs(desk.ledger.position_size) + qty) * price * market.point_value / market.leverage
    if own + desk.account.margin_without(desk) <= desk.equity_at(price):
        return True
    desk.account.margin_rejects += 1
    return False


def liquidation_price(desk: Desk) -> float:
    """Price at which the account's equity equals all maintenance margins; nan where there is none.

    Linear in this symbol's price because the bracket is the one of the entry notional.
    """
    market = desk.settings.market
    size = desk.ledger.position_size * market.point_value
    if not market.leverage or not size:
        return nan
    average = desk.ledger.average_price
    ratio, cum = bracket(market, abs(size) * average)
    equity = desk.account.cash + desk.account.open_profit_without(desk)
    due = desk.account.maintenance_without(desk) - cum
    slope = size - abs(size) * ratio
    price = (due - equity + size * average) / slope
    return price if price > 0.0 else nan
