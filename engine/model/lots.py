"""The one place where Decimal money is made from kernel numbers and put on the exchange's grid.

Kernels speak integer lots and ticks; orders speak Decimal. Serialisation is plain: no exponent.
"""

from decimal import ROUND_FLOOR, Decimal
from math import floor

from engine.model.levels import level_ticks
from gateways.wire.messages import Side


def from_lots(lots: int, step: Decimal) -> Decimal:
    """`lots` whole steps; works for quantity (step size) and price (tick size)."""
    return lots * step


def to_lots(value: Decimal, step: Decimal) -> int:
    """Whole steps in `value`, towards minus infinity. ValueError for a step of 0 or less."""
    if step <= 0:
        raise ValueError(f"a step is positive, not {step}")
    return int((value / step).to_integral_value(rounding=ROUND_FLOOR))


def decimal_of(value: float) -> Decimal:
    """The shortest decimal that reads back as this float: 0.1 is 0.1. ValueError for nan and infinity."""
    result = Decimal(repr(float(value)))
    if not result.is_finite():
        raise ValueError(f"a price or quantity is finite, not {value}")
    return result


def quantity_down(qty_base: Decimal | float, step: Decimal) -> Decimal:
    """The largest quantity on the grid that is not above `qty_base` (never negative)."""
    exact = qty_base if isinstance(qty_base, Decimal) else decimal_of(qty_base)
    return from_lots(max(0, to_lots(exact, step)), step)


def level_to_tick(level: float, tick: Decimal, side: Side, *, is_stop: bool) -> Decimal:
    """Grid price of a stop (else a limit) level of an order of that side, by the rule of the backtester.

    A buy stop and a sell limit are rounded up, a sell stop and a buy limit down (docs/assumptions.md, "Price
    and quantity grid"). It counts the ticks in floats, as the backtester does, so that a level a hair from a
    tick goes the same way in both. ValueError for nan, OverflowError for infinity.
    """
    upwards = (side == "BUY") == is_stop
    return from_lots(level_ticks(level, float(tick), upwards=upwards), tick)


def price_to_tick(price: float, tick: Decimal) -> Decimal:
    """The nearest price on the grid, halves up, counted in floats as the backtester does."""
    return from_lots(floor(price / float(tick) + 0.5), tick)


def plain(value: Decimal) -> str:
    """Digits and a point only, without trailing zeros: what the exchange is sent."""
    if not value.is_finite():
        raise ValueError(f"a number for the exchange is finite, not {value}")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
