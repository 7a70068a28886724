"""Everything of REST but orders, through ccxt's own endpoint methods.

ccxt signs, encodes and sends. What its errors mean depends on the URL it talks to, so answers are
classified here by HTTP status and code before ccxt looks at them. Nothing but the configured address is
ever contacted.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import ccxt
from ccxt.async_support.binanceusdm import binanceusdm

from gateways.binance.protocol.classify import Failure, Hint, Kind, classify, network_failure
from gateways.binance.protocol.errors import RestError
from gateways.binance.protocol.tls import client_context
from gateways.binance.protocol.translate import Json
from gateways.binance.rest.clock import ExchangeClock
from gateways.binance.rest.pacing import Pacer
from gateways.binance.rest.request_budget import Priority, RequestBudget
from gateways.binance.rest.trouble import RestTrouble
from gateways.binance.setup.keys import ApiKeys

_FAPI = {
    "fapiPublic": "v1",
    "fapiPublicV2": "v2",
    "fapiPublicV3": "v3",
    "fapiPrivate": "v1",
    "fapiPrivateV2": "v2",
    "fapiPrivateV3": "v3",
}
_BAN_SECONDS = 120.0
_LIMIT_SECONDS = 5.0


class ExchangeClient(binanceusdm):  # type: ignore[misc]  # ccxt ships no types
    """ccxt's client, confined to one address, with our clock, budget and classification."""

    def __init__(
        self, base_url: str, keys: ApiKeys, clock: ExchangeClock, budget: RequestBudget, window_ms: int
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._exchange_clock = clock
        self._budget = budget
        self.on_hint: Callable[[Failure], None] = _ignore
        self.trouble = RestTrouble(clock.now_ns)
        super().__init__(
            {
                "apiKey": keys.api_key,
                "secret": keys.api_secret,
                "enableRateLimit": False,
                "timeout": 10_000,
                "options": {"fetchCurrencies": False, "recvWindow": window_ms},
            }
        )
        self.ssl_context = client_context()
        self.urls["api"] = {name: f"{self._base_url}/fapi/{version}" for name, version in _FAPI.items()}

    def nonce(self) -> int:
        """Timestamp of a signed request."""
        return self._exchange_clock.timestamp_ms()

    def open(self, lazy: bool = False) -> None:
        """A redirect would take the key header to another address, so none is followed."""
        before = self.session
        super().open(lazy)
        if self.session is not None and self.session is not before:
            watch = aiohttp.TraceConfig()
            watch.on_request_redirect.append(_stop_redirect)
            watch.freeze()
            self.session.trace_configs.append(watch)

    async def fetch(self, url: str, method: str = "GET", headers: Json = None, body: Json = None) -> Json:
        """Refuse any address but the configured one."""
        if not url.startswith(self._base_url + "/"):
            raise RestError(Failure("error", 0, "a request to an address that is not configured was stopped"))
        return await super().fetch(url, method, headers, body)

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: str,
        response: Json,
        request_headers: Json,  # noqa: ARG002 - ccxt's signature
        request_body: Json,  # noqa: ARG002 - ccxt's signature
    ) -> None:
        """Ours in place of ccxt's."""
        lower = {name.lower(): value for name, value in headers.items()}
        self._budget.on_headers(lower)
        number, text = code_and_text(response)
        failure = classify(Kind.READ if method == "GET" else Kind.SETTING, code, number, text or reason)
        self.trouble.note(url, failure)
        if failure is None:
            return
        react_to(failure, self._budget, lower, body)
        if failure.hint in (Hint.CLOCK, Hint.KEYS):
            self.on_hint(failure)
        raise RestError(failure)


def _ignore(_failure: Failure) -> None:
    pass


async def _stop_redirect(
    _session: object, _context: object, params: aiohttp.TraceRequestRedirectParams
) -> None:
    raise RestError(Failure("transient", 0, f"a redirect was not followed (HTTP {params.response.status})"))


class RestData:
    """Calls of endpoints by name. Raises RestError, or RestBlocked when it was not even sent.

    Books and questions wait until the request budget has room for them.
    """

    def __init__(self, client: ExchangeClient, pacer: Pacer) -> None:
        self._client = client
        self._pacer = pacer

    async def public(
        self, path: str, params: dict[str, Any], weight: int, *, priority: Priority = Priority.QUERY
    ) -> Json:
        """GET without a signature."""
        return await self._call("fapiPublic", path, "GET", params, weight, priority)

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
            raise RestError(Failure("transient", 0, f"GET {path}: the answer is no list of objects"))
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
            raise RestError(Failure("transient", 0, f"GET {path}: the answer is no object"))
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
        api = "fapiPrivate" if version == 1 else f"fapiPrivateV{version}"
        return await self._call(api, path, method, params or {}, weight, priority)

    async def close(self) -> None:
        """End the session."""
        await self._client.close()

    async def _call(
        self, api: str, path: str, method: str, params: dict[str, Any], weight: int, priority: Priority
    ) -> Json:
        await self._pacer.turn(path, weight, priority)
        kind = Kind.READ if method == "GET" else Kind.SETTING
        # ccxt's endpoint methods are named by place, verb and path: fapiPublicGetExchangeInfo.
        ask = getattr(self._client, f"{api}{method.capitalize()}{path[0].upper()}{path[1:]}")
        try:
            answer: Json = await ask(params)
        except ccxt.BaseError as error:
            # ccxt's text holds the signed address; its class says enough.
            message = f"{method} {path}: {type(error).__name__}"
            raise RestError(network_failure(kind, message, bytes_left=True)) from None
        if not isinstance(answer, dict | list):
            # A page of something between us and the exchange, under status 200.
            raise RestError(network_failure(kind, f"{method} {path}: no JSON", bytes_left=True))
        return answer


def code_and_text(answer: Json) -> tuple[int, str]:
    """`code` and `msg` of an error body, 0 and "" where there is none. Success bodies may carry code 200."""
    if not isinstance(answer, dict):
        return 0, ""
    code, text = answer.get("code"), answer.get("msg")
    try:
        number = int(code) if code is not None else 0
    except (TypeError, ValueError):
        number = 0
    return number, text if isinstance(text, str) else ""


def parse_json(body: bytes) -> Json:
    """The value, or None for what is no JSON (an HTML page of a proxy, say)."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def react_to(failure: Failure, budget: RequestBudget, headers: Mapping[str, str], body: str) -> None:
    """Stop everything where the exchange demands it."""
    if failure.code == -1015:
        budget.exhaust_orders(headers)
    elif failure.hint is Hint.BANNED:
        budget.stop(headers, body, _BAN_SECONDS)
    elif failure.hint is Hint.BLOCKED:
        budget.hold(headers, _BAN_SECONDS)
    elif failure.hint is Hint.LIMITED:
        budget.stop(headers, body, _LIMIT_SECONDS)
