"""Checks whether the exchange accepts the API key again after it refused the key during a run.

A key may lose its rights, or the machine its address, while positions are open: the gateway keeps running and
reports it (`GatewayStatus.keys_refused`), so that entries wait. A harmless request that needs trading rights
is repeated until it is accepted. The first attempt comes soon, because an exchange with problems refuses
valid keys too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from gateways.binance.protocol.classify import Failure, Hint

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0
GOOD_SPELL_SECONDS = 3600.0
"""After this long without a refusal the first attempt comes soon again."""

_log = structlog.get_logger("gateway.keys")


class KeyWatch:
    """`may_trade` tries the request (None: let through); `on_change` is called when `refused` changes."""

    def __init__(
        self,
        may_trade: Callable[[], Awaitable[Failure | None]],
        on_change: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._may_trade = may_trade
        self._on_change = on_change
        self._spawn = spawn
        self._wait_seconds = FIRST_SECONDS
        self._is_looking, self._looks = False, 0
        self._accepted_at = 0.0
        self.refused = ""
        """The exchange's answer ("": the key is accepted)."""

    def on_refused(self, said: str) -> None:
        """A request was refused for the key."""
        if self._is_looking:
            return
        self._is_looking = True
        self._looks += 1
        self.refused = said
        if asyncio.get_running_loop().time() - self._accepted_at > GOOD_SPELL_SECONDS:
            self._wait_seconds = FIRST_SECONDS
        _log.critical(
            "the exchange refuses the API key: no new positions until it accepts the key", said=said
        )
        self._on_change()
        self._spawn(self._look(self._looks))

    def on_accepted(self) -> None:
        """An order was accepted, so the key has trading rights."""
        if not self._is_looking:
            return
        self._is_looking = False
        self._accepted_at = asyncio.get_running_loop().time()
        self.refused = ""
        _log.warning("the exchange accepts the API key again")
        self._on_change()

    async def _look(self, number: int) -> None:
        """Until the key is accepted. A key that is refused again later is checked less often."""
        while True:
            await asyncio.sleep(self._wait_seconds)
            if not self._is_looking or number != self._looks:
                return
            self._wait_seconds = min(2 * self._wait_seconds, LONGEST_SECONDS)
            failure = await self._may_trade()
            if failure is None or (
                failure.hint is not Hint.KEYS and failure.outcome not in ("transient", "unknown")
            ):
                break
        if number == self._looks:
            self.on_accepted()
