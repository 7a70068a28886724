"""Margin of the event-driven broker: leverage, liquidation, and TradingView's check of new orders."""

from math import inf, isnan, nan

from engine.backtest.emulator.account import bracket
from engine.backtest.emulator.orders import LIQUIDATION, LIQUIDATION_RANK, PendingOrder
from engine.backtest.emulator.symbol_state import SymbolState

_NOISE = 1e-11


def margin_allows(state: SymbolState, qty: float, price: float) -> bool:
    """Leverage: whether the account can carry `qty` more at `price`; a refusal is counted."""
    market = state.settings.market
    if not market.leverage:
        return True
    own = (abs(state.ledger.position_size) + qty) * price * market.point_value / market.leverage
    if own + state.account.margin_without(state) <= state.equity_at(price):
        return True
    state.account.margin_rejects += 1
    return False


def liquidation_price(state: SymbolState) -> float:
    """Price at which the account's equity equals all maintenance margins; nan where there is none.

    Linear in this symbol's price because the bracket is the one of the entry notional.
    """
    market = state.settings.market
    size = state.ledger.position_size * market.point_value
    if not market.leverage or not size:
        return nan
    average = state.ledger.average_price
    ratio, cum = bracket(market, abs(size) * average)
    equity = state.account.cash + state.account.open_profit_without(state)
    due = state.account.maintenance_without(state) - cum
    slope = size - abs(size) * ratio
    price = (due - equity + size * average) / slope if slope else nan
    return price if price > 0.0 else nan


def rest_liquidation(state: SymbolState) -> None:
    """After the opening fills of a bar: rest the level at which the account would be liquidated."""
    price = liquidation_price(state)
    if not isnan(price):
        state.rest_level(LIQUIDATION, LIQUIDATION_RANK, stop=price, qty=inf, signal=LIQUIDATION)


def margin_ratio(state: SymbolState, direction: int) -> float:
    """TradingView's margin of a side as a fraction of notional, 0 where it is off."""
    settings = state.settings
    return (settings.margin_long_percent if direction > 0 else settings.margin_short_percent) / 100.0


def can_margin(state: SymbolState, order: PendingOrder, qty: float, price: float) -> bool:
    """Whether TradingView lets an order fill: what it would leave behind must not need more than equity.

    Entries are judged at the open and the close only; what fills inside the bar is left to the margin call,
    and so are entries that only other fills of the same open have made too large.
    """
    ratio = margin_ratio(state, order.direction)
    if not ratio or (state.is_inside and order.kind == "entry"):
        return True
    change = order.direction * qty
    position = state.ledger.position_size
    if not _fits_beside_the_one_it_reverses(state, order, change, price):
        state.account.margin_rejects += 1
        return False
    if abs(position + change) <= abs(position) and position * (position + change) >= 0:
        return True
    unit = price * state.point_value * ratio
    if _fits(abs(position + change) * unit, state.equity_at(state.close)):
        return True
    if state.has_closed_at_open and state.start_size * order.direction < 0:
        return True
    if position != state.start_size and _fits(abs(state.start_size + change) * unit, state.start_equity):
        return True
    state.account.margin_rejects += 1
    return False


def _fits_beside_the_one_it_reverses(
    state: SymbolState, order: PendingOrder, change: float, price: float
) -> bool:
    """An entry that reverses what a market entry has opened at this very open needs margin for both."""
    sign, position = state.opened_sign, state.ledger.position_size
    is_pair = order.kind == "entry" and order.direction == -sign and position * sign > 0
    if not (is_pair and state.is_at_open):
        return True
    needed = abs(position) * margin_ratio(state, sign) + abs(position + change) * margin_ratio(state, -sign)
    return _fits(needed * price * state.point_value, state.equity_at(state.close))


def _fits(needed: float, equity: float) -> bool:
    return needed - equity <= abs(equity) * _NOISE
