"""A graph of twenty operations over 734,000 bars, beside the same in pandas and in polars with TA-Lib.

Run: `python benchmarks/graph.py [--rounds 7] [--work FOLDER]`. Writes `reports/graph_benchmark.json`.

The peers run in an environment of their own made from `peers/graph.txt`, on the bars of `backtest.py`. All
start from columns in memory and end with columns of results; milliseconds are the best of the rounds, on the
clock and of processor time. Streaming is the same graph a bar at a time. That the two forms of this project
agree to the last bit is looked at before anything is measured.
"""

# ruff: noqa: E402  # the path comes first

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
sys.path[:0] = [str(ROOT), str(HERE)]

import numpy as np
from backtest import BARS, environment, make_bars, timed

from engine.backtest.data.loaders import read_bars
from engine.model.bars import Bar, Bars
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds
from engine.series.functions import where
from engine.series.nodes import Node, ordered
from engine.series.streaming import Stream

STREAMED = 50_000
LEAVES = {"field", "constant", "output"}


def graph() -> list[Node]:
    """Five results of twenty operations."""
    bar = BarSeries()
    close = bar.close
    fast, slow = ta.ema(close, 20), ta.ema(close, 50)
    strength, width = ta.rsi(close, 14), ta.atr(bar, 14)
    bands, macd = ta.bollinger(close, 20, 2.0), ta.macd(close)
    top, bottom = ta.highest(bar.high, 20)[1], ta.lowest(bar.low, 20)[1]
    slope = ta.linreg_slope(close, 20)
    rises = (fast > slow) & (close > top)
    return [
        rises & (strength > 50.0),
        (close < bottom) | ta.crossunder(macd.macd, macd.signal),
        close - 2.0 * width,
        (close - bands.lower) / (bands.upper - bands.lower),
        where(slope > 0.0, strength, -strength),
    ]


def bars_in_order(bars: Bars, count: int) -> list[Bar]:
    """The first bars as they come live."""
    columns = (bars.open_time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume_base)
    rows = zip(*(column[:count].tolist() for column in columns), strict=True)
    return [Bar(bars.symbol, bars.timeframe_ns, *row) for row in rows]


def check(roots: list[Node], bars: Bars) -> None:
    """End with an error where a bar at a time does not give the bits of the history."""
    part = bars.part(0, 2_000)
    stream = Stream(roots)
    rows = [stream.advance(bar) for bar in bars_in_order(part, 2_000)]
    for values, column in zip(History(Feeds(part)).values(roots), zip(*rows, strict=True), strict=True):
        if not np.array_equal(values, np.array(column), equal_nan=True):
            raise SystemExit("streaming and history differ")


def batch_milliseconds(roots: list[Node], bars: Bars, rounds: int) -> list[float]:
    """On the clock, and of processor time."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        History(Feeds(bars)).values(roots)
        found = (time.perf_counter() - began, time.process_time() - used)
        best = [min(one, seconds * 1e3) for one, seconds in zip(best, found, strict=True)]
    return best


def streaming_microseconds(roots: list[Node], bars: Bars) -> float:
    """Of processor time, a bar, the best of three."""
    given, best = bars_in_order(bars, STREAMED), float("inf")
    for _ in range(3):
        stream = Stream(roots)
        began = time.process_time()
        for bar in given:
            stream.advance(bar)
        best = min(best, time.process_time() - began)
    return best / len(given) * 1e6


def measure(rounds: int, work: Path) -> dict[str, object]:
    """Everything the report says."""
    path = work / "bars.parquet"
    origin = make_bars(path)
    bars, roots = read_bars(path, "STRESS"), graph()
    check(roots, bars)
    peer = [environment("graph", work), str(HERE / "peers/graph_talib.py"), str(path), str(rounds)]
    told = timed(peer)[2]
    peers = told["milliseconds"]
    assert isinstance(peers, dict)
    own = batch_milliseconds(roots, bars, rounds)
    better = min(used for _, used in peers.values())
    entries = int(History(Feeds(bars)).values(roots)[0].sum())
    return {
        "bars": BARS,
        "bars_from": origin,
        "operations": len([node for node in ordered(roots) if node.op not in LEAVES]),
        "rounds": rounds,
        "clock_and_processor_milliseconds": {"this project": own, **peers},
        "ratio_to_the_better": own[1] / better,
        "entries": {"this project": entries, **told["entries"]},  # type: ignore[dict-item]  # of JSON
        "streaming_microseconds_a_bar": streaming_microseconds(roots, bars),
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure a graph of series beside pandas and polars.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", type=Path, help="keep environments and bars in this folder")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "graph_benchmark.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextbar-graph-") as made:
        work = arguments.work or Path(made)
        work.mkdir(parents=True, exist_ok=True)
        found = measure(arguments.rounds, work)
    arguments.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
