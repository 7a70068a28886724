"""Compares the synthetic market with recordings, both measured the same way, and prints a table.

    python benchmarks/market_calibration.py [--ticks FOLDER] [--seconds 480] [--seeds 5]

The recordings are looked for in `$SHARED/data/ticks` (default: ../shared beside the repository).
Measures, from bookTicker frames: median spread in ticks; median size of the best level (both sides);
median and mean time between frames by transaction time; frames a second; standard deviation of the
one-second change of the mid price in basis points, over all and as the median of whole minutes; share of
seconds without a change. CPU is the processor time of exchange, market and public data together, as a
share of one core at real speed.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gateways.simulator.events import NullListener, Trade  # noqa: E402 - the path is set above
from gateways.simulator.exchange import Exchange  # noqa: E402
from gateways.simulator.market_data import MarketData  # noqa: E402
from gateways.simulator.markets import MarketOptions, parse_market  # noqa: E402
from gateways.simulator.markets.frames import read_recording  # noqa: E402
from gateways.simulator.symbols import default_symbols  # noqa: E402

START_MS: Final = 1_795_000_000_000
MEASURES: Final = (
    "spread, ticks",
    "best size, base",
    "gap median, ms",
    "gap mean, ms",
    "frames a second",
    "1 s volatility, bp",
    "1 s volatility, bp, median minute",
    "seconds without change, %",
)
Frame = dict[str, Any]


@dataclass(slots=True)
class Quote:
    """What is measured of a bookTicker frame."""

    time_ms: int
    bid: float
    ask: float
    sizes: tuple[float, float]


def quote(frame: Frame) -> Quote:
    """Take the numbers out of a frame."""
    sizes = (float(frame["B"]), float(frame["A"]))
    return Quote(int(frame["T"]), float(frame["b"]), float(frame["a"]), sizes)


def measure(quotes: list[Quote], tick: float) -> list[float]:
    """Return the numbers of `MEASURES`."""
    gaps = [b.time_ms - a.time_ms for a, b in pairwise(quotes)]
    last_of_second: dict[int, float] = {q.time_ms // 1000: (q.bid + q.ask) / 2 for q in quotes}
    mids: list[float] = []
    for second in range(min(last_of_second), max(last_of_second) + 1):
        mids.append(last_of_second.get(second, mids[-1] if mids else 0.0))
    changes = [(b / a - 1.0) * 1e4 for a, b in pairwise(mids)]
    minutes = [changes[i : i + 60] for i in range(0, len(changes) - 58, 60)]
    seconds = (quotes[-1].time_ms - quotes[0].time_ms) / 1000.0
    return [
        statistics.median((q.ask - q.bid) / tick for q in quotes),
        statistics.median(size for q in quotes for size in q.sizes),
        statistics.median(gaps),
        statistics.fmean(gaps),
        len(quotes) / seconds,
        statistics.pstdev(changes),
        statistics.median(statistics.pstdev(minute) for minute in minutes),
        100.0 * sum(change == 0.0 for change in changes) / len(changes),
    ]


class Collector(NullListener):
    """Passes public events on, as the server does."""

    def __init__(self) -> None:
        self.data: MarketData | None = None

    def on_trade(self, trade: Trade) -> None:
        """Pass a trade on."""
        if self.data is not None:
            self.data.on_trade(trade)

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        """Pass a change of the book on."""
        if self.data is not None:
            self.data.on_book_changed(symbol, now_ms)


def synthetic_quotes(symbol: str, seed: int, seconds: int) -> tuple[list[Quote], float]:
    """Run the synthetic market of one symbol; also returns its share of a core."""
    quotes: list[Quote] = []
    specs = {symbol: default_symbols()[symbol]}
    collector = Collector()
    exchange = Exchange(specs, collector)
    data = MarketData(specs, lambda _, frame: quotes.append(quote(frame)), now_ms=START_MS, seed=seed)
    data.attach(exchange)
    collector.data = data
    market = parse_market("synthetic", MarketOptions(symbols=(symbol,), seed=seed))
    market.start(exchange, data, START_MS)
    data.subscribe(f"{symbol.lower()}@bookTicker")
    begun = time.process_time()
    for now_ms in range(START_MS, START_MS + seconds * 1000, 250):
        market.step(now_ms)
        exchange.advance(now_ms)
        data.advance(now_ms)
    return quotes, (time.process_time() - begun) / seconds


def recorded_quotes(folder: Path, symbol: str) -> list[Quote]:
    """Read the recorded bookTicker frames of a symbol."""
    files = sorted(path for path in folder.iterdir() if symbol in path.name)
    recording = read_recording(files, (symbol,))
    return [quote(frame.payload()) for frame in recording.frames if frame.kind == "bookTicker"]


def table(folder: Path, seconds: int, seeds: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| symbol | measure | recorded | synthetic (mean) | ratio | synthetic, by seed |"
    yield "|---|---|---|---|---|---|"
    for symbol in ("BTCUSDT", "ETHUSDT"):
        tick = float(default_symbols()[symbol].tick_size)
        recorded = measure(recorded_quotes(folder, symbol), tick)
        runs, shares = [], []
        for seed in range(1, seeds + 1):
            quotes, share = synthetic_quotes(symbol, seed, seconds)
            runs.append(measure(quotes, tick))
            shares.append(share)
        for index, name in enumerate(MEASURES):
            values = [run[index] for run in runs]
            mean = statistics.fmean(values)
            each = " ".join(f"{value:.3g}" for value in values)
            known = recorded[index]
            yield f"| {symbol} | {name} | {known:.3g} | {mean:.3g} | {mean / known:.2f} | {each} |"
        yield f"| {symbol} | CPU, % of a core | | {100 * statistics.fmean(shares):.2f} | | |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
    parser.add_argument("--ticks", type=Path, default=shared / "data" / "ticks")
    parser.add_argument("--seconds", type=int, default=480)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if not options.ticks.is_dir():
        print(f"{options.ticks}: no folder of recordings; name one with --ticks", file=sys.stderr)
        return 2
    for line in table(options.ticks, options.seconds, options.seeds):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
