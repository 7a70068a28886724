"""Whether entries are possible: they need everything well. Exits and cancels need only a connection."""

from collections.abc import Mapping

from engine.core.config import EngineConfig
from engine.core.context import Clock, Touch
from engine.risk.rules import MULTI_ASSETS
from gateways.wire.messages import GatewayStatus, Snapshot

ROOM_PERCENT = 90
"""Beyond that the gateway keeps what is left of a minute's requests for stops and cancels."""


class Health:
    """State of links, data and clock as the events told it."""

    def __init__(self, config: EngineConfig, clock: Clock, touches: Mapping[str, Touch]) -> None:
        self._config = config
        self._clock = clock
        self._touches = touches
        self.connected = False
        self.reconciled = False
        self.ever_reconciled = False
        self.journal_ok = True
        self.hedge_mode = False
        self.multi_assets = False
        self.paused = False
        self.set_back = False
        self.status: GatewayStatus | None = None
        self.fresh_symbols: frozenset[str] = frozenset()

    def on_status(self, status: GatewayStatus) -> None:
        """Take the gateway's report of itself."""
        self.status = status
        self.fresh_symbols = frozenset(status.fresh_symbols)
        if status.multi_assets_margin is not None:
            self.multi_assets = status.multi_assets_margin
        self._clock.offset_ns = status.clock_offset_ns

    def on_modes(self, snapshot: Snapshot) -> None:
        """Take the modes of the account."""
        self.hedge_mode = snapshot.hedge_mode
        self.multi_assets = snapshot.multi_assets_margin

    def on_link(self, *, up: bool) -> None:
        """The connection to the gateway came or went; either way the world must be compared again."""
        self.connected = up
        self.reconciled = False
        if not up:
            self.status = None
            self.fresh_symbols = frozenset()

    def is_fresh(self, symbol: str) -> bool:
        """Whether the symbol's book is synchronised and its last tick young enough."""
        touch = self._touches.get(symbol)
        if touch is None or touch.receive_time_ns == 0 or symbol not in self.fresh_symbols:
            return False
        return self._clock.now_ns - touch.receive_time_ns <= self._config.stale_after_ns

    @property
    def clock_ok(self) -> bool:
        """Whether the exchange's clock is known well enough, and ours is not far from it."""
        status = self.status
        if status is None:
            return False
        return (
            status.clock_uncertainty_ns <= self._config.max_clock_uncertainty_ns
            and abs(status.clock_offset_ns) <= self._config.max_clock_offset_ns
        )

    @property
    def private_stream(self) -> str:
        """State of the stream that brings order events ("": not told)."""
        return "" if self.status is None else self.status.streams.get("private", "up")

    @property
    def requests_ok(self) -> bool:
        """Whether there is room for requests left in this minute: what is entered must be left, too."""
        status = self.status
        return status is None or 100 * status.used_weight_1m <= ROOM_PERCENT * status.weight_limit_1m

    @property
    def answers_come(self) -> bool:
        """Whether a request sent now would be answered, as far as the gateway tells."""
        return self.status is not None and self.requests_ok and self.status.streams.get("rest", "up") == "up"

    @property
    def streams_ok(self) -> bool:
        """Whether the private stream and requests work, and the account is in the mode we trade in."""
        if self.status is None or self.hedge_mode or not self.requests_ok:
            return False
        return all(self.status.streams.get(name, "up") == "up" for name in ("private", "rest"))

    def blockers(self) -> tuple[str, ...]:
        """What stands in the way of entries, for a person."""
        if not self.connected:
            return ("no connection to the gateway",)
        found = []
        if self.set_back:
            found.append("the machine's clock was set back")
        if not self.reconciled:
            found.append("not reconciled with the exchange")
        if self.hedge_mode:
            found.append("the account is in hedge mode; set it to one-way")
        elif not self.requests_ok:
            found.append("the exchange's request limit of this minute is used up")
        elif self.status is not None and not self.streams_ok:
            found.append("the gateway's private stream or requests are down")
        if self.multi_assets:
            found.append(MULTI_ASSETS)
        if not self.clock_ok:
            found.append("the exchange's clock is not known well enough")
        if not self.journal_ok:
            found.append("the journal takes no entries")
        if self.paused:
            found.append("paused")
        found.extend(
            f"no fresh book of {symbol}" for symbol in self._config.symbols if not self.is_fresh(symbol)
        )
        return tuple(found)
