"""Compares the synthetic market with recordings, both measured the same way, and prints a table.

    python benchmarks/market_calibration.py [--ticks FOLDER] [--symbols BTCUSDT,ETHUSDT]
        [--market synthetic[:REGIME]] [--seconds 480] [--seeds 5]

The recordings are those that `--market recording:FOLDER` of the simulator plays (docs/simulator_markets.md),
with depth, bookTicker and trade frames, looked for in `$SHARED/data/ticks` (default: ../shared beside the
repository). Without a folder of recordings the synthetic market is measured alone.

Times are transaction times. A market order is all trades of one millisecond and side. The imbalance of the
best sizes is set beside the change of the mid price over the time that follows, every 100 ms and at each
bookTicker frame. Sizes of levels are those of the best 100 behind the best one, every 5 s. CPU is the
processor time of exchange, market and public data together, as a share of one core at real speed.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from market_statistics import BOOK_EVERY_MS, BOOK_LEVELS, Observed  # noqa: E402

from gateways.simulator.exchange.exchange import Exchange  # noqa: E402 - the path is set above
from gateways.simulator.exchange.model.events import ForcedOrder, Trade, UserEvent  # noqa: E402
from gateways.simulator.exchange.model.symbols import default_symbols  # noqa: E402
from gateways.simulator.market_data import MarketData  # noqa: E402
from gateways.simulator.markets import MarketError, MarketOptions, parse_market  # noqa: E402
from gateways.simulator.markets.frames import Recording, read_recording  # noqa: E402

START_MS: Final = 1_795_000_000_000
STEP_MS: Final = 250


class Collector:
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

    def on_user(self, account_id: str, event: UserEvent) -> None:
        """Ignore it: there are no accounts."""

    def on_forced_order(self, forced: ForcedOrder) -> None:
        """Ignore it: there are no accounts."""


def synthetic(market_name: str, symbol: str, seed: int, seconds: int) -> tuple[Observed, float]:
    """Run the synthetic market of one symbol; also returns its share of a core."""
    spec = default_symbols()[symbol]
    observed = Observed(float(spec.tick_size))
    collector = Collector()
    exchange = Exchange({symbol: spec}, collector)
    frames: list[dict[str, Any]] = []
    data = MarketData({symbol: spec}, lambda _, frame: frames.append(frame), now_ms=START_MS, seed=seed)
    data.attach(exchange)
    collector.data = data
    market = parse_market(market_name, MarketOptions(symbols=(symbol,), seed=seed))
    market.start(exchange, data, START_MS)
    data.subscribe(f"{symbol.lower()}@bookTicker")
    data.subscribe(f"{symbol.lower()}@trade")
    begun = time.process_time()
    for now_ms in range(START_MS, START_MS + seconds * 1000, STEP_MS):
        market.step(now_ms)
        exchange.advance(now_ms)
        data.advance(now_ms)
        if (now_ms - START_MS) % BOOK_EVERY_MS == 0:
            for side in exchange.book(symbol).depth(BOOK_LEVELS):
                tick, step = float(spec.tick_size), float(spec.step_size)
                observed.sides.append([(ticks * tick, lots * step) for ticks, lots in side])
    share = (time.process_time() - begun) / seconds
    for frame in frames:
        observed.see(frame)
    return observed, share


def recorded(folder: Path, symbol: str) -> Observed:
    """Read the recordings of a symbol."""
    recording = read_recording(sorted(p for p in folder.iterdir() if symbol in p.name), (symbol,))
    observed = Observed(float(default_symbols()[symbol].tick_size))
    for frame in recording.frames:
        if frame.symbol == symbol and frame.kind != "depthUpdate":
            observed.see(frame.payload())
    observed.sides.extend(_recorded_sides(recording, symbol))
    return observed


def _recorded_sides(recording: Recording, symbol: str) -> Iterator[list[tuple[float, float]]]:
    """Replay the book; yields both sides every `BOOK_EVERY_MS`."""
    snapshot = recording.snapshots[symbol]
    bids, asks = (dict(map(_level, snapshot[name])) for name in ("bids", "asks"))
    next_ms = 0
    for frame in recording.frames:
        if frame.symbol != symbol or frame.kind != "depthUpdate":
            continue
        if frame.last_id < snapshot["lastUpdateId"]:
            continue
        diff = frame.payload()
        for book, name in ((bids, "b"), (asks, "a")):
            book.update(map(_level, diff[name]))
        if diff["T"] < next_ms:
            continue
        next_ms = diff["T"] + BOOK_EVERY_MS
        for book, is_bid in ((bids, True), (asks, False)):
            held = [level for level in book.items() if level[1]]
            yield sorted(held, reverse=is_bid)[:BOOK_LEVELS]


def _level(row: list[str]) -> tuple[float, float]:
    return float(row[0]), float(row[1])


def table(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| symbol | measure | recorded | synthetic (mean) | ratio | synthetic, by seed |"
    yield "|---|---|---|---|---|---|"
    for symbol in options.symbols.split(","):
        known = recorded(options.ticks, symbol).measure() if options.ticks.is_dir() else {}
        runs, shares = [], []
        for seed in range(1, options.seeds + 1):
            observed, share = synthetic(options.market, symbol, seed, options.seconds)
            runs.append(observed.measure())
            shares.append(share)
        for name in runs[0]:
            values = [run[name] for run in runs]
            mean = statistics.fmean(values)
            each = " ".join(f"{value:.3g}" for value in values)
            beside = (
                f"{known[name]:.3g} | {mean:.3g} | {mean / known[name]:.2f}" if known else f"| {mean:.3g} |"
            )
            yield f"| {symbol} | {name} | {beside} | {each} |"
        yield f"| {symbol} | CPU, % of a core | | {100 * statistics.fmean(shares):.2f} | | |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
    parser.add_argument("--ticks", type=Path, default=shared / "data" / "ticks")
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT", help="comma-separated")
    parser.add_argument("--market", default="synthetic")
    parser.add_argument("--seconds", type=int, default=480)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if not options.ticks.is_dir():
        print(f"{options.ticks}: no folder of recordings (name one with --ticks)", file=sys.stderr)
    unknown = set(options.symbols.split(",")) - set(default_symbols())
    if unknown or options.seconds < 60 or options.seeds < 1:
        parser.error(f"expected --seconds of 60 or more, a seed or more, {', '.join(default_symbols())}")
    try:
        for line in table(options):
            print(line)
    except MarketError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
