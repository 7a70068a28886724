"""Margin calls and liquidation.

A cross account is liquidated when its maintenance margin reaches its margin balance, an isolated
position when its maintenance margin reaches its isolated wallet plus profit. Steps: open orders are
cancelled (er 5) and the margin is checked again; then positions are closed one at a time, the one with
the largest maintenance margin first, by IOC limit orders "autoclose-..." at the bankruptcy price. In a
higher leverage bracket only the part above the bracket's floor is closed, and the margin is checked again.
In the lowest bracket, or when nothing could be matched, the whole position is closed: the insurance fund
takes over the unmatched rest at the bankruptcy price or, when the fund is too small, the most profitable
opposite positions do (ADL, "adl_autoclose"). Instead of a commission, a clearance fee of
`liquidation_fee * notional` is charged, at most the remaining margin. A wallet that ends below zero is
restored to zero by the fund.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from gateways.simulator.exchange.accounts.margin import (
    Totals,
    bankruptcy_price,
    maintenance,
    mark_notional,
    totals,
)
from gateways.simulator.exchange.accounts.positions import cross_wallet, emit_account, money, qty, unrealized
from gateways.simulator.exchange.model.accounts import ZERO, Position
from gateways.simulator.exchange.model.events import ForcedOrder, MarginCallEvent, MarginCallPosition
from gateways.simulator.exchange.model.orders import Order
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, MarketState
from gateways.simulator.exchange.orders.matching import (
    ER_IOC,
    ER_LIQUIDATION,
    announce_trade,
    emit_order,
    end_order,
    match_order,
    settle_fill,
)
from gateways.simulator.exchange.orders.reduce_only import closing_side

CALL_RATIO = Decimal("0.8")


def check_account(state: ExchangeState, user: AccountState) -> None:
    """Liquidate positions where needed, or send a margin call when 80 % of the margin is used up."""
    held = user.held()
    if not held or user.in_liquidation or _is_safe(state, user, held):
        return
    user.in_liquidation = True
    for position in held:
        if user.config(position.symbol).isolated and _isolated_due(state, position):
            _liquidate_isolated(state, user, position)
    found = totals(state, user)
    if _cross_due(state, user, found):
        _liquidate_cross(state, user)
        found = totals(state, user)
    user.in_liquidation = False
    _margin_call(state, user, found)


def _is_safe(state: ExchangeState, user: AccountState, held: list[Position]) -> bool:
    """Tell whether no margin call is active or due, so that nothing has to be done.

    Nearly every check of an account ends here, so it computes only what is needed for this answer.
    """
    if user.account.margin_called:
        return False
    needed, left = ZERO, cross_wallet(user)
    for position in held:
        if user.config(position.symbol).isolated:
            own_needed, own_left = _isolated_margin(state, position)
            if own_needed >= CALL_RATIO * own_left:
                return False
            continue
        market = state.markets[position.symbol]
        needed += money(maintenance(market.spec, mark_notional(market.spec, position.lots, market.mark)))
        left += unrealized(market.spec, position, market.mark)
    return needed < CALL_RATIO * left


def _isolated_margin(state: ExchangeState, position: Position) -> tuple[Decimal, Decimal]:
    """Return (maintenance margin, isolated wallet plus profit)."""
    market = state.markets[position.symbol]
    notional = mark_notional(market.spec, position.lots, market.mark)
    left = position.isolated_wallet + unrealized(market.spec, position, market.mark)
    return maintenance(market.spec, notional), left


def _isolated_due(state: ExchangeState, position: Position) -> bool:
    if not position.lots or not state.markets[position.symbol].mark:
        return False
    needed, left = _isolated_margin(state, position)
    return needed >= left


def _cross_positions(user: AccountState) -> list[Position]:
    return [position for position in user.held() if not user.config(position.symbol).isolated]


def _cross_due(state: ExchangeState, user: AccountState, found: Totals) -> bool:
    positions = _cross_positions(user)
    if not positions or not all(state.markets[position.symbol].mark for position in positions):
        return False
    return found.cross_maintenance >= cross_wallet(user) + found.cross_unrealized


def _cancel_orders(state: ExchangeState, user: AccountState, symbols: list[str]) -> None:
    for symbol in symbols:
        for order in list(user.open_of(symbol).values()):
            end_order(state, user, order, "EXPIRED", "EXPIRED", ER_LIQUIDATION)


def _liquidate_isolated(state: ExchangeState, user: AccountState, position: Position) -> None:
    _cancel_orders(state, user, [position.symbol])
    while _isolated_due(state, position):
        if not _reduce_to_lower_bracket(state, user, position):
            _close(state, user, position)
    _cover_negative_wallet(state, user)


def _liquidate_cross(state: ExchangeState, user: AccountState) -> None:
    symbols = [s for s in sorted(user.open_by_symbol) if not user.config(s).isolated]
    _cancel_orders(state, user, symbols)
    while _cross_due(state, user, totals(state, user)):

        def weight(position: Position) -> Decimal:
            market = state.markets[position.symbol]
            return maintenance(market.spec, mark_notional(market.spec, position.lots, market.mark))

        heaviest = max(_cross_positions(user), key=weight)
        if not _reduce_to_lower_bracket(state, user, heaviest):
            _close(state, user, heaviest)
    _cover_negative_wallet(state, user)


def _lots_above_bracket(market: MarketState, position: Position) -> int:
    """Return the lots above the floor of the position's bracket; 0 in the lowest bracket."""
    spec = market.spec
    floor = spec.bracket_for(mark_notional(spec, position.lots, market.mark)).notional_floor
    if not floor:
        return 0
    return abs(position.lots) - int(floor / (market.mark * spec.step_size))


