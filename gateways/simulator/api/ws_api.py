"""WS API: the REST requests over a WebSocket, one JSON object each."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import WSMsgType, web

from gateways.simulator.api.access.keys import ApiKey
from gateways.simulator.api.access.signatures import ws_signed_text
from gateways.simulator.api.formats.exchange_info import rate_limits
from gateways.simulator.api.requests.bounded_json import BadJsonError, decode_exact
from gateways.simulator.api.requests.params import Params, json_text
from gateways.simulator.api.rest.dispatch import (
    Answer,
    Credentials,
    CutConnectionError,
    Dispatcher,
    error_body,
)
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange.model.errors import ApiError

HANDSHAKE_WEIGHT = 5
SESSION_WEIGHT = 2
MAX_IN_FLIGHT = 100
METHODS: dict[str, tuple[str, str]] = {
    "ping": ("GET", "/fapi/v1/ping"),
    "time": ("GET", "/fapi/v1/time"),
    "exchangeInfo": ("GET", "/fapi/v1/exchangeInfo"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v2/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "order.place": ("POST", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.balance": ("GET", "/fapi/v3/balance"),
    "v2/account.balance": ("GET", "/fapi/v2/balance"),
    "account.status": ("GET", "/fapi/v3/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
}
_SESSION_METHODS = ("session.logon", "session.status", "session.logout")


@dataclass(slots=True)
class Session:
    """One connection: when it opened, whether responses include rate limits, and who is logged on."""

    address: str
    connected_ms: int
    shows_limits: bool
    owner: ApiKey | None = None
    authorized_ms: int | None = None


class WsApi:
    """Serves WS API connections."""

    def __init__(self, venue: Venue, dispatcher: Dispatcher) -> None:
        self._venue = venue
        self._dispatcher = dispatcher
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, socket: web.WebSocketResponse, address: str, show_limits: bool) -> None:
        """Serve one open connection until it ends."""
        now_ms = self._venue.clock.now_ms()
        try:
            self._venue.limits.take_weight(address, HANDSHAKE_WEIGHT, now_ms)
        except ApiError:
            await socket.close(code=1008)
            return
        session = Session(address, now_ms, show_limits)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            while len(self._tasks) >= MAX_IN_FLIGHT:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._perform(socket, message.data, session))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _perform(self, socket: web.WebSocketResponse, text: str, session: Session) -> None:
        try:
            reply = await self.reply(text, session)
        except CutConnectionError:
            await socket.close(code=1006)
            return
        except Exception as error:  # noqa: BLE001 - a bug in one message must not end the connection
            reply = _envelope(None, _failure(self._venue.request_failed("a message of the WS API", error)))
        if not socket.closed:
            await socket.send_frame(reply, WSMsgType.TEXT)

    async def reply(self, text: str, session: Session) -> bytes:
        """Encode the answer to one request."""
        try:
            request = decode_exact(text)
        except BadJsonError:
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("params") or {}, dict):
            return _envelope(None, _failure(ApiError(-1000, "Invalid request.")))
        identifier, method = request.get("id"), request.get("method")
        values: dict[str, Any] = request.get("params") or {}
        show = session.shows_limits and json_text(values.get("returnRateLimits", True)).lower() != "false"
        texts = {name: json_text(value) for name, value in values.items() if value is not None}
        if method in _SESSION_METHODS:
            answer = self._session(str(method), texts, session)
        elif method not in METHODS:
            answer = _failure(ApiError(-1000, f"Unknown method '{method}'."))
        else:
            answer = await self._dispatcher.answer(
                *METHODS[method], Params(texts), _credentials(texts, session.owner), session.address
            )
        key = texts.get("apiKey") or (session.owner.key if session.owner else None)
        return _envelope(identifier, answer, self._counts(key, session.address) if show else None)

    def _session(self, method: str, texts: dict[str, str], session: Session) -> Answer:
        """Log on, log off, or return the session status."""
        venue = self._venue
        try:
            venue.limits.take_weight(session.address, SESSION_WEIGHT, venue.clock.now_ms())
            if method == "session.logon":
                session.owner = self._logon(texts)
                session.authorized_ms = venue.clock.server_ms()
        except ApiError as error:
            return _failure(error)
        if method == "session.logout":
            session.owner = session.authorized_ms = None
        state = {
            "apiKey": session.owner.key if session.owner else None,
            "authorizedSince": session.authorized_ms,
            "connectedSince": session.connected_ms,
            "returnRateLimits": session.shows_limits,
            "serverTime": venue.clock.server_ms(),
        }
        return Answer(200, msgspec.json.encode(state), {})

    def _logon(self, texts: dict[str, str]) -> ApiKey:
        """Return the key that logs on; it must be an Ed25519 key."""
        params = Params(texts)
        owner = self._venue.keys.identify(params.require("apiKey"))
        if not owner.signer.is_ed25519:
            raise ApiError(-4056, "Invalid api key type; session.logon needs an Ed25519 key.")
        _credentials(texts, None).check(owner, params, self._venue.clock.server_ms())
        return owner

    def _counts(self, key: str | None, address: str) -> list[dict[str, Any]]:
        venue, now_ms = self._venue, self._venue.clock.now_ms()
        ten_seconds = minute = 0
        if key is not None:
            try:
                ten_seconds, minute = venue.limits.orders_used(venue.keys.identify(key).account, now_ms)
            except ApiError:
                key = None
        counts = (venue.limits.weight_used(address, now_ms), minute, ten_seconds)
        rows = rate_limits(venue.limits.settings)
        return [row | {"count": count} for row, count in zip(rows, counts, strict=True)][: 3 if key else 1]


def _credentials(texts: dict[str, str], logged_on: ApiKey | None) -> Credentials:
    """Return the key and signature in the request, else those of the logged-on session."""

    def signed() -> tuple[tuple[str, ...], str | None]:
        encoded = urlencode(sorted((name, text) for name, text in texts.items() if name != "signature"))
        return (ws_signed_text(texts), encoded), texts.get("signature")

    if logged_on is not None and "apiKey" not in texts:
        return Credentials(logged_on.key, signed, in_session=True)
    return Credentials(texts.get("apiKey"), signed)


def _failure(error: ApiError) -> Answer:
    return Answer(error.http_status, error_body(error), {})


def _envelope(identifier: object, answer: Answer, counts: list[dict[str, Any]] | None = None) -> bytes:
    is_json = answer.content_type == "application/json"
    body = msgspec.Raw(answer.body if is_json else msgspec.json.encode(answer.body.decode()))
    message: dict[str, Any] = {"id": identifier, "status": answer.status}
    message["result" if answer.status == 200 else "error"] = body
    if counts is not None:
        message["rateLimits"] = counts
    return msgspec.json.encode(message)
