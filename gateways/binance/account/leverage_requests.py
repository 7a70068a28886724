"""Sets leverage for engines, once the start check has accepted the account."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from gateways.binance.protocol.errors import RestBlocked, RestError
from gateways.binance.rest.client import RestClient
from gateways.binance.rest.request_budget import Priority
from gateways.wire.messages import Reply, SetLeverage
from gateways.wire.server import EngineConnection


class LeverageRequests:
    """Until `release` the newest request of each engine and symbol waits; those of an engine that disconnects
    are dropped. `on_set` gets the symbol."""

    def __init__(
        self,
        rest: RestClient,
        on_set: Callable[[str], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        wall_ns: Callable[[], int],
    ) -> None:
        self._rest = rest
        self._on_set = on_set
        self._spawn = spawn
        self._wall_ns = wall_ns
        self._is_released = False
        self._waiting: dict[tuple[EngineConnection, str], SetLeverage] = {}

    def ask(self, engine: EngineConnection, request: SetLeverage) -> None:
        """Answered later, with a reply."""
        if self._is_released:
            self._spawn(self._set(engine, request))
        else:
            self._waiting[engine, request.symbol] = request

    def forget(self, engine: EngineConnection) -> None:
        """The engine has disconnected."""
        for key in [key for key in self._waiting if key[0] is engine]:
            del self._waiting[key]

    def release(self) -> None:
        """The account has been checked: carry out what waits, and later requests at once."""
        self._is_released = True
        waiting, self._waiting = self._waiting, {}
        for (engine, _), request in waiting.items():
            self._spawn(self._set(engine, request))

    async def _set(self, engine: EngineConnection, request: SetLeverage) -> None:
        params = {"symbol": request.symbol, "leverage": request.leverage}
        try:
            await self._rest.signed("leverage", params, 1, method="POST", priority=Priority.OPEN)
        except RestBlocked as blocked:
            engine.send(Reply(request.request_id, "transient", 0, str(blocked)))
            return
        except RestError as error:
            engine.send(error.failure.reply(request.request_id))
            return
        engine.send(Reply(request.request_id, "ok", answered_time_ns=self._wall_ns()))
        await self._on_set(request.symbol)
