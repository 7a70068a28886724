"""The `Market` protocol and the command line's words for one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gateways.simulator.market_data import MarketData


@dataclass(frozen=True, slots=True)
class MarketOptions:
    """What every kind of market is told. `state_dir` None: nothing survives a restart."""

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    seed: int = 1
    keep_times: bool = False
    loop: bool = True
    state_dir: Path | None = None


class Market(Protocol):
    """A source of order flow. Driven by time from outside; draws nothing from a clock of its own."""

    symbols: tuple[str, ...]

    def start(self, exchange: Any, data: MarketData, now_ms: int) -> None:
        """Seed the books and remember whom to drive."""

    def next_time_ms(self) -> int | None:
        """When `step` has something to do next; None if never."""

    def step(self, now_ms: int) -> None:
        """Let everything happen that is due at `now_ms`, each event at its own time."""

    async def run(self) -> None:
        """Do the input and output a market may need (only `live:` has any); ends when cancelled."""

    def close(self) -> None:
        """Write what has to survive."""


def parse_market(text: str, options: MarketOptions) -> Market:
    """Make the market `synthetic`, `recording:PATH[,PATH]`, `klines:PATH` or `live:URL` names.

    Raises ValueError with one sentence for a person.
    """
    raise NotImplementedError(text)
