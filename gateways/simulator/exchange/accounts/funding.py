"""Funding: at each settlement longs pay |q| * mark * rate to shorts (a negative rate: the reverse)."""

from decimal import Decimal

from gateways.simulator.exchange.accounts.mark_price import funding_rate
from gateways.simulator.exchange.accounts.positions import emit_account, money, position_change, qty
from gateways.simulator.exchange.model.accounts import ZERO
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, FundingRow, MarketState

LATEST_CATCH_UP_MS = 15 * 60_000
"""A settlement missed by more than this while the exchange was down is skipped."""


def settle_due(state: ExchangeState, market: MarketState) -> bool:
    """Settle every funding that is due; return whether there was one."""
    interval = market.spec.funding_interval_ms
    facts = market.facts
    if not facts.next_funding_ms:
        facts.next_funding_ms = (state.now_ms // interval + 1) * interval
        state.dirty.markets[market.spec.symbol] = facts
        return False
    if facts.next_funding_ms > state.now_ms or not market.mark:
        return False
    while facts.next_funding_ms <= state.now_ms:
        due = facts.next_funding_ms
        facts.next_funding_ms = due + interval
        if not market.restored or state.now_ms - due <= LATEST_CATCH_UP_MS:
            _settle(state, market, due)
    market.restored = False
    state.dirty.markets[market.spec.symbol] = facts
    return True


def _settle(state: ExchangeState, market: MarketState, due_ms: int) -> None:
    rate = funding_rate(market)
    market.facts.last_funding_rate = rate
    market.premium_sum, market.premium_weight, market.premium_samples = ZERO, 0, 0
    row = FundingRow(market.spec.symbol, rate, due_ms, market.mark)
    market.funding_history.append(row)
    state.dirty.funding.append(row)
    for user in state.accounts.values():
        _pay(state, user, market, rate)


def _pay(state: ExchangeState, user: AccountState, market: MarketState, rate: Decimal) -> None:
    symbol = market.spec.symbol
    isolated = user.config(symbol).isolated
    paid = ZERO
    rows = []
    for position in user.held(symbol):
        payment = -money(qty(market.spec, position) * market.mark * rate)
        if not payment:
            continue
        paid += payment
        state.book_income(user, symbol, "FUNDING_FEE", payment)
        if isolated:
            position.isolated_wallet += payment
            position.update_time_ms = state.now_ms
            rows.append(position_change(user, market, position))
    if paid:
        emit_account(state, user, "FUNDING_FEE", tuple(rows), change=paid, symbol=symbol)
