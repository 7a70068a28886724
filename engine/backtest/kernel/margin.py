"""The account over all symbols: equity, margin and liquidation (docs/assumptions.md, "Margin, ...")."""

from math import isnan, nan

from engine.backtest.kernel.layout import Desk, Symbol
from engine.backtest.kernel.lots import average_price, open_profit
from engine.compiled import compiled


@compiled
def _cash(desk: Desk) -> float:
    cash: float = desk.account[0].initial_capital
    for k in range(desk.symbols.shape[0]):
        s = desk.symbols[k]
        cash += s.realised - s.commission_paid + s.funding_paid
    return cash


@compiled
def _open_profit_without(desk: Desk, excepted: int) -> float:
    """Open profit of all symbols but one (-1: of all) at their last prices."""
    profit = 0.0
    for k in range(desk.symbols.shape[0]):
        s = desk.symbols[k]
        if k != excepted and s.lots > 0:
            profit += open_profit(desk, k, s, s.mark)
    return profit


@compiled
def equity(desk: Desk) -> float:
    """Cash and the open profit of every symbol at its last price."""
    return _cash(desk) + _open_profit_without(desk, -1)


@compiled
def margin_allows(desk: Desk, k: int, s: Symbol, qty: float, price: float) -> bool:
    """Whether the account can carry `qty` more of symbol `k` at `price`."""
    if s.leverage == 0.0:
        return True
    own = (abs(s.position) + qty) * price * s.point_value / s.leverage
    others = 0.0
    for other in range(desk.symbols.shape[0]):
        o = desk.symbols[other]
        if other != k and o.lots > 0 and o.leverage != 0.0 and not isnan(o.mark):
            others += abs(o.position) * o.mark * o.point_value / o.leverage
    worth = _cash(desk) + _open_profit_without(desk, k) + open_profit(desk, k, s, price)
    return own + others <= worth


@compiled
def _bracket(desk: Desk, k: int, s: Symbol, notional: float) -> int:
    """Row of the bracket with the largest floor not above the notional; -1 for none."""
    found = -1
    for row in range(s.brackets):
        if desk.brackets[k, row, 0] <= notional:
            found = row
    return found


@compiled
def _maintenance(desk: Desk, k: int, s: Symbol) -> float:
    notional = abs(s.position) * s.mark * s.point_value
    row = _bracket(desk, k, s, notional)
    if row < 0:
        return 0.0
    due: float = notional * desk.brackets[k, row, 1] - desk.brackets[k, row, 2]
    return due


@compiled
def liquidation_price(desk: Desk, k: int, s: Symbol) -> float:
    """Price of symbol `k` at which the account's equity equals all maintenance margins; nan for none."""
    size = s.position * s.point_value
    if s.leverage == 0.0 or size == 0.0:
        return nan
    average = average_price(desk, k, s)
    row = _bracket(desk, k, s, abs(size) * average)
    ratio = desk.brackets[k, row, 1] if row >= 0 else 0.0
    cum = desk.brackets[k, row, 2] if row >= 0 else 0.0
    worth = _cash(desk) + _open_profit_without(desk, k)
    due = 0.0
    for other in range(desk.symbols.shape[0]):
        if other != k and desk.symbols[other].lots > 0:
            due += _maintenance(desk, other, desk.symbols[other])
    due -= cum
    price = (due - worth + size * average) / (size - abs(size) * ratio)
    return price if price > 0.0 else nan
