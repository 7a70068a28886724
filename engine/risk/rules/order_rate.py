"""How many orders go out in a time."""

from collections import deque
from typing import ClassVar

from engine.model.records import Intent
from engine.risk.facts.context import RiskContext


class OrderRate:
    """Number of orders in a sliding window of event time; every order counts, entries are held back."""

    name: ClassVar[str] = "order_rate"

    def __init__(self, limit: int, window_ns: int) -> None:
        self._limit = limit
        self._window_ns = window_ns
        self._times: deque[int] = deque(maxlen=limit)

    def note(self, now_ns: int) -> None:
        """Count an order."""
        self._times.append(now_ns)

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: orders from the future count as sent now."""
        self._times = deque((min(time_ns, now_ns) for time_ns in self._times), maxlen=self._limit)

    def check(self, order: Intent, context: RiskContext) -> str:  # noqa: ARG002  # the rules share one form
        """Full when the oldest of the last `limit` orders is still inside the window."""
        if len(self._times) < self._limit or context.now_ns - self._times[0] >= self._window_ns:
            return ""
        return f"{self._limit} orders went out within {self._window_ns / 1e9:g} s"
