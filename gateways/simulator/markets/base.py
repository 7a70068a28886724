"""The `Market` protocol, and the options of all markets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.market_data import MarketData


@dataclass(frozen=True, slots=True)
class MarketOptions:
    """Options of all markets. `state_dir` None: nothing is stored for a restart."""

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    seed: int = 1
    keep_times: bool = False
    loop: bool = True
    state_dir: Path | None = None


class MarketError(Exception):
    """A market cannot start or continue; the message is one sentence for the user."""


class Market(Protocol):
    """A source of order flow. Time comes from outside; it has no clock of its own."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols it trades."""

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Attach to an exchange and its market data, and fill the books."""

    def next_time_ms(self) -> int | None:
        """Return when `step` has to be called next; None if never."""

    def step(self, now_ms: int) -> None:
        """Process everything that is due at `now_ms`, each event at its own time."""

    async def run(self, wake: Callable[[], None]) -> None:
        """Do network input (only `live:` has any) until cancelled.

        `wake` is called when `next_time_ms` has become earlier than it was.
        """

    def close(self) -> None:
        """Release resources and save the state, if any."""
