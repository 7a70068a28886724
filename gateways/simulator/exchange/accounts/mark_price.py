"""Mark price, premium and funding rate.

Mark price = median(index * (1 + r * t/T), index + mean(mid - index over the last 60 s), last), sampled
once a second, with r the current funding rate and t/T the remaining share of the funding period.
Funding rate = P + clamp(0.0001 - P, -0.0005, 0.0005), P the average premium of the period, later samples
weighing more; premium = (max(0, impact bid - index) - max(0, index - impact ask)) / index, where the
impact price is the mean price of 25,000 quote taken from the book. Pinned values replace either.
"""

from decimal import Decimal

from gateways.simulator.exchange.accounts.positions import money
from gateways.simulator.exchange.model.accounts import ZERO
from gateways.simulator.exchange.model.state import ExchangeState, MarketState

MARK_INTERVAL_MS = 1_000
_INTEREST = Decimal("0.0001")
_DAMPER = Decimal("0.0005")
_IMPACT_NOTIONAL = 25_000
_RATE_UNIT = Decimal("0.00000001")


def mid_price(market: MarketState) -> Decimal:
    """Return the mid price; the only side of a one-sided book; the last trade when the book is empty."""
    bid, ask = market.book.best_bid(), market.book.best_ask()
    tick = market.spec.tick_size
    if bid is not None and ask is not None:
        return (bid + ask) * tick / 2
    one = bid if bid is not None else ask
    return (one if one is not None else market.last_ticks) * tick


def index_price(market: MarketState) -> Decimal:
    """Return the index price, or the mid price while none is set."""
    return market.index or mid_price(market)


def funding_rate(market: MarketState) -> Decimal:
    """Return the rate at which the current period would settle."""
    facts = market.facts
    if facts.pinned_rate is not None:
        return facts.pinned_rate
    premium = market.premium_sum / market.premium_weight if market.premium_weight else ZERO
    rate = premium + min(_DAMPER, max(-_DAMPER, _INTEREST - premium))
    cap = market.spec.funding_cap
    return min(cap, max(-cap, rate)).quantize(_RATE_UNIT)


def update_mark(state: ExchangeState, market: MarketState) -> bool:
    """Update the mark price; return whether it changed."""
    pinned = market.facts.pinned_mark
    mark = _median_mark(state, market) if pinned is None else pinned
    if mark == market.mark:
        return False
    market.mark = mark
    market.mark_moved = True
    return True


def sample_premium(market: MarketState) -> None:
    """Add one second's premium and basis to the running averages."""
    index = market.index
    mid = mid_price(market)
    if not index or not mid:
        return
    market.basis.append(mid - index)
    bid, ask = _impact(market, "BUY"), _impact(market, "SELL")
    premium = ZERO
    if bid is not None:
        premium += max(ZERO, bid - index)
    if ask is not None:
        premium -= max(ZERO, index - ask)
    samples = market.premium_samples + 1
    market.premium_samples = samples
    market.premium_sum += samples * (premium / index)
    market.premium_weight += samples


def _median_mark(state: ExchangeState, market: MarketState) -> Decimal:
    index = index_price(market)
    if not index:
        return ZERO
    left = max(0, market.facts.next_funding_ms - state.now_ms)
    share = Decimal(left) / market.spec.funding_interval_ms
    funded = index * (1 + funding_rate(market) * share)
    basis = sum(market.basis, ZERO) / len(market.basis) if market.basis else ZERO
    last = market.last_price
    if not last:
        return money(index + basis)
    return money(sorted((funded, index + basis, last))[1])


def _impact(market: MarketState, side: str) -> Decimal | None:
    """Return the mean price of the impact notional on a side, None when the book is too thin."""
    unit = market.spec.tick_size * market.spec.step_size
    wanted = int(_IMPACT_NOTIONAL / unit)
    left, lots_taken = wanted, 0
    for ticks, lots in market.book.levels(side):
        worth = ticks * lots
        if worth >= left:
            total = lots_taken + Decimal(left) / ticks
            return wanted / total * market.spec.tick_size
        left -= worth
        lots_taken += lots
    return None
