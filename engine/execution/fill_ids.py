"""Which fills were counted already: bounded memory that never forgets in the wrong direction."""

import heapq

import msgspec


class SymbolFillIds(msgspec.Struct, array_like=True):
    """Remembered trade ids of one symbol (a heap) and the largest id ever dropped from it."""

    ids: list[int]
    floor: int = 0


class FillIds:
    """Trade ids by symbol. The exchange numbers a symbol's trades upwards, so the lowest are dropped first
    when `capacity` is reached, and an id at or below the largest dropped one counts as seen."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("at least one fill id has to be remembered")
        self._capacity = capacity
        self._heaps: dict[str, SymbolFillIds] = {}
        self._seen: dict[str, set[int]] = {}

    def add(self, symbol: str, trade_id: int) -> bool:
        """Remember an id; False when it was counted before."""
        heap = self._heaps.get(symbol)
        if heap is None:
            heap = self._heaps[symbol] = SymbolFillIds([])
            self._seen[symbol] = set()
        seen = self._seen[symbol]
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
        return {
            symbol: SymbolFillIds(sorted(heap.ids), heap.floor)
            for symbol, heap in sorted(self._heaps.items())
        }

    def restore(self, state: dict[str, SymbolFillIds]) -> None:
        """Replace everything by a snapshot's."""
        self._heaps = {symbol: SymbolFillIds(list(kept.ids), kept.floor) for symbol, kept in state.items()}
        self._seen = {symbol: set(kept.ids) for symbol, kept in state.items()}
