"""The levels of exit legs, among them the one that trails price."""

from math import isnan

from engine.backtest.emulator.grid import snap
from engine.backtest.emulator.orders import ExitLeg, Leg
from engine.backtest.emulator.symbol_state import SymbolState


class Trails:
    """Acts on the symbol's exit legs.

    A trailing stop becomes active where price reaches its activation level, follows the best price from there
    on and stands `offset` behind it. Without an offset it fills where it becomes active.
    """

    __slots__ = ("_state",)

    def __init__(self, state: SymbolState) -> None:
        self._state = state

    def levels(self, leg: ExitLeg) -> list[tuple[Leg, float, bool]]:
        """Levels that can fill as (which, price, is it reached by rising)."""
        if leg.entry is None or leg.is_spent:
            return []
        long = leg.direction > 0
        found: list[tuple[Leg, float, bool]] = []
        if not isnan(leg.best):
            found.append(("trail", self._stop(leg), not long))
        elif leg.offset == 0.0 and not isnan(leg.activation):
            found.append(("trail", leg.activation, long))
        if not isnan(leg.limit):
            found.append(("limit", leg.limit + leg.direction * self._state.limit_beyond, long))
        if not isnan(leg.stop):
            found.append(("stop", leg.stop, not long))
        return found

    def passed(self, leg: ExitLeg, price: float, *, trailing: bool) -> list[tuple[Leg, float]]:
        """Levels that `price` has passed, the one that counts first."""
        return [
            (kind, level)
            for kind, level, rises in self.levels(leg)
            if (price >= level if rises else price <= level) and (trailing or kind != "trail")
        ]

    def reach(self, price: float) -> None:
        """Price came to `price`: trailing stops begin or follow."""
        for leg in self._state.exits.values():
            if leg.entry is None or isnan(leg.activation):
                continue
            if isnan(leg.best):
                if leg.offset > 0.0 and leg.direction * (price - leg.activation) >= 0:
                    leg.best = price
            elif leg.direction * (price - leg.best) > 0:
                leg.best = price

    def _stop(self, leg: ExitLeg) -> float:
        return snap(leg.best - leg.direction * leg.offset, self._state.tick)
