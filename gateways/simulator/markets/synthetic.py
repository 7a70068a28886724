"""The synthetic market: seeded order flow of any number of symbols."""

from collections.abc import Callable
from heapq import heapify, heapreplace

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.market_data import MarketData
from gateways.simulator.markets.base import MarketError, MarketOptions
from gateways.simulator.markets.flow.order_flow import SymbolFlow
from gateways.simulator.markets.flow.profiles import profile_for

_MAX_LATE_MS = 60_000
_CLOSED_MS = 100.0
"""How often a symbol that does not trade is looked at again."""


class SyntheticMarket:
    """Runs one `SymbolFlow` per symbol in order of time.

    The first start with a seed always gives the same orders at the same times after the start. A restart
    continues from the last price with the next random numbers. A period in which the process could not run
    (a sleeping machine, a clock set ahead) is skipped in the same way. `regime` is one of
    `profiles.REGIMES`.
    """

    def __init__(self, options: MarketOptions, regime: str = "") -> None:
        self.symbols = options.symbols
        self._regime = regime
        self._seed = options.seed
        self._data: MarketData | None = None
        self._queue: list[tuple[float, int, SymbolFlow]] = []

    def start(self, exchange: Exchange, data: MarketData, now_ms: int) -> None:
        """Fill the books around the reference prices, or around the last prices after a restart."""
        self._data = data
        starts = int(data.market_state.get("starts", 0))
        data.market_state["starts"] = starts + 1
        for index, symbol in enumerate(self.symbols):
            spec = data.specs.get(symbol)
            if spec is None:
                raise MarketError(f"--market synthetic: unknown symbol {symbol}")
            anchor = spec.price_to_ticks_floor(spec.reference_price)
            profile = profile_for(spec, self._regime)
            price = data.open_symbol(symbol, anchor, now_ms, volume_lots=profile.minute_volume_lots)
            flow = SymbolFlow(symbol, profile, f"{self._seed}:{symbol}:{starts}")
            flow.start(exchange, price, anchor, now_ms)
            self._queue.append((flow.next_ms, index, flow))
        heapify(self._queue)

    def next_time_ms(self) -> int | None:
        """Return when the next order is due."""
        return int(self._queue[0][0]) if self._queue else None

    def step(self, now_ms: int) -> None:
        """Apply all orders due, each at its own time."""
        data, queue = self._data, self._queue
        if data is None or not queue:
            return
        if now_ms - queue[0][0] > _MAX_LATE_MS:
            for _, _, flow in queue:
                feed = data.feed(flow.symbol)
                if feed is not None:
                    feed.resume(now_ms, feed.bars.last_ticks)
                flow.skip_to(float(now_ms))
            self._queue = queue = [(flow.next_ms, index, flow) for _, index, flow in queue]
            heapify(queue)
        while int(queue[0][0]) <= now_ms:
            at_ms, index, flow = queue[0]
            due = data.next_time_ms()
            if due is not None and due <= at_ms:
                data.advance(int(at_ms))
            feed = data.feed(flow.symbol)
            if feed is not None and not feed.is_trading:
                flow.skip_to(at_ms + _CLOSED_MS)
            else:
                flow.run_next()
            heapreplace(queue, (flow.next_ms, index, flow))

    async def run(self, wake: Callable[[], None]) -> None:
        """Do nothing: the market needs no network."""

    def close(self) -> None:
        """Do nothing: there is nothing to save."""
