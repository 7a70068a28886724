"""`strategy.exit`: a call becomes one leg for each entry it covers, and each leg holds a share of it.

TradingView's rules as measured by others (sources: docs/porting_from_pine.md): shares are handed out first
come, first served, from the entry's first quantity; a leg fills once; a call covers entries that fill later
until one of its legs has filled; legs of an entry that is pending wait for it.
"""

from collections.abc import Iterator
from math import floor, isnan, nan

from engine.backtest.emulator.grid import floor_qty, round_level_down, round_level_up
from engine.backtest.emulator.orders import Entry, ExitCall, ExitLeg, PendingOrder
from engine.backtest.emulator.symbol_state import SymbolState


class Exits:
    """Acts on the symbol's entries and exit legs."""

    __slots__ = ("_state",)

    def __init__(self, state: SymbolState) -> None:
        self._state = state

    def place(self, call: ExitCall) -> None:
        """Carry out an exit call on every entry it covers, open or pending."""
        state = self._state
        for entry in state.entries:
            if not call.from_entry or entry.id == call.from_entry:
                self._place_leg(call, entry.id, entry, entry.direction, entry.first_qty)
        for order, qty in list(self._pending_entries(call.from_entry)):
            self._place_leg(call, order.id, None, order.direction, qty)

    def _pending_entries(self, from_entry: str) -> Iterator[tuple[PendingOrder, float]]:
        """Orders that will open something an exit from `from_entry` covers, and how much."""
        state = self._state
        position = state.ledger.position_size
        for order in state.orders.values():
            if order.kind not in ("entry", "order") or order.id != (from_entry or order.id):
                continue
            against = position * order.direction < 0
            if not from_entry and against and state.entries:
                continue
            if order.is_market and position * order.direction > 0 and state.pyramid_is_full():
                continue
            qty = order.qty
            if order.kind == "order" and against:
                qty -= abs(position)
            if qty > 0.0:
                yield order, qty

    def _place_leg(
        self, call: ExitCall, entry_id: str, entry: Entry | None, direction: int, basis: float
    ) -> None:
        state = self._state
        leg = ExitLeg(call, entry_id, entry, direction)
        known = state.exits.get(leg.key)
        if known is not None and known.is_spent:
            return
        leg.basis = basis
        self._reserve(leg, self._free(leg))
        if leg.qty <= 0.0:
            if not call.has_level:
                state.exits.pop(leg.key, None)
            return
        if entry is not None:
            self._resolve(leg, entry)
        keeps_place = known is not None and known.qty == leg.qty and known.call.has_same_levels(call)
        leg.seq = known.seq if known is not None and keeps_place else state.next_seq()
        if call.has_trail and entry is not None:
            if known is not None and known.call.has_same_trail(call):
                leg.best = known.best
            else:
                self._start_trail_at_close(leg)
        state.exits[leg.key] = leg

    def _start_trail_at_close(self, leg: ExitLeg) -> None:
        """A trailing stop issued while in the position begins at the close, where that is past its start."""
        close = self._state.close
        if leg.direction * (close - leg.activation) >= 0:
            leg.best = close

    def _free(self, leg: ExitLeg) -> float:
        """What other legs of the entry have left."""
        state, call = self._state, leg.call
        free = leg.basis
        for other in state.exits.values():
            is_sibling = other.entry is leg.entry and other.entry_id == leg.entry_id
            if is_sibling and other.call.id != call.id and other.basis == leg.basis:
                free = state.round_qty(free - other.qty)
        return free

    def _reserve(self, leg: ExitLeg, free: float) -> None:
        """Set the leg's share: what it asks for, at most what is free."""
        state, call = self._state, leg.call
        wanted = 0.0 if call.qty is None else floor_qty(abs(call.qty), state.step)
        if call.qty is None and call.qty_percent < 100.0:
            wanted = max(floor_qty(leg.basis * call.qty_percent / 100.0, state.step), state.step)
        leg.is_rest = wanted == 0.0
        leg.qty = max(0.0, free if leg.is_rest else min(wanted, free))

    def _resolve(self, leg: ExitLeg, entry: Entry) -> None:
        """Prices of the leg; of a distance in ticks and a price for the same thing the nearer one counts."""
        call, tick = leg.call, self._state.tick
        sign = entry.direction
        favourable = round_level_up if sign > 0 else round_level_down
        adverse = round_level_down if sign > 0 else round_level_up
        leg.limit = favourable(_nearer(sign, call.limit, entry.price + sign * call.profit * tick), tick)
        leg.stop = adverse(_nearer(-sign, call.stop, entry.price - sign * call.loss * tick), tick)
        points = entry.price + sign * call.trail_points * tick
        leg.activation = favourable(_nearer(sign, call.trail_price, points), tick)
        leg.offset = 0.0 if isnan(call.trail_offset) else floor(call.trail_offset) * tick

    def opened(self, entry: Entry) -> None:
        """An entry has filled: legs that waited for it, and calls that cover its id, get to work."""
        state = self._state
        covering: dict[str, ExitCall] = {}
        for key, leg in list(state.exits.items()):
            if leg.entry_id != entry.id:
                continue
            if leg.entry is None:
                del state.exits[key]
                if leg.direction == entry.direction:
                    self._bind(leg, entry)
            elif not (leg.is_spent or leg.call.has_fired):
                covering.setdefault(leg.call.id, leg.call)
        for call in covering.values():
            leg = ExitLeg(call, entry.id, None, entry.direction)
            leg.basis = entry.first_qty
            self._reserve(leg, free=entry.first_qty)
            if (call.id, entry.id, entry.seq) not in state.exits and leg.qty > 0.0:
                self._bind(leg, entry)

    def _bind(self, leg: ExitLeg, entry: Entry) -> None:
        """The leg belongs to this entry from now on; one that holds the rest grows or shrinks with it."""
        state = self._state
        if leg.is_rest:
            leg.qty = max(0.0, state.round_qty(leg.qty + entry.first_qty - leg.basis))
            leg.basis = entry.first_qty
        leg.entry = entry
        self._resolve(leg, entry)
        leg.seq = state.next_seq()
        state.exits[leg.key] = leg

    def settle(self, qty: float, entry_id: str, *, reversing_id: str = "") -> None:
        """An order left `qty` of what was entered under `entry_id` ("" means any), oldest first."""
        state = self._state
        for entry in list(state.entries):
            if qty <= 0.0:
                return
            if entry_id and entry.id != entry_id:
                continue
            part = min(entry.qty, qty)
            entry.qty = 0.0 if part == entry.qty else state.round_qty(entry.qty - part)
            qty = 0.0 if part == qty else state.round_qty(qty - part)
            if entry.qty <= 0.0:
                self._retire(entry, carries=True, reversing_id=reversing_id)

    def spend(self, leg: ExitLeg, qty: float) -> None:
        """A leg has filled `qty` of its entry."""
        entry = leg.entry
        assert entry is not None
        leg.call.has_fired = True
        leg.is_spent = True
        entry.qty = self._state.round_qty(entry.qty - qty)
        if entry.qty <= 0.0:
            self._retire(entry, carries=False)

    def _retire(self, entry: Entry, *, carries: bool, reversing_id: str = "") -> None:
        """An entry is closed: its legs go with it, also those that wait for the next entry of that id.

        Where something else than a leg closed it and a long entry of the id is pending, they wait for that
        one instead (TradingView does so for longs only).
        """
        state = self._state
        if entry in state.entries:
            state.entries.remove(entry)
        if not state.exits:
            return
        waiting = state.orders.get(("entry", entry.id)) if carries and entry.id != reversing_id else None
        is_last = all(other.id != entry.id for other in state.entries)
        for key, leg in list(state.exits.items()):
            is_bound = leg.entry is entry
            waits = leg.entry is None and leg.entry_id == entry.id and is_last
            if not (is_bound or waits) or not isnan(leg.locked_qty):
                continue
            if waiting is None or waiting.direction < 0:
                del state.exits[key]
            elif is_bound:
                del state.exits[key]
                leg.entry = None
                leg.best = nan
                state.exits.setdefault(leg.key, leg)

    def drop_orphans(self) -> None:
        """Legs that waited for an entry which is no longer pending go: at the next open, and as soon as flat.

        So an entry of that id ordered in between finds them, unless a fill has left the position flat.
        """
        state = self._state
        for key, leg in list(state.exits.items()):
            if leg.entry is None and ("entry", leg.entry_id) not in state.orders:
                del state.exits[key]


def _nearer(direction: int, a: float, b: float) -> float:
    """Of two prices the one met first when moving in `direction`; nan is no price."""
    if isnan(a):
        return b
    if isnan(b):
        return a
    return min(a, b) if direction > 0 else max(a, b)
