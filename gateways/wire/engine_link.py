"""One socket of the server: handshake, then requests in and frames out."""

import asyncio
import contextlib
import secrets
import socket
from typing import Protocol, cast

from gateways.wire.errors import BadMessage, ConnectionLost, HandshakeError, PeerSilent, WireError
from gateways.wire.framing import encode, gateway_decoder
from gateways.wire.limits import WireLimits
from gateways.wire.messages import (
    PROTOCOL_VERSION,
    Challenge,
    Heartbeat,
    Hello,
    Message,
    Refused,
    Reply,
    RequestSnapshot,
    SubmitOrder,
    Subscribe,
    ToGateway,
    Welcome,
)
from gateways.wire.outgoing import MarketEvent, Outgoing
from gateways.wire.requests import Answer, Request

NONCE_BYTES = 32
_WITHOUT_SYMBOL = (Heartbeat, RequestSnapshot)


class LinkOwner(Protocol):
    """What a link asks of the server."""

    limits: WireLimits

    def unknown_peer(self, link: "EngineLink") -> None:
        """A socket was opened."""
        ...

    def check_proof(self, link: "EngineLink", hello: Hello, nonce: bytes) -> None:
        """`HandshakeError` unless the peer holds the token."""
        ...

    def refusal(self, link: "EngineLink", hello: Hello, error: HandshakeError) -> Refused:
        """What a peer with the token is told, with the proof that we say so."""
        ...

    def admit(self, link: "EngineLink", hello: Hello) -> tuple[Welcome, list[bytes]]:
        """Welcome and what the engine missed, or `HandshakeError`."""
        ...

    def admitted(self, link: "EngineLink") -> None:
        """Welcome has been written."""
        ...

    def request(self, link: "EngineLink", request: Request) -> None:
        """A request the engine may make."""
        ...

    def lost(self, link: "EngineLink", reason: str) -> None:
        """The socket is gone."""
        ...


