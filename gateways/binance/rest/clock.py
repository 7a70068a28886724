"""Estimates the exchange's clock from repeated `GET time`.

Each answer bounds the offset: the server read its clock between our sending and our receiving. The sample
with the shortest round trip is the best one; the uncertainty of old samples grows with the drift of a bad
clock. Offsets are measured on the monotonic clock, so a step of the wall clock changes nothing. That clock
stands still while the machine sleeps: a sample that contradicts older ones replaces them.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_SAMPLES = 16
DRIFT_PER_NS = 100e-6
"""100 ppm: what cheap clocks drift against each other."""
MILLISECOND_NS = 1_000_000
SERVERS_DIFFER_NS = 50 * MILLISECOND_NS


@dataclass(frozen=True, slots=True)
class _Sample:
    taken_ns: int
    offset_ns: int
    half_way_ns: int

    def uncertainty_ns(self, now_ns: int) -> float:
        return self.half_way_ns + (now_ns - self.taken_ns) * DRIFT_PER_NS

    def contradicts(self, older: "_Sample") -> bool:
        """Whether both cannot be true of the same clocks; two servers' clocks may differ a little."""
        both_ns = self.half_way_ns + older.uncertainty_ns(self.taken_ns) + SERVERS_DIFFER_NS
        return abs(self.offset_ns - older.offset_ns) > both_ns


class ExchangeClock:
    """Until the first sample it is the wall clock, with an uncertainty of ten seconds."""

    def __init__(self, monotonic_ns: Callable[[], int], wall_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._samples: deque[_Sample] = deque(maxlen=MAX_SAMPLES)
        self._offset_ns = wall_ns() - monotonic_ns()
        self._uncertainty_ns = 10_000_000_000

    @property
    def is_measured(self) -> bool:
        """At least one sample has come in."""
        return bool(self._samples)

    @property
    def uncertainty_ns(self) -> int:
        """Half the width of the interval the offset lies in."""
        return self._uncertainty_ns

    @property
    def offset_ns(self) -> int:
        """Exchange time minus our wall clock, now."""
        return self.now_ns() - self._wall_ns()

    def now_ns(self) -> int:
        """Estimated exchange time, ns since 1970."""
        return self._monotonic_ns() + self._offset_ns

    def timestamp_ms(self) -> int:
        """For signing: slightly late, since a timestamp from the future is refused sooner than an old one."""
        early_ns = min(self._uncertainty_ns, 200 * MILLISECOND_NS)
        return (self.now_ns() - early_ns) // MILLISECOND_NS

    def add(self, sent_ns: int, received_ns: int, server_time_ms: int) -> None:
        """One `GET time`: both ends on the monotonic clock. The server cut its time to whole ms."""
        half_way_ns = (received_ns - sent_ns) // 2
        server_ns = server_time_ms * MILLISECOND_NS + MILLISECOND_NS // 2
        offset_ns = server_ns - (sent_ns + half_way_ns)
        newest = _Sample(received_ns, offset_ns, half_way_ns + MILLISECOND_NS // 2)
        if any(newest.contradicts(sample) for sample in self._samples):
            self._samples.clear()
        self._samples.append(newest)
        best = min(self._samples, key=lambda sample: sample.uncertainty_ns(received_ns))
        self._offset_ns = best.offset_ns
        self._uncertainty_ns = int(best.uncertainty_ns(received_ns))

    def distrust(self) -> None:
        """The exchange refused a timestamp: drop all samples."""
        self._samples.clear()
