"""Checks of an order's parameters, in the order in which the exchange makes them.

Each function raises its `ApiError`. Sequence: symbol, side, type, position side and
reduceOnly, parameters of the type, client id, precision, lot and price filters, price band, minimum
notional; `checks.py` then checks reduce-only, position and margin.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from gateways.simulator.exchange.model.errors import (
    missing_parameter,
    notional_too_small,
    parameter_not_required,
    price_too_high,
    price_too_low,
    refusal,
)
from gateways.simulator.exchange.model.orders import CONDITIONAL_TYPES, PRICE_MATCHES, STP_MODES, OrderRequest
from gateways.simulator.exchange.model.state import AccountState, MarketState
from gateways.simulator.exchange.model.symbols import TIMES_IN_FORCE, SymbolSpec

CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
MAX_GOOD_TILL_MS = 253_402_300_799_000
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(slots=True)
class Terms:
    """The checked, converted terms of an order."""

    position_side: str
    time_in_force: str
    price_ticks: int
    lots: int
    reduce_only: bool
    good_till_date: int


def generated_client_id(order_id: int) -> str:
    """Return a 22-character client id derived from the order id, and as unique as it."""
    digits = ""
    value = (order_id * 0x9E3779B97F4A7C15F39CC0605CEDC835) & ((1 << 128) - 1)
    for _ in range(22):
        value, digit = divmod(value, 62)
        digits += _ALPHABET[digit]
    return digits


def check_enums(side: str, position_side: str | None, stp_mode: str | None) -> None:
    """Check side, position side and self-trade prevention mode."""
    if side not in ("BUY", "SELL"):
        raise refusal(-1117)
    if position_side not in (None, "BOTH", "LONG", "SHORT"):
        raise refusal(-4060)
    if stp_mode not in (None, *STP_MODES):
        raise refusal(-5039)


def resolve_position_side(user: AccountState, position_side: str | None, *, reduce_only: bool | None) -> str:
    """Return the position side an order acts on (-4061, and -1106 for reduceOnly in hedge mode)."""
    if user.account.hedge_mode:
        if position_side not in ("LONG", "SHORT"):
            raise refusal(-4061)
        if reduce_only is not None:
            raise parameter_not_required("reduceonly")
        return position_side
    if position_side not in (None, "BOTH"):
        raise refusal(-4061)
    return "BOTH"


def is_hedge_close(position_side: str, side: str) -> bool:
    """Tell whether the order can only close in hedge mode."""
    return (position_side, side) in (("LONG", "SELL"), ("SHORT", "BUY"))


def check_client_id(user: AccountState, client_id: str | None) -> None:
    """Check form (-4015) and uniqueness among open orders (-4116)."""
    if client_id is None:
        return
    if not CLIENT_ID.match(client_id):
        raise refusal(-4015)
    if client_id in user.open_client_ids:
        raise refusal(-4116)


def check_symbol(market: MarketState, side: str) -> None:
    """Check that the symbol trades (-4141) and takes this side (-4140)."""
    spec = market.spec
    if not spec.is_trading:
        raise refusal(-4141)
    if spec.position_control_side not in ("NONE", "BOTH") and spec.position_control_side == side:
        raise refusal(-4140)


def decimals_of(value: Decimal) -> int:
    """Return the decimals needed to write a value; trailing zeros do not count."""
    return max(0, -int(value.normalize().as_tuple().exponent))


def quantity_to_lots(spec: SymbolSpec, quantity: Decimal, *, market: bool) -> int:
    """Check a quantity by LOT_SIZE or MARKET_LOT_SIZE and convert it."""
    if not quantity.is_finite():
        raise missing_parameter("quantity")
    if decimals_of(quantity) > spec.quantity_precision:
        raise refusal(-1111)
    if quantity <= 0:
        raise refusal(-4003)
    low, high = (spec.market_min_qty, spec.market_max_qty) if market else (spec.min_qty, spec.max_qty)
    if quantity < low:
        raise refusal(-4004)
    if quantity > high:
        raise refusal(-4005)
    if quantity % spec.order_step:
        raise refusal(-4023)
    return spec.qty_to_lots(quantity)


def price_to_ticks(spec: SymbolSpec, price: Decimal) -> int:
    """Check a price by PRICE_FILTER and convert it."""
    if not price.is_finite():
        raise missing_parameter("price")
    if decimals_of(price) > spec.price_precision:
        raise refusal(-1111)
    if price <= 0:
        raise refusal(-4001)
    if price > spec.max_price:
        raise refusal(-4002)
    if price < spec.min_price:
        raise refusal(-4013)
    if price % spec.order_tick:
        raise refusal(-4014)
    return spec.price_to_ticks(price)


def check_price_band(market: MarketState, side: str, price: Decimal) -> None:
    """PERCENT_PRICE: a buy not above, a sell not below the band around the mark price."""
    spec = market.spec
    if not market.mark:
        return
    if side == "BUY":
        limit = spec.ticks_to_price(spec.price_to_ticks_floor(market.mark * spec.multiplier_up))
        if price > limit:
            raise price_too_high(limit)
        return
    limit = spec.ticks_to_price(spec.price_to_ticks_ceiling(market.mark * spec.multiplier_down))
    if price < limit:
        raise price_too_low(limit)


def check_notional(market: MarketState, price: Decimal, lots: int) -> None:
    """MIN_NOTIONAL (-4164); `price` is the limit price, or the mark price for MARKET."""
    spec = market.spec
    if price and price * spec.lots_to_qty(lots) < spec.min_notional:
        raise notional_too_small(spec.min_notional)


def matched_price(market: MarketState, side: str, price_match: str) -> int:
    """Return the price in ticks that priceMatch selects from the book (-5041 if the level is missing)."""
    kind, _, level_text = price_match.partition("_")
    level = int(level_text) if level_text else 1
    bids, asks = market.book.depth(level)
    opposite, own = (asks, bids) if side == "BUY" else (bids, asks)
    rows = opposite if kind == "OPPONENT" else own
    if len(rows) < level:
        raise refusal(-5041)
    return rows[level - 1][0]


def check_good_till(time_in_force: str, good_till_date: int | None, now_ms: int) -> int:
    """Return goodTillDate in whole seconds (ms) for GTD, 0 otherwise (-1102, -1106, -5040)."""
    if time_in_force != "GTD":
        if good_till_date:
            raise parameter_not_required("goodtilldate")
        return 0
    if good_till_date is None:
        raise missing_parameter("goodtilldate")
    whole = good_till_date // 1000 * 1000
    if not now_ms + 600_000 < good_till_date < MAX_GOOD_TILL_MS:
        raise refusal(-5040)
    return whole


def check_price_match(request_type: str, price_match: str | None, price: Decimal | None) -> bool:
    """Tell whether priceMatch decides the price (-5037, -5038)."""
    if price_match is None or price_match == "NONE":
        return False
    if price_match not in PRICE_MATCHES:
        raise refusal(-5037)
    if request_type not in ("LIMIT", "STOP", "TAKE_PROFIT"):
        raise refusal(-5038)
    if price is not None:
        raise refusal(-5037)
    return True


def check_order(user: AccountState, market: MarketState, request: OrderRequest, now_ms: int) -> Terms:
    """Run all checks that need neither position nor margin; return the converted terms."""
    check_enums(request.side, request.position_side, request.stp_mode)
    if request.type in CONDITIONAL_TYPES:
        raise refusal(-4120)
    if request.type not in ("LIMIT", "MARKET"):
        raise refusal(-1116)
    if request.time_in_force is not None and request.time_in_force not in TIMES_IN_FORCE:
        raise refusal(-1115)
    position_side = resolve_position_side(user, request.position_side, reduce_only=request.reduce_only)
    reduce_only = bool(request.reduce_only)
    _check_parameters(request)
    check_client_id(user, request.new_client_order_id)
    check_symbol(market, request.side)
    good_till = check_good_till(request.time_in_force or "GTC", request.good_till_date, now_ms)
    closes = reduce_only or is_hedge_close(position_side, request.side)
    price_ticks, lots = _grid(market, request, closes=closes)
    return Terms(position_side, request.time_in_force or "GTC", price_ticks, lots, reduce_only, good_till)


def _check_parameters(request: OrderRequest) -> None:
    matched = check_price_match(request.type, request.price_match, request.price)
    if request.type == "MARKET":
        if request.time_in_force is not None:
            raise parameter_not_required("timeinforce")
        if request.price is not None:
            raise parameter_not_required("price")
    elif request.time_in_force is None:
        raise missing_parameter("timeinforce")
    if request.quantity is None:
        raise missing_parameter("quantity")
    if request.type == "LIMIT" and request.price is None and not matched:
        raise missing_parameter("price")


def _grid(market: MarketState, request: OrderRequest, *, closes: bool) -> tuple[int, int]:
    spec = market.spec
    if request.quantity is None:
        raise missing_parameter("quantity")
    price = request.price
    if price is not None and price.is_finite() and decimals_of(price) > spec.price_precision:
        raise refusal(-1111)
    lots = quantity_to_lots(spec, request.quantity, market=request.type == "MARKET")
    if request.type == "MARKET":
        if not closes:
            check_notional(market, market.mark, lots)
        return 0, lots
    if request.price is None:
        price_ticks = matched_price(market, request.side, request.price_match or "")
    else:
        price_ticks = price_to_ticks(spec, request.price)
    limit_price = spec.ticks_to_price(price_ticks)
    check_price_band(market, request.side, limit_price)
    if not closes:
        check_notional(market, limit_price, lots)
    return price_ticks, lots
