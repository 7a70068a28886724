"""Exchange, public data and a market without sockets or clocks, for tests of market data."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.endpoint import Call
from gateways.simulator.api.rest.public import PUBLIC_ENDPOINTS
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.events import Trade
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.market_data import MarketData
from gateways.simulator.markets import Market
from tests.support.listeners import NullListener
from tests.support.places import ROOT

START_MS = 1_795_162_991_123
SHARED = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
TICKS = SHARED / "data" / "ticks"


class MarketRig(NullListener):
    """One exchange whose published frames are kept in `frames`."""

    def __init__(
        self,
        symbols: Iterable[str] = ("BTCUSDT",),
        seed: int = 1,
        state_dir: Path | None = None,
        now_ms: int = START_MS,
    ) -> None:
        known = default_symbols()
        specs = {symbol: known[symbol] for symbol in symbols}
        self.now_ms = now_ms
        self.frames: list[tuple[str, Any]] = []
        self.exchange = Exchange(specs, self)
        self.data = MarketData(
            specs,
            lambda stream, frame: self.frames.append((stream, frame)),
            now_ms=now_ms,
            seed=seed,
            state_dir=state_dir,
        )
        self.data.attach(self.exchange)
        self.market: Market | None = None

    def on_trade(self, trade: Trade) -> None:
        self.data.on_trade(trade)

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        self.data.on_book_changed(symbol, now_ms)

    def start(self, market: Market) -> None:
        self.market = market
        market.start(self.exchange, self.data, self.now_ms)

    def run(self, duration_ms: int, step_ms: int = 50) -> None:
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            self.now_ms = min(end_ms, self.now_ms + step_ms)
            if self.market is not None:
                due = self.market.next_time_ms()
                if due is not None and due <= self.now_ms:
                    self.market.step(self.now_ms)
            self.exchange.advance(self.now_ms)
            self.data.advance(self.now_ms)

    def take(self, stream: str | None = None) -> list[Any]:
        """Frames since the last call, of one stream if it is named."""
        taken, self.frames = self.frames, []
        return [frame for name, frame in taken if stream is None or name == stream]

    def rest(self, name: str, **params: object) -> Any:  # noqa: ANN401 - whatever the endpoint answers
        call = Call(Params({key: str(value) for key, value in params.items()}), self.now_ms, None, "")
        return PUBLIC_ENDPOINTS["GET", f"/fapi/v1/{name}"].handler(self, call)


class ClientBook:
    """A client's book by the futures rule, the strict form of it."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last_id = snapshot["lastUpdateId"]
        self.synchronised = False
        self.bids = dict(map(tuple, snapshot["bids"]))
        self.asks = dict(map(tuple, snapshot["asks"]))

    def apply(self, frame: dict[str, Any]) -> None:
        if not self.synchronised:
            if frame["u"] < self.last_id:
                return
            assert frame["U"] <= self.last_id <= frame["u"], "the first event does not bridge"
            self.synchronised = True
        else:
            assert frame["pu"] == self.last_id, "a diff is missing"
        assert frame["U"] <= frame["u"]
        self.last_id = frame["u"]
        for side, rows in ((self.bids, frame["b"]), (self.asks, frame["a"])):
            for price, size in rows:
                if float(size) == 0.0:
                    side.pop(price, None)
                else:
                    side[price] = size

    def top(self) -> tuple[str, str, str, str]:
        bid, ask = max(self.bids, key=float), min(self.asks, key=float)
        return bid, self.bids[bid], ask, self.asks[ask]
