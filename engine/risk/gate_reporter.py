"""Reports when what blocks entries has changed."""

from engine.model.audit import HealthChanged
from engine.model.context import Clock, Outbox
from engine.risk.health import Health

EVERY_NS = 100_000_000
"""What is said of the gates may wait that long: an order looks at them itself."""


class GateReporter:
    """Compares what blocks entries with what was reported last; at `due_ns` it is time to look again."""

    def __init__(self, health: Health, clock: Clock, out: Outbox) -> None:
        self._health = health
        self._clock = clock
        self._out = out
        self._told: tuple[str, ...] = ("not started",)
        self._were_entries_open = False
        self.due_ns = 0

    def look_soon(self) -> None:
        """Look again at the end of this event."""
        self.due_ns = 0

    def tell(self) -> None:
        """Report what has changed."""
        health = self._health
        blockers = health.blockers()
        self.due_ns = self._clock.now_ns + EVERY_NS
        if blockers != self._told:
            self._told = blockers
            self._were_entries_open = self._were_entries_open or not blockers
            wrong_mode = health.hedge_mode or health.multi_assets
            is_starting = not (self._were_entries_open or wrong_mode or health.operator.is_paused)
            self._out.notify(HealthChanged(self._clock.now_ns, blockers, is_starting))
