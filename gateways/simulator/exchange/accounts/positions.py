"""Positions: how a fill changes one, and its entry and break-even price.

Realised profit of a reduction is proceeds minus the share of `cost` that leaves; the last reduction
takes all that is left of it. Shares are rounded to 1e-8 quote, so wallet changes add up exactly.
"""

from decimal import ROUND_HALF_UP, Decimal

from gateways.simulator.exchange.model.accounts import ZERO, Position
from gateways.simulator.exchange.model.events import AccountEvent, BalanceChange, PositionChange
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, MarketState
from gateways.simulator.exchange.model.symbols import SymbolSpec

UNIT = Decimal("0.00000001")


def money(value: Decimal) -> Decimal:
    """Round to the 8 decimals a wallet has (half up)."""
    return value.quantize(UNIT, ROUND_HALF_UP)


def qty(spec: SymbolSpec, position: Position) -> Decimal:
    """Return the signed base quantity."""
    return spec.lots_to_qty(position.lots)


def entry_price(spec: SymbolSpec, position: Position) -> Decimal:
    """Return the mean entry price, 0 when flat; not rounded to the tick."""
    return position.cost / qty(spec, position) if position.lots else ZERO


def break_even_price(spec: SymbolSpec, position: Position) -> Decimal:
    """Return the price at which closing recovers cost and commission paid so far (closing fee excluded)."""
    return (position.cost + position.fees) / qty(spec, position) if position.lots else ZERO


def unrealized(spec: SymbolSpec, position: Position, mark: Decimal) -> Decimal:
    """Return `q * mark - cost`, signed, rounded to 1e-8."""
    return money(qty(spec, position) * mark - position.cost) if position.lots else ZERO


def apply_fill(
    spec: SymbolSpec, position: Position, signed_lots: int, price_ticks: int, isolated_leverage: int | None
) -> Decimal:
    """Change a position by a fill and return the realised profit (quote, before fees).

    `isolated_leverage` is None for cross margin; otherwise the opening part brings
    `notional / leverage` into the isolated wallet and the closing part releases its share.
    """
    realised = ZERO
    if position.lots and (position.lots > 0) != (signed_lots > 0):
        held = abs(position.lots)
        closing = min(held, abs(signed_lots))
        direction = 1 if position.lots > 0 else -1
        leaving = position.cost if closing == held else money(position.cost * closing / held)
        realised = direction * spec.notional(price_ticks, closing) - leaving
        released = position.isolated_wallet
        if closing != held:
            released = money(position.isolated_wallet * closing / held)
            position.fees -= money(position.fees * closing / held)
        else:
            position.fees = ZERO
        position.isolated_wallet -= released
        position.cost -= leaving
        position.lots -= direction * closing
        position.accumulated_realized += realised
        signed_lots += direction * closing
    if signed_lots:
        opened = spec.notional(price_ticks, abs(signed_lots))
        position.cost += opened if signed_lots > 0 else -opened
        position.lots += signed_lots
        if isolated_leverage is not None:
            position.isolated_wallet += money(opened / isolated_leverage)
    return realised


def cross_wallet(user: AccountState) -> Decimal:
    """Return the wallet balance without the margin of isolated positions."""
    return user.account.wallet_balance - sum(
        (position.isolated_wallet for position in user.account.positions.values()), ZERO
    )


def balance_change(user: AccountState, change: Decimal = ZERO) -> BalanceChange:
    """Return the ACCOUNT_UPDATE row of the wallet."""
    return BalanceChange(user.account.asset, user.account.wallet_balance, cross_wallet(user), change)


def position_change(user: AccountState, market: MarketState, position: Position) -> PositionChange:
    """Return the ACCOUNT_UPDATE row of a position."""
    spec = market.spec
    return PositionChange(
        symbol=spec.symbol,
        position_side=position.position_side,
        position_amt=qty(spec, position),
        entry_price=entry_price(spec, position),
        break_even_price=break_even_price(spec, position),
        accumulated_realized=position.accumulated_realized,
        unrealized_pnl=unrealized(spec, position, market.mark),
        margin_type="isolated" if user.config(spec.symbol).isolated else "cross",
        isolated_wallet=position.isolated_wallet,
    )


def emit_account(
    state: ExchangeState,
    user: AccountState,
    reason: str,
    positions: tuple[PositionChange, ...] = (),
    *,
    change: Decimal = ZERO,
    symbol: str | None = None,
) -> None:
    """Send ACCOUNT_UPDATE with the wallet and the given positions."""
    event = AccountEvent(
        reason=reason,
        time_ms=state.now_ms,
        balances=(balance_change(user, change),),
        positions=positions,
        symbol=symbol,
    )
    state.emit(user.account.account_id, event)
