"""The account over all symbols: equity, margin and liquidation (docs/assumptions.md, "Margin, ...")."""

from math import isnan, nan

from engine.backtest.kernel.layout import Account, Symbol, account_of, bracket_of, symbol_of
from engine.backtest.kernel.lots import average_price, open_profit
from engine.compiled.functions import compiled


@compiled
def _count_cash(account: Account) -> None:
    account.cash = account.initial_capital
    for k in range(account.symbols):
        s = symbol_of(account, k)
        account.cash += s.realised - s.commission_paid + s.funding_paid
    account.is_stale = 0


@compiled
def cash(account: Account) -> float:
    """Initial capital, gross profit of what was closed, commissions and funding; counted when it changes."""
    if account.is_stale != 0:
        _count_cash(account)
    return account.cash


@compiled
def _open_profit_without(account: Account, excepted: int) -> float:
    """Open profit of all symbols but one (-1: of all) at their last prices."""
    profit = 0.0
    for k in range(account.symbols):
        s = symbol_of(account, k)
        if k != excepted and s.lots > 0:
            profit += open_profit(s, s.mark)
    return profit


@compiled
def equity(account: Account) -> float:
    """Cash and the open profit of every symbol at its last price."""
    return cash(account) + _open_profit_without(account, -1)


@compiled
def margin_allows(s: Symbol, qty: float, price: float) -> bool:
    """Whether the account can carry `qty` more at `price`."""
    if s.leverage == 0.0:
        return True
    own = (abs(s.position) + qty) * price * s.point_value / s.leverage
    account = account_of(s)
    others = 0.0
    for other in range(account.symbols):
        o = symbol_of(account, other)
        if other != s.index and o.lots > 0 and o.leverage != 0.0 and not isnan(o.mark):
            others += abs(o.position) * o.mark * o.point_value / o.leverage
    own_profit = open_profit(s, price) if s.lots > 0 else 0.0
    worth = cash(account) + _open_profit_without(account, s.index) + own_profit
    return own + others <= worth


@compiled
def _bracket(s: Symbol, notional: float) -> int:
    """Row of the bracket with the largest floor not above the notional; -1 for none."""
    found = -1
    for row in range(s.brackets):
        if bracket_of(s, row).floor <= notional:
            found = row
    return found


@compiled
def _maintenance(s: Symbol) -> float:
    notional = abs(s.position) * s.mark * s.point_value
    row = _bracket(s, notional)
    if row < 0:
        return 0.0
    return notional * bracket_of(s, row).ratio - bracket_of(s, row).cum


@compiled
def liquidation_price(s: Symbol) -> float:
    """Price at which the account's equity equals all maintenance margins; nan for none."""
    size = s.position * s.point_value
    if s.leverage == 0.0 or size == 0.0:
        return nan
    average = average_price(s)
    row = _bracket(s, abs(size) * average)
    ratio = bracket_of(s, row).ratio if row >= 0 else 0.0
    cum = bracket_of(s, row).cum if row >= 0 else 0.0
    account = account_of(s)
    worth = cash(account) + _open_profit_without(account, s.index)
    due = 0.0
    for other in range(account.symbols):
        if other != s.index and symbol_of(account, other).lots > 0:
            due += _maintenance(symbol_of(account, other))
    due -= cum
    slope = size - abs(size) * ratio
    price = (due - worth + size * average) / slope if slope != 0.0 else nan
    return price if price > 0.0 else nan
