"""When each part of the core has something to do."""

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.core.bar_delivery import Work
from engine.market_data.aggregator import CandleAggregator
from engine.model.bars import Bar
from engine.model.context import Clock
from engine.model.timeframes import NEVER_NS


class Timed(Protocol):
    """A part that waits for a time."""

    @property
    def deadline_ns(self) -> int:
        """When `on_time` is due."""

    def on_time(self) -> None:
        """Do what is due."""

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: bring forward what is due too far ahead."""


class Deadlines:
    """Lets each part do what is due; `next_ns` is when the next thing will be.

    Candles go first, by the exchange's time; `deliver` takes the bars they close. Then the parts, in order.
    """

    __slots__ = ("_candles", "_clock", "_deliver", "next_ns", "parts")

    def __init__(
        self,
        clock: Clock,
        candles: CandleAggregator,
        deliver: Callable[[Sequence[Bar]], Work],
        parts: tuple[Timed, ...],
    ) -> None:
        self._clock = clock
        self._candles = candles
        self._deliver = deliver
        self.parts = parts
        self.next_ns = NEVER_NS

    def bars_due(self) -> Work | None:
        """Close the bars that are over; the work they lead to comes before `meet`."""
        if self._candles.deadline_ns - self._clock.offset_ns > self._clock.now_ns:
            return None
        bars = self._candles.on_time(self._clock.exchange_now_ns)
        return self._deliver(bars) if bars else None

    def meet(self) -> None:
        """Do what has become due, and find out when the next thing will be."""
        now_ns = self._clock.now_ns
        earliest_ns = self._earliest_ns()
        if earliest_ns <= now_ns:
            for part in self.parts:
                if part.deadline_ns <= now_ns:
                    part.on_time()
            earliest_ns = self._earliest_ns()
        self.next_ns = min(self._candles.deadline_ns - self._clock.offset_ns, earliest_ns)

    def _earliest_ns(self) -> int:
        earliest_ns = NEVER_NS
        for part in self.parts:
            deadline_ns = part.deadline_ns
            if deadline_ns < earliest_ns:  # noqa: PLR1730  # a call of min() costs more than the branch
                earliest_ns = deadline_ns
        return earliest_ns
