"""The gateway's end of the wire.

One engine a connection, one engine a symbol. What the gateway publishes is written in the same call: no
task, no queue, unless the engine reads too slowly (see `outgoing`).
"""

import asyncio
import contextlib
import ipaddress
from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

from gateways.wire.claims import check_claims, check_proof
from gateways.wire.engine_link import EngineLink
from gateways.wire.errors import HandshakeError
from gateways.wire.limits import DEFAULT_LIMITS, WireLimits
from gateways.wire.messages import GatewayStatus, Hello, Instrument, OrderUpdate, Refused, Welcome
from gateways.wire.outgoing import MarketEvent
from gateways.wire.replay import OrderEvent, ReplayLog
from gateways.wire.requests import Answer, Request
from gateways.wire.token import refused_mac, welcome_mac


class EngineConnection(Protocol):
    """One engine that is let in, as the gateway sees it."""

    @property
    def engine_id(self) -> str:
        """Fixed at the engine's first start."""
        ...

    @property
    def symbols(self) -> frozenset[str]:
        """Claimed by this engine and no other."""
        ...

    @property
    def client_id_prefix(self) -> str:
        """Begins every client order id of this engine."""
        ...

    def send(self, message: Answer | Instrument | GatewayStatus) -> None:
        """Send before the market data that waits. Nothing is sent on a closed connection."""


class GatewayHandler(Protocol):
    """What the gateway does for the server. Its methods are called on the event loop and must not block."""

    def on_connected(self, engine: EngineConnection) -> None:
        """The engine has been admitted; the replay or `Gap` has been written."""

    def on_request(self, engine: EngineConnection, request: Request) -> None:
        """One request. Requests for symbols that were not claimed are refused before they get here."""

    def on_disconnected(self, engine: EngineConnection, reason: str) -> None:
        """Gone; its claims are free."""

    def on_stranger(self, reason: str) -> None:
        """A peer that never proved itself is gone."""


class _Engine:
    """What is remembered of an engine identity while the gateway lives."""

    __slots__ = ("fencing", "link", "log", "prefix")

    def __init__(self, log: ReplayLog) -> None:
        self.fencing = 0
        self.prefix = ""
        self.log = log
        self.link: EngineLink | None = None


