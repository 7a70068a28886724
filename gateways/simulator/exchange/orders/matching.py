"""Matching engine: takers against the book, and the effects of a fill on its account.

A taker is matched in price-time order, one counterparty at a time, so that the consequences of a fill
(an expired reduce-only order, an own order expired by self-trade prevention) apply before the next one.
"""

from decimal import Decimal

from gateways.simulator.exchange.accounts.margin import side_notionals
from gateways.simulator.exchange.accounts.positions import apply_fill, emit_account, money, position_change
from gateways.simulator.exchange.model.accounts import ZERO
from gateways.simulator.exchange.model.book import Entry
from gateways.simulator.exchange.model.events import Fill, OrderEvent, Trade
from gateways.simulator.exchange.model.orders import Order, UserTrade
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, MarketState
from gateways.simulator.exchange.orders.reduce_only import excess_orders

ER_STP, ER_IOC, ER_IOC_STP, ER_REDUCE_ONLY, ER_LIQUIDATION = 1, 2, 3, 4, 5
ER_DELISTED, ER_MARKET = 7, 9
_STP_TIMES_IN_FORCE = ("GTC", "IOC", "GTD")


def emit_order(
    state: ExchangeState,
    user: AccountState,
    order: Order,
    execution_type: str,
    *,
    fill: Fill | None = None,
    reason: int = 0,
    modify_id: int | None = None,
) -> None:
    """Send ORDER_TRADE_UPDATE with the current state of an order."""
    bids, asks = side_notionals(user, state.markets[order.symbol].spec)
    event = OrderEvent(
        order=order.copy(),
        execution_type=execution_type,
        time_ms=state.now_ms,
        bid_notional=bids,
        ask_notional=asks,
        fill=fill,
        expiry_reason=reason,
        modify_id=modify_id,
    )
    state.emit(user.account.account_id, event)


def announce_trade(
    state: ExchangeState,
    market: MarketState,
    price_ticks: int,
    lots: int,
    taker_side: str,
    *,
    insurance: bool = False,
) -> int:
    """Publish one match; return its trade id."""
    trade_id = state.next_trade_id(market)
    if not insurance:
        market.last_ticks = price_ticks
        if market.waiting:
            market.path.append(price_ticks)
    state.listener.on_trade(
        Trade(
            market.spec.symbol,
            trade_id,
            price_ticks,
            lots,
            taker_side == "SELL",
            state.now_ms,
            False,
            insurance,
        )
    )
    return trade_id


def match_anonymous(
    state: ExchangeState, market: MarketState, side: str, lots: int, limit_ticks: int | None
) -> int:
    """Match an anonymous taker; return the lots left."""
    book = market.book
    fills: list[tuple[int, int]] = []
    while lots:
        lots = book.take_anonymous(side, lots, limit_ticks, fills)
        for price_ticks, size in fills:
            announce_trade(state, market, price_ticks, size, side)
        fills.clear()
        entry = book.front_entry(side, limit_ticks) if lots else None
        if entry is None:
            break
        size = min(lots, entry.lots)
        trade_id = announce_trade(state, market, entry.price_ticks, size, side)
        fill_entry(state, market, entry, size, trade_id)
        lots -= size
    return lots


def match_order(state: ExchangeState, user: AccountState, order: Order, limit_ticks: int | None) -> None:
    """Match an account's order as taker until it is filled, at its limit, or ended by self-trade rules."""
    market = state.markets[order.symbol]
    book = market.book
    fills: list[tuple[int, int]] = []
    while order.is_open and order.remaining_lots:
        book.take_anonymous(order.side, order.remaining_lots, limit_ticks, fills)
        for price_ticks, size in fills:
            trade_id = announce_trade(state, market, price_ticks, size, order.side)
            settle_fill(state, user, order, price_ticks, size, trade_id, is_maker=False)
        fills.clear()
        entry = book.front_entry(order.side, limit_ticks) if order.remaining_lots else None
        if entry is None:
            break
        if entry.account_id == order.account_id and prevents_self_trade(order):
            _prevent_self_trade(state, user, order, entry)
            continue
        size = min(order.remaining_lots, entry.lots)
        trade_id = announce_trade(state, market, entry.price_ticks, size, order.side)
        fill_entry(state, market, entry, size, trade_id)
        settle_fill(state, user, order, entry.price_ticks, size, trade_id, is_maker=False)


