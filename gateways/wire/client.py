"""The engine's end of the wire."""

import asyncio
import hmac
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from gateways.wire.cursor import Cursor
from gateways.wire.engine_link import NONCE_BYTES, tune_socket, write_at_once
from gateways.wire.errors import BadMessage, ConnectionLost, NotConnected, PeerSilent, WireError
from gateways.wire.framing import TO_GATEWAY_LIMIT, encode, engine_decoder
from gateways.wire.limits import DEFAULT_LIMITS, WireLimits
from gateways.wire.messages import (
    PROTOCOL_VERSION,
    Challenge,
    Heartbeat,
    Hello,
    Refused,
    ToEngine,
    ToGateway,
    Welcome,
)
from gateways.wire.token import hello_mac, refused_mac, welcome_mac

__all__ = ["Cursor", "EngineIdentity", "WireClient"]

FINAL_REFUSALS = frozenset({"fencing", "version"})
"""Trying again cannot help. Final only with the gateway's proof: anybody could listen on its port."""


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """Who connects. `fencing` rises with each start of the engine; `client_id_prefix` begins every
    client order id it makes."""

    engine_id: str
    fencing: int
    symbols: tuple[str, ...]
    client_id_prefix: str


class WireClient:
    """Keeps one connection to a gateway, for ever, or until it is refused for good.

    `on_messages` gets everything that arrived together, in order, already free of duplicated order
    events; when it returns the events count as taken and the cursor moves. A hole in the sequence
    becomes a `Gap` in front of the event. `on_up` gets the welcome before any other message of a
    connection, `on_down` one sentence, `on_refused` the gateway's refusal, each sentence once until the
    next welcome; `is_refused` then says whether it is final. What listens there and does not prove that it
    holds the token is believed nothing, and asked again. `find_port` is asked before each try, with the
    number of tries since the last welcome. All are called on the event loop and must not block.
    """

    def __init__(
        self,
        identity: EngineIdentity,
        *,
        host: str,
        port: int | Callable[[int], int],
        token: bytes,
        on_messages: Callable[[Sequence[ToEngine]], None],
        on_up: Callable[[Welcome], None],
        on_down: Callable[[str], None],
        on_refused: Callable[[Refused], None] | None = None,
        cursor: Cursor | None = None,
        wall_clock_ns: Callable[[], int],
        limits: WireLimits = DEFAULT_LIMITS,
    ) -> None:
        self.identity = identity
        self.limits = limits
        self.token = token
        self.cursor = cursor or Cursor()
        self.on_messages = on_messages
        self.on_up = on_up
        self.on_down = on_down
        self.on_refused = on_refused
        self.wall_clock_ns = wall_clock_ns
        self.countdown_ms = 0
        """Travels in every heartbeat; above 0 it arms the exchange's dead man's switch."""
        self.connections = 0
        """Times a welcome was received."""
        self.refused: Refused | None = None
        self.last_connect_error = ""
        self._host = host
        self._find_port = port if callable(port) else lambda _: port
        self._tries = 0
        self._told = ""
        self._link: _GatewayLink | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether `send` would write."""
        return self._link is not None and self._link.is_open

    @property
    def is_refused(self) -> bool:
        """Whether the gateway has proven itself and refused us for good."""
        return self.refused is not None and self.refused.code in FINAL_REFUSALS and self.refused.mac != b""

    def on_proven(self) -> None:
        """The gateway has let us in."""
        self.connections += 1
        self.refused = None
        self._tries = 0
        self._told = ""

    def on_refusal(self, refused: Refused) -> None:
        """Remember it, and tell it unless it was told before."""
        self.refused = refused
        if self.on_refused is not None and self._told != refused.reason:
            self._told = refused.reason
            self.on_refused(refused)

    def start(self) -> None:
        """Begin to connect, in the background of the running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_connected(), name="wire client")

    async def close(self) -> None:
        """End the connection and stop."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._link is not None:
            link, self._link = self._link, None
            link.close()
            await link.gone

    def send(self, message: ToGateway) -> None:
        """Write at once. `NotConnected` where there is no connection; nothing is ever queued for later."""
        link = self._link
        if link is None or not link.is_open:
            raise NotConnected("there is no connection to the gateway")
        link.write(encode(message, TO_GATEWAY_LIMIT))

    async def _keep_connected(self) -> None:
        backoff = self.limits.first_backoff_seconds
        while not self.is_refused:
            welcomes = self.connections
            await self._connect_once()
            if self.connections > welcomes:
                backoff = self.limits.first_backoff_seconds
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, self.limits.longest_backoff_seconds)

    async def _connect_once(self) -> None:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        sock.setblocking(False)  # the standard library takes it by position
        port = self._find_port(self._tries)
        self._tries += 1
        try:
            tune_socket(sock, receive_bytes=self.limits.socket_buffer_bytes)
            async with asyncio.timeout(self.limits.handshake_seconds):
                await loop.sock_connect(sock, (self._host, port))
            _, link = await loop.create_connection(lambda: _GatewayLink(self, port), sock=sock)
        except (OSError, TimeoutError) as error:
            # Not reported: `on_down` was called when the connection went, or there never was one.
            sock.close()
            self.last_connect_error = str(error) or "timeout"
            return
        except asyncio.CancelledError:
            sock.close()
            raise
        self._link = link
        reason = await asyncio.shield(link.gone)  # `close` cancels the waiting, not the future
        self._link = None
        self.on_down(reason)


class _GatewayLink(asyncio.Protocol):
    """One socket of the client."""

    def __init__(self, client: WireClient, port: int) -> None:
        self.is_open = False
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client = client
        self._port = port
        self._limits = client.limits
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._decoder = engine_decoder()
        self._transport: asyncio.Transport
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle | None = None
        self._last_heard = 0.0
        self._reason = ""

    def write(self, frame: bytes) -> None:
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > self._limits.unsent_requests_bytes:
            self.abort(ConnectionLost("the gateway does not read"))

    def close(self) -> None:
        """Orderly: what was written is still sent."""
        self._reason = self._reason or "closed by the engine"
        self.is_open = False
        self._transport.close()

    def abort(self, error: WireError) -> None:
        self._reason = self._reason or str(error)
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._last_heard = self._loop.time()
        tune_socket(self._transport.get_extra_info("socket"))
        write_at_once(self._transport)
        self._timer = self._loop.call_later(self._limits.handshake_seconds, self._handshake_timeout)

    def data_received(self, data: bytes) -> None:
        self._last_heard = self._loop.time()
        messages: Sequence[ToEngine] = self._decoder.feed(data)
        if not self.is_open and messages:
            messages = self._handshake(messages)
        if self.is_open and messages:
            self._deliver(messages)
        if self._decoder.error is not None:
            self.abort(self._decoder.error)

    def eof_received(self) -> None:
        self._reason = self._reason or "the gateway has closed the connection"

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        if not self.gone.done():
            self.gone.set_result(self._reason or (str(exc) if exc else "the connection was closed"))

    def _deliver(self, messages: Sequence[ToEngine]) -> None:
        client = self._client
        taken = client.cursor.filter(messages)
        if taken:
            client.on_messages(taken)

    def _handshake(self, messages: Sequence[ToEngine]) -> Sequence[ToEngine]:
        """Answer challenge and welcome; returns what came after the welcome."""
        for index, message in enumerate(messages):
            if isinstance(message, Challenge):
                self._answer(message)
            elif isinstance(message, Welcome):
                self._welcomed(message)
                return messages[index + 1 :]
            elif isinstance(message, Refused):
                proof = refused_mac(self._client.token, self._nonce, self._port, message.code, message.reason)
                proven = hmac.compare_digest(message.mac, proof)
                self._refused(message if proven else self._unproven())
                break
            else:
                self.abort(BadMessage("the gateway speaks before its welcome"))
                break
        return ()

    def _answer(self, challenge: Challenge) -> None:
        client, identity = self._client, self._client.identity
        if challenge.protocol_version != PROTOCOL_VERSION:
            sentence = (
                f"what listens on port {self._port} speaks protocol version {challenge.protocol_version}, "
                f"the engine {PROTOCOL_VERSION}"
            )
            self._refused(Refused("version", sentence))
            return
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            engine_id=identity.engine_id,
            fencing=identity.fencing,
            symbols=identity.symbols,
            client_id_prefix=identity.client_id_prefix,
            last_epoch=client.cursor.epoch,
            last_sequence=client.cursor.sequence,
            mac=b"",
            nonce=self._nonce,
        )
        mac = hello_mac(client.token, challenge.nonce, hello, self._port)
        self.write(encode(msgspec.structs.replace(hello, mac=mac)))

    def _welcomed(self, welcome: Welcome) -> None:
        client = self._client
        if not hmac.compare_digest(welcome.mac, welcome_mac(client.token, self._nonce, self._port)):
            self._refused(self._unproven())
            return
        if self._timer is not None:
            self._timer.cancel()
        self.is_open = True
        client.on_proven()
        self._beat()
        client.on_up(welcome)

    def _unproven(self) -> Refused:
        """Said by us: what it says itself is not repeated."""
        sentence = (
            f"what listens on port {self._port} does not prove that it holds our token "
            "(vault/gateway_token); trying again"
        )
        return Refused("gateway", sentence)

    def _refused(self, refused: Refused) -> None:
        self.abort(ConnectionLost(refused.reason))
        self._client.on_refusal(refused)

    def _handshake_timeout(self) -> None:
        self.abort(PeerSilent(f"no welcome within {self._limits.handshake_seconds:g} s"))

    def _beat(self) -> None:
        silent = self._loop.time() - self._last_heard
        if silent > self._limits.idle_seconds:
            self.abort(PeerSilent(f"the gateway was silent for {silent:.0f} s"))
            return
        if self.is_open:
            client = self._client
            self.write(encode(Heartbeat(client.wall_clock_ns(), client.countdown_ms)))
        self._timer = self._loop.call_later(self._limits.heartbeat_seconds, self._beat)
