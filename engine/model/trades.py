"""The trades and the equity of a backtest: what both of its engines must produce identically."""

from dataclasses import dataclass

import msgspec


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One entry lot and the order that closed it. Times are the open of the bar of the fill.

    `direction` is 1 or -1, `qty` positive. Money is in account currency. `pnl` is net of both
    commissions. `run_up` and `drawdown` are TradingView's favourable and adverse excursion, net of the
    entry commission (pine_semantics 4). An open trade has `exit_bar` -1 and its exit fields mark the
    last close.
    """

    symbol: str
    direction: int
    qty: float
    entry_bar: int
    entry_time_ns: int
    entry_price: float
    entry_signal: str
    exit_bar: int
    exit_time_ns: int
    exit_price: float
    exit_signal: str
    entry_commission: float
    exit_commission: float
    pnl: float
    run_up: float
    drawdown: float
    funding: float = 0.0


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Closed trades in the order they closed, open ones, and equity at each bar's close.

    `margin_rejects` counts entries dropped because the account could not carry them.
    """

    trades: tuple[Trade, ...]
    open_trades: tuple[Trade, ...]
    equity: tuple[float, ...]
    final_equity: float
    margin_rejects: int = 0