def prevents_self_trade(order: Order) -> bool:
    """Tell whether self-trade prevention applies to the order: only for GTC, IOC and GTD."""
    return order.stp_mode != "NONE" and order.time_in_force in _STP_TIMES_IN_FORCE


def _prevent_self_trade(state: ExchangeState, user: AccountState, taker: Order, entry: Entry) -> None:
    if taker.stp_mode in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
        maker = user.orders[entry.order_id]
        end_order(state, user, maker, "EXPIRED_IN_MATCH", "EXPIRED", ER_STP)
    if taker.stp_mode in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
        reason = ER_IOC_STP if taker.time_in_force == "IOC" else ER_STP
        end_order(state, user, taker, "EXPIRED_IN_MATCH", "EXPIRED", reason)


def fill_entry(state: ExchangeState, market: MarketState, entry: Entry, lots: int, trade_id: int) -> None:
    """Fill a resting order as maker."""
    user = state.accounts[entry.account_id]
    order = user.orders[entry.order_id]
    market.book.fill(entry, lots)
    if not entry.lots:
        market.entries.pop(entry.order_id, None)
    settle_fill(state, user, order, entry.price_ticks, lots, trade_id, is_maker=True)


def settle_fill(
    state: ExchangeState,
    user: AccountState,
    order: Order,
    price_ticks: int,
    lots: int,
    trade_id: int,
    *,
    is_maker: bool,
    execution_type: str = "TRADE",
) -> None:
    """Book one fill: order, position, wallet, history; then ACCOUNT_UPDATE and ORDER_TRADE_UPDATE."""
    market = state.markets[order.symbol]
    spec = market.spec
    config = user.config(order.symbol)
    position = user.position(order.symbol, order.position_side)
    price, size = spec.ticks_to_price(price_ticks), spec.lots_to_qty(lots)
    notional = spec.notional(price_ticks, lots)
    order.executed_lots += lots
    order.executed_qty += size
    order.cum_quote += notional
    order.status = "PARTIALLY_FILLED" if order.remaining_lots else "FILLED"
    order.update_time_ms = state.now_ms
    realised = apply_fill(
        spec,
        position,
        lots if order.side == "BUY" else -lots,
        price_ticks,
        config.leverage if config.isolated else None,
    )
    rate = spec.maker_fee if is_maker else spec.taker_fee
    fee = ZERO if order.is_liquidation else money(notional * rate)
    if position.lots:
        position.fees += fee
    position.update_time_ms = state.now_ms
    if realised:
        state.book_income(user, order.symbol, "REALIZED_PNL", realised, str(trade_id), str(trade_id))
    if fee:
        state.book_income(user, order.symbol, "COMMISSION", -fee, str(trade_id), str(trade_id))
    state.touch_account(user)
    state.dirty.orders[order.order_id] = order
    _record_trade(state, user, order, trade_id, (price, size, notional), (realised, fee), is_maker=is_maker)
    if order.status == "FILLED":
        state.close_order(user, order)
    emit_account(state, user, "ORDER", (position_change(user, market, position),))
    fill = Fill(trade_id, price, size, fee, user.account.asset, realised, is_maker)
    emit_order(
        state,
        user,
        order,
        execution_type,
        fill=fill,
        reason=ER_LIQUIDATION if execution_type == "CALCULATED" else 0,
    )
    expire_excess_reduce_only(state, user, order)


