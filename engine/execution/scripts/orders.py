"""Priced orders of scripts, put on the exchange's grid; levels at or below zero too.

No price is zero or less, and no exchange takes an order there. A buy limit or a sell stop at such a level is
never met, so nothing rests for it. A sell limit or a buy stop is met at once, as in Pine: it is an order at
market. So is one at the first tick, to which all levels between it and zero are rounded up.
"""

from decimal import Decimal
from math import nan

import msgspec

from engine.execution.entries.sizing import TooSmall, entry_qty
from engine.execution.sending.resting import RestingOrder
from engine.model.broker_settings import Sizing
from engine.model.leg import Level
from engine.model.lots import level_to_tick, quantity_down
from gateways.wire.messages import Instrument, Side

ZERO = Decimal(0)


class RestingEntry(msgspec.Struct, frozen=True):
    """An entry at a limit or at a stop. `direction` is 1 or -1.

    `qty_base` None is the default size: at its own level, with the `equity_quote` of when it was asked for.
    """

    direction: int
    qty_base: float | None
    limit: float | None
    stop: float | None
    text: str
    equity_quote: Decimal | None = None

    def order(self, qty: Decimal, instrument: Instrument) -> RestingOrder:
        """The order of that quantity."""
        side: Side = "BUY" if self.direction > 0 else "SELL"
        return _order(side, qty, self.limit, self.stop, instrument, self.text)

    def size(self, sizing: Sizing, equity: Decimal, instrument: Instrument) -> Decimal:
        """What it opens; 0 where that would be too small."""
        if self.qty_base is not None:
            return quantity_down(self.qty_base, instrument.qty_step_base)
        level = float(level_of(self.order(ZERO, instrument)))
        money = equity if self.equity_quote is None else self.equity_quote
        try:
            return entry_qty(sizing, price=level, equity=money, risk_distance=nan, instrument=instrument)
        except TooSmall:
            return ZERO

    def is_met_at_once(self, instrument: Instrument) -> bool:
        """Whether any price there can be has met its level."""
        return is_met_at_once(self.order(ZERO, instrument), instrument.price_tick)


class Exit(msgspec.Struct, frozen=True):
    """A target, a stop, or both, of what `from_entry` holds ("": everything)."""

    from_entry: str
    qty_base: float | None
    percent: float
    limit: float | None
    stop: float | None
    profit_ticks: float | None
    loss_ticks: float | None
    text: str

    def orders(
        self, direction: int, size: Decimal, entry_price: float, instrument: Instrument
    ) -> dict[Level, RestingOrder]:
        """Its orders, "limit" and "stop", that leave `size` of an entry at that price; both reduce-only."""
        qty = quantity_down(size, instrument.qty_step_base)
        tick = float(instrument.price_tick)
        limit = _nearer(direction, self.limit, entry_price, self.profit_ticks, tick)
        stop = _nearer(-direction, self.stop, entry_price, self.loss_ticks, tick)
        side: Side = "SELL" if direction > 0 else "BUY"
        levels: tuple[tuple[Level, float | None, float | None], ...]
        levels = (("limit", limit, None), ("stop", None, stop))
        return {
            name: msgspec.structs.replace(
                _order(side, qty, at_limit, at_stop, instrument, self.text), reduce_only=True
            )
            for name, at_limit, at_stop in levels
            if not (at_limit is None and at_stop is None) and qty > ZERO
        }


def level_of(order: RestingOrder) -> Decimal:
    """Its limit or stop price."""
    level = order.stop_price if order.price is None else order.price
    return ZERO if level is None else level


def is_met_at_once(order: RestingOrder, tick: Decimal) -> bool:
    """Whether any price there can be has met its level: the lowest price is one tick."""
    return level_of(order) <= tick and (order.side == "SELL") == (order.order_type == "LIMIT")


def _nearer(
    direction: int, level: float | None, price: float, distance_ticks: float | None, tick: float
) -> float | None:
    """Of a level and a distance from `price` in ticks the one met first when moving in `direction`."""
    at = None if distance_ticks is None else price + direction * distance_ticks * tick
    if level is None or at is None:
        return at if level is None else level
    return min(level, at) if direction > 0 else max(level, at)


def _order(
    side: Side, qty: Decimal, limit: float | None, stop: float | None, instrument: Instrument, text: str
) -> RestingOrder:
    """A limit or a stop order on the grid, not reduce-only."""
    tick = instrument.price_tick
    if limit is not None:
        at = level_to_tick(limit, tick, side, is_stop=False)
        return RestingOrder("LIMIT", side, qty, at, None, False, text)
    if stop is None:
        raise ValueError("an order that rests has a limit or a stop")
    at = level_to_tick(stop, tick, side, is_stop=True)
    return RestingOrder("STOP_MARKET", side, qty, None, at, False, text)
