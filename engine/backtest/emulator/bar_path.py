"""Runs pending orders through one bar: the open, then the assumed path (docs/assumptions.md).

Everything met at one price at one moment is a batch. At the open a batch fills orders before exit legs,
inside the bar in the order they became active. An exit leg of a batch fills with the quantity it had
when the batch began, even when an order of the batch has closed its entry a moment before.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import isnan, nan

from engine.backtest.emulator.exits import Exits
from engine.backtest.emulator.filled_orders import Fills
from engine.backtest.emulator.margin_calls import MarginCalls
from engine.backtest.emulator.orders import LIQUIDATION, ExitLeg, Leg, PendingOrder
from engine.backtest.emulator.price_path import path
from engine.backtest.emulator.symbol_state import SymbolState
from engine.backtest.emulator.trails import Trails

_CLOSING_LEG = 2
_Item = tuple[int, int, PendingOrder | ExitLeg, Leg]
"""Something met: rank and sequence that order a batch, what it is, and which of its levels."""


class Walker:
    """Moves the price of one symbol along the path of a bar and fills what it meets."""

    __slots__ = ("_calls", "_exits", "_fills", "_state", "_trails")

    def __init__(self, state: SymbolState, exits: Exits, fills: Fills, calls: MarginCalls) -> None:
        self._state = state
        self._exits = exits
        self._fills = fills
        self._calls = calls
        self._trails = Trails(state)

    def open_bar(self, open_: float) -> None:
        """Steps 2 and 3 of a bar: market orders, then what the open has jumped over."""
        state = self._state
        state.is_inside = False
        state.opened_sign = 0
        if state.risk is not None:
            state.risk.begin_bar(open_)
        if state.orders or state.exits:
            state.start_size = state.ledger.position_size
            state.has_closed_at_open = False
            if self._calls.are_on:
                state.start_equity = state.account.equity
            if state.exits:
                self._exits.drop_orphans()
            self._fill_market_orders(open_)
            self._fill_passed(open_)
        if self._calls.are_on:
            self._calls.check(open_)
        # Only what is still held lived through the open: what left there saw its own exit price instead.
        if state.ledger.lots:
            state.ledger.mark(open_)

    def walk_bar(
        self,
        open_: float,
        high: float,
        low: float,
        close: float,
        finer: Sequence[tuple[float, float, float, float]] = (),
    ) -> None:
        """Step 4: walk the assumed path, or the paths of the finer bars one after the other."""
        state = self._state
        self.begin(high, low)
        if state.orders or state.exits or self._calls.are_on or state.risk is not None:
            for bar in finer or ((open_, high, low, close),):
                self._walk_bar(*bar)
        elif state.ledger.lots:
            state.ledger.mark_range(high, low)

    def begin(self, high: float, low: float) -> None:
        """Price moves inside the bar from now on."""
        state = self._state
        state.lived_high, state.lived_low = high, low
        state.is_inside = True

    def fill_at(self, price: float, *, at_close: bool = False) -> None:
        """Market orders, then every level that `price` has passed; at a close no trailing stop fills."""
        if at_close:
            self._state.start_size = nan
        self._fill_market_orders(price)
        self._fill_passed(price, at_close=at_close)

    def _walk_bar(self, open_: float, high: float, low: float, close: float) -> None:
        self._fill_passed(open_)
        if self._state.ledger.lots:
            self._state.ledger.mark(open_)
        nodes = path(open_, high, low, close)
        if not self._calls.are_on and self._state.risk is None:
            for start, end in pairwise(nodes):
                self._walk(start, end)
            return
        for number, (start, end) in enumerate(pairwise(nodes)):
            if number == 1:
                self._calls.begin_leg(start, end)
            self.walk_leg(start, end, closing=number == _CLOSING_LEG)

    def _fill_market_orders(self, price: float) -> None:
        state = self._state
        for order in [order for order in state.orders.values() if order.is_market]:
            if state.orders.get(order.key) is order:
                del state.orders[order.key]
                self._fills.fill(order, price, slipped=True)
                if order.kind == "close":
                    state.has_closed_at_open = True

    def _fill_passed(self, price: float, *, at_close: bool = False) -> None:
        """Levels that price has jumped over fill here: orders before exit legs, lower levels first."""
        state = self._state
        if state.exits:
            self._trails.reach(price)
        while state.orders or state.exits:
            passed: list[tuple[bool, int, float, int, PendingOrder | ExitLeg, Leg]] = [
                (False, order.rank, level, order.seq, order, kind)
                for order in state.orders.values()
                for kind, level in self._passed_levels(order, price)
            ]
            passed += [
                (True, 0, level, leg.seq, leg, kind)
                for leg in state.exits.values()
                for kind, level in self._trails.passed(leg, price, trailing=not at_close)[:1]
            ]
            if not passed:
                return
            passed.sort(key=lambda item: item[:4])
            batch = [(item[1], item[3], item[4], item[5]) for item in passed]
            self._fill_batch(batch, price, at_open=not state.is_inside, locks=not at_close)

    def _passed_levels(self, order: PendingOrder, price: float) -> list[tuple[Leg, float]]:
        if order.is_market:
            return []
        if order.waits_for_stop():
            passed = price >= order.stop if order.direction > 0 else price <= order.stop
            return [("stop", order.stop)] if passed else []
        beyond = self._state.limit_beyond
        passed = price <= order.limit - beyond if order.direction > 0 else price >= order.limit + beyond
        return [("limit", order.limit)] if passed else []

    def _fill_batch(self, batch: Sequence[_Item], price: float, *, at_open: bool, locks: bool = True) -> None:
        """Fill what was met at `price`; what the batch itself removed does not fill.

        Beside a liquidation no leg is promised its quantity: nothing outlives the position.
        """
        state = self._state
        locks = locks and all(item.key != ("level", LIQUIDATION) for _, _, item, _ in batch)
        for _, _, item, _ in batch if locks else ():
            if isinstance(item, ExitLeg) and item.entry is not None and (at_open or item.call.from_entry):
                item.locked_qty = min(item.qty, item.entry.qty)
        for _, _, item, kind in batch:
            if isinstance(item, PendingOrder):
                if state.orders.get(item.key) is item:
                    self._touch(item, price)
            elif state.exits.get(item.key) is item and not item.is_spent:
                at = self._limit_price(-item.direction, item.limit, price) if kind == "limit" else price
                self._fills.fill_leg(item, kind, at)
        for _, _, item, _ in batch:
            if isinstance(item, ExitLeg):
                item.locked_qty = nan
                if item.entry is not None and item.entry.qty <= 0.0:
                    state.exits.pop(item.key, None)

    def walk_leg(self, start: float, end: float, *, closing: bool = False) -> None:
        """Move price along one straight part of the path, and judge the account where it ends.

        Margin is judged at the close only after the script has run.
        """
        state = self._state
        fills = state.fills
        self._walk(start, end)
        if not closing:
            self._calls.check_leg(end, fills)
        if state.risk is not None and state.ledger.position_size * (end - start) < 0:
            state.risk.check_loss(end)

    def _walk(self, start: float, end: float) -> None:
        """Move price from `start` to `end`, filling what it meets in the order it meets it."""
        state = self._state
        price = start
        rising = end >= start
        while state.orders or state.exits:
            met = self._first_met(price, end, rising=rising)
            if met is None:
                break
            level, batch = met
            if (level - price) * (1 if rising else -1) > 0:
                price = level
                self._trails.reach(price)
            self._fill_batch(batch, price, at_open=False)
            self._trails.reach(price)
        self._trails.reach(end)
        if state.ledger.lots:
            state.ledger.mark(end)
            state.lived_high = max(state.lived_high, end)
            state.lived_low = min(state.lived_low, end)

    def _first_met(self, price: float, end: float, *, rising: bool) -> tuple[float, list[_Item]] | None:
        """The nearest level on the way, and everything that is met there."""
        best = nan
        batch: list[_Item] = []
        sign = 1 if rising else -1
        for rank, seq, item, kind, level, leg_rises in self._levels():
            passed = price >= level if leg_rises else price <= level
            if passed:
                at = price
            elif leg_rises != rising or sign * (level - end) > 0:
                continue
            else:
                at = level
            if isnan(best) or sign * (at - best) < 0:
                best = at
                batch = [(rank, seq, item, kind)]
            elif at == best and batch[-1][2] is not item:
                batch.append((rank, seq, item, kind))
        if not batch:
            return None
        batch.sort(key=lambda item: item[:2])
        return best, batch

    def _levels(
        self,
    ) -> list[tuple[int, int, PendingOrder | ExitLeg, Leg, float, bool]]:
        """Every level as (rank, sequence, what, which, price that has to be reached, by rising)."""
        state = self._state
        found: list[tuple[int, int, PendingOrder | ExitLeg, Leg, float, bool]] = []
        beyond = state.limit_beyond
        for order in state.orders.values():
            if order.is_market:
                continue
            if order.waits_for_stop():
                found.append((order.rank, order.seq, order, "stop", order.stop, order.direction > 0))
            else:
                limit = order.limit - order.direction * beyond
                found.append((order.rank, order.seq, order, "limit", limit, order.direction < 0))
        for leg in state.exits.values():
            found += [(0, leg.seq, leg, *level) for level in self._trails.levels(leg)]
        return found

    def _touch(self, order: PendingOrder, price: float) -> None:
        """A priced order's level was reached: a stop fills or arms its limit, a limit fills."""
        if order.waits_for_stop() and not isnan(order.limit):
            order.is_armed = True
            return
        del self._state.orders[order.key]
        is_limit = not isnan(order.limit)
        gapped = not is_limit and not self._state.is_inside
        at = self._limit_price(order.direction, order.limit, price) if is_limit else price
        self._fills.fill(order, at, slipped=not is_limit, gapped=gapped)

    def _limit_price(self, direction: int, limit: float, price: float) -> float:
        """A limit fills at its level or better; inside a bar price may have had to go beyond it."""
        if not self._state.limit_beyond or not self._state.is_inside:
            return price
        return max(price, limit) if direction > 0 else min(price, limit)
