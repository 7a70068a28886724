"""Account queries: balances, margin and positions."""

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
from gateways.simulator.exchange.model.accounts import ZERO, AccountSummary, AssetRow, Position, PositionRow
from gateways.simulator.exchange.model.state import AccountState, ExchangeState


def account_summary(state: ExchangeState, account_id: str) -> AccountSummary:
    """Return the totals, the asset rows and the positions of an account."""
    user = state.user(account_id)
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
        positions=position_rows(state, account_id),
        alias=account.alias,
    )


def position_rows(state: ExchangeState, account_id: str, symbol: str | None = None) -> list[PositionRow]:
    """Return BOTH of every symbol, and in hedge mode LONG and SHORT too."""
    user = state.user(account_id)
    if symbol is not None:
        state.market(symbol)
    sides = ("BOTH", "LONG", "SHORT") if user.account.hedge_mode else ("BOTH",)
    symbols = [symbol] if symbol is not None else list(state.markets)
    return [_position_row(state, user, name, side) for name in symbols for side in sides]


def _position_row(state: ExchangeState, user: AccountState, symbol: str, side: str) -> PositionRow:
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


def _adl(state: ExchangeState, user: AccountState, position: Position) -> int:
    """Return the ADL quantile 0 to 4: the place in the queue of profitable positions of the side."""
    if not position.lots:
        return 0
    market = state.markets[position.symbol]
    queue = adl_queue(state, market, losing_side=-1 if position.lots > 0 else 1)
    places = [other is user and other_position is position for other, other_position in queue]
    place = places.index(True)
    return 4 - place * 5 // len(queue)
