"""Placing, modifying and cancelling ordinary orders."""

from decimal import Decimal

from gateways.simulator.exchange.model.errors import ApiError, missing_parameter, notional_too_small, refusal
from gateways.simulator.exchange.model.orders import Amendment, AmendRequest, Order, OrderRequest
from gateways.simulator.exchange.model.state import AccountState, ExchangeState
from gateways.simulator.exchange.orders.checks import Admission, admit
from gateways.simulator.exchange.orders.matching import (
    ER_DELISTED,
    ER_IOC,
    ER_MARKET,
    ER_REDUCE_ONLY,
    emit_order,
    end_order,
    match_order,
    remove_from_book,
    rest_order,
)
from gateways.simulator.exchange.orders.rules import (
    check_order,
    check_price_band,
    check_price_match,
    generated_client_id,
    is_hedge_close,
    matched_price,
    price_to_ticks,
    quantity_to_lots,
)

ZERO = Decimal(0)


def build_order(state: ExchangeState, user: AccountState, request: OrderRequest) -> Order:
    """Check a request's terms and build the order, without an id and not yet indexed."""
    market = state.market(request.symbol)
    terms = check_order(user, market, request, state.now_ms)
    spec = market.spec
    return Order(
        order_id=0,
        account_id=user.account.account_id,
        symbol=request.symbol,
        client_order_id=request.new_client_order_id or "",
        side=request.side,
        position_side=terms.position_side,
        type=request.type,
        orig_type=request.type,
        time_in_force=terms.time_in_force,
        price=spec.ticks_to_price(terms.price_ticks),
        orig_qty=spec.lots_to_qty(terms.lots),
        status="NEW",
        time_ms=state.now_ms,
        update_time_ms=state.now_ms,
        price_ticks=terms.price_ticks,
        orig_lots=terms.lots,
        reduce_only=terms.reduce_only,
        price_match=request.price_match or "NONE",
        stp_mode=request.stp_mode or "EXPIRE_MAKER",
        good_till_date=terms.good_till_date,
    )


def submit(state: ExchangeState, user: AccountState, request: OrderRequest) -> Order:
    """Check, place and match an order; return the order itself, not a copy."""
    order = build_order(state, user, request)
    place(state, user, order, admit(state, user, order))
    return order


def place(state: ExchangeState, user: AccountState, order: Order, admission: Admission) -> None:
    """Give an admitted order its id, send NEW, match it, and rest or expire what remains."""
    order.order_id = state.next_order_id()
    order.priority = state.next_priority()
    order.client_order_id = order.client_order_id or generated_client_id(order.order_id)
    for displaced in admission.displaced:
        end_order(state, user, displaced, "EXPIRED", "EXPIRED", ER_REDUCE_ONLY)
    state.add_order(user, order)
    emit_order(state, user, order, "NEW")
    match_order(state, user, order, admission.limit_ticks)
    _finish_matching(state, user, order)


def _finish_matching(state: ExchangeState, user: AccountState, order: Order) -> None:
    if not order.is_open:
        return
    if order.type == "MARKET":
        end_order(state, user, order, "EXPIRED", "EXPIRED", ER_MARKET)
    elif order.time_in_force in ("IOC", "FOK"):
        end_order(state, user, order, "EXPIRED", "EXPIRED", ER_IOC)
    else:
        rest_order(state, order)


def find_order(
    user: AccountState, symbol: str, order_id: int | None, client_order_id: str | None
) -> Order | None:
    """Find an order by id, else by client id (the newest with it)."""
    if order_id is None and client_order_id is None:
        raise missing_parameter("orderid")
    found = order_id if order_id is not None else user.by_client_id.get(client_order_id or "")
    order = user.orders.get(found) if found is not None else None
    return order if order is not None and order.symbol == symbol else None


def cancel(
    state: ExchangeState,
    user: AccountState,
    symbol: str,
    order_id: int | None,
    client_order_id: str | None,
) -> Order:
    """Cancel an open order (-2011)."""
    state.market(symbol)
    order = find_order(user, symbol, order_id, client_order_id)
    if order is None or not order.is_open:
        raise refusal(-2011)
    end_order(state, user, order, "CANCELED", "CANCELED")
    return order


def cancel_all(state: ExchangeState, user: AccountState, symbol: str) -> list[Order]:
    """Cancel every open order of a symbol, oldest first."""
    state.market(symbol)
    orders = list(user.open_of(symbol).values())
    for order in orders:
        end_order(state, user, order, "CANCELED", "CANCELED")
    return orders


def expire_delisted(state: ExchangeState, symbol: str) -> None:
    """Expire every account's open orders of a symbol that has ended."""
    for user in state.accounts.values():
        for order in list(user.open_of(symbol).values()):
            end_order(state, user, order, "EXPIRED", "EXPIRED", ER_DELISTED)


