"""Request pipeline: limits, key, mandatory parameters, timestamp, signature, handler, journal, response."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateways.simulator.api.access.keys import ApiKey
from gateways.simulator.api.access.rate_limits import RateLimitError
from gateways.simulator.api.access.signatures import check_signature, check_timestamp
from gateways.simulator.api.requests.faults import ANSWERS, EXECUTED, CannedAnswer, Fault
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.account import ACCOUNT_ENDPOINTS
from gateways.simulator.api.rest.algo_orders import ALGO_ENDPOINTS
from gateways.simulator.api.rest.endpoint import Call, Endpoint, Security
from gateways.simulator.api.rest.orders import ORDER_ENDPOINTS
from gateways.simulator.api.rest.public import PUBLIC_ENDPOINTS
from gateways.simulator.api.rest.stubs import STUB_ENDPOINTS
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange.model.errors import ApiError

ENDPOINTS: dict[tuple[str, str], Endpoint] = (
    PUBLIC_ENDPOINTS | ORDER_ENDPOINTS | ALGO_ENDPOINTS | ACCOUNT_ENDPOINTS | STUB_ENDPOINTS
)
JSON = "application/json"


class CutConnectionError(Exception):
    """A fault requires closing the connection without a response."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response; `body` is JSON unless a fault sets another content type."""

    status: int
    body: bytes
    headers: dict[str, str]
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Credentials:
    """API key and signature of a request, and the texts that may have been signed.

    Requests of a logged-on WS API session need no signature.
    """

    key: str | None
    signed_texts: Callable[[], tuple[tuple[str, ...], str | None]]
    in_session: bool = False

    def check(self, owner: ApiKey, params: Params, server_ms: int) -> None:
        """Check timestamp, then signature, which has to match one of the texts."""
        for name in ("timestamp",) if self.in_session else ("timestamp", "signature"):
            params.require(name)
        check_timestamp(params, server_ms)
        if self.in_session:
            return
        texts, signature = self.signed_texts()
        for text in texts[:-1]:
            try:
                check_signature(owner, text, signature)
            except ApiError:
                continue
            return
        check_signature(owner, texts[-1], signature)


class Dispatcher:
    """Performs REST and WS API requests."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def answer(
        self, method: str, path: str, params: Params, credentials: Credentials, address: str
    ) -> Answer:
        """Answer one request. Raises CutConnectionError when a fault requires it."""
        endpoint = ENDPOINTS.get((method, path))
        if endpoint is None:
            message = f"Path {path}, Method {method} is invalid"
            return Answer(404, error_body(ApiError(-5000, message)), {})
        faults = self._venue.faults
        fault = faults.take_request(f"{method} {path}", params) if faults.requests else None
        if fault is None:
            return self._execute(f"{method} {path}", endpoint, params, credentials, address)
        if fault.kind not in EXECUTED:
            canned = await self._before(fault, address)
            if canned is not None:
                return canned
        answer = self._execute(f"{method} {path}", endpoint, params, credentials, address)
        if fault.kind == "delay_after":
            await asyncio.sleep(fault.delay_ms / 1000)
        elif fault.kind == "cut_after":
            raise CutConnectionError
        elif fault.kind in EXECUTED:
            return canned_answer(ANSWERS[fault.kind])
        return answer

    async def _before(self, fault: Fault, address: str) -> Answer | None:
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.kind == "delay_before":
            return None
        if fault.kind == "cut_before":
            raise CutConnectionError
        if fault.kind == "error":
            return Answer(fault.http_status, error_body(ApiError(fault.code, fault.message)), {})
        answer = canned_answer(ANSWERS[fault.kind])
        if fault.retry_after_s is not None:
            answer.headers["Retry-After"] = str(fault.retry_after_s)
        if fault.kind == "banned":
            now_ms = self._venue.clock.server_ms()
            until = now_ms + int(answer.headers["Retry-After"]) * 1000
            self._venue.limits.ban(address, until)
            return Answer(418, answer.body.replace(b"{until}", str(until).encode()), answer.headers)
        return answer

    def _execute(
        self, name: str, endpoint: Endpoint, params: Params, credentials: Credentials, address: str
    ) -> Answer:
        venue = self._venue
        now_ms = venue.clock.now_ms()
        headers: dict[str, str] = {}
        owner: ApiKey | None = None
        status = 200
        try:
            if endpoint.funding_pool:
                venue.limits.take_funding(address, now_ms)
            else:
                venue.limits.take_weight(address, endpoint.weight_of(params), now_ms)
            if endpoint.security is not Security.NONE:
                owner = venue.keys.identify(credentials.key)
            for required in endpoint.required:
                params.require(required)
            if endpoint.security is Security.SIGNED:
                assert owner is not None
                credentials.check(owner, params, venue.clock.server_ms())
                if endpoint.orders != (0, 0):
                    venue.limits.take_orders(owner.account, *endpoint.orders, now_ms)
            body = msgspec.json.encode(endpoint.handler(venue, Call(params, now_ms, owner, address)))
        except ApiError as error:
            status, body = error.http_status, error_body(error)
            if isinstance(error, RateLimitError):
                headers["Retry-After"] = str(error.retry_after_s)
        except Exception as error:  # noqa: BLE001 - a bug in one request must not end the server; it is logged
            failed = venue.request_failed(name, error)
            status, body = failed.http_status, error_body(failed)
        if venue.broken is None:
            venue.commit()
        self._count(headers, endpoint, owner, address, now_ms)
        return Answer(status, body, headers)

    def _count(
        self, headers: dict[str, str], endpoint: Endpoint, owner: ApiKey | None, address: str, now_ms: int
    ) -> None:
        limits = self._venue.limits
        if not endpoint.funding_pool:
            headers["X-MBX-USED-WEIGHT-1M"] = str(limits.weight_used(address, now_ms))
        if endpoint.spot_headers:
            headers["X-MBX-USED-WEIGHT"] = headers["X-MBX-USED-WEIGHT-1M"]
        if endpoint.orders != (0, 0) and owner is not None:
            ten_seconds, minute = limits.orders_used(owner.account, now_ms)
            headers["X-MBX-ORDER-COUNT-10S"] = str(ten_seconds)
            headers["X-MBX-ORDER-COUNT-1M"] = str(minute)


def error_body(error: ApiError) -> bytes:
    """Encode an error in the exchange's format."""
    message = error.message.encode("utf-8", "replace").decode()  # text from a client may not be encodable
    return msgspec.json.encode({"code": error.code, "msg": message})


def canned_answer(canned: CannedAnswer) -> Answer:
    """Build the response of a fault."""
    return Answer(canned.status, canned.body, dict(canned.headers), canned.content_type)
