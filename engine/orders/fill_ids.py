"""Ids of fills that were counted already, in bounded memory: a fill is never counted twice."""

import heapq
from typing import Final

import msgspec

from gateways.wire.messages import Side

_SIDES: Final[tuple[Side, Side]] = ("BUY", "SELL")


class SymbolFillIds(msgspec.Struct, array_like=True):
    """Remembered trade ids of one side of a symbol (a heap) and the largest id ever dropped from it."""

    ids: list[int]
    floor: int = 0


class FillIds:
    """Trade ids by symbol and side: both sides of a trade with oneself have one id. The exchange numbers a
    symbol's trades upwards, so the lowest are dropped first when a side has `capacity` of them, and an id
    at or below the largest dropped one counts as seen."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("at least one fill id has to be remembered")
        self._capacity = capacity
        self._heaps: dict[str, SymbolFillIds] = {}
        self._seen: dict[str, set[int]] = {}

    def add(self, symbol: str, side: Side, trade_id: int) -> bool:
        """Remember an id; False when it was counted before."""
        key = _key(symbol, side)
        heap = self._heaps.get(key)
        if heap is None:
            heap = self._heaps[key] = SymbolFillIds([])
            self._seen[key] = set()
        seen = self._seen[key]
        if trade_id <= heap.floor or trade_id in seen:
            return False
        heapq.heappush(heap.ids, trade_id)
        seen.add(trade_id)
        if len(heap.ids) > self._capacity:
            dropped = heapq.heappop(heap.ids)
            heap.floor = dropped
            seen.remove(dropped)
        return True

    def state(self) -> dict[str, SymbolFillIds]:
        """For a snapshot, in a fixed order."""
        return {key: SymbolFillIds(sorted(heap.ids), heap.floor) for key, heap in sorted(self._heaps.items())}

    def restore(self, state: dict[str, SymbolFillIds]) -> None:
        """Replace everything by a snapshot's. In old ones an id is of no side, and counts for both."""
        self._heaps = {}
        for name, kept in state.items():
            for key in (name,) if ":" in name else (_key(name, side) for side in _SIDES):
                self._heaps[key] = SymbolFillIds(list(kept.ids), kept.floor)
        self._seen = {key: set(heap.ids) for key, heap in self._heaps.items()}


def _key(symbol: str, side: Side) -> str:
    return f"{symbol}:{side}"