def amend(state: ExchangeState, user: AccountState, request: AmendRequest) -> Order:
    """Modify an open limit order.

    It loses its place in the queue and its self-trade prevention mode. It is cancelled instead when the
    new quantity is not above the filled one, or when a GTX order would cross. A refused modification
    changes nothing.
    """
    market = state.market(request.symbol)
    order = find_order(user, request.symbol, request.order_id, request.orig_client_order_id)
    if order is None or not order.is_open or order.side != request.side:
        raise refusal(-2013)
    if order.type != "LIMIT":
        raise refusal(-5025)
    if not market.spec.is_trading:
        raise refusal(-5024)
    if request.reduce_only is not None and request.reduce_only != order.reduce_only:
        raise refusal(-5047)
    changed = _amended(state, user, order, request)
    if (changed.price_ticks, changed.orig_lots) == (order.price_ticks, order.orig_lots):
        raise refusal(-5027)
    if order.modifications >= market.spec.max_move_order_limit:
        raise refusal(-5026)
    if changed.remaining_lots <= 0:
        end_order(state, user, order, "CANCELED", "CANCELED")
        return order
    try:
        admission = admit(state, user, changed, replacing=order)
    except ApiError as refused:
        if refused.code != -5022:
            raise
        end_order(state, user, order, "CANCELED", "CANCELED")
        return order
    _apply_amendment(state, user, order, changed, request, admission)
    return order


def _amended(state: ExchangeState, user: AccountState, order: Order, request: AmendRequest) -> Order:
    """Return a copy of the order with the new terms, checked by the filters."""
    market = state.markets[order.symbol]
    spec = market.spec
    matched = check_price_match("LIMIT", request.price_match, request.price)
    if request.quantity is None:
        raise missing_parameter("quantity")
    if request.price is None and not matched:
        raise missing_parameter("price")
    changed = order.copy()
    changed.orig_lots = quantity_to_lots(spec, request.quantity, market=False)
    changed.orig_qty = spec.lots_to_qty(changed.orig_lots)
    if request.price is None:
        changed.price_ticks = matched_price(market, order.side, request.price_match or "")
    else:
        changed.price_ticks = price_to_ticks(spec, request.price)
    changed.price = spec.ticks_to_price(changed.price_ticks)
    check_price_band(market, order.side, changed.price)
    closes = order.reduce_only or is_hedge_close(order.position_side, order.side)
    if not closes and changed.price * changed.orig_qty < spec.min_notional:
        raise ApiError(-5029, notional_too_small(spec.min_notional).message)
    changed.price_match = request.price_match or "NONE"
    changed.priority = _last_priority(user, order)
    return changed


def _last_priority(user: AccountState, order: Order) -> int:
    """Return a priority after all of the account's open orders of the symbol."""
    return max(other.priority for other in user.open_of(order.symbol).values()) + 1


def _apply_amendment(
    state: ExchangeState,
    user: AccountState,
    order: Order,
    changed: Order,
    request: AmendRequest,
    admission: Admission,
) -> None:
    amendment = Amendment(
        amendment_id=state.next_amendment_id(),
        symbol=order.symbol,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        time_ms=state.now_ms,
        price_before=order.price,
        price_after=changed.price,
        qty_before=order.orig_qty,
        qty_after=changed.orig_qty,
        count=order.modifications + 1,
        modify_id=request.modify_id,
    )
    remove_from_book(state.markets[order.symbol], order)
    for displaced in admission.displaced:
        end_order(state, user, displaced, "EXPIRED", "EXPIRED", ER_REDUCE_ONLY)
    order.price, order.price_ticks = changed.price, changed.price_ticks
    order.orig_qty, order.orig_lots = changed.orig_qty, changed.orig_lots
    order.price_match = changed.price_match
    order.stp_mode = "NONE"
    order.priority = state.next_priority()
    order.modifications += 1
    order.update_time_ms = state.now_ms
    state.dirty.orders[order.order_id] = order
    user.amendments.append(amendment)
    state.dirty.amendments.append((user.account.account_id, amendment))
    emit_order(state, user, order, "AMENDMENT", modify_id=request.modify_id)
    match_order(state, user, order, admission.limit_ticks)
    _finish_matching(state, user, order)


def countdown(state: ExchangeState, user: AccountState, symbol: str, countdown_ms: int) -> None:
    """Arm or stop the dead man's switch of a symbol."""
    state.market(symbol)
    if countdown_ms > 0:
        user.account.countdowns[symbol] = state.now_ms + countdown_ms
    else:
        user.account.countdowns.pop(symbol, None)
    state.touch_account(user)


def expire_due(state: ExchangeState) -> None:
    """Expire GTD orders and fire countdowns that are due."""
    due = [order for order in state.gtd_orders.values() if order.good_till_date <= state.now_ms]
    for order in sorted(due, key=lambda o: (o.good_till_date, o.order_id)):
        end_order(state, state.accounts[order.account_id], order, "EXPIRED", "EXPIRED")
    for user in state.accounts.values():
        countdowns = user.account.countdowns
        for symbol in sorted(name for name, deadline in countdowns.items() if deadline <= state.now_ms):
            del countdowns[symbol]
            state.touch_account(user)
            cancel_all(state, user, symbol)
