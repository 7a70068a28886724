"""How long to wait before the next attempt to connect."""

from collections.abc import Callable

SETTLED_SECONDS = 10.0
"""After a connection that was useful for this long, earlier failures no longer count."""
_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 30.0


class Backoff:
    """Exponential back-off with jitter; starts over after a useful connection. `random` returns 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.failures = 0

    def after(self, lived_seconds: float = 0.0) -> float:
        """Seconds to wait after an attempt whose connection was useful for `lived_seconds`."""
        self.failures = 1 if lived_seconds >= SETTLED_SECONDS else self.failures + 1
        return self.delay(self.failures)

    def delay(self, failures: int) -> float:
        """Seconds to wait after that many failures, with a jitter of half its length."""
        return float(min(_FIRST_SECONDS * 2 ** min(failures, 9), _LONGEST_SECONDS) * (0.5 + self._random()))
