"""All requests except orders, by endpoint name, on their own connections.

A large answer would delay an order, so the orders' connections are not shared. Answers are classified by HTTP
status and code. Redirects are not followed: they would send the key to another address.
"""

from collections.abc import Callable
from typing import Any

from gateways.binance.protocol.answers import unpacked
from gateways.binance.protocol.classify import Failure, Hint, Kind, network_failure
from gateways.binance.protocol.errors import RestError
from gateways.binance.protocol.requests import Requests, query_of
from gateways.binance.protocol.translate import Json
from gateways.binance.rest.answers import judge
from gateways.binance.rest.http_connection import HttpAnswer, HttpFailed
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.rest.request_budget import Priority, RequestBudget
from gateways.binance.rest.throttle import Throttle
from gateways.binance.rest.unanswered import UnansweredRequests


class RestClient:
    """Requests by endpoint name. Raises RestError, or RestBlocked when the request was not sent.

    Reads wait until the request budget has room for them.
    """

    def __init__(
        self,
        pool: HttpPool,
        requests: Requests,
        budget: RequestBudget,
        throttle: Throttle,
        now_ns: Callable[[], int],
    ) -> None:
        """`now_ns` is estimated exchange time."""
        self._pool = pool
        self._requests = requests
        self._budget = budget
        self._throttle = throttle
        self.on_hint: Callable[[Failure], None] = _ignore
        self.unanswered = UnansweredRequests(now_ns)

    async def public(
        self, path: str, params: dict[str, Any], weight: int, *, priority: Priority = Priority.QUERY
    ) -> Json:
        """GET without a signature."""
        target = f"GET /fapi/v1/{path}?"
        query = query_of(params)
        return await self._call(target, query, weight, priority, lambda: self._requests.public(target, query))

    async def listen_key(self, method: str) -> str:
        """Make (POST) or renew (PUT) the listen key of the account's stream. Takes no signature."""
        target = f"{method} /fapi/v1/listenKey"
        answer = await self._call(target, "", 1, Priority.CANCEL, lambda: self._requests.keyed(target))
        key = answer.get("listenKey", "") if isinstance(answer, dict) else ""
        if method == "POST" and not key:
            raise RestError.refused("the exchange returned no listen key")
        return str(key)

    async def rows(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        weight: int = 1,
        *,
        version: int = 1,
        priority: Priority = Priority.QUERY,
    ) -> list[dict[str, Json]]:
        """A signed GET whose answer is a list of objects."""
        answer = await self.signed(path, params, weight, version=version, priority=priority)
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise RestError(Failure("transient", 0, f"GET {path}: the answer is not a list of objects"))
        return answer

    async def row(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        weight: int = 1,
        *,
        priority: Priority = Priority.QUERY,
    ) -> dict[str, Json]:
        """A signed GET whose answer is one object."""
        answer = await self.signed(path, params, weight, priority=priority)
        if not isinstance(answer, dict):
            raise RestError(Failure("transient", 0, f"GET {path}: the answer is not an object"))
        return answer

    async def signed(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        weight: int = 1,
        *,
        method: str = "GET",
        version: int = 1,
        priority: Priority = Priority.QUERY,
    ) -> Json:
        """A signed call; `version` is that of the path."""
        target = f"{method} /fapi/v{version}/{path}?"
        query = query_of(params or {})
        return await self._call(target, query, weight, priority, lambda: self._requests.signed(target, query))

    async def _call(
        self, target: str, query: str, weight: int, priority: Priority, make: Callable[[], bytes]
    ) -> Json:
        method, path = target.rstrip("?").split(" ")
        kind = Kind.READ if method == "GET" else Kind.SETTING
        name = f"{method} {path.rpartition('/')[2]}"
        try:
            answer = await self._send(name, kind, weight, priority, make)
        except HttpFailed as error:
            message = f"{name}: {error}"
            raise RestError(network_failure(kind, message, bytes_left=error.bytes_left)) from None
        failure, row = judge(kind, answer, self._budget, unpacked(answer.headers, answer.body))
        self.unanswered.note(f"{path}?{query}", failure)
        if failure is None:
            return row
        if failure.hint in (Hint.CLOCK, Hint.KEYS):
            self.on_hint(failure)
        raise RestError(failure)

    async def _send(
        self, name: str, kind: Kind, weight: int, priority: Priority, make: Callable[[], bytes]
    ) -> HttpAnswer:
        await self._throttle.turn(name, weight, priority)
        try:
            return await self._pool.send(make)
        except HttpFailed as error:
            if kind is not Kind.READ or not error.was_kept:
                raise
        # The server has just ended the idle connection that was written to.
        await self._throttle.turn(name, weight, priority)
        return await self._pool.send(make)


def _ignore(_failure: Failure) -> None:
    pass
