"""Margin of the event-driven broker: leverage, liquidation, and TradingView's check of new orders."""

from math import inf, isnan, nan

from engine.backtest.emulator.account import bracket
from engine.backtest.emulator.desk import Desk
from engine.backtest.emulator.orders import LIQUIDATION, LIQUIDATION_RANK, PendingOrder

_NOISE = 1e-11


def margin_allows(desk: Desk, qty: float, price: float) -> bool:
    """Leverage: whether the account can carry `qty` more at `price`; a refusal is counted."""
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
    price = (due - equity + size * average) / slope if slope else nan
    return price if price > 0.0 else nan


def rest_liquidation(desk: Desk) -> None:
    """After the opening fills of a bar: rest the level at which the account would be liquidated."""
    price = liquidation_price(desk)
    if not isnan(price):
        desk.rest_level(LIQUIDATION, LIQUIDATION_RANK, stop=price, qty=inf, signal=LIQUIDATION)


def margin_ratio(desk: Desk, direction: int) -> float:
    """TradingView's margin of a side as a fraction of notional, 0 where it is off."""
    settings = desk.settings
    return (settings.margin_long_percent if direction > 0 else settings.margin_short_percent) / 100.0


def can_margin(desk: Desk, order: PendingOrder, qty: float, price: float) -> bool:
    """Whether TradingView lets an order fill: what it would leave behind must not need more than equity.

    Entries are judged at the open and the close only; what fills inside the bar is left to the margin call,
    and so are entries that only other fills of the same open have made too large.
    """
    ratio = margin_ratio(desk, order.direction)
    if not ratio or (desk.is_inside and order.kind == "entry"):
        return True
    change = order.direction * qty
    position = desk.ledger.position_size
    if not _fits_beside_the_one_it_reverses(desk, order, change, price):
        desk.account.margin_rejects += 1
        return False
    if abs(position + change) <= abs(position) and position * (position + change) >= 0:
        return True
    unit = price * desk.point_value * ratio
    if _fits(abs(position + change) * unit, desk.equity_at(desk.close)):
        return True
    if desk.has_closed_at_open and desk.start_size * order.direction < 0:
        return True
    if position != desk.start_size and _fits(abs(desk.start_size + change) * unit, desk.start_equity):
        return True
    desk.account.margin_rejects += 1
    return False


def _fits_beside_the_one_it_reverses(desk: Desk, order: PendingOrder, change: float, price: float) -> bool:
    """An entry that reverses what a market entry has opened at this very open needs margin for both."""
    sign, position = desk.opened_sign, desk.ledger.position_size
    is_pair = order.kind == "entry" and order.direction == -sign and position * sign > 0
    if not (is_pair and desk.is_at_open):
        return True
    needed = abs(position) * margin_ratio(desk, sign) + abs(position + change) * margin_ratio(desk, -sign)
    return _fits(needed * price * desk.point_value, desk.equity_at(desk.close))


def _fits(needed: float, equity: float) -> bool:
    return needed - equity <= abs(equity) * _NOISE
