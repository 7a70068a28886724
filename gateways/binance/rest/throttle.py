"""Reads queue for the request budget, so any number of symbols is served in the end."""

import asyncio
from dataclasses import dataclass, field

import structlog

from gateways.binance.protocol.errors import RestBlocked
from gateways.binance.rest.request_budget import Priority, RequestBudget

PATIENT = frozenset({Priority.BOOK, Priority.QUERY})
"""Requests of any other priority fail at once when they cannot be sent."""

START_WEIGHT = 60
"""Weight of one symbol at start-up: book 20, fees 20, catch-up 15, snapshot 5."""

_log = structlog.get_logger("gateway.throttle")


def tell_start(budget: RequestBudget, symbols: int) -> None:
    """Log how long the start will take where the request limit slows it down."""
    minutes = -(-symbols * START_WEIGHT // budget.share_a_minute(Priority.QUERY))
    if minutes > 1:
        _log.info(f"{symbols} symbols: within the request limit all are in sync after about {minutes} min")


@dataclass(slots=True)
class _Lane:
    """Requests of one priority, first come, first served."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    weight: int = 0
    is_slow: bool = False


class Throttle:
    """`speed` is the pace of the exchange's clock beside ours: 1 except for accelerated simulators."""

    def __init__(self, budget: RequestBudget, speed: float = 1.0) -> None:
        self._budget = budget
        self._speed = speed
        self._lanes = {priority: _Lane() for priority in PATIENT}

    async def turn(self, what: str, weight: int, priority: Priority) -> None:
        """Returns when the request may be sent; it has been counted.

        RestBlocked while the exchange has stopped all requests, and for priorities that do not wait.
        """
        lane = self._lanes.get(priority)
        if lane is None:
            wait = self._budget.wait_for(weight, 0, priority)
            if wait:
                raise RestBlocked(f"{what} would exceed the request limit", wait / self._speed)
            return
        lane.waiting += 1
        lane.weight += weight
        try:
            async with lane.lock:
                await self._wait(lane, what, weight, priority)
        finally:
            lane.waiting -= 1
            lane.weight -= weight
            if not lane.waiting:
                lane.is_slow = False

    async def _wait(self, lane: _Lane, what: str, weight: int, priority: Priority) -> None:
        while wait := self._budget.wait_for(weight, 0, priority):
            if self._budget.banned_until_ns:
                raise RestBlocked("the exchange has stopped all requests", wait / self._speed)
            self._tell(lane, what, wait, priority)
            await asyncio.sleep(wait / self._speed)

    def _tell(self, lane: _Lane, what: str, wait: float, priority: Priority) -> None:
        """Log once for each queue."""
        if lane.is_slow:
            return
        lane.is_slow = True
        minutes = max(lane.weight - 1, 0) // self._budget.share_a_minute(priority)
        seconds = (wait + 60.0 * minutes) / self._speed
        _log.info(f"{lane.waiting} requests ({what}) wait for the request limit, about {seconds:.0f} s")
