"""Reading: orders, fills, income, account summary. Nothing here changes anything.

Time windows: `start_ms` and `end_ms` at most seven days apart (-1127), the last seven days by default;
an order that was cancelled or expired without a fill is forgotten after 3 days, any other after 90; fills
and income reach back about three months (90 days).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypedDict, TypeVar

from gateways.simulator.exchange.accounts.margin import (
    liquidation_price,
    maintenance,
    mark_notional,
    symbol_margin,
    totals,
)
from gateways.simulator.exchange.accounts.positions import (
    break_even_price,
    cross_wallet,
    entry_price,
    money,
    qty,
    unrealized,
)
from gateways.simulator.exchange.liquidation import adl_queue
from gateways.simulator.exchange.model.accounts import (
    ZERO,
    AccountSummary,
    AssetRow,
    IncomeRecord,
    MarginChange,
    Position,
    PositionRow,
)
from gateways.simulator.exchange.model.errors import refusal
from gateways.simulator.exchange.model.orders import AlgoOrder, Order, UserTrade
from gateways.simulator.exchange.model.state import AccountState, ExchangeState
from gateways.simulator.exchange.orders.actions import find_order

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
UNFILLED_KEPT_MS = 3 * DAY_MS
KEPT_MS = 90 * DAY_MS
MARGIN_CHANGES_KEPT_MS = 30 * DAY_MS
Row = TypeVar("Row")


class TimeWindow(TypedDict, total=False):
    """What a history query may ask for besides ids: times in ms, and the number of rows."""

    start_ms: int | None
    end_ms: int | None
    limit: int


def is_remembered(order: Order, now_ms: int) -> bool:
    """Tell whether order queries still know an order."""
    if order.is_open:
        return True
    age = now_ms - order.update_time_ms
    return age <= (KEPT_MS if order.executed_lots else UNFILLED_KEPT_MS)


def order(
    state: ExchangeState,
    user: AccountState,
    symbol: str,
    order_id: int | None,
    client_order_id: str | None,
) -> Order:
    """Return an order (-2013)."""
    state.market(symbol)
    found = find_order(user, symbol, order_id, client_order_id)
    if found is None or not is_remembered(found, state.now_ms):
        raise refusal(-2013)
    return found


def open_orders(state: ExchangeState, user: AccountState, symbol: str | None) -> list[Order]:
    """Return open orders, oldest first."""
    if symbol is not None:
        state.market(symbol)
        return list(user.open_of(symbol).values())
    found = [o for orders in user.open_by_symbol.values() for o in orders.values()]
    return sorted(found, key=lambda o: o.order_id)


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
    user: AccountState,
    symbol: str | None,
    *,
    order_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> list[Order]:
    """Return orders of any status: from `order_id` on, or by time; else the newest of the window."""
    if symbol is not None:
        state.market(symbol)
    low, high = window(state.now_ms, start_ms, end_ms)
    rows = (
        o
        for o in user.orders.values()
        if (symbol is None or o.symbol == symbol)
        and is_remembered(o, state.now_ms)
        and (o.order_id >= order_id if order_id is not None else low <= o.time_ms <= high)
    )
    return _limited(rows, limit, newest=order_id is None and start_ms is None)


def user_trades(
    state: ExchangeState,
    user: AccountState,
    symbol: str,
    *,
    order_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    from_id: int | None = None,
    limit: int = 500,
) -> list[UserTrade]:
    """Return fills of a symbol; `from_id` excludes times (-1128)."""
    state.market(symbol)
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise refusal(-1128)
    low, high = window(state.now_ms, start_ms, end_ms)
    low = max(low, state.now_ms - KEPT_MS)
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


def income(
    state: ExchangeState,
    user: AccountState,
    *,
    symbol: str | None = None,
    income_type: str | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 100,
) -> list[IncomeRecord]:
    """Return income rows, oldest first; default the last seven days, at most three months."""
    now = state.now_ms
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise refusal(-1023)
    low = start_ms if start_ms is not None else now - WEEK_MS
    high = end_ms if end_ms is not None else now
    low = max(low, now - KEPT_MS)
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
    user: AccountState,
    symbol: str,
    *,
    kind: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> list[MarginChange]:
    """Return changes of isolated margin, oldest first: of the last 30 days or a shorter window (-1127)."""
    state.market(symbol)
    low, high = window(state.now_ms, start_ms, end_ms, longest_ms=MARGIN_CHANGES_KEPT_MS)
    low = max(low, state.now_ms - MARGIN_CHANGES_KEPT_MS)
    rows = (
        row
        for row in user.margin_changes
        if row.symbol == symbol and kind in (None, row.kind) and low <= row.time_ms <= high
    )
    return _limited(rows, limit, newest=start_ms is None)


def algo_order(user: AccountState, found: AlgoOrder | None, now_ms: int) -> AlgoOrder:
    """Return a conditional order that was found and is not too old (-2013)."""
    if found is None or found.algo_id not in user.algos:
        raise refusal(-2013)
    if not found.is_open and now_ms - found.update_time_ms > KEPT_MS:
        raise refusal(-2013)
    return found


def all_algo_orders(
    state: ExchangeState,
    user: AccountState,
    symbol: str,
    *,
    algo_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> list[AlgoOrder]:
    """Return conditional orders of any status, oldest first."""
    state.market(symbol)
    low, high = window(state.now_ms, start_ms, end_ms)
    rows = (
        algo
        for algo in user.algos.values()
        if algo.symbol == symbol
        and (algo.algo_id >= algo_id if algo_id is not None else low <= algo.create_time_ms <= high)
    )
    return _limited(rows, limit, newest=algo_id is None and start_ms is None)


def _adl(state: ExchangeState, user: AccountState, position: Position) -> int:
    """Return the ADL quantile 0 to 4: the place in the queue of profitable positions of the side."""
    if not position.lots:
        return 0
    market = state.markets[position.symbol]
    queue = adl_queue(state, market, losing_side=-1 if position.lots > 0 else 1)
    places = [other is user and other_position is position for other, other_position in queue]
    place = places.index(True)
    return 4 - place * 5 // len(queue)


def position_row(state: ExchangeState, user: AccountState, symbol: str, side: str) -> PositionRow:
    """Return everything about one position."""
    market = state.markets[symbol]
    spec = market.spec
    config = user.config(symbol)
    position = user.account.positions.get(f"{symbol}:{side}") or Position(symbol, side)
    margin = symbol_margin(user, market)
    notional = qty(spec, position) * market.mark
    pnl = unrealized(spec, position, market.mark)
    own = money(abs(notional) / config.leverage)
    # The margin of open orders belongs to the row whose side they open; in one-way mode to BOTH.
    orders_margin = margin.open_orders if side == "BOTH" and not user.account.hedge_mode else ZERO
    if user.account.hedge_mode and side in ("LONG", "SHORT"):
        orders_margin = money((margin.bids if side == "LONG" else margin.asks) / config.leverage)
    orders = [o for o in user.open_of(symbol).values() if o.position_side == side]
    return PositionRow(
        symbol=symbol,
        position_side=side,
        position_amt=qty(spec, position),
        entry_price=entry_price(spec, position),
        break_even_price=break_even_price(spec, position),
        mark_price=market.mark,
        unrealized_profit=pnl,
        liquidation_price=liquidation_price(state, user, position),
        isolated=config.isolated,
        isolated_margin=position.isolated_wallet + pnl if config.isolated and position.lots else ZERO,
        isolated_wallet=position.isolated_wallet,
        notional=notional,
        leverage=config.leverage,
        max_notional=spec.max_notional(config.leverage),
        initial_margin=own + orders_margin,
        maint_margin=money(maintenance(spec, mark_notional(spec, position.lots, market.mark))),
        position_initial_margin=own,
        open_order_initial_margin=orders_margin,
        bid_notional=margin.bids,
        ask_notional=margin.asks,
        adl=_adl(state, user, position),
        update_time_ms=position.update_time_ms,
        has_open_orders=bool(orders),
    )


def position_rows(state: ExchangeState, user: AccountState, symbol: str | None) -> list[PositionRow]:
    """Return BOTH of every symbol, and in hedge mode LONG and SHORT too."""
    if symbol is not None:
        state.market(symbol)
    sides = ("BOTH", "LONG", "SHORT") if user.account.hedge_mode else ("BOTH",)
    symbols = [symbol] if symbol is not None else list(state.markets)
    return [position_row(state, user, name, side) for name in symbols for side in sides]


def account_summary(state: ExchangeState, user: AccountState) -> AccountSummary:
    """Return the totals, the asset rows and the positions of an account."""
    account = user.account
    found = totals(state, user)
    wallet = cross_wallet(user)
    available = max(ZERO, wallet + found.cross_unrealized - found.cross_reserved)
    withdrawable = max(ZERO, min(available, available - max(ZERO, found.cross_unrealized)))
    row = AssetRow(
        asset=account.asset,
        wallet_balance=account.wallet_balance,
        unrealized_profit=found.unrealized,
        margin_balance=account.wallet_balance + found.unrealized,
        maint_margin=found.maintenance,
        initial_margin=found.position_margin + found.open_order_margin,
        position_initial_margin=found.position_margin,
        open_order_initial_margin=found.open_order_margin,
        cross_wallet_balance=wallet,
        cross_un_pnl=found.cross_unrealized,
        available_balance=available,
        max_withdraw_amount=withdrawable,
        update_time_ms=account.update_time_ms,
    )
    return AccountSummary(
        account_id=account.account_id,
        hedge_mode=account.hedge_mode,
        multi_assets_mode=account.multi_assets_mode,
        fee_burn=account.fee_burn,
        update_time_ms=account.update_time_ms,
        total=row,
        assets=[row],
        positions=position_rows(state, user, None),
        alias=account.alias,
    )


def margin_ratio(state: ExchangeState, user: AccountState) -> Decimal:
    """Return cross maintenance margin over cross margin balance; 1 or more means liquidation."""
    found = totals(state, user)
    balance = cross_wallet(user) + found.cross_unrealized
    return found.cross_maintenance / balance if balance > 0 else Decimal("Infinity")