def _record_trade(
    state: ExchangeState,
    user: AccountState,
    order: Order,
    trade_id: int,
    amounts: tuple[Decimal, Decimal, Decimal],
    results: tuple[Decimal, Decimal],
    *,
    is_maker: bool,
) -> None:
    trade = UserTrade(
        account_id=order.account_id,
        symbol=order.symbol,
        trade_id=trade_id,
        order_id=order.order_id,
        side=order.side,
        position_side=order.position_side,
        price=amounts[0],
        qty_base=amounts[1],
        quote_qty=amounts[2],
        realized_pnl=results[0],
        commission=results[1],
        commission_asset=user.account.asset,
        is_maker=is_maker,
        is_buyer=order.side == "BUY",
        time_ms=state.now_ms,
    )
    user.trades.append(trade)
    state.dirty.trades.append(trade)


def expire_excess_reduce_only(state: ExchangeState, user: AccountState, cause: Order) -> None:
    """Expire resting reduce-only orders that exceed the position."""
    for order in excess_orders(user, cause.symbol, cause.position_side, active=cause.order_id):
        end_order(state, user, order, "EXPIRED", "EXPIRED", ER_REDUCE_ONLY)


def rest_order(state: ExchangeState, order: Order) -> None:
    """Put the unfilled part of an order into the book."""
    market = state.markets[order.symbol]
    entry = Entry(order.account_id, order.order_id, order.side, order.price_ticks, order.remaining_lots)
    market.entries[order.order_id] = entry
    market.book.rest(entry)


def remove_from_book(market: MarketState, order: Order) -> None:
    """Remove an order from the book if it is there."""
    entry = market.entries.pop(order.order_id, None)
    if entry is not None:
        market.book.remove(entry)
    elif market.returning:
        market.returning = [other for other in market.returning if other.order_id != order.order_id]


def end_order(
    state: ExchangeState,
    user: AccountState,
    order: Order,
    status: str,
    execution_type: str,
    reason: int = 0,
) -> None:
    """End an open order without a fill: CANCELED, EXPIRED or EXPIRED_IN_MATCH."""
    remove_from_book(state.markets[order.symbol], order)
    order.status = status
    order.update_time_ms = state.now_ms
    state.close_order(user, order)
    emit_order(state, user, order, execution_type, reason=reason)


def resolve_crossing(state: ExchangeState, market: MarketState) -> None:
    """Fill resting orders that are crossed by new liquidity of a recording.

    The new liquidity is the taker, so the order fills at its own price, up to the size that crosses it.
    Levels of the recording that cross each other are left alone: its next update corrects them.
    """
    for side, taker_side in (("BUY", "SELL"), ("SELL", "BUY")):
        for entry in market.book.entries(side):
            if entry.level is None:
                continue
            best = market.book.best(taker_side)
            if best is None or (best > entry.price_ticks if side == "BUY" else best < entry.price_ticks):
                break
            _cross_entry(state, market, entry, taker_side)


def _cross_entry(state: ExchangeState, market: MarketState, entry: Entry, taker_side: str) -> None:
    spread: list[tuple[int, int]] = []
    left = market.book.take_anonymous(entry.side, entry.lots, entry.price_ticks, spread)
    size = entry.lots - left
    if not size:
        return
    trade_id = announce_trade(state, market, entry.price_ticks, size, taker_side)
    fill_entry(state, market, entry, size, trade_id)


def print_trade(
    state: ExchangeState,
    market: MarketState,
    price_ticks: int,
    lots: int,
    *,
    buyer_is_maker: bool,
    trade_id: int,
) -> None:
    """Publish a recorded trade and fill the resting orders it reaches, by the queue rule of `Book`."""
    resting_side = "BUY" if buyer_is_maker else "SELL"
    market.last_ticks = price_ticks
    if market.waiting:
        market.path.append(price_ticks)
    state.listener.on_trade(
        Trade(
            market.spec.symbol,
            trade_id or state.next_trade_id(market),
            price_ticks,
            lots,
            buyer_is_maker,
            state.now_ms,
            True,
        )
    )
    for entry, size in market.book.consume_print(resting_side, price_ticks, lots):
        if entry.level is not None:
            fill_entry(state, market, entry, min(size, entry.lots), state.next_trade_id(market))