class WireServer:
    """Accepts engines and speaks to them. All methods belong to the event loop's thread."""

    def __init__(
        self,
        handler: GatewayHandler,
        *,
        gateway: str,
        token: bytes,
        epoch: int,
        limits: WireLimits = DEFAULT_LIMITS,
    ) -> None:
        """`epoch` must be higher with each start of the gateway (wall clock ns will do)."""
        if epoch < 1:
            raise ValueError("an epoch is positive: 0 is the cursor of an engine that has none")
        self.limits = limits
        self.epoch = epoch
        self.unrouted_order_events = 0
        self._handler = handler
        self._gateway = gateway
        self._token = token
        self._engines: OrderedDict[str, _Engine] = OrderedDict()
        self._by_symbol: dict[str, EngineLink] = {}
        self._links: dict[EngineLink, None] = {}
        self._server: asyncio.Server | None = None
        self._all_gone: asyncio.Event | None = None
        self._past_conflated_ticks = 0
        self._past_dropped_market_events = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port. ValueError for an address that is not loopback."""
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the wire listens on loopback only, not on {host}")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: EngineLink(self), host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for link in tuple(self._links):
            link.abort("the gateway is stopping")
        if self._server is not None:
            await self._server.wait_closed()
        if self._links:
            self._all_gone = asyncio.Event()
            await self._all_gone.wait()

    def publish_market(self, event: MarketEvent) -> None:
        """To the engine that claimed the symbol, if there is one."""
        link = self._by_symbol.get(event.symbol)
        if link is not None:
            link.send_market(event)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Around market data that arrived in one piece."""
        links = tuple(self._links)
        for link in links:
            link.gather()
        try:
            yield
        finally:
            for link in links:
                link.release()

    def publish_order_event(self, event: OrderEvent) -> None:
        """Stamp epoch and sequence, keep for replay, send.

        An order goes to the engine whose client-id prefix it carries, else to the one that claims its
        symbol; an account update to every engine known in this epoch.
        """
        if isinstance(event, OrderUpdate):
            engine = self._owner_of(event)
            if engine is None:
                self.unrouted_order_events += 1
            else:
                self._send_order_event(engine, event)
            return
        for engine in self._engines.values():
            self._send_order_event(engine, event)

    def publish(self, message: GatewayStatus | Instrument) -> None:
        """To every engine (an instrument: to the one that claims it)."""
        if isinstance(message, Instrument):
            link = self._by_symbol.get(message.symbol)
            if link is not None:
                link.send(message)
            return
        for engine in self._engines.values():
            if engine.link is not None:
                engine.link.send(message)

    def cursor(self, engine_id: str) -> int:
        """Sequence of the last order event of that engine (for `Snapshot.cursor_sequence`)."""
        engine = self._engines.get(engine_id)
        return engine.log.last_sequence if engine is not None else 0

    @property
    def conflated_ticks(self) -> int:
        """Books that were replaced by a newer one before a slow engine read them."""
        return self._past_conflated_ticks + sum(link.outgoing.conflated_ticks for link in self._links)

    @property
    def dropped_market_events(self) -> int:
        """Other market data a slow engine never got."""
        return self._past_dropped_market_events + sum(
            link.outgoing.dropped_market_events for link in self._links
        )

    def unknown_peer(self, link: EngineLink) -> None:
        """A socket was opened. Where too many wait without a token, the longest waiting one gives way: an
        engine proves itself at once, so idle connections cannot keep it out."""
        strangers = [other for other in self._links if not other.is_open and not other.is_closing]
        self._links[link] = None
        if len(strangers) >= self.limits.unknown_peers:
            strangers[0].abort("too many peers without a token")

    def check_proof(self, link: EngineLink, hello: Hello, nonce: bytes) -> None:
        """`HandshakeError` unless the peer holds the token."""
        check_proof(hello, self._token, nonce, link.port)

    def refusal(self, link: EngineLink, hello: Hello, error: HandshakeError) -> Refused:
        """What a peer with the token is told, with the proof that we say so."""
        proof = refused_mac(self._token, hello.nonce, link.port, error.code, error.reason)
        return Refused(error.code, error.reason, proof)

    def admit(self, link: EngineLink, hello: Hello) -> tuple[Welcome, list[bytes]]:
        """Welcome and what the engine missed, or `HandshakeError`. The proof has been checked."""
        known = self._engines.get(hello.engine_id)
        connected = [engine.link for engine in self._engines.values() if engine.link is not None]
        check_claims(hello, known.fencing if known is not None else 0, connected)
        engine = known if known is not None else self._remember(hello.engine_id)
        if engine.link is not None:
            self._replace(engine.link)
        engine.fencing = hello.fencing
        engine.prefix = hello.client_id_prefix
        engine.link = link
        link.engine_id = hello.engine_id
        link.fencing = hello.fencing
        link.symbols = frozenset(hello.symbols)
        link.client_id_prefix = hello.client_id_prefix
        for symbol in hello.symbols:
            self._by_symbol[symbol] = link
        welcome = Welcome(
            self._gateway,
            self.epoch,
            engine.log.last_sequence + 1,
            welcome_mac(self._token, hello.nonce, link.port),
        )
        return welcome, engine.log.since(hello.last_epoch, hello.last_sequence)

    def admitted(self, link: EngineLink) -> None:
        """Welcome has been written."""
        self._handler.on_connected(link)

    def request(self, link: EngineLink, request: Request) -> None:
        """A request the engine may make."""
        self._handler.on_request(link, request)

    def lost(self, link: EngineLink, reason: str) -> None:
        """The socket is gone."""
        if link not in self._links:
            return
        del self._links[link]
        self._past_conflated_ticks += link.outgoing.conflated_ticks
        self._past_dropped_market_events += link.outgoing.dropped_market_events
        if self._all_gone is not None and not self._links:
            self._all_gone.set()
        engine = self._engines.get(link.engine_id)
        if engine is None or engine.link is not link:
            if not link.engine_id:
                self._handler.on_stranger(reason)
            return
        self._release(link)
        engine.link = None
        self._handler.on_disconnected(link, reason)

    def _replace(self, link: EngineLink) -> None:
        link.abort("the engine has connected again")
        self.lost(link, "the engine has connected again")

    def _release(self, link: EngineLink) -> None:
        for symbol in link.symbols:
            if self._by_symbol.get(symbol) is link:
                del self._by_symbol[symbol]

    def _remember(self, engine_id: str) -> _Engine:
        if len(self._engines) >= self.limits.engines:
            for name, engine in self._engines.items():
                if engine.link is None:
                    del self._engines[name]
                    break
            else:
                raise HandshakeError("full", f"{len(self._engines)} engines are connected already")
        engine = _Engine(ReplayLog(self.epoch, self.limits.replay_events))
        self._engines[engine_id] = engine
        return engine

    def _owner_of(self, event: OrderUpdate) -> _Engine | None:
        for engine in self._engines.values():
            if event.client_order_id.startswith(engine.prefix):
                return engine
        link = self._by_symbol.get(event.symbol)
        return self._engines[link.engine_id] if link is not None else None

    def _send_order_event(self, engine: _Engine, event: OrderEvent) -> None:
        frame = engine.log.append(event)
        if engine.link is not None:
            engine.link.send_frame(frame)
