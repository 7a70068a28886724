"""`strategy.exit` orders: their levels, their share of the position, their fills."""

from math import isnan
from typing import Literal

from engine.backtest.broker_desk import Desk
from engine.backtest.broker_orders import ExitOrder
from engine.backtest.grid import floor_qty, round_level_down, round_level_up, snap
from engine.backtest.ledger import Lot

Leg = Literal["limit", "stop", "trail"]


class Exits:
    """Acts on the desk's exit orders."""

    __slots__ = ("_desk",)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def fill(self, exit_: ExitOrder, leg: Leg, price: float) -> None:
        """One leg of an exit was touched: close its share of the position and forget the exit."""
        desk = self._desk
        direction = -1 if desk.ledger.position_size > 0 else 1
        slipped = leg != "limit"
        fill_price = desk.slip(price, direction) if slipped else snap(price, desk.tick)
        qty = self.qty(exit_)
        del desk.exits[exit_.id, exit_.from_entry]
        for lot in desk.ledger.lots:
            if not exit_.from_entry or lot.entry_id == exit_.from_entry:
                desk.used_exits.add((exit_.id, lot.seq))
        if qty <= 0.0:
            return
        desk.ledger.close(
            qty,
            fill_price,
            exit_.signal(leg),
            desk.bar_index,
            desk.time_ns,
            only=desk.closing_rule(exit_.from_entry),
            maker=not slipped,
            order_qty=qty,
        )
        if exit_.oca_name:
            desk.settle_oca(exit_.oca_name, "reduce", qty)
        self.drop_dead()

    def qty(self, exit_: ExitOrder) -> float:
        """What this exit may close: its own share, less what earlier exits of the entry have reserved."""
        desk = self._desk
        free = desk.ledger.open_qty(exit_.from_entry or None)
        for other in sorted(desk.exits.values(), key=lambda e: e.seq):
            if other.from_entry != exit_.from_entry:
                continue
            share = min(self._requested(other), free)
            if other is exit_:
                return share
            free = desk.round_qty(free - share)
        return 0.0

    def _requested(self, exit_: ExitOrder) -> float:
        desk = self._desk
        if isnan(exit_.requested):
            bound = desk.ledger.open_qty(exit_.from_entry or None)
            wanted = bound * exit_.qty_percent / 100.0 if exit_.qty is None else exit_.qty
            exit_.requested = floor_qty(wanted, desk.step)
        return exit_.requested

    def levels(self, exit_: ExitOrder) -> list[tuple[Leg, float, bool]]:
        """Active legs as (leg, level, is it touched by a rising price)."""
        desk = self._desk
        lot = self._target(exit_)
        if lot is None:
            return []
        long = lot.direction > 0
        tick = desk.tick
        levels: list[tuple[Leg, float, bool]] = []
        limit = exit_.limit
        if isnan(limit) and not isnan(exit_.profit):
            limit = lot.entry_price + lot.direction * exit_.profit * tick
        if not isnan(limit):
            limit = round_level_up(limit, tick) if long else round_level_down(limit, tick)
            levels.append(("limit", limit, long))
        stop = exit_.stop
        if isnan(stop) and not isnan(exit_.loss):
            stop = lot.entry_price - lot.direction * exit_.loss * tick
        if not isnan(stop):
            stop = round_level_down(stop, tick) if long else round_level_up(stop, tick)
            levels.append(("stop", stop, not long))
        if not isnan(exit_.trail_best):
            trail = exit_.trail_best - lot.direction * exit_.trail_offset * tick
            levels.append(("trail", snap(trail, tick), not long))
        return levels

    def _target(self, exit_: ExitOrder) -> Lot | None:
        desk = self._desk
        for lot in desk.ledger.lots:
            if exit_.from_entry and lot.entry_id != exit_.from_entry:
                continue
            if (exit_.id, lot.seq) not in desk.used_exits:
                return lot
        return None

    def advance_trails(self, price: float) -> None:
        """Price came to `price`, an end of a straight move: trailing stops begin or follow."""
        desk = self._desk
        for exit_ in desk.exits.values():
            if isnan(exit_.trail_offset):
                continue
            lot = self._target(exit_)
            if lot is None:
                continue
            start = exit_.trail_price
            if isnan(start) and not isnan(exit_.trail_points):
                start = lot.entry_price + lot.direction * exit_.trail_points * desk.tick
            if isnan(start):
                continue
            reached = lot.direction * (price - start) >= 0
            better = isnan(exit_.trail_best) or lot.direction * (price - exit_.trail_best) > 0
            if better and (reached or not isnan(exit_.trail_best)):
                exit_.trail_best = price

    def entry_is_alive(self, from_entry: str) -> bool:
        """Whether there is an open lot or a pending order that an exit from `from_entry` can wait for."""
        desk = self._desk
        if desk.ledger.open_qty(from_entry or None) > 0.0:
            return True
        return any(
            order.kind != "close" and (not from_entry or order.id == from_entry)
            for order in desk.orders.values()
        )

    def drop_dead(self) -> None:
        """Forget exits whose entry is neither open nor pending."""
        desk = self._desk
        if desk.exits:
            for key in [key for key in desk.exits if not self.entry_is_alive(key[1])]:
                del desk.exits[key]
        if not desk.ledger.lots:
            desk.used_exits.clear()
