"""Two exchanges in one loop: a source of market data, and a live market fed by it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.endpoint import Call
from gateways.simulator.api.rest.klines import klines
from gateways.simulator.api.venue.clock import SimClock, wall_ms
from gateways.simulator.api.venue.venue import Venue, VenueOptions
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.market_data.symbol_feed import SymbolFeed
from gateways.simulator.markets import MarketOptions
from gateways.simulator.markets.live import LiveMarket
from gateways.simulator.markets.synthetic import SyntheticMarket
from gateways.simulator.server import Server, call_later_on
from tests.support.market_rig import MarketRig

OPTIONS = MarketOptions(symbols=("BTCUSDT",))
DEADLINE_S = 60.0
MINUTE_MS = 60_000


class Wall:
    """A clock that goes only when it is moved."""

    def __init__(self) -> None:
        self.ms = float(int(wall_ms()) // MINUTE_MS * MINUTE_MS + 30_000)

    def __call__(self) -> float:
        return self.ms


class Source:
    """A simulator of BTCUSDT in this loop, on any free port unless one is named."""

    def __init__(
        self, state: Path, *, port: int = 0, status: str = "TRADING", wall: Callable[[], float] = wall_ms
    ) -> None:
        specs = {"BTCUSDT": replace(default_symbols()["BTCUSDT"], status=status)}
        state.mkdir(exist_ok=True)
        loop = asyncio.get_running_loop()
        self.venue = Venue(VenueOptions(specs, state), SimClock(wall=wall), call_later_on(loop))
        self.venue.start_market(SyntheticMarket(OPTIONS))
        self.port = port
        self._server = Server(self.venue)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def klines(self, interval: str, limit: int) -> list[list[Any]]:
        params = Params({"symbol": "BTCUSDT", "interval": interval, "limit": str(limit)})
        return klines(self.venue, Call(params, self.venue.clock.now_ms(), None, ""))

    async def __aenter__(self) -> Self:
        self.port = await self._server.start("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()


class Sink:
    """An exchange fed by a live market; looks at the world whenever it is woken, or time is moved."""

    def __init__(self, url: str, options: MarketOptions = OPTIONS, *, wall: Wall | None = None) -> None:
        self.rig = MarketRig(options.symbols)
        self.market = LiveMarket(url, options)
        self.rig.start(self.market)
        self._wall = wall
        self._clock = SimClock(wall=wall or wall_ms)
        self._woken = asyncio.Event()
        self._task = asyncio.create_task(self.market.run(self._woken.set))

    @property
    def feed(self) -> SymbolFeed:
        feed = self.rig.data.feed("BTCUSDT")
        assert feed is not None
        return feed

    def klines(self, interval: str, limit: int) -> list[list[Any]]:
        rows: list[list[Any]] = self.rig.rest("klines", symbol="BTCUSDT", interval=interval, limit=limit)
        return rows

    def look(self) -> None:
        self.rig.now_ms = self._clock.now_ms()
        self.market.step(self.rig.now_ms)
        self.rig.data.advance(self.rig.now_ms)

    async def until(self, condition: Callable[[], bool], source: Source | None = None) -> None:
        """Wait; with a clock of its own, time moves by half a second with each look."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                if self._task.done():
                    await self._task
                if self._wall is None:
                    await self._woken.wait()
                else:
                    self._wall.ms += 500.0
                    if source is not None:
                        source.venue.advance()
                    await asyncio.sleep(0.01)  # the frames have a socket to pass
                self._woken.clear()
                self.look()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
