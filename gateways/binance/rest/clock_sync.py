"""Keeps the exchange's clock measured."""

import asyncio
from collections.abc import Callable

from gateways.binance.protocol.classify import Kind
from gateways.binance.rest.answers import judge
from gateways.binance.rest.clock import ExchangeClock
from gateways.binance.rest.http_connection import HttpAnswer, HttpFailed
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.rest.request_budget import Priority, RequestBudget

CLOCK_SECONDS = 10.0
"""Also keeps the order connections from being closed as idle."""
FIRST_SAMPLES = 5


class ClockSync:
    """Run it as a task. `request` makes the bytes of a GET time."""

    def __init__(
        self,
        clock: ExchangeClock,
        budget: RequestBudget,
        pool: HttpPool,
        request: Callable[[], bytes],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._budget = budget
        self._pool = pool
        self._request = request
        self._monotonic_ns = monotonic_ns
        self._now = asyncio.Event()
        self.tried = asyncio.Event()
        """Set after the first attempt, whatever the result."""

    def distrust(self) -> None:
        """The exchange refused a timestamp: measure again, at once."""
        self._clock.distrust()
        self._now.set()

    async def run(self) -> None:
        """Until cancelled: several samples at first, then one now and then."""
        samples = 0
        while True:
            self._now.clear()
            measured = await self._measure()
            self.tried.set()
            samples += measured
            if samples < FIRST_SAMPLES:
                await asyncio.sleep(0.02 if measured else 0.5)
                continue
            try:
                async with asyncio.timeout(CLOCK_SECONDS):
                    await self._now.wait()
            except TimeoutError:
                pass
            else:
                samples = 0
                await asyncio.sleep(0.05)

    async def _measure(self) -> bool:
        if self._budget.wait_for(1, 0, Priority.CANCEL):
            return False
        sent_ns = 0

        def make() -> bytes:
            nonlocal sent_ns
            sent_ns = self._monotonic_ns()
            return self._request()

        try:
            answer = await self._pool.send(make, oldest=True)
        except HttpFailed:
            return False
        received_ns = self._monotonic_ns()
        time_ms = self._read(answer)
        if time_ms is None:
            return False
        self._clock.add(sent_ns, received_ns, time_ms)
        return True

    def _read(self, answer: HttpAnswer) -> int | None:
        """None for an answer without a time. A ban in it counts like any other."""
        failure, row = judge(Kind.READ, answer, self._budget)
        if failure is not None:
            return None
        time_ms = row.get("serverTime") if isinstance(row, dict) else None
        return time_ms if isinstance(time_ms, int) else None
