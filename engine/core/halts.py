"""What `pause`, `flatten` and `kill` have halted one by one: by the name of a strategy, over every start."""

from collections.abc import Iterable

from engine.core.ownership import Ownership
from engine.strategies.manager import StrategyManager
from engine.strategies.slot import StrategySlot

_Key = tuple[str, str]


class Halts:
    """Halts of configured strategies are in their slots; pauses of others are kept here, for the
    day they are configured again. A strategy never inherits the halt of another."""

    def __init__(self, strategies: StrategyManager, ownership: Ownership) -> None:
        self._strategies = strategies
        self._ownership = ownership
        self._absent_paused: set[_Key] = set()

    def restore(self, owner: str, symbol: str, *, paused: bool = False, leaving: str = "") -> None:
        """A strategy on a symbol was halted before this start."""
        slot = self._strategies.slot(owner, symbol)
        if slot is not None:
            slot.paused = slot.paused or paused
            slot.leaving = leaving or slot.leaving
            return
        if paused:
            self._absent_paused.add((owner, symbol))
        if leaving:
            self._ownership.restore_leaving(owner, symbol, leaving)

    def release(self, owner: str, symbol: str) -> None:
        """A strategy that is not configured now had been told to resume."""
        if self._strategies.slot(owner, symbol) is None:
            self._absent_paused.discard((owner, symbol))
            self._ownership.forget_leaving(owner, symbol)

    def forget_absent(self, strategy: str, symbol: str) -> None:
        """`resume` of those names ("" is every one) ends the pauses of strategies that are not configured,
        too."""
        self._absent_paused = {
            (owner, where)
            for owner, where in self._absent_paused
            if strategy not in {"", owner, owner.partition(":")[0]} or symbol not in {"", where}
        }

    def paused(self) -> list[_Key]:
        """Owner and symbol of each that is paused."""
        here = [(slot.owner, slot.symbol) for slot in self._strategies.slots if slot.paused]
        return [*here, *sorted(self._absent_paused)]

    def leaving(self) -> list[tuple[str, str, str]]:
        """Owner, symbol and cause of each configured strategy whose position must be left."""
        return [(one.owner, one.symbol, one.leaving) for one in self._strategies.slots if one.leaving]


def given_to(slots: Iterable[StrategySlot]) -> str:
    """Whom a command was given to, for the journal: "owner SYMBOL", a line each."""
    return "\n".join(f"{slot.owner} {slot.symbol}" for slot in slots)


def read_given_to(text: str) -> list[_Key]:
    """The owners and symbols of such a text."""
    return [(owner, symbol) for owner, _, symbol in (line.rpartition(" ") for line in text.splitlines())]
