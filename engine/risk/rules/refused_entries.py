"""Entries that the exchange keeps refusing."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext


class _Refusals(msgspec.Struct):
    """Of one strategy on one symbol, in a row."""

    reason: str
    count: int = 0
    wait_until_ns: int = 0


class RefusedEntries:
    """Entries that the exchange refuses bar after bar are retried less and less often.

    After the second refusal in a row a strategy's entries of that symbol wait 2 bars, then 4, 8, at most
    `LONGEST_BARS`; one that is taken ends that. `bars_ns` are bar lengths by strategy.
    """

    name: ClassVar[str] = "refused_entries"
    LONGEST_BARS: ClassVar[int] = 32

    def __init__(self, bars_ns: Mapping[str, int]) -> None:
        self._bars_ns = bars_ns
        self._refusals: dict[tuple[str, str], _Refusals] = {}

    def note_refused(self, order: Intent, reason: str, now_ns: int) -> str:
        """Count a refusal; returns what people should be told, once until an entry is taken."""
        one = self._refusals.setdefault((order.strategy, order.symbol), _Refusals(reason))
        one.reason = reason
        one.count += 1
        if one.count == 1:
            return ""
        bar_ns = self._bars_ns.get(order.strategy, 0)
        bars = min(1 << (one.count - 1), self.LONGEST_BARS)
        one.wait_until_ns = now_ns + bars * bar_ns - bar_ns // 2  # a decision may come a little earlier
        if one.count > 2:
            return ""
        text = f"{order.strategy} on {order.symbol}: the exchange refuses its entries ({reason})"
        return f"{text}; retries become less frequent until one is accepted"

    def note_taken(self, order: Intent) -> None:
        """An entry was accepted."""
        self._refusals.pop((order.strategy, order.symbol), None)

    def forget(self) -> None:
        """The operator has looked into it: the next entry may go out at once."""
        self._refusals.clear()

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: nothing waits for a time that is far away."""
        for one in self._refusals.values():
            one.wait_until_ns = min(one.wait_until_ns, now_ns)

    def check(self, order: Intent, context: RiskContext) -> str:
        """Whether the strategy's last entries were refused, and it is too early for another."""
        one = self._refusals.get((order.strategy, order.symbol))
        if one is None or context.now_ns >= one.wait_until_ns:
            return ""
        return f"the exchange has refused {one.count} entries in a row ({one.reason}); the next waits"
