"""Ticks a second through `Engine.decide`, beside NautilusTrader doing the same; relay; memory.

`python benchmarks/tick_throughput.py [--ticks N] [--only engine,peer,relay,memory]`. The work: one symbol,
1-second candles of the mid price, three EMA-cross strategies, market orders filled at the touch. The peer
runs in an environment of its own, made on first use from `peers/nautilus.txt` in a cache folder outside the
repository. Relay: frames into a real gateway process as fast as it takes them, wire ticks out. Memory:
resident size while `Engine.decide` takes ten million ticks.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fill_at_touch import SYMBOL, Market, made_engine
from prices import STEP_NS, mids
from relay import relay
from results_file import write_results

from gateways.wire.messages import OrderBookTick

HERE = Path(__file__).resolve().parent
PEER = "nautilus"
CHUNK = 50_000
TICKS_A_SECOND = 1_000_000_000 // STEP_NS
START_NS = 1_700_000_000 * 1_000_000_000


def ticks_of(chunk: Sequence[float], first: int) -> list[OrderBookTick]:
    """Book ticks of five levels a side around mid prices."""
    made = []
    for index, mid in enumerate(chunk, first):
        bid, ask = round(mid - 0.05, 1), round(mid + 0.05, 1)
        time_ns = START_NS + index * STEP_NS
        bids = tuple((bid - 0.1 * level, 1.0 + level) for level in range(5))
        asks = tuple((ask + 0.1 * level, 1.0 + level) for level in range(5))
        made.append(OrderBookTick(SYMBOL, index + 1, time_ns, time_ns, time_ns, bids, asks))
    return made


def through_engine(market: Market, total: int) -> Iterator[tuple[int, float]]:
    """Ticks done so far and seconds spent on them, after each chunk; making the ticks is not counted, what a
    gateway tells besides once a second is."""
    seconds = 0.0
    done = 0
    for chunk in mids(total, CHUNK):
        ticks = ticks_of(chunk, done)
        each_second = [ticks[at : at + TICKS_A_SECOND] for at in range(0, len(ticks), TICKS_A_SECOND)]
        begun = time.perf_counter()
        for some in each_second:
            market.run(some)
            market.keep_alive()
        seconds += time.perf_counter() - begun
        done += len(ticks)
        gc.collect(1)
        yield done, seconds


def measure_engine(total: int) -> dict[str, Any]:
    """Ticks a second of our core."""
    market = Market(made_engine(), START_NS)
    gc.collect()
    gc.freeze()
    gc.disable()
    warm = min(CHUNK, total // 2)
    at_warm, done, seconds = 0.0, 0, 0.0
    for done, seconds in through_engine(market, total):
        if done <= warm:
            at_warm = seconds
    gc.enable()
    rate = (done - warm) / (seconds - at_warm) if done > warm else done / seconds
    return {"ticks_per_second": round(rate), "ticks": done, "orders": market.orders, "fills": market.fills}


def measure_memory(total: int) -> dict[str, Any]:
    """Resident size in MB over the run, and its slope after the first fifth."""
    market = Market(made_engine(), START_NS)
    every = max(CHUNK, total // 20)
    samples: list[tuple[int, float]] = []
    gc.collect()
    gc.freeze()
    for done, _ in through_engine(market, total):
        if done % every < CHUNK:
            gc.collect()
            samples.append((done, resident_mb()))
    settled = [one for one in samples if one[0] >= total // 5] or samples
    return {
        "first_mb": round(settled[0][1], 1),
        "last_mb": round(settled[-1][1], 1),
        "mb_per_million_ticks": round(slope(settled) * 1e6, 3),
        "ticks": total,
        "orders": market.orders,
    }


def resident_mb() -> float:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Least squares."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def peer_python() -> Path:
    """Python of the peer's environment; made when it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nextbar-peers" / PEER
    python = cache / "bin" / "python"
    ready = cache / "ready"
    wanted = (HERE / "peers" / f"{PEER}.txt").read_text()
    if not ready.exists() or ready.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "peers" / f"{PEER}.txt")]
        subprocess.run(install, check=True)
        ready.write_text(wanted)
    return python


def measure_peer(total: int) -> dict[str, Any]:
    """The same ticks through NautilusTrader's backtest engine, in its own process."""
    command = [str(peer_python()), str(HERE / "peers" / "nautilus_ema.py"), str(total)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, Any] = json.loads(told.splitlines()[-1])
    return result


def show(name: str, result: dict[str, Any]) -> None:
    """One line."""
    numbers = ", ".join(f"{key} {value:,}" for key, value in result.items())
    print(f"{name:10s} {numbers}")


def main() -> None:
    """Measure what was asked for, print it, and write it down where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ticks", type=int, default=1_000_000, help="through both engines")
    parser.add_argument("--memory-ticks", type=int, default=10_000_000)
    parser.add_argument("--relay-ticks", type=int, default=200_000)
    parser.add_argument("--only", default="engine,peer,relay,memory", help="comma-separated")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    results: dict[str, Any] = {}
    for name, measure, total in (
        ("engine", measure_engine, arguments.ticks),
        ("peer", measure_peer, arguments.ticks),
        ("relay", relay, arguments.relay_ticks),
        ("memory", measure_memory, arguments.memory_ticks),
    ):
        if name in wanted:
            results[name] = measure(total)
            show(name, results[name])
    if "engine" in results and "peer" in results:
        ratio = results["engine"]["ticks_per_second"] / results["peer"]["ticks_per_second"]
        results["ratio"] = round(ratio, 2)
        print(f"engine over peer: {ratio:.2f}")
    write_results(arguments.json, results)


if __name__ == "__main__":
    main()
