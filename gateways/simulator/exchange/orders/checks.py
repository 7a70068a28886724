"""Checks of an order that need the position, the book or the wallet; they change no state."""

from dataclasses import dataclass
from decimal import Decimal

from gateways.simulator.exchange.accounts.margin import available_balance, side_notionals, symbol_margin
from gateways.simulator.exchange.model.accounts import ZERO
from gateways.simulator.exchange.model.errors import refusal
from gateways.simulator.exchange.model.orders import Order
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, MarketState
from gateways.simulator.exchange.orders import reduce_only
from gateways.simulator.exchange.orders.rules import is_hedge_close

_MARKET_BUY_MARKUP = Decimal("1.0005")


@dataclass(slots=True)
class Admission:
    """Result of the checks: the price limit for matching and the orders to displace."""

    limit_ticks: int | None
    displaced: list[Order]


def admit(
    state: ExchangeState, user: AccountState, order: Order, *, replacing: Order | None = None
) -> Admission:
    """Run all checks in order; may reduce a reduce-only MARKET order to the size of the position."""
    market = state.markets[order.symbol]
    without = replacing.order_id if replacing else 0
    if replacing is None and len(user.open_of(order.symbol)) >= market.spec.max_num_orders:
        raise refusal(-2025)
    displaced: list[Order] = []
    if order.reduce_only:
        displaced = reduce_only.admit(user, order, replacing=without)
        _clip(market, order, abs(user.lots(order.symbol, "BOTH")))
    elif is_hedge_close(order.position_side, order.side):
        _check_hedge_close(user, order, without)
    else:
        _check_position_limit(user, market, order, without)
        _check_margin(state, user, order, replacing)
    if user.in_liquidation:
        raise refusal(-2023)
    return Admission(_check_book(market, order), displaced)


def _clip(market: MarketState, order: Order, held_lots: int) -> None:
    if order.orig_lots - order.executed_lots > held_lots and order.type == "MARKET":
        order.orig_lots = held_lots
        order.orig_qty = market.spec.lots_to_qty(held_lots)


def _check_hedge_close(user: AccountState, order: Order, without: int) -> None:
    """-2022 when the closing orders of a hedge side exceed the position."""
    held = abs(user.lots(order.symbol, order.position_side))
    resting = sum(
        other.remaining_lots
        for other in user.open_of(order.symbol).values()
        if other.position_side == order.position_side
        and other.side == order.side
        and other.order_id != without
    )
    if order.remaining_lots + (resting if order.type == "LIMIT" else 0) > held:
        raise refusal(-2022)


def assumed_price(market: MarketState, order: Order) -> Decimal:
    """Return the price used for margin: the limit, or for MARKET best ask * 1.0005 / best bid."""
    if order.type == "LIMIT":
        return order.price
    spec = market.spec
    if order.side == "BUY":
        ask = market.book.best_ask()
        return spec.ticks_to_price(ask) * _MARKET_BUY_MARKUP if ask is not None else market.mark
    bid = market.book.best_bid()
    return spec.ticks_to_price(bid) if bid is not None else market.mark


def _opening_lots(user: AccountState, order: Order) -> int:
    """Return the part of an order that exceeds an opposite position."""
    held = user.lots(order.symbol, order.position_side)
    opposite = -held if order.side == "BUY" else held
    return max(0, order.remaining_lots - max(0, opposite))


def _check_position_limit(user: AccountState, market: MarketState, order: Order, without: int) -> None:
    """-2027 when position and open orders of the side could exceed the leverage's largest notional."""
    opening = _opening_lots(user, order)
    if not opening:
        return
    spec = market.spec
    allowed = spec.max_notional(user.config(order.symbol).leverage)
    held = spec.lots_to_qty(user.lots(order.symbol, order.position_side)) * market.mark
    amount = assumed_price(market, order) * spec.lots_to_qty(order.remaining_lots)
    bids, asks = side_notionals(user, spec, position_side=order.position_side, without=without)
    exposure = abs(held + bids + amount) if order.side == "BUY" else abs(held - asks - amount)
    if exposure > allowed:
        raise refusal(-2027)


def _check_margin(state: ExchangeState, user: AccountState, order: Order, replacing: Order | None) -> None:
    """-2019 when initial margin and open loss exceed the available balance.

    required = increase of the symbol's initial margin + |opening quantity| * max(0, dir * (price - mark)).
    """
    market = state.markets[order.symbol]
    without = replacing.order_id if replacing else 0
    price = assumed_price(market, order)
    amount = price * market.spec.lots_to_qty(order.remaining_lots)
    before = symbol_margin(user, market)
    after = symbol_margin(
        user,
        market,
        extra_buy=amount if order.side == "BUY" else ZERO,
        extra_sell=amount if order.side == "SELL" else ZERO,
        extra_side=order.position_side,
        without=without,
    )
    increase = max(ZERO, after.total - before.total)
    direction = 1 if order.side == "BUY" else -1
    worse = max(ZERO, direction * (price - market.mark)) if market.mark else ZERO
    required = increase + worse * market.spec.lots_to_qty(_opening_lots(user, order))
    if required and required > available_balance(state, user):
        raise refusal(-2019)


def _check_book(market: MarketState, order: Order) -> int | None:
    """Check GTX, FOK and the market order bound; return the limit for matching."""
    if order.type == "MARKET":
        return _market_limit(market, order)
    best = market.book.best("SELL" if order.side == "BUY" else "BUY")
    if order.time_in_force == "GTX" and best is not None and crosses(order, best):
        raise refusal(-5022)
    if order.time_in_force == "FOK" and not _fillable(market, order):
        raise refusal(-5021)
    return order.price_ticks


def crosses(order: Order, opposite_ticks: int) -> bool:
    """Tell whether a limit order reaches an opposite price."""
    return opposite_ticks <= order.price_ticks if order.side == "BUY" else opposite_ticks >= order.price_ticks


def _fillable(market: MarketState, order: Order) -> bool:
    left = order.remaining_lots
    for _, lots in market.book.available(order.side, order.price_ticks):
        left -= lots
        if left <= 0:
            return True
    return False


def _market_limit(market: MarketState, order: Order) -> int | None:
    """Return the marketTakeBound in ticks (-4131 when the best opposite price is already outside)."""
    spec = market.spec
    if not market.mark:
        return None
    if order.side == "BUY":
        limit = spec.price_to_ticks_floor(market.mark * (1 + spec.market_take_bound))
        best = market.book.best_ask()
        outside = best is not None and best > limit
    else:
        limit = spec.price_to_ticks_ceiling(market.mark * (1 - spec.market_take_bound))
        best = market.book.best_bid()
        outside = best is not None and best < limit
    if outside:
        raise refusal(-4131)
    return limit