class EngineLink(asyncio.Protocol):
    """Implements `EngineConnection` for the gateway."""

    def __init__(self, owner: LinkOwner) -> None:
        self.engine_id = ""
        self.fencing = 0
        self.symbols: frozenset[str] = frozenset()
        self.client_id_prefix = ""
        self.is_open = False
        self.port = 0
        self.outgoing: Outgoing
        self._owner = owner
        self._limits = owner.limits
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._decoder = gateway_decoder()
        self._transport: asyncio.Transport
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle | None = None
        self._last_heard = 0.0
        self._said_something = False
        self._reason = ""

    @property
    def is_closing(self) -> bool:
        """Whether its end has been decided."""
        return bool(self._reason)

    def send(self, message: Answer | Message) -> None:
        """Send before the market data that waits. Nothing is sent on a closed connection."""
        if self.is_open:
            self.send_frame(encode(message))

    def send_frame(self, frame: bytes) -> None:
        """The same, already encoded."""
        if not self.is_open:
            return
        try:
            self.outgoing.urgent_frame(frame)
        except ConnectionLost as error:
            self.abort(str(error))

    def send_market(self, event: MarketEvent) -> None:
        """Market data, conflated where the engine is slow."""
        if self.is_open:
            self.outgoing.market(event)

    def gather(self) -> None:
        """Market data that arrived in one piece follow, until `release`."""
        if self.is_open:
            self.outgoing.gather()

    def release(self) -> None:
        """That was the last of them."""
        if self.is_open:
            self.outgoing.release()

    def abort(self, reason: str) -> None:
        """End the connection at once; what was not sent yet is lost."""
        self._reason = self._reason or reason
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Challenge the peer."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._last_heard = self._loop.time()
        self.outgoing = Outgoing(self._write, self._limits)
        self.port = self._transport.get_extra_info("sockname")[1]
        tune_socket(self._transport.get_extra_info("socket"), send_bytes=self._limits.socket_buffer_bytes)
        write_at_once(self._transport)
        self._owner.unknown_peer(self)
        self._transport.write(encode(Challenge(PROTOCOL_VERSION, self._nonce)))
        self._timer = self._loop.call_later(self._limits.handshake_seconds, self._handshake_timeout)

    def data_received(self, data: bytes) -> None:
        """Whole requests are handled in order; a broken stream ends the connection."""
        self._last_heard = self._loop.time()
        for message in self._decoder.feed(data):
            if self.is_open:
                self._request(message)
            elif not self._reason:
                self._hello(message)
        if self._decoder.error is not None:
            self.abort(str(self._decoder.error))

    def eof_received(self) -> None:
        """The engine has closed its side."""
        self._reason = self._reason or "the engine has closed the connection"

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server once."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        if not self._reason:
            self._reason = str(exc) if exc else "the connection was closed"
        self._owner.lost(self, self._reason)

    def pause_writing(self) -> None:
        """The engine is behind."""
        self.outgoing.pause()

    def resume_writing(self) -> None:
        """The engine has caught up."""
        if self.is_open:
            self.outgoing.resume()

    def _write(self, frame: bytes) -> None:
        self._said_something = True
        self._transport.write(frame)

    def _hello(self, message: ToGateway) -> None:
        if not isinstance(message, Hello):
            self._refuse(Refused("order", "the first message must be a hello"))
            return
        try:
            self._owner.check_proof(self, message, self._nonce)
        except HandshakeError as error:
            self._refuse(Refused(error.code, error.reason))
            return
        try:
            welcome, missed = self._owner.admit(self, message)
        except HandshakeError as error:
            self._refuse(self._owner.refusal(self, message, error))
            return
        self.is_open = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.heartbeat_seconds, self._beat)
        self.send(welcome)
        for frame in missed:
            self.send_frame(frame)
        self._owner.admitted(self)

    def _refuse(self, refused: Refused) -> None:
        self._reason = refused.reason
        self._transport.write(encode(refused))
        self._transport.close()

    def _request(self, message: ToGateway) -> None:
        if isinstance(message, Hello):
            self.abort(str(BadMessage("a second hello")))
            return
        refusal = self._refusal(message)
        if refusal is None:
            self._owner.request(self, message)
        else:
            self.send(refusal)

    def _refusal(self, request: Request) -> Answer | None:
        """An answer to a request that oversteps what the engine has claimed."""
        if isinstance(request, _WITHOUT_SYMBOL):
            return None
        wanted = request.symbols if isinstance(request, Subscribe) else (request.symbol,)
        for symbol in wanted:
            if symbol not in self.symbols:
                return Reply(request.request_id, "refused", message=f"{symbol} is not claimed by this engine")
        if isinstance(request, SubmitOrder) and not request.client_order_id.startswith(self.client_id_prefix):
            sentence = f"client order ids of this engine begin with {self.client_id_prefix}"
            return Reply(request.request_id, "refused", message=sentence)
        return None

    def _handshake_timeout(self) -> None:
        self.abort(f"no hello within {self._limits.handshake_seconds:g} s")

    def _beat(self) -> None:
        silent = self._loop.time() - self._last_heard
        if silent > self._limits.idle_seconds:
            self.abort(str(PeerSilent(f"the engine was silent for {silent:.0f} s")))
            return
        if not self._said_something:
            self.send(Heartbeat(0))
        self._said_something = False
        self._timer = self._loop.call_later(self._limits.heartbeat_seconds, self._beat)


def write_at_once(transport: asyncio.Transport) -> None:
    """Make `write` try the socket immediately, and tell as soon as the system takes no more.

    uvloop with its usual limits only remembers what is written and sends it when the running callback has
    ended, after all that the callback does behind the write.
    """
    transport.set_write_buffer_limits(high=0)


def tune_socket(sock: socket.socket | None, *, send_bytes: int = 0, receive_bytes: int = 0) -> None:
    """No Nagle delay, and buffers small enough that a slow reader is noticed soon."""
    if sock is None:
        raise WireError("the transport has no socket")
    with contextlib.suppress(OSError):  # some systems refuse on a socket its peer has closed already
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
