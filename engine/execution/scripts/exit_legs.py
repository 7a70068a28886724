"""What each `exit` of a script still has to leave: one leg for each exit id and entry, as in the backtest.

The rules are those of `engine/backtest/emulator/exits.py`: a leg holds a share of the entry's whole quantity,
first come, first served, and fills once. Here entries and legs may fill in parts too: shares grow while the
entry fills, and what a leg has filled counts against its share.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from engine.execution.scripts.orders import Exit
from engine.execution.sending.resting import RestingOrder
from engine.model.leg import Leg, script_exit
from engine.model.lots import decimal_of, quantity_down
from gateways.wire.messages import Instrument

ZERO = Decimal(0)
WHOLE_PERCENT = 100.0


class EnteredTrade(msgspec.Struct, array_like=True):
    """One entry order of the open position; `number` counts from 1.

    `left_base` is what of `whole_base` is not left yet. While it `is_filling` its order may fill further.
    """

    number: int
    id: str
    client_order_id: str
    direction: int
    whole_base: Decimal = ZERO
    left_base: Decimal = ZERO
    paid_quote: Decimal = ZERO
    is_filling: bool = False

    @property
    def price(self) -> float:
        """Average price of its fills."""
        return float(self.paid_quote / self.whole_base)


class ExitLeg(msgspec.Struct, array_like=True):
    """What an exit call does to one entry, open in `direction`.

    While it waits for an order of `entry_id`, `entry_number` is 0, and `direction` may be (0: either).
    `share_base` is how much of the entry it holds. Once it `is_spent`, later calls of its id change nothing.
    """

    exit_id: str
    call: Exit
    entry_id: str
    direction: int
    entry_number: int = 0
    share_base: Decimal = ZERO
    filled_base: Decimal = ZERO
    is_spent: bool = False

    def wanted_base(self, whole: Decimal, step: Decimal) -> Decimal:
        """What it asks for of that much; 0 is all that other legs leave."""
        call = self.call
        if call.qty_base is not None:
            return quantity_down(call.qty_base, step)
        if call.percent >= WHOLE_PERCENT:
            return ZERO
        return max(quantity_down(whole * decimal_of(call.percent) / 100, step), step)


class ExitLegs:
    """The entries of one script's open position, and the legs of its exits.

    `pending` are the ids of entries whose orders have yet to fill, with their directions.
    """

    def __init__(self) -> None:
        self.entries: list[EnteredTrade] = []
        self.legs: list[ExitLeg] = []

    def place(self, exit_id: str, call: Exit, pending: Mapping[str, int], step: Decimal) -> None:
        """Carry out an exit call on every entry it covers, open or pending."""
        for entry in self.entries:
            if call.from_entry in {"", entry.id}:
                self._place(exit_id, call, entry, step)
        held = {entry.direction for entry in self.entries}
        for entry_id, direction in pending.items():
            if call.from_entry not in {"", entry_id} or (not call.from_entry and -direction in held):
                continue
            leg = self._of(exit_id, 0, entry_id)
            if leg is not None:
                leg.call, leg.direction = call, direction
            elif self._is_free(entry_id):
                self.legs.append(ExitLeg(exit_id, call, entry_id, direction))

    def open(self, entry_id: str, client_order_id: str, signed_base: Decimal, price: Decimal) -> EnteredTrade:
        """An entry order has filled, for the first time or further; `share_out` follows."""
        direction = 1 if signed_base > ZERO else -1
        entry = next((one for one in self.entries if one.client_order_id == client_order_id), None)
        if entry is None or entry.direction != direction:
            number = 1 + max((one.number for one in self.entries), default=0)
            entry = EnteredTrade(number, entry_id, client_order_id, direction)
            self.entries.append(entry)
            self._bind(entry)
        entry.whole_base += abs(signed_base)
        entry.left_base += abs(signed_base)
        entry.paid_quote += abs(signed_base) * price
        return entry

    def share_out(self, entry: EnteredTrade, step: Decimal) -> None:
        """Give its legs their shares anew, in the order in which they came."""
        free = entry.whole_base
        for leg in self._legs_of(entry):
            wanted = leg.wanted_base(entry.whole_base, step)
            leg.share_base = min(wanted, free) if wanted else free
            leg.is_spent = ZERO < leg.share_base <= leg.filled_base
            free -= leg.share_base

    def leave(self, order_leg: Leg, qty_base: Decimal, pending: Mapping[str, int]) -> None:
        """An order of that leg has left `qty_base` of the position."""
        leg = self._of(order_leg.id, order_leg.number) if order_leg.kind == "exit" else None
        entry = None if leg is None else self._entry(leg.entry_number)
        if leg is None or entry is None:
            self._settle(qty_base, order_leg.id if order_leg.kind == "close" else "", pending)
            return
        leg.filled_base += qty_base
        leg.is_spent = leg.filled_base >= leg.share_base
        taken = min(qty_base, entry.left_base)
        entry.left_base -= taken
        if entry.left_base == ZERO and not entry.is_filling:
            self._retire(entry, {})
        self._settle(qty_base - taken, "", {})

    def end(self, client_order_id: str) -> None:
        """An order fills no further."""
        for entry in [one for one in self.entries if one.client_order_id == client_order_id]:
            entry.is_filling = False
            if entry.left_base == ZERO:
                self._retire(entry, {})

    def cancel(self, exit_id: str) -> None:
        """Forget the legs of that id, also what they have filled."""
        self.legs = [leg for leg in self.legs if leg.exit_id != exit_id]

    def drop_orphans(self, pending: Mapping[str, int]) -> None:
        """Legs that wait for an order that is no longer pending go."""
        self.legs = [leg for leg in self.legs if leg.entry_number or leg.entry_id in pending]

    def end_position(self) -> None:
        """There is no position: what is left is of entries whose orders may fill further."""
        for entry in list(self.entries):
            entry.left_base = ZERO
            if not entry.is_filling:
                self._retire(entry, {})

    def held_by(self, entry_id: str) -> Decimal:
        """What is left of the entries of that id."""
        return sum((one.left_base for one in self.entries if one.id == entry_id), ZERO)

    def orders(self, held: Decimal, instrument: Instrument) -> Iterator[tuple[Leg, RestingOrder]]:
        """What is to be left of the position `held`: leg and order of each."""
        for leg in self.legs:
            entry = self._entry(leg.entry_number)
            if entry is None or leg.is_spent or entry.direction * held <= ZERO:
                continue
            left = min(leg.share_base - leg.filled_base, entry.left_base, abs(held))
            for level, order in leg.call.orders(entry.direction, left, entry.price, instrument).items():
                yield script_exit(leg.exit_id, level, entry.number), order

    def _place(self, exit_id: str, call: Exit, entry: EnteredTrade, step: Decimal) -> None:
        leg = self._of(exit_id, entry.number)
        if leg is not None and leg.is_spent:
            return
        if leg is None:
            leg = ExitLeg(exit_id, call, entry.id, entry.direction, entry.number)
            self.legs.append(leg)
        leg.call = call
        others = (one.share_base for one in self._legs_of(entry) if one is not leg)
        free = max(ZERO, entry.whole_base - sum(others, ZERO))
        wanted = leg.wanted_base(entry.whole_base, step)
        leg.share_base = min(wanted, free) if wanted else free
        leg.is_spent = ZERO < leg.share_base <= leg.filled_base

    def _is_free(self, entry_id: str) -> bool:
        """Whether no leg that waits for that entry takes all that others leave."""
        waiting = (leg.call for leg in self.legs if not leg.entry_number and leg.entry_id == entry_id)
        return all(
            call.qty_base or (call.qty_base is None and call.percent < WHOLE_PERCENT) for call in waiting
        )

    def _bind(self, entry: EnteredTrade) -> None:
        """Legs that waited for this entry, and calls that cover its id and have not fired, belong to it."""
        waiting = [leg for leg in self.legs if not leg.entry_number and leg.entry_id == entry.id]
        fired = {leg.exit_id for leg in self.legs if leg.is_spent}
        covering = [leg for leg in self.legs if leg.entry_number and leg.entry_id == entry.id]
        self.legs = [leg for leg in self.legs if leg not in waiting]
        for leg in (*waiting, *(one for one in covering if one.exit_id not in fired)):
            if leg.direction in {0, entry.direction} and self._of(leg.exit_id, entry.number) is None:
                self.legs.append(ExitLeg(leg.exit_id, leg.call, entry.id, entry.direction, entry.number))

    def _settle(self, qty_base: Decimal, entry_id: str, pending: Mapping[str, int]) -> None:
        """Something else than a leg has left that much of an entry id ("": of any), oldest first."""
        for entry in list(self.entries):
            if entry_id in {"", entry.id}:
                taken = min(qty_base, entry.left_base)
                entry.left_base -= taken
                qty_base -= taken
                if entry.left_base == ZERO and not entry.is_filling:
                    self._retire(entry, pending)

    def _retire(self, entry: EnteredTrade, pending: Mapping[str, int]) -> None:
        """An entry is closed: its legs go with it, also those that wait for the next entry of that id.

        Where a long entry of the id is pending they wait for that one instead.
        """
        self.entries.remove(entry)
        is_last = all(other.id != entry.id for other in self.entries)
        waits = pending.get(entry.id, 0) > 0
        kept: list[ExitLeg] = []
        for leg in self.legs:
            is_bound = leg.entry_number == entry.number
            if is_bound and waits and self._of(leg.exit_id, 0, entry.id) is None:
                kept.append(ExitLeg(leg.exit_id, leg.call, entry.id, leg.direction))
            elif not is_bound and (leg.entry_number or leg.entry_id != entry.id or not is_last or waits):
                kept.append(leg)
        self.legs = kept

    def _of(self, exit_id: str, entry_number: int, entry_id: str | None = None) -> ExitLeg | None:
        for leg in self.legs:
            is_it = leg.exit_id == exit_id and leg.entry_number == entry_number
            if is_it and entry_id in {None, leg.entry_id}:
                return leg
        return None

    def _entry(self, number: int) -> EnteredTrade | None:
        return next((one for one in self.entries if one.number == number), None)

    def _legs_of(self, entry: EnteredTrade) -> list[ExitLeg]:
        return [leg for leg in self.legs if leg.entry_number == entry.number]
