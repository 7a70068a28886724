"""Order-book ticks a second through `Engine.process`, with candles and three EMA-cross strategies.

    python benchmarks/tick_throughput.py [--ticks 2000000] [--timeframe 1m] [--repeat 3]

The market is a seeded random walk of 10 ticks a second in made time. Market orders fill at the touch of the
tick that caused them, through the same messages as live: reply, order updates, account update. Time is
measured around `process` and the small exchange together; ticks are made beforehand. Memory is what Python
holds in blocks after each chunk, least and most.
"""

import argparse
import gc
import random
import sys
import time
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine.strategies  # noqa: F401  # fills the registry
from engine.backtest.settings import Sizing
from engine.core.config import EngineConfig, StrategySpec
from engine.core.effects import Effect, Send
from engine.core.engine import Engine
from engine.core.events import Event, LinkUp
from engine.execution.client_ids import client_id_prefix
from engine.market_data.timeframes import SECOND_NS, timeframe_ns
from gateways.wire import messages as wire
from tests.engine_rig import START_NS, Exchange

PERIODS = ((5, 10), (10, 20), (20, 40))
GAP_NS = SECOND_NS // 10
CHUNK = 100_000


def make_engine(timeframe: str) -> Engine:
    """Three EMA-cross strategies that share one symbol."""
    strategies = tuple(
        StrategySpec(
            owner=f"ema_cross:s{index}",
            name="ema_cross",
            symbols=("BTCUSDT",),
            timeframe=timeframe,
            params={"fast": fast, "slow": slow},
            sizing=Sizing("fixed", 0.01),
            netting=True,
        )
        for index, (fast, slow) in enumerate(PERIODS)
    )
    return Engine(EngineConfig(("BTCUSDT",), strategies, client_id_prefix=client_id_prefix("aaaaaa")))


def history(request: wire.RequestKlines) -> list[Event]:
    """Flat bars before the start, so that the strategies are warm."""
    length = timeframe_ns(request.interval)
    end = START_NS - START_NS % length
    klines = tuple(
        wire.Kline(
            symbol=request.symbol,
            interval=request.interval,
            open_time_ns=end - i * length,
            close_time_ns=end - (i - 1) * length,
            open=1e5,
            high=1e5,
            low=1e5,
            close=1e5,
            volume_base=0.0,
            volume_quote=0.0,
            trades=1,
            is_closed=True,
            event_time_ns=START_NS,
        )
        for i in range(request.limit, 0, -1)
    )
    return [wire.KlinesReply(request.request_id, request.symbol, request.interval, klines, True)]


class Walk:
    """Ticks of a seeded random walk, a chunk at a time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # a market, not a secret
        self._tenths = 1_000_000
        self._time_ns = START_NS
        self._id = 0

    def chunk(self, count: int) -> list[wire.OrderBookTick]:
        """The next ticks."""
        ticks = []
        for step in self._random.choices((-1, 0, 1), k=count):
            self._tenths += step
            self._time_ns += GAP_NS
            self._id += 1
            now = self._time_ns
            bid, ask = self._tenths / 10, (self._tenths + 1) / 10
            ticks.append(wire.OrderBookTick("BTCUSDT", self._id, now, now, now, ((bid, 1.0),), ((ask, 1.0),)))
        return ticks


def settle(core: Engine, exchange: Exchange, effects: Sequence[Effect]) -> None:
    """Give requests to the exchange and its answers to the core, until there are none."""
    answers: deque[Event] = deque()
    while True:
        for effect in effects:
            if type(effect) is Send:
                answers.extend(exchange.ask_for(effect.message))
        if not answers:
            return
        effects = core.process(answers.popleft())


def status(now_ns: int) -> wire.GatewayStatus:
    """All is well."""
    links = {"public": "up", "market": "up", "private": "up", "rest": "up"}
    return wire.GatewayStatus("bench", now_ns, links, ("BTCUSDT",), 0, 0, 0, 2400, 0, 0, 0, 0)


def run(count: int, timeframe: str) -> tuple[float, int, list[int]]:
    """Seconds spent, fills, and allocated blocks after each chunk."""
    core, exchange, walk = make_engine(timeframe), Exchange(), Walk(1)
    exchange.klines = history
    settle(core, exchange, core.process(LinkUp(START_NS, "bench", 1)))
    settle(core, exchange, core.process(status(START_NS)))
    spent, done, fills = 0.0, 0, 0
    blocks: list[int] = []
    while done < count:
        ticks = walk.chunk(min(CHUNK, count - done))
        gc.collect()
        begin = time.perf_counter()
        process = core.process
        for tick in ticks:
            effects = process(tick)
            if effects:
                exchange.bid, exchange.ask = Decimal(repr(tick.bids[0][0])), Decimal(repr(tick.asks[0][0]))
                exchange.now_ns = tick.receive_time_ns
                settle(core, exchange, effects)
        spent += time.perf_counter() - begin
        done += len(ticks)
        fills += len(exchange.fills)
        exchange.fills.clear()
        exchange.requests.clear()
        del ticks
        blocks.append(sys.getallocatedblocks())
    return spent, fills, blocks


def main() -> None:
    """Print the best and the median of the repetitions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=2_000_000)
    parser.add_argument("--timeframe", default="1m")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    rates = []
    for _ in range(arguments.repeat):
        spent, fills, blocks = run(arguments.ticks, arguments.timeframe)
        rates.append(arguments.ticks / spent)
        held = f"{min(blocks):,} to {max(blocks):,} blocks"
        print(f"{rates[-1]:>12,.0f} ticks/s  {fills:>7,} fills  {held}")
    rates.sort()
    print(
        f"median {rates[len(rates) // 2]:,.0f} ticks/s of {arguments.timeframe} bars, best {rates[-1]:,.0f}"
    )


if __name__ == "__main__":
    main()
