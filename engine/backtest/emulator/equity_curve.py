"""Equity at each close of one symbol, from the few bars on which cash or lots change."""

import numpy as np
from numpy.typing import NDArray

from engine.backtest.emulator.ledger import Lot


class EquityCurve:
    """Cash and lots of the account by bar; between two changes equity moves with the close alone."""

    __slots__ = ("_cash", "_first_bars", "_lots")

    def __init__(self, cash: float) -> None:
        self._first_bars = [0]
        self._cash = [cash]
        self._lots: list[tuple[tuple[float, float], ...]] = [()]

    def note(self, bar: int, cash: float, lots: list[Lot]) -> None:
        """From the close of that bar on there is this much cash, and these lots are open."""
        self._first_bars.append(bar)
        self._cash.append(cash)
        self._lots.append(tuple([(lot.direction * lot.qty, lot.entry_price) for lot in lots]))

    def values(self, closes: NDArray[np.float64], point_value: float) -> list[float]:
        """Equity at every close, added up in the order of `Account.equity`, so to the same bit."""
        counts = np.diff([*self._first_bars, len(closes)])
        profit = np.zeros(len(closes))
        for k in range(max(map(len, self._lots))):
            held = [lots[k] if k < len(lots) else (0.0, 0.0) for lots in self._lots]
            size, price = np.repeat(np.array(held), counts, axis=0).T
            profit += size * (closes - price) * point_value
        values: list[float] = (np.repeat(self._cash, counts) + profit).tolist()
        return values
