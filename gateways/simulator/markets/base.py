"""The `Market` protocol and what every kind of market is told."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.market_data import MarketData


@dataclass(frozen=True, slots=True)
class MarketOptions:
    """What every kind of market is told. `state_dir` None: nothing survives a restart."""

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    seed: int = 1
    keep_times: bool = False
    loop: bool = True
    state_dir: Path | None = None


class MarketError(Exception):
    """A market cannot be made or go on; the message is one sentence for a person."""


class Market(Protocol):
    """A source of order flow. Driven by time from outside; draws nothing from a clock of its own."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols it trades."""

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Seed the books and remember whom to drive."""

    def next_time_ms(self) -> int | None:
        """When `step` has something to do next; None if never."""

    def step(self, now_ms: int) -> None:
        """Let everything happen that is due at `now_ms`, each event at its own time."""

    async def run(self, wake: Callable[[], None]) -> None:
        """Do the input and output a market may need (only `live:` has any); ends when cancelled.

        `wake` is called when `next_time_ms` has become earlier than it was.
        """

    def close(self) -> None:
        """Write what has to survive."""
