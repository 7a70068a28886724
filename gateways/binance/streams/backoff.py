"""How long to wait before the next attempt to connect."""

from collections.abc import Callable

SETTLED_SECONDS = 10.0
"""A connection that was of use for so long was a good one: what was before it no longer counts."""
_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 30.0


class Backoff:
    """Ever longer while attempts fail, from the beginning after a good spell. `random` gives 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.failures = 0

    def after(self, lived_seconds: float = 0.0) -> float:
        """Seconds to wait after an attempt that was of use for `lived_seconds`."""
        self.failures = 1 if lived_seconds >= SETTLED_SECONDS else self.failures + 1
        return self.delay(self.failures)

    def delay(self, failures: int) -> float:
        """Seconds to wait after that many failures, half as long to half as long again."""
        return float(min(_FIRST_SECONDS * 2 ** min(failures, 9), _LONGEST_SECONDS) * (0.5 + self._random()))