def _reduce_to_lower_bracket(state: ExchangeState, user: AccountState, position: Position) -> bool:
    """Reduce a position to the next lower bracket; False in the lowest, or when nothing is matched."""
    market = state.markets[position.symbol]
    lots = _lots_above_bracket(market, position)
    if not lots or lots >= abs(position.lots):
        return False
    margin = _margin_less_profit(position)
    order = _send_liquidation_order(state, user, position, lots)
    if order.is_open:
        end_order(state, user, order, "EXPIRED", "EXPIRED", ER_IOC)
    if not order.executed_lots:
        return False
    _finish_liquidation(state, user, position, order, margin)
    return True


def _close(state: ExchangeState, user: AccountState, position: Position) -> None:
    """Close one position: by the book, then insurance fund or ADL; then charge the clearance fee."""
    market = state.markets[position.symbol]
    margin = _margin_less_profit(position)
    order = _send_liquidation_order(state, user, position, abs(position.lots))
    if order.is_open:
        _take_over(state, user, market, order, order.price_ticks)
    _finish_liquidation(state, user, position, order, margin)


def _send_liquidation_order(state: ExchangeState, user: AccountState, position: Position, lots: int) -> Order:
    """Match a liquidation order for some lots of a position; return it after matching."""
    market = state.markets[position.symbol]
    ticks = _bankruptcy_ticks(state, user, market, position)
    order = _forced_order(state, user, position, ticks, lots)
    state.add_order(user, order)
    emit_order(state, user, order, "NEW", reason=ER_LIQUIDATION)
    match_order(state, user, order, ticks)
    return order


def _margin_less_profit(position: Position) -> Decimal:
    """Return isolated margin minus realised profit; its decrease in a liquidation is the released margin."""
    return position.isolated_wallet - position.accumulated_realized


def _finish_liquidation(
    state: ExchangeState, user: AccountState, position: Position, order: Order, margin: Decimal
) -> None:
    """Charge the clearance fee, at most the remaining margin, and publish the liquidation order."""
    if user.config(position.symbol).isolated:
        left = margin - _margin_less_profit(position)
    else:
        left = cross_wallet(user) + totals(state, user).cross_unrealized
    fee_rate = state.markets[position.symbol].spec.liquidation_fee
    fee = money(min(max(ZERO, left), fee_rate * order.cum_quote))
    if fee:
        state.book_income(user, position.symbol, "INSURANCE_CLEAR", -fee)
        state.counters.insurance_fund += fee
        emit_account(state, user, "INSURANCE_CLEAR", change=-fee)
    forced = ForcedOrder(
        order.account_id, order.copy(), order.average_price, order.executed_qty, state.now_ms
    )
    user.forced.append(forced)
    state.dirty.forced.append(forced)
    state.listener.on_forced_order(forced)


def _bankruptcy_ticks(
    state: ExchangeState, user: AccountState, market: MarketState, position: Position
) -> int:
    """Return the bankruptcy price in ticks, rounded so that the loss does not exceed the margin."""
    price = bankruptcy_price(state, user, position)
    rounding = ROUND_CEILING if position.lots > 0 else ROUND_FLOOR
    return max(1, int((price / market.spec.tick_size).to_integral_value(rounding)))


def _forced_order(
    state: ExchangeState, user: AccountState, position: Position, ticks: int, lots: int
) -> Order:
    spec = state.markets[position.symbol].spec
    order_id = state.next_order_id()
    return Order(
        order_id=order_id,
        account_id=user.account.account_id,
        symbol=position.symbol,
        client_order_id=f"autoclose-{order_id}",
        side=closing_side(position.lots),
        position_side=position.position_side,
        type="LIMIT",
        orig_type="LIMIT",
        time_in_force="IOC",
        price=spec.ticks_to_price(ticks),
        orig_qty=spec.lots_to_qty(lots),
        status="NEW",
        time_ms=state.now_ms,
        update_time_ms=state.now_ms,
        price_ticks=ticks,
        orig_lots=lots,
        stp_mode="NONE",
        is_liquidation=True,
        priority=state.next_priority(),
    )


