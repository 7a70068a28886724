"""The one clock of the process: wall time, or the simulator's scaled one."""

import time
from collections.abc import Callable

MS_NS = 1_000_000


def wall_clock(speed: float, epoch_ms: int) -> Callable[[], int]:
    """Nanoseconds UTC; with a speed other than 1 they run that much faster from the epoch on."""
    if speed == 1.0:
        return time.time_ns
    epoch_ns = epoch_ms * MS_NS
    return lambda: epoch_ns + int((time.time_ns() - epoch_ns) * speed)
