"""The clock of all processes of an environment: wall time, or the simulator's scaled time."""

import time
from collections.abc import Callable

MS_NS = 1_000_000


def wall_clock(speed: float, epoch_ms: int, wall_ns: Callable[[], int] = time.time_ns) -> Callable[[], int]:
    """Nanoseconds UTC; with a speed other than 1 the clock runs that much faster from the epoch on."""
    if speed == 1.0:
        return wall_ns
    epoch_ns = epoch_ms * MS_NS
    return lambda: epoch_ns + int((wall_ns() - epoch_ns) * speed)