def _take_over(
    state: ExchangeState, user: AccountState, market: MarketState, order: Order, ticks: int
) -> None:
    """Let the insurance fund, or else opposite positions, take over the unmatched rest."""
    spec = market.spec
    direction = 1 if order.side == "SELL" else -1
    loss = direction * (ticks * spec.tick_size - market.mark) * spec.lots_to_qty(order.remaining_lots)
    if loss <= state.counters.insurance_fund:
        state.counters.insurance_fund -= max(ZERO, loss)
    else:
        _deleverage(state, user, market, order, ticks)
    if order.remaining_lots:
        lots = order.remaining_lots
        trade_id = announce_trade(state, market, ticks, lots, order.side, insurance=True)
        settle_fill(
            state, user, order, ticks, lots, trade_id,
            is_maker=False, execution_type="CALCULATED",
        )  # fmt: skip


def _deleverage(
    state: ExchangeState, user: AccountState, market: MarketState, order: Order, ticks: int
) -> None:
    """Close opposite positions of other accounts at the bankruptcy price, most profitable first."""
    for other, position in adl_queue(state, market, losing_side=closing_side_of(order)):
        if other is user or not order.remaining_lots:
            continue
        lots = min(order.remaining_lots, abs(position.lots))
        _cancel_orders(state, other, [market.spec.symbol])
        forced = _forced_order(state, other, position, ticks, lots)
        forced.client_order_id = "adl_autoclose"
        state.add_order(other, forced)
        emit_order(state, other, forced, "NEW")
        trade_id = announce_trade(state, market, ticks, lots, order.side, insurance=True)
        for owner, closed in ((user, order), (other, forced)):
            settle_fill(
                state, owner, closed, ticks, lots, trade_id,
                is_maker=False, execution_type="CALCULATED",
            )  # fmt: skip


def closing_side_of(order: Order) -> int:
    """Return the sign of the position an order closes."""
    return 1 if order.side == "SELL" else -1


def adl_queue(
    state: ExchangeState, market: MarketState, *, losing_side: int
) -> list[tuple[AccountState, Position]]:
    """Return the positions opposite to `losing_side` (sign), highest profit times leverage first."""
    queue = []
    for account_id in sorted(state.accounts):
        other = state.accounts[account_id]
        for position in other.held(market.spec.symbol):
            if position.lots * losing_side < 0 and position.cost:
                profit = unrealized(market.spec, position, market.mark) / abs(position.cost)
                score = profit * other.config(market.spec.symbol).leverage
                queue.append((score, account_id, other, position))
    queue.sort(key=lambda row: (-row[0], row[1]))
    return [(other, position) for _, _, other, position in queue]


def _cover_negative_wallet(state: ExchangeState, user: AccountState) -> None:
    """Restore a negative wallet to zero from the insurance fund, once no cross position is left."""
    wallet = cross_wallet(user)
    if wallet < 0 and not _cross_positions(user):
        state.counters.insurance_fund += wallet
        state.book_income(user, "", "INSURANCE_CLEAR", -wallet)
        emit_account(state, user, "INSURANCE_CLEAR", change=-wallet)


def _margin_call(state: ExchangeState, user: AccountState, found: Totals) -> None:
    rows = []
    cross_balance = cross_wallet(user) + found.cross_unrealized
    cross_called = bool(found.cross_maintenance) and found.cross_maintenance >= CALL_RATIO * cross_balance
    for position in user.held():
        isolated = user.config(position.symbol).isolated
        needed, left = _isolated_margin(state, position)
        if not (needed >= CALL_RATIO * left if isolated else cross_called):
            continue
        market = state.markets[position.symbol]
        rows.append(
            MarginCallPosition(
                symbol=position.symbol,
                position_side=position.position_side,
                position_amt=qty(market.spec, position),
                margin_type="ISOLATED" if isolated else "CROSSED",
                isolated_wallet=position.isolated_wallet,
                mark_price=market.mark,
                unrealized_pnl=unrealized(market.spec, position, market.mark),
                maintenance_margin=money(needed),
            )
        )
    if rows and not user.account.margin_called:
        wallet = cross_wallet(user) if cross_called else None
        state.emit(user.account.account_id, MarginCallEvent(state.now_ms, wallet, tuple(rows)))
    if bool(rows) != user.account.margin_called:
        user.account.margin_called = bool(rows)
        state.touch_account(user)
