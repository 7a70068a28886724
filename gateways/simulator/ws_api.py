"""The WS API: the same requests over a WebSocket, one JSON object each."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import WSMsgType, web

from gateways.simulator.auth import ws_signed_text
from gateways.simulator.errors import ApiError
from gateways.simulator.format_exchange_info import rate_limits
from gateways.simulator.rest_dispatch import Answer, Credentials, CutConnectionError, Dispatcher
from gateways.simulator.rest_params import Params, json_text
from gateways.simulator.venue import Venue

HANDSHAKE_WEIGHT = 5
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
_DECODER = msgspec.json.Decoder(float_hook=str)


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
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            while len(self._tasks) >= MAX_IN_FLIGHT:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._perform(socket, message.data, address, show_limits, now_ms))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _perform(
        self, socket: web.WebSocketResponse, text: str, address: str, show_limits: bool, since_ms: int
    ) -> None:
        try:
            reply = await self.reply(text, address, show_limits, since_ms)
        except CutConnectionError:
            await socket.close(code=1006)
            return
        if not socket.closed:
            await socket.send_frame(reply, WSMsgType.TEXT)

    async def reply(self, text: str, address: str, show_limits: bool, since_ms: int) -> bytes:
        """Encode the answer to one request."""
        try:
            request = _DECODER.decode(text)
        except msgspec.DecodeError:
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("params") or {}, dict):
            return _envelope(None, _failure(400, ApiError(-1000, "Invalid request.")))
        identifier, method = request.get("id"), request.get("method")
        values: dict[str, Any] = request.get("params") or {}
        show = show_limits and json_text(values.get("returnRateLimits", True)).lower() != "false"
        if method in {"session.logon", "session.status", "session.logout"}:
            answer = self._session(str(method), since_ms, show)
        elif method not in METHODS:
            answer = _failure(400, ApiError(-1000, f"Unknown method '{method}'."))
        else:
            texts = {name: json_text(value) for name, value in values.items() if value is not None}
            answer = await self._dispatcher.answer(
                *METHODS[method], Params(texts), _credentials(texts), address
            )
        return _envelope(identifier, answer, self._counts(texts_key(values), address) if show else None)

    def _session(self, method: str, since_ms: int, show: bool) -> Answer:
        """Session calls: logging on needs an Ed25519 key, and the simulator knows only HMAC keys."""
        if method == "session.logon":
            return _failure(400, ApiError(-4056, "Invalid api key type; session.logon needs an Ed25519 key."))
        state = {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": since_ms,
            "returnRateLimits": show,
            "serverTime": self._venue.clock.server_ms(),
        }
        return Answer(200, json.dumps(state).encode(), {})

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


def texts_key(values: dict[str, Any]) -> str | None:
    """The API key among the parameters."""
    key = values.get("apiKey")
    return key if isinstance(key, str) else None


def _credentials(texts: dict[str, str]) -> Credentials:
    def signed() -> tuple[tuple[str, ...], str | None]:
        encoded = urlencode(sorted((name, text) for name, text in texts.items() if name != "signature"))
        return (ws_signed_text(texts), encoded), texts.get("signature")

    return Credentials(texts.get("apiKey"), signed)


def _failure(status: int, error: ApiError) -> Answer:
    return Answer(status, msgspec.json.encode({"code": error.code, "msg": error.message}), {})


def _envelope(identifier: object, answer: Answer, counts: list[dict[str, Any]] | None = None) -> bytes:
    is_json = answer.content_type == "application/json"
    body = msgspec.Raw(answer.body if is_json else msgspec.json.encode(answer.body.decode()))
    message: dict[str, Any] = {"id": identifier, "status": answer.status}
    message["result" if answer.status == 200 else "error"] = body
    if counts is not None:
        message["rateLimits"] = counts
    return msgspec.json.encode(message)
