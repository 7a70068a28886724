"""HTTP and WebSocket server: one port for REST, streams, WS API and control; it also drives the exchange."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from aiohttp import WSMessage, WSMsgType, web
from aiohttp.web_protocol import RequestPayloadError

from gateways.simulator.api.access import control_token
from gateways.simulator.api.access.signatures import signed_text
from gateways.simulator.api.control import Control
from gateways.simulator.api.requests.failures import http_logger
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.dispatch import (
    Answer,
    Credentials,
    CutConnectionError,
    Dispatcher,
    error_body,
)
from gateways.simulator.api.streams.hub import StreamSocket
from gateways.simulator.api.streams.requests import StreamUrl, answer, parse_stream_url
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.api.ws_api import WsApi
from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.markets import Market

MAX_BODY_BYTES = 1 << 20
MAX_MESSAGE_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 16  # a URL may name 1024 streams
_LONGEST_SLEEP_S = 0.5
_BETWEEN_SLICES_S = 0.002
"""Pause between two slices of a snapshot, so that writing it uses about half of one core."""
_PING = 0x89


@dataclass(slots=True)
class SocketRules:
    """Ping interval, lifetime and message rate of stream connections; in real seconds."""

    ping_s: float = 180.0
    pong_s: float = 600.0
    life_s: float = 86_400.0
    messages_per_s: int = 10
    deflate: bool = False


class Server:
    """Serves one venue until `stop`, or until an unexpected error ends it.

    Control commands that change something must send `token`; with `open_control` they need none.
    """

    def __init__(
        self,
        venue: Venue,
        rules: SocketRules | None = None,
        *,
        token: str | None = None,
        open_control: bool = False,
    ) -> None:
        self._venue = venue
        self.rules = rules or SocketRules()
        self._dispatcher = Dispatcher(venue)
        self._ws_api = WsApi(venue, self._dispatcher)
        self._control = Control(venue, self.rules, None if open_control else token or secrets.token_hex(32))
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.Handle | None = None
        self._in_tick = False
        self._runner: web.ServerRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, host: str, port: int) -> int:
        """Listen (port 0: any free one) and start ticking; return the port. May be retried after OSError."""
        self._runner = web.ServerRunner(
            web.Server(
                self._handle,
                access_log=None,
                logger=http_logger(),
                max_line_size=MAX_LINE_BYTES,
                max_field_size=MAX_LINE_BYTES,
            )
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=128)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            self._runner = None
            raise
        self._venue.wake = self._wake
        self._venue.fail = self._fail
        self._tick()
        self._tasks.append(self._guarded(self._ping_sockets()))
        return int(self._runner.addresses[0][1])

    def run_market(self, market: Market) -> None:
        """Run the market's own network input as a task."""
        self._tasks.append(self._guarded(market.run(self._wake)))

    def stop(self) -> None:
        """Request a clean shutdown."""
        if not self._ended.done():
            self._ended.set_result(None)

    async def wait(self) -> None:
        """Return after `stop`; raise the error that ended the server otherwise."""
        await self._ended

    async def is_stopped_within(self, seconds: float) -> bool:
        """Wait up to `seconds` for `stop`; return whether it was called."""
        await asyncio.wait({self._ended}, timeout=seconds)
        return self._ended.done()

    async def close(self) -> None:
        """Close every connection and write the state.

        After a failure nothing is written: everything that was answered is in the journal already, and a
        restart continues from there.
        """
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._venue.hub.drop_all()
        if self._runner is not None:
            await self._runner.cleanup()
        failed = self._ended.done() and not self._ended.cancelled() and self._ended.exception() is not None
        if failed:
            self._venue.persistence.abandon()
        else:
            self._venue.close()

    def _fail(self, error: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

    def _guarded(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _wake(self) -> None:
        """Run the next tick soon: deadlines have changed."""
        if self._in_tick:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._in_tick = True
        try:
            due = self._venue.advance()
        except Exception as error:  # noqa: BLE001 - any error of the exchange itself ends the process
            self._fail(error)
            return
        finally:
            self._in_tick = False
        if due is None:
            delay = _LONGEST_SLEEP_S
        else:
            delay = min(_LONGEST_SLEEP_S, self._venue.clock.seconds_until(due))
        if self._venue.persistence.has_work:
            delay = min(delay, _BETWEEN_SLICES_S)
        if delay > 0:
            self._timer = self._loop.call_later(delay, self._tick)
        else:
            self._timer = self._loop.call_soon(self._tick)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._respond(request)
        except CutConnectionError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        except (asyncio.CancelledError, ConnectionError, web.HTTPException):
            raise
        except ApiError as error:
            return _refused(error)
        except RequestPayloadError as error:
            why = " ".join(str(error).split())
            return _refused(ApiError(-1000, f"The body could not be read: {why}"))
        except Exception as error:  # noqa: BLE001 - a bug in one request must not end the server
            what = f"{request.method} {request.raw_path.partition('?')[0]}"
            return _refused(self._venue.request_failed(what, error))

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        address = request.remote or ""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._upgrade(request, path, query, address)
        body = ""
        if request.body_exists:
            raw = await request.content.read(MAX_BODY_BYTES + 1)
            while not request.content.at_eof() and len(raw) <= MAX_BODY_BYTES:
                raw += await request.content.read(MAX_BODY_BYTES + 1 - len(raw))
            if len(raw) > MAX_BODY_BYTES:
                return web.Response(status=413)
            body = raw.decode("utf-8", "replace")
        if path.startswith("/_control"):
            if "Origin" in request.headers:  # web pages must not control the exchange
                return web.Response(status=403)
            token = request.headers.get(control_token.HEADER)
            return _response(self._control.answer(request.method, path, body, token))
        params = Params.of_http(query, body)

        def signed() -> tuple[tuple[str, ...], str | None]:
            text, signature = signed_text(query, body)
            return (text,), signature

        credentials = Credentials(request.headers.get("X-MBX-APIKEY"), signed)
        return _response(await self._dispatcher.answer(request.method, path, params, credentials, address))

    async def _upgrade(
        self, request: web.BaseRequest, path: str, query: str, address: str
    ) -> web.StreamResponse:
        is_api = path.rstrip("/") == "/ws-fapi/v1"
        url = None if is_api else parse_stream_url(path, query)
        if not is_api and url is None:
            return web.Response(status=404)
        socket = web.WebSocketResponse(
            autoping=is_api, compress=self.rules.deflate, max_msg_size=MAX_MESSAGE_BYTES
        )
        try:
            await socket.prepare(request)
        except ConnectionResetError:  # the client has disconnected already
            return web.Response()
        if is_api:
            await self._ws_api.serve(socket, address, "returnratelimits=false" not in query.lower())
        elif url is not None:
            await self._serve_stream(request, socket, url)
        return socket

    async def _serve_stream(
        self, request: web.BaseRequest, socket: web.WebSocketResponse, url: StreamUrl
    ) -> None:
        if request.transport is None:
            return
        bits = socket.compress if isinstance(socket.compress, int) else 0
        now_ms = int(self._loop.time() * 1000)
        client = StreamSocket(request.transport, url.route, url.wrapped, now_ms, bits)
        client.events = url.events
        hub = self._venue.hub
        hub.add(client)
        hub.subscribe(client, url.streams)
        second, received = 0, 0
        try:
            async for message in socket:
                now = int(self._loop.time())
                second, received = (second, received + 1) if now == second else (now, 1)
                if received > self.rules.messages_per_s:
                    await socket.close(code=1008, message=b"Too many requests")
                    break
                await self._on_message(client, socket, message)
        finally:
            hub.remove(client)

    async def _on_message(
        self, client: StreamSocket, socket: web.WebSocketResponse, message: WSMessage
    ) -> None:
        if message.type is WSMsgType.TEXT:
            client.send_payload(self._answered(client, message.data))
        elif message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            client.ponged_ms = int(self._loop.time() * 1000)

    def _answered(self, client: StreamSocket, text: str) -> bytes:
        try:
            return answer(self._venue.hub, client, text)
        except Exception as error:  # noqa: BLE001 - a bug in one message must not end the connection
            return error_body(self._venue.request_failed("a message of a stream socket", error))

    async def _ping_sockets(self) -> None:
        """Ping the sockets; close those that do not answer or are older than a day."""
        rules = self.rules
        while True:
            await asyncio.sleep(min(1.0, rules.ping_s / 2))
            now_ms = int(self._loop.time() * 1000)
            for client in tuple(self._venue.hub.sockets):
                silent_ms = now_ms - max(client.ponged_ms, client.opened_ms)
                if silent_ms > rules.pong_s * 1000 or now_ms - client.opened_ms > rules.life_s * 1000:
                    client.abort()
                elif now_ms - client.pinged_ms >= rules.ping_s * 1000:
                    client.pinged_ms = now_ms
                    payload = str(self._venue.clock.now_ms()).encode()
                    client.write(bytes((_PING, len(payload))) + payload)


def call_later_on(loop: asyncio.AbstractEventLoop) -> Callable[[int, Callable[[], None]], None]:
    """Return the event loop's timer as a function of milliseconds."""

    def call_later(delay_ms: int, action: Callable[[], None]) -> None:
        loop.call_later(delay_ms / 1000, action)

    return call_later


def _refused(error: ApiError) -> web.Response:
    return _response(Answer(error.http_status, error_body(error), {}))


def _response(answered: Answer) -> web.Response:
    return web.Response(
        body=answered.body,
        status=answered.status,
        headers=answered.headers,
        content_type=answered.content_type,
    )
