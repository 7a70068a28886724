"""Conditional (algo) orders: placement, waiting for the trigger, the child order.

A waiting order reserves no margin. When it triggers, an ordinary child order is placed whose
clientOrderId is the clientAlgoId; events come as on the live exchange: TRIGGERING, the child's own
events, TRIGGERED with the child's id, and FINISHED when the child is closed.
"""

from decimal import Decimal

from gateways.simulator.exchange.model.accounts import ZERO
from gateways.simulator.exchange.model.errors import ApiError, missing_parameter, refusal
from gateways.simulator.exchange.model.events import AlgoEvent
from gateways.simulator.exchange.model.orders import AlgoOrder, AlgoRequest, Order
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, MarketState
from gateways.simulator.exchange.orders import algo_rules
from gateways.simulator.exchange.orders.actions import place
from gateways.simulator.exchange.orders.checks import admit
from gateways.simulator.exchange.orders.reduce_only import closing_side
from gateways.simulator.exchange.orders.rules import generated_client_id, matched_price

MAX_WAITING_PER_ACCOUNT = 200
_PASSES = 100


def emit_algo(state: ExchangeState, algo: AlgoOrder) -> None:
    """Send ALGO_UPDATE with the current state of a conditional order."""
    algo.update_time_ms = state.now_ms
    state.dirty.algos[algo.algo_id] = algo
    state.emit(algo.account_id, AlgoEvent(algo.copy(), state.now_ms))


def submit(state: ExchangeState, user: AccountState, request: AlgoRequest) -> AlgoOrder:
    """Check and place a conditional order; return the order itself, not a copy."""
    market = state.market(request.symbol)
    algo = algo_rules.build(state, user, market, request)
    if len(user.open_algos) >= MAX_WAITING_PER_ACCOUNT:
        raise refusal(-4045)
    algo.algo_id = state.next_algo_id()
    algo.client_algo_id = algo.client_algo_id or generated_client_id(algo.algo_id)
    state.add_algo(user, algo)
    emit_algo(state, algo)
    if algo.order_type == "TRAILING_STOP_MARKET":
        _trail(state, algo, algo_rules.working_price(market, algo.working_type))
    return algo


def find(user: AccountState, algo_id: int | None, client_algo_id: str | None) -> AlgoOrder | None:
    """Find a conditional order by id, else by client id (the newest with it)."""
    if algo_id is None and client_algo_id is None:
        raise missing_parameter("algoid")
    found = algo_id if algo_id is not None else user.algo_by_client_id.get(client_algo_id or "")
    return user.algos.get(found) if found is not None else None


def cancel(
    state: ExchangeState, user: AccountState, algo_id: int | None, client_algo_id: str | None
) -> AlgoOrder:
    """Cancel a waiting conditional order (-2011)."""
    algo = find(user, algo_id, client_algo_id)
    if algo is None or not algo.is_open:
        raise refusal(-2011)
    close(state, user, algo, "CANCELED")
    return algo


def cancel_all(state: ExchangeState, user: AccountState, symbol: str) -> list[AlgoOrder]:
    """Cancel every waiting conditional order of a symbol, oldest first."""
    state.market(symbol)
    algos = [algo for algo in user.open_algos.values() if algo.symbol == symbol]
    for algo in algos:
        close(state, user, algo, "CANCELED")
    return algos


def close(state: ExchangeState, user: AccountState, algo: AlgoOrder, status: str, reason: str = "") -> None:
    """End a waiting conditional order."""
    algo.algo_status = status
    algo.reject_reason = reason
    state.stop_waiting(user, algo)
    emit_algo(state, algo)


def expire_without_position(state: ExchangeState, market: MarketState) -> None:
    """Expire closePosition and GTE_GTC orders whose position is closed, and orders past goodTillDate."""
    for algo in list(market.waiting.values()):
        user = state.accounts[algo.account_id]
        needs_position = algo.close_position or algo.time_in_force == algo_rules.UNTIL_POSITION_ENDS
        if needs_position and not _position_to_close(user, algo):
            if algo.had_position:
                close(state, user, algo, "EXPIRED")
        elif needs_position and not algo.had_position:
            algo.had_position = True
            state.dirty.algos[algo.algo_id] = algo
        elif algo.good_till_date and algo.good_till_date <= state.now_ms:
            close(state, user, algo, "EXPIRED")


def expire_delisted(state: ExchangeState, market: MarketState) -> None:
    """Expire every account's conditional orders of a symbol that has ended."""
    for algo in list(market.waiting.values()):
        close(state, state.accounts[algo.account_id], algo, "EXPIRED")


def run_triggers(state: ExchangeState, market: MarketState) -> None:
    """Trigger conditional orders by the trades since the last call and by the mark price.

    Trades are processed one by one, orders oldest first; trades of child orders are processed in the same
    way, until nothing more triggers.
    """
    for _ in range(_PASSES):
        if not market.waiting:
            break
        expire_without_position(state, market)
        path, market.path = market.path, []
        moved, market.mark_moved = market.mark_moved, False
        if not path and not moved:
            break
        for ticks in path:
            _check_triggers(state, market, "CONTRACT_PRICE", market.spec.ticks_to_price(ticks))
        if moved and market.mark:
            _check_triggers(state, market, "MARK_PRICE", market.mark)
    market.path.clear()
    market.mark_moved = False


