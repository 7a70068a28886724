"""How much one exit order leaves, on the exchange's present grid."""

from decimal import ROUND_CEILING, Decimal

import msgspec

from engine.model.lots import quantity_down
from gateways.wire.messages import Instrument

ZERO = Decimal(0)


class ExitSize(msgspec.Struct, frozen=True):
    """`qty_base` to send now (0: no order can leave it), `rest_base` to follow, `dust_base` below what the
    exchange takes."""

    qty_base: Decimal
    rest_base: Decimal = ZERO
    dust_base: Decimal = ZERO


def exit_size(whole: Decimal, instrument: Instrument | None, *, is_cut: bool) -> ExitSize:
    """One order that leaves `whole`, or as much of it as the exchange takes at once.

    `is_cut`: the exchange cuts a reduce-only order down to the position, so a quantity between two steps, or
    below the smallest order, may be rounded up. Without it the part off the grid is dust.
    """
    if instrument is None:
        return ExitSize(whole)
    step = instrument.qty_step_base
    least = max(instrument.min_qty_base, step)
    largest = quantity_down(instrument.market_max_qty_base or instrument.max_qty_base or whole, step)
    if largest and whole > largest:
        return ExitSize(largest, rest_base=whole - largest)
    down = quantity_down(whole, step)
    if down == whole and whole >= least:
        return ExitSize(whole)
    if is_cut:
        return ExitSize(quantity_up(whole, instrument))
    return ExitSize(down, dust_base=whole - down) if down >= least else ExitSize(ZERO, dust_base=whole)


def quantity_up(qty_base: Decimal, instrument: Instrument) -> Decimal:
    """The smallest order that is not below `qty_base`."""
    step = instrument.qty_step_base
    up = (qty_base / step).to_integral_value(rounding=ROUND_CEILING) * step
    return max(up, instrument.min_qty_base)
