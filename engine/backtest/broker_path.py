"""Lets one bar happen to what is pending: the open, then the assumed path (docs/assumptions.md)."""

from collections.abc import Sequence
from itertools import pairwise
from math import isnan

from engine.backtest.broker_desk import Desk
from engine.backtest.broker_exits import Exits, Leg
from engine.backtest.broker_fills import Fills
from engine.backtest.broker_orders import ExitOrder, PendingOrder
from engine.backtest.intrabar import path


class Walker:
    """Moves price over one desk."""

    __slots__ = ("_desk", "_exits", "_fills")

    def __init__(self, desk: Desk, exits: Exits, fills: Fills) -> None:
        self._desk = desk
        self._exits = exits
        self._fills = fills

    def open_bar(self, open_: float) -> None:
        """Steps 2 and 3 of a bar: market orders, then what the open has jumped over."""
        desk = self._desk
        desk.is_inside = False
        if desk.ledger.lots:
            desk.ledger.mark(open_)
        if desk.orders or desk.exits:
            self.fill_at(open_)

    def walk_bar(
        self,
        open_: float,
        high: float,
        low: float,
        close: float,
        finer: Sequence[tuple[float, float, float, float]] = (),
    ) -> None:
        """Step 4: walk the assumed path, or the paths of the finer bars one after the other."""
        desk = self._desk
        desk.lived_high, desk.lived_low = high, low
        desk.is_inside = True
        if desk.orders or desk.exits:
            for bar in finer or ((open_, high, low, close),):
                self._walk_bar(*bar)
        elif desk.ledger.lots:
            desk.ledger.mark(high)
            desk.ledger.mark(low)

    def fill_at(self, price: float) -> None:
        """Market orders, then every level that `price` has passed."""
        self._fill_market_orders(price)
        self._fill_passed_orders(price)

    def _walk_bar(self, open_: float, high: float, low: float, close: float) -> None:
        desk = self._desk
        if desk.ledger.lots:
            desk.ledger.mark(open_)
        self._fill_passed_orders(open_)
        for start, end in pairwise(path(open_, high, low, close)):
            self._walk(start, end)

    def _fill_market_orders(self, price: float) -> None:
        desk = self._desk
        for key, order in [(key, order) for key, order in desk.orders.items() if order.is_market]:
            del desk.orders[key]
            self._fills.fill(order, price, slipped=True)

    def _fill_passed_orders(self, price: float) -> None:
        """Levels the market has jumped over fill here; entries before exits."""
        desk = self._desk
        while True:
            passed = [order for order in desk.orders.values() if self._is_passed(order, price)]
            if passed:
                self._touch(min(passed, key=lambda o: (o.rank, o.seq)), price)
                continue
            legs = [
                (exit_.seq, exit_, leg)
                for exit_ in desk.exits.values()
                for leg, level, rising in self._exits.levels(exit_)
                if (price >= level if rising else price <= level)
            ]
            if not legs:
                return
            _, exit_, leg = min(legs, key=lambda item: item[0])
            self._exits.fill(exit_, leg, price)

    def _walk(self, start: float, end: float) -> None:
        """Move price from `start` to `end`, filling what it meets in the order it meets it."""
        desk = self._desk
        price = start
        rising = end >= start
        while desk.orders or desk.exits:
            hit = self._first_touched(price, end, rising=rising)
            if hit is None:
                break
            level, order, leg = hit
            price = level
            if isinstance(order, PendingOrder):
                self._touch(order, level)
            else:
                self._exits.fill(order, leg, level)
        self._exits.advance_trails(end)
        if desk.ledger.lots:
            desk.ledger.mark(end)
            desk.lived_high = max(desk.lived_high, end)
            desk.lived_low = min(desk.lived_low, end)

    def _first_touched(
        self, price: float, end: float, *, rising: bool
    ) -> tuple[float, PendingOrder | ExitOrder, Leg] | None:
        desk = self._desk
        best: tuple[float, int, int, PendingOrder | ExitOrder, Leg] | None = None

        def offer(level: float, leg_rises: bool, order: PendingOrder | ExitOrder, leg: Leg) -> None:
            nonlocal best
            passed = price >= level if leg_rises else price <= level
            if passed:
                level = price
            elif leg_rises != rising or (level > end if rising else level < end):
                return
            rank = order.rank if isinstance(order, PendingOrder) else 1
            key = (abs(level - price), rank, order.seq)
            if best is None or key < (abs(best[0] - price), best[1], best[2]):
                best = (level, rank, order.seq, order, leg)

        for order in desk.orders.values():
            if order.is_market:
                continue
            if not isnan(order.stop) and not order.armed:
                offer(order.stop, order.direction > 0, order, "stop")
            else:
                offer(order.limit, order.direction < 0, order, "limit")
        for exit_ in desk.exits.values():
            for leg, level, leg_rises in self._exits.levels(exit_):
                offer(level, leg_rises, exit_, leg)
        return None if best is None else (best[0], best[3], best[4])

    def _is_passed(self, order: PendingOrder, price: float) -> bool:
        if order.is_market:
            return False
        if not isnan(order.stop) and not order.armed:
            return price >= order.stop if order.direction > 0 else price <= order.stop
        return price <= order.limit if order.direction > 0 else price >= order.limit

    def _touch(self, order: PendingOrder, price: float) -> None:
        """A priced order's level was reached: a stop fills or arms its limit, a limit fills."""
        desk = self._desk
        if not isnan(order.stop) and not order.armed and not isnan(order.limit):
            order.armed = True
            return
        del desk.orders[order.kind, order.id]
        self._fills.fill(order, price, slipped=isnan(order.limit))
