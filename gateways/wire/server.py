"""The gateway's end of the wire."""

from typing import Protocol

from gateways.wire.limits import DEFAULT_LIMITS, WireLimits
from gateways.wire.messages import (
    AccountUpdate,
    AmendOrder,
    CancelAll,
    CancelOrder,
    GatewayStatus,
    Heartbeat,
    Instrument,
    Kline,
    KlinesReply,
    MarkPrice,
    OrderBookTick,
    OrderUpdate,
    QueryOrder,
    Reply,
    RequestKlines,
    RequestSnapshot,
    SetLeverage,
    Snapshot,
    SubmitOrder,
    Subscribe,
    TradeTick,
)

MarketEvent = OrderBookTick | TradeTick | Kline | MarkPrice
OrderEvent = OrderUpdate | AccountUpdate
Answer = Reply | Snapshot | KlinesReply
Request = (
    Subscribe
    | SubmitOrder
    | CancelOrder
    | AmendOrder
    | QueryOrder
    | CancelAll
    | RequestSnapshot
    | RequestKlines
    | SetLeverage
    | Heartbeat
)


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
        """Ahead of waiting market data. A connection that is gone swallows it."""


class GatewayHandler(Protocol):
    """What the gateway implements. All three are called on the event loop and must not block."""

    def on_connected(self, engine: EngineConnection) -> None:
        """Let in; replay or `Gap` has been written."""

    def on_request(self, engine: EngineConnection, request: Request) -> None:
        """One request. Requests for symbols that were not claimed are refused before they get here."""

    def on_disconnected(self, engine: EngineConnection, reason: str) -> None:
        """Gone; its claims are free."""


class WireServer:
    """Accepts engines and speaks to them. All methods belong to the event loop's thread."""

    conflated_ticks: int = 0
    dropped_market_events: int = 0
    unrouted_order_events: int = 0

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
        raise NotImplementedError

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port. ValueError for an address that is not loopback."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop listening and end every connection."""
        raise NotImplementedError

    def publish_market(self, event: MarketEvent) -> None:
        """To the engine that claimed the symbol, if there is one."""
        raise NotImplementedError

    def publish_order_event(self, event: OrderEvent) -> None:
        """Stamp epoch and sequence, keep for replay, send.

        An order goes to the engine whose client-id prefix it carries, else to the one that claims its
        symbol; an account update to every engine known in this epoch.
        """
        raise NotImplementedError

    def publish(self, message: GatewayStatus | Instrument) -> None:
        """To every engine (an instrument: to the one that claims it)."""
        raise NotImplementedError

    def cursor(self, engine_id: str) -> int:
        """Sequence of the last order event of that engine (for `Snapshot.cursor_sequence`)."""
        raise NotImplementedError
