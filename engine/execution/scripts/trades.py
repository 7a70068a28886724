"""The open trades of a script, as it reads them: first in, first out, whatever they were entered under."""

from decimal import Decimal

import msgspec

from engine.execution.scripts.exit_legs import EnteredTrade
from engine.model.lots import decimal_of

ZERO = Decimal(0)


class OpenTrade(msgspec.Struct, frozen=True):
    """One open trade; `size` is signed."""

    entry_id: str
    entry_price: float
    entry_bar_index: int
    size: float


class ScriptTrades:
    """What is open, oldest first, and how many trades are closed."""

    def __init__(self) -> None:
        self.open: list[OpenTrade] = []
        self.closed = 0

    def reduce(self, signed_base: Decimal) -> Decimal:
        """Take a fill off what it stands against; returns, signed, what of it opens a trade."""
        left = signed_base
        held = [one for one in self.open if decimal_of(one.size) * left < ZERO]
        for trade in held:
            size = decimal_of(trade.size)
            taken = min(abs(size), abs(left))
            left -= taken if left > ZERO else -taken
            rest = size - (taken if size > ZERO else -taken)
            at = self.open.index(trade)
            if rest == ZERO:
                del self.open[at]
                self.closed += 1
            else:
                self.open[at] = msgspec.structs.replace(trade, size=float(rest))
            if left == ZERO:
                break
        return left

    def add(self, entry: EnteredTrade, opens: Decimal, bar_index: int) -> None:
        """An entry has filled, or filled further: one trade, at the average price of its order."""
        size = opens
        if entry.whole_base > abs(opens) and self.open and self.open[-1].entry_id == entry.id:
            before = self.open.pop()
            size, bar_index = size + decimal_of(before.size), before.entry_bar_index
        self.open.append(OpenTrade(entry.id, entry.price, bar_index, float(size)))
