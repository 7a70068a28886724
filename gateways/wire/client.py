"""The engine's end of the wire."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateways.wire.limits import DEFAULT_LIMITS, WireLimits
from gateways.wire.messages import Message, ToEngine, Welcome


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """Who connects. `fencing` rises with each start of the engine; `client_id_prefix` begins every
    client order id it makes."""

    engine_id: str
    fencing: int
    symbols: tuple[str, ...]
    client_id_prefix: str


@dataclass(slots=True)
class Cursor:
    """The last order event that was taken. (0, 0) before the first."""

    epoch: int = 0
    sequence: int = 0


class WireClient:
    """Keeps one connection to a gateway, for ever.

    `on_messages` gets everything that arrived together, in order, already free of duplicated order
    events; when it returns the events count as taken and the cursor moves. A hole in the sequence
    becomes a `Gap` in front of the event. `on_up` gets the welcome before any other message of a
    connection, `on_down` one sentence. All are called on the event loop and must not block.
    """

    connected: bool = False
    reconnects: int = 0
    countdown_ms: int = 0
    """Travels in every heartbeat; above 0 it arms the exchange's dead man's switch."""

    def __init__(
        self,
        identity: EngineIdentity,
        *,
        host: str,
        port: int,
        token: bytes,
        on_messages: Callable[[Sequence[ToEngine]], None],
        on_up: Callable[[Welcome], None],
        on_down: Callable[[str], None],
        cursor: Cursor | None = None,
        wall_clock_ns: Callable[[], int],
        limits: WireLimits = DEFAULT_LIMITS,
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Begin to connect, in the background of the running loop."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the connection and stop."""
        raise NotImplementedError

    def send(self, message: Message) -> None:
        """Write at once. `NotConnected` where there is no connection; nothing is ever queued for later."""
        raise NotImplementedError
