"""The simulator's clock: the machine's time, scaled from an epoch, never decreasing.

Simulated milliseconds are `epoch_ms + (wall_ms - epoch_ms) * speed`. All processes with the same epoch and
speed read the same time. `server_ms` is the time the exchange reports (GET time, timestamp checks, WS
API); a control command may skew it.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec


class ClockError(Exception):
    """The state folder was created with another speed or epoch."""


def wall_ms() -> float:
    """Return the machine's time in ms UTC; the exchange reads the clock only here."""
    return time.time_ns() / 1e6


class SimClock:
    """Time of one simulated exchange."""

    __slots__ = ("_last_ms", "_wall_ms", "epoch_ms", "skew_ms", "speed")

    def __init__(
        self,
        speed: float = 1.0,
        epoch_ms: int | None = None,
        wall: Callable[[], float] = wall_ms,
        not_before_ms: int = 0,
    ) -> None:
        self._wall_ms = wall
        self.speed = speed
        self.epoch_ms = int(wall()) if epoch_ms is None else epoch_ms
        self.skew_ms = 0
        self._last_ms = not_before_ms

    def now_ms(self) -> int:
        """Return simulated time in ms UTC; never less than before."""
        now = self._scaled_ms() + max(0, self.skew_ms)
        self._last_ms = max(self._last_ms, now)
        return self._last_ms

    def server_ms(self) -> int:
        """Return the time the exchange reports, in ms UTC; a skew moves it in both directions."""
        return self._scaled_ms() + self.skew_ms

    def seconds_until(self, sim_ms: int) -> float:
        """Return the real seconds until `sim_ms` of simulated time; 0 if it has passed."""
        return max(0.0, (sim_ms - max(0, self.skew_ms) - self._scaled_ms()) / 1000.0 / self.speed)

    def _scaled_ms(self) -> int:
        return self.epoch_ms + int((self._wall_ms() - self.epoch_ms) * self.speed)


class _Stored(msgspec.Struct):
    epoch_ms: int
    speed: float


def open_clock(state: Path, speed: float, epoch_ms: int | None) -> SimClock:
    """Return the clock of a state folder: a restart continues with the epoch of the first start.

    Raises ClockError when the folder was created with another speed or epoch, as its time would jump.
    """
    path = state / "clock.json"
    if path.exists():
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
        except msgspec.DecodeError as error:
            raise ClockError(f"{path}: not readable ({error}); fix or remove it") from error
        if stored.speed != speed:
            raise ClockError(f"{path}: this state runs at --speed {stored.speed:g}, not {speed:g}")
        if speed != 1.0 and epoch_ms is not None and epoch_ms != stored.epoch_ms:
            raise ClockError(f"{path}: this state has the epoch {stored.epoch_ms}, not {epoch_ms}")
        return SimClock(speed, stored.epoch_ms)
    clock = SimClock(speed, epoch_ms)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"epoch_ms": clock.epoch_ms, "speed": speed}))
    temporary.replace(path)
    return clock
