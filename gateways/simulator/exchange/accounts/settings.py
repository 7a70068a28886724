"""Leverage, margin type, isolated margin, position mode, multi-assets mode, deposits."""

from decimal import Decimal

from gateways.simulator.exchange.accounts.margin import (
    available_balance,
    maintenance,
    mark_notional,
    symbol_margin,
)
from gateways.simulator.exchange.accounts.positions import emit_account, money, position_change, unrealized
from gateways.simulator.exchange.model.accounts import ZERO, MarginChange
from gateways.simulator.exchange.model.errors import invalid_leverage, invalid_parameter, refusal
from gateways.simulator.exchange.model.events import AccountConfigEvent
from gateways.simulator.exchange.model.state import AccountState, ExchangeState


def deposit(state: ExchangeState, user: AccountState, amount: Decimal) -> None:
    """Move money into (negative: out of) the wallet; -2018 when there is not enough."""
    if amount < 0 and -amount > available_balance(state, user):
        raise refusal(-2018)
    state.book_income(user, "", "TRANSFER", amount)
    emit_account(state, user, "DEPOSIT" if amount >= 0 else "WITHDRAW", change=amount)


def set_leverage(state: ExchangeState, user: AccountState, symbol: str, leverage: int) -> Decimal:
    """Set a leverage; return the largest notional it allows.

    -4028 out of range, -4161 lowered in isolated mode with a position, -2027 below what the position
    needs, -2028 when the balance is too small for a lower leverage.
    """
    market = state.market(symbol)
    spec = market.spec
    if not 1 <= leverage <= spec.max_leverage:
        raise invalid_leverage(leverage)
    config = user.config(symbol)
    held = user.held(symbol)
    if config.isolated and held and leverage < config.leverage:
        raise refusal(-4161)
    allowed = spec.max_notional(leverage)
    if any(mark_notional(spec, position.lots, market.mark) > allowed for position in held):
        raise refusal(-2027)
    before = symbol_margin(user, market).total
    after = symbol_margin(user, market, leverage=leverage).total
    if after > before and after - before > available_balance(state, user):
        raise refusal(-2028)
    user.own_config(symbol).leverage = leverage
    state.touch_account(user)
    state.emit(user.account.account_id, AccountConfigEvent(state.now_ms, symbol, leverage))
    return allowed


def set_margin_type(state: ExchangeState, user: AccountState, symbol: str, margin_type: str) -> None:
    """Set ISOLATED or CROSSED (-4046 no change, -4047 open orders, -4048 position, -4168)."""
    state.market(symbol)
    if margin_type not in ("ISOLATED", "CROSSED"):
        raise invalid_parameter("margintype")
    isolated = margin_type == "ISOLATED"
    config = user.config(symbol)
    if config.isolated == isolated:
        raise refusal(-4046)
    if isolated and user.account.multi_assets_mode:
        raise refusal(-4168)
    if user.open_of(symbol):
        raise refusal(-4047)
    if user.held(symbol):
        raise refusal(-4048)
    user.own_config(symbol).isolated = isolated
    state.touch_account(user)
    sides = ("BOTH", "LONG", "SHORT") if isolated else ("BOTH",)
    market = state.markets[symbol]
    rows = tuple(position_change(user, market, user.position(symbol, side)) for side in sides)
    emit_account(state, user, "MARGIN_TYPE_CHANGE", rows)


def modify_position_margin(
    state: ExchangeState,
    user: AccountState,
    symbol: str,
    position_side: str | None,
    amount: Decimal,
    kind: int,
) -> None:
    """Add (1) or take (2) isolated margin (-4049 cross, -4054 flat, -4055, -4050, -4051)."""
    market = state.market(symbol)
    if kind not in (1, 2):
        raise invalid_parameter("type")
    if not amount.is_finite() or amount <= 0:
        raise refusal(-4055)
    if not user.config(symbol).isolated:
        raise refusal(-4049)
    side = position_side or "BOTH"
    if user.account.hedge_mode == (side == "BOTH"):
        raise refusal(-4061)
    position = user.position(symbol, side)
    if not position.lots:
        raise refusal(-4054)
    amount = money(amount)
    if kind == 1:
        if amount > available_balance(state, user):
            raise refusal(-4050)
        position.isolated_wallet += amount
    else:
        notional = mark_notional(market.spec, position.lots, market.mark)
        needed = max(notional / user.config(symbol).leverage, money(maintenance(market.spec, notional)))
        pnl = min(ZERO, unrealized(market.spec, position, market.mark))
        if position.isolated_wallet + pnl - amount < needed:
            raise refusal(-4051)
        position.isolated_wallet -= amount
    position.update_time_ms = state.now_ms
    account = user.account
    row = MarginChange(account.account_id, symbol, side, kind, amount, account.asset, state.now_ms)
    user.margin_changes.append(row)
    state.dirty.margin_changes.append(row)
    state.touch_account(user)
    emit_account(state, user, "MARGIN_TRANSFER", (position_change(user, market, position),), change=ZERO)


def set_position_mode(state: ExchangeState, user: AccountState, *, hedge_mode: bool) -> None:
    """Switch one-way and hedge mode (-4059 no change, -4067 open orders, -4068 position)."""
    if user.account.hedge_mode == hedge_mode:
        raise refusal(-4059)
    if any(user.open_by_symbol.values()) or user.open_algos:
        raise refusal(-4067)
    if user.held():
        raise refusal(-4068)
    user.account.hedge_mode = hedge_mode
    state.touch_account(user)


def set_multi_assets(state: ExchangeState, user: AccountState, *, multi_assets: bool) -> None:
    """Switch multi-assets mode (-4171 no change, -4167 isolated symbols, -4170 open orders)."""
    if user.account.multi_assets_mode == multi_assets:
        raise refusal(-4171)
    if multi_assets and any(config.isolated for config in user.account.configs.values()):
        raise refusal(-4167)
    if any(user.open_by_symbol.values()):
        raise refusal(-4170)
    user.account.multi_assets_mode = multi_assets
    state.touch_account(user)
    state.emit(user.account.account_id, AccountConfigEvent(state.now_ms, multi_assets_mode=multi_assets))


def set_fee_burn(state: ExchangeState, user: AccountState, *, fee_burn: bool) -> None:
    """Set whether fees may be paid in BNB; setting the same value again is not an error."""
    user.account.fee_burn = fee_burn
    state.touch_account(user)