def _check_triggers(state: ExchangeState, market: MarketState, working_type: str, price: Decimal) -> None:
    for algo in list(market.waiting.values()):
        if algo.working_type != working_type or not algo.is_open:
            continue
        if algo.order_type == "TRAILING_STOP_MARKET":
            reached = _trail(state, algo, price)
        else:
            reached = algo_rules.is_reached(algo, price)
        if reached and not _is_protected(market, algo):
            _trigger(state, market, algo)


def _trail(state: ExchangeState, algo: AlgoOrder, price: Decimal) -> bool:
    """Track the best price; return whether the callback is reached."""
    if not price:
        return False
    buys = algo.side == "BUY"
    old = algo.extreme_price
    best = price if old is None else (min(old, price) if buys else max(old, price))
    if best != old:
        algo.extreme_price = best
        state.dirty.algos[algo.algo_id] = algo
    activate = algo.activate_price
    active = activate is None or (best <= activate if buys else best >= activate)
    if active and not algo.is_activated:
        algo.is_activated = True
        emit_algo(state, algo)
    if not active:
        return False
    share = (algo.callback_rate or ZERO) / 100
    return price >= best * (1 + share) if buys else price <= best * (1 - share)


def _is_protected(market: MarketState, algo: AlgoOrder) -> bool:
    """Whether priceProtect blocks the trigger: last and mark price differ by more than triggerProtect."""
    if not algo.price_protect or not market.mark or not market.last_ticks:
        return False
    return abs(market.mark - market.last_price) / market.mark > market.spec.trigger_protect


def _position_to_close(user: AccountState, algo: AlgoOrder) -> int:
    lots = user.lots(algo.symbol, algo.position_side)
    return abs(lots) if lots and closing_side(lots) == algo.side else 0


def _trigger(state: ExchangeState, market: MarketState, algo: AlgoOrder) -> None:
    user = state.accounts[algo.account_id]
    algo.trigger_time_ms = state.now_ms
    algo.algo_status = "TRIGGERING"
    state.stop_waiting(user, algo)
    emit_algo(state, algo)
    if algo.close_position and not _position_to_close(user, algo):
        algo.algo_status = "EXPIRED"
        emit_algo(state, algo)
        return
    try:
        child = _child(state, market, user, algo)
        admission = admit(state, user, child)
    except ApiError as refused:
        algo.algo_status = "REJECTED"
        algo.reject_reason = refused.message
        emit_algo(state, algo)
        return
    algo.actual_type = child.type
    place(state, user, child, admission)
    algo.actual_order_id = child.order_id
    algo.algo_status = "TRIGGERED"
    emit_algo(state, algo)
    finish_closed_children(state)


def _child(state: ExchangeState, market: MarketState, user: AccountState, algo: AlgoOrder) -> Order:
    spec = market.spec
    is_limit = algo.order_type in ("STOP", "TAKE_PROFIT")
    lots = _position_to_close(user, algo) if algo.close_position else spec.qty_to_lots(algo.quantity)
    ticks = 0
    if is_limit and algo.price_match != "NONE":
        ticks = matched_price(market, algo.side, algo.price_match)
    elif is_limit:
        ticks = spec.price_to_ticks(algo.price)
    if algo.client_algo_id in user.open_client_ids:
        raise refusal(-4116)
    one_way_close = algo.close_position and algo.position_side == "BOTH"
    return Order(
        order_id=0,
        account_id=algo.account_id,
        symbol=algo.symbol,
        client_order_id=algo.client_algo_id,
        side=algo.side,
        position_side=algo.position_side,
        type="LIMIT" if is_limit else "MARKET",
        orig_type=algo.order_type,
        time_in_force="GTC" if algo.time_in_force == algo_rules.UNTIL_POSITION_ENDS else algo.time_in_force,
        price=spec.ticks_to_price(ticks),
        orig_qty=spec.lots_to_qty(lots),
        status="NEW",
        time_ms=state.now_ms,
        update_time_ms=state.now_ms,
        price_ticks=ticks,
        orig_lots=lots,
        reduce_only=algo.reduce_only or one_way_close,
        close_position=algo.close_position,
        stop_price=algo.trigger_price,
        working_type=algo.working_type,
        price_protect=algo.price_protect,
        activate_price=algo.activate_price,
        callback_rate=algo.callback_rate,
        price_match=algo.price_match,
        stp_mode=algo.stp_mode,
        good_till_date=algo.good_till_date if is_limit else 0,
        algo_id=algo.algo_id,
    )


def finish(state: ExchangeState, user: AccountState, child: Order) -> None:
    """Send FINISHED for the conditional order of a closed child order."""
    algo = user.algos.get(child.algo_id)
    if algo is None or algo.algo_status != "TRIGGERED":
        return
    algo.algo_status = "FINISHED"
    algo.actual_price = child.average_price
    algo.actual_qty = child.executed_qty
    emit_algo(state, algo)


def finish_closed_children(state: ExchangeState) -> None:
    """Send FINISHED for every conditional order whose child order is closed."""
    children, state.closed_children = state.closed_children, []
    for order in children:
        finish(state, state.accounts[order.account_id], order)
