"""How much a default-sized entry buys, on the exchange's grid."""

from decimal import ROUND_CEILING, Decimal
from math import isfinite, nan

from engine.model.broker_settings import Sizing, share_of
from engine.model.lots import decimal_of, price_to_tick, quantity_down
from gateways.wire.messages import Instrument

ZERO = Decimal(0)


class TooSmall(Exception):
    """The exchange takes no such order; the text is one sentence for a person."""


def entry_qty(
    sizing: Sizing,
    *,
    price: float,
    equity: Decimal,
    risk_distance: float,
    instrument: Instrument,
    strength: float = nan,
) -> Decimal:
    """Quantity in base, rounded down to the step; `TooSmall` when it is below what the exchange takes.

    `price` is the close of the deciding bar, or the level of an order that rests; it is rounded to the tick
    first, as in the backtester. Risk sizing divides by the price distance that one R stands for.
    """
    value = decimal_of(sizing.value)
    at = price_to_tick(price, instrument.price_tick)
    if at <= ZERO:
        raise TooSmall(f"a price of {price:g} is 0 on the exchange's grid")
    if sizing.kind == "fixed":
        wanted = value
    elif sizing.kind == "cash":
        wanted = value / at
    elif sizing.kind == "percent_of_equity":
        wanted = equity * value / 100 / at
    else:
        if not isfinite(risk_distance) or risk_distance <= 0.0:
            raise TooSmall("risk sizing needs a signal with a risk distance")
        wanted = equity * value / 100 / decimal_of(risk_distance)
    if sizing.by_strength:
        wanted *= decimal_of(share_of(strength))
    qty = quantity_down(wanted, instrument.qty_step_base)
    if qty < max(instrument.min_qty_base, instrument.qty_step_base):
        raise TooSmall(f"{wanted:.8f} {instrument.base_asset} is less than the smallest order")
    if qty * at < instrument.min_notional_quote:
        raise TooSmall(f"{qty * at:.2f} is below the smallest notional, {instrument.min_notional_quote}")
    cap = instrument.market_max_qty_base or instrument.max_qty_base
    return min(qty, cap) if cap > ZERO else qty


def least_notional(price: float, instrument: Instrument) -> Decimal:
    """The smallest order the exchange takes at that price, in the quote asset."""
    at, step = price_to_tick(price, instrument.price_tick), instrument.qty_step_base
    if at <= ZERO:
        return ZERO
    steps = (instrument.min_notional_quote / (at * step)).to_integral_value(ROUND_CEILING)
    return max(instrument.min_qty_base, step, steps * step) * at
