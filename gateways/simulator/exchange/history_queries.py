"""History queries: past orders, fills, income and margin changes. Every order returned is a copy.

Time windows: `start_ms` and `end_ms` at most seven days apart (-1127), the last seven days by default.
Fills and income reach back about three months (90 days), margin changes 30 days. With a start, or an id
to start from, the oldest rows up to `limit` are returned; otherwise the newest.
"""

from collections.abc import Iterable
from typing import TypeVar

from gateways.simulator.exchange.model.accounts import IncomeRecord, MarginChange
from gateways.simulator.exchange.model.errors import refusal
from gateways.simulator.exchange.model.events import ForcedOrder
from gateways.simulator.exchange.model.orders import AlgoOrder, Amendment, Order, UserTrade
from gateways.simulator.exchange.model.state import ExchangeState
from gateways.simulator.exchange.order_queries import DAY_MS, KEPT_MS, is_remembered, order

WEEK_MS = 7 * DAY_MS
MARGIN_CHANGES_KEPT_MS = 30 * DAY_MS
Row = TypeVar("Row")


def window(
    now_ms: int, start_ms: int | None, end_ms: int | None, *, longest_ms: int = WEEK_MS
) -> tuple[int, int]:
    """Return the time window of a history query (-1023, -1127)."""
    if start_ms is not None and end_ms is not None:
        if start_ms > end_ms:
            raise refusal(-1023)
        if end_ms - start_ms > longest_ms:
            raise refusal(-1127)
        return start_ms, end_ms
    if start_ms is not None:
        return start_ms, start_ms + longest_ms
    if end_ms is not None:
        return end_ms - longest_ms, end_ms
    return now_ms - longest_ms, now_ms


def _limited(rows: Iterable[Row], limit: int, *, newest: bool) -> list[Row]:
    found = list(rows)
    return found[-limit:] if newest else found[:limit]


def all_orders(
    state: ExchangeState,
    account_id: str,
    symbol: str | None,
    now_ms: int,
    *,
    order_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> list[Order]:
    """Return orders of any status: from `order_id` on, or by time; else the newest of the window."""
    user = state.user(account_id)
    if symbol is not None:
        state.market(symbol)
    low, high = window(now_ms, start_ms, end_ms)
    rows = (
        o
        for o in user.orders.values()
        if (symbol is None or o.symbol == symbol)
        and is_remembered(o, now_ms)
        and (o.order_id >= order_id if order_id is not None else low <= o.time_ms <= high)
    )
    found = _limited(rows, limit, newest=order_id is None and start_ms is None)
    return [o.copy() for o in found]


def user_trades(
    state: ExchangeState,
    account_id: str,
    symbol: str,
    now_ms: int,
    *,
    order_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    from_id: int | None = None,
    limit: int = 500,
) -> list[UserTrade]:
    """Return fills of a symbol; `from_id` excludes times (-1128)."""
    user = state.user(account_id)
    state.market(symbol)
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise refusal(-1128)
    low, high = window(now_ms, start_ms, end_ms)
    low = max(low, now_ms - KEPT_MS)
    by_time = from_id is None and (order_id is None or start_ms is not None or end_ms is not None)
    rows = (
        trade
        for trade in user.trades
        if trade.symbol == symbol
        and (order_id is None or trade.order_id == order_id)
        and (from_id is None or trade.trade_id >= from_id)
        and (not by_time or low <= trade.time_ms <= high)
    )
    return _limited(rows, limit, newest=from_id is None and start_ms is None)


def amendments(
    state: ExchangeState,
    account_id: str,
    symbol: str,
    order_id: int | None,
    client_order_id: str | None,
    limit: int = 50,
) -> list[Amendment]:
    """Return the modifications of an order, newest first."""
    modified = order(state, account_id, symbol, order_id, client_order_id)
    found = [row for row in state.user(account_id).amendments if row.order_id == modified.order_id]
    return found[::-1][:limit]


def forced_orders(
    state: ExchangeState, account_id: str, symbol: str | None = None, limit: int = 50
) -> list[ForcedOrder]:
    """Return the account's liquidation orders."""
    rows = state.user(account_id).forced
    found = [row for row in rows if symbol is None or row.order.symbol == symbol]
    return found[-limit:]


def all_algo_orders(
    state: ExchangeState,
    account_id: str,
    symbol: str,
    now_ms: int,
    *,
    algo_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> list[AlgoOrder]:
    """Return conditional orders of any status, oldest first."""
    user = state.user(account_id)
    state.market(symbol)
    low, high = window(now_ms, start_ms, end_ms)
    rows = (
        algo
        for algo in user.algos.values()
        if algo.symbol == symbol
        and (algo.algo_id >= algo_id if algo_id is not None else low <= algo.create_time_ms <= high)
    )
    found = _limited(rows, limit, newest=algo_id is None and start_ms is None)
    return [algo.copy() for algo in found]


def income(
    state: ExchangeState,
    account_id: str,
    now_ms: int,
    *,
    symbol: str | None = None,
    income_type: str | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 100,
) -> list[IncomeRecord]:
    """Return income rows, oldest first; default the last seven days, at most three months."""
    user = state.user(account_id)
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise refusal(-1023)
    low = start_ms if start_ms is not None else now_ms - WEEK_MS
    high = end_ms if end_ms is not None else now_ms
    low = max(low, now_ms - KEPT_MS)
    rows = (
        row
        for row in user.income
        if (symbol is None or row.symbol == symbol)
        and (income_type is None or row.income_type == income_type)
        and low <= row.time_ms <= high
    )
    return _limited(rows, limit, newest=start_ms is None)


def margin_changes(
    state: ExchangeState,
    account_id: str,
    symbol: str,
    now_ms: int,
    *,
    kind: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> list[MarginChange]:
    """Return changes of isolated margin, oldest first: of the last 30 days or a shorter window (-1127)."""
    user = state.user(account_id)
    state.market(symbol)
    low, high = window(now_ms, start_ms, end_ms, longest_ms=MARGIN_CHANGES_KEPT_MS)
    low = max(low, now_ms - MARGIN_CHANGES_KEPT_MS)
    rows = (
        row
        for row in user.margin_changes
        if row.symbol == symbol and kind in (None, row.kind) and low <= row.time_ms <= high
    )
    return _limited(rows, limit, newest=start_ms is None)
