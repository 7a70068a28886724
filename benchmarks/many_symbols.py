"""Many symbols that all turn at once: ticks a second through both processes, and whether a signal is late.

`python benchmarks/many_symbols.py [--symbols 200] [--rates 50,100,150] [--seconds 20] [--bar 1s]`. A run is
ticks a second of each symbol; every bar is a decision and an order of every symbol. Frames come in real time
from `load_exchange.py`. Told are the ticks that reached the engine, those replaced by newer ones on the way
because somebody was too slow, the time from a bar's close to the arrival of its orders at the exchange, the
last of all symbols included, the fates of signals, and the processor time of each process. With `--profile`
both processes run under cProfile, which makes them two to three times slower, and their functions are listed.
"""

import argparse
import json
import os
import pstats
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from references import percentile
from results_file import write_results
from tick_to_order import System, running

from engine.journal.tail import JournalTail
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS, timeframe_ns
from runtime.control.status import EngineStatus, read_status

CONFIG = """
symbols = {symbols}
[gateway]
rest_url = "http://127.0.0.1:{{port}}"
public_stream_url = "ws://127.0.0.1:{{port}}/public"
market_stream_url = "ws://127.0.0.1:{{port}}/market"
private_stream_url = "ws://127.0.0.1:{{port}}/private"
[risk]
max_order_notional_quote = 2_000
max_position_notional_quote = 5_000
max_leverage = 20
max_open_orders = 200
price_band_percent = 2
max_orders = 10_000
order_rate_seconds = 10
max_daily_loss_quote = 500_000
[[strategies]]
name = "mom"
symbols = {symbols}
timeframe = "{bar}"
candles = "mid"
params = {{{{ length = 1, upper = 0.5, mid = 0.0, lower = -1e6, exit_mode = "midpoint" }}}}
sizing = {{{{ kind = "cash", value = 200 }}}}
unprotected = true
"""
HERTZ = os.sysconf("SC_CLK_TCK")
START_SECONDS = 240.0
FUNCTIONS = 25
"""As many are listed of a profile."""


class Watched:
    """A running system with its counters."""

    def __init__(self, system: System, symbols: int, bar_s: float) -> None:
        self._system = system
        self._symbols = symbols
        self._bar_s = bar_s
        engine = system.home / "data" / "testnet" / "engine"
        self._summary = engine / "summary.json"
        self._tail = JournalTail(engine / "journal")

    def status(self) -> EngineStatus:
        """The newest; waits for one that is written from now on."""
        now_ns = time.time_ns()
        while True:
            status = read_status(self._summary)
            if status is not None and status.time_ns > now_ns:
                return status
            time.sleep(0.05)

    def warm_up(self) -> None:
        """Until all symbols trade: books in sync, bars behind."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if any(process.poll() is not None for process in self._system.traced):
                raise SystemExit(f"a process has ended:\n{self._system.log_text()[-3000:]}")
            arrivals = self._system.market(20, max(5.0, 2 * self._bar_s), self._bar_s)["arrivals"]
            if len(arrivals) >= self._symbols:
                return
        raise SystemExit("not all symbols have traded within four minutes")

    def signals(self) -> Counter[str]:
        """Fates since the last call."""
        found: Counter[str] = Counter()
        while records := self._tail.read():
            found.update(
                f"{one.fate} by {one.rule}" if one.rule else one.fate
                for _, one in records
                if isinstance(one, Signal)
            )
        return found

    def measure(self, rate: float, seconds: float) -> dict[str, Any]:
        """One run."""
        before, cpu, begun = self.status(), self._cpu(), time.monotonic()
        self.signals()
        result = self._system.market(rate, seconds, self._bar_s)
        took = time.monotonic() - begun
        cpu = {name: round((one - cpu[name]) / took, 2) for name, one in self._cpu().items()}
        time.sleep(1.0)
        after = self.status()
        ticks = after.ticks - before.ticks
        conflated = after.conflated_ticks - before.conflated_ticks
        bar_ns = int(self._bar_s * SECOND_NS)
        waits = [one % bar_ns / 1e6 for one in result["arrivals"]]
        return {
            "rate": rate,
            "frames_per_second": round(result["frames"] / took),
            "ticks_per_second": round(ticks / took),
            "conflated_percent": round(100 * conflated / max(1, ticks + conflated), 2),
            "orders": len(waits),
            "close_to_order_ms": {
                "p50": round(percentile(waits, 0.5), 1) if waits else None,
                "p99": round(percentile(waits, 0.99), 1) if waits else None,
                "last": round(max(waits), 1) if waits else None,
            },
            "signals": dict(self.signals()),
            "cpu": cpu,
        }

    def _cpu(self) -> dict[str, float]:
        """Seconds of processor time so far."""
        found = {}
        for name, process in zip(
            ("exchange", "gateway", "engine"), (self._system.exchange, *self._system.traced), strict=True
        ):
            words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = (int(words[11]) + int(words[12])) / HERTZ
        return found


def main() -> None:
    """Measure each rate, print a line for it, and write all down where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--symbols", type=int, default=200)
    parser.add_argument("--rates", default="50,100,150", help="ticks a second of each symbol")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--bar", default="1s", help="timeframe of the strategy")
    parser.add_argument("--profile", action="store_true", help="list the functions that take the time")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    symbols = [f"S{number:03d}USDT" for number in range(arguments.symbols)]
    bar_s = timeframe_ns(arguments.bar) / SECOND_NS
    config = CONFIG.format(symbols=json.dumps(symbols), bar=arguments.bar)
    runs = []
    options = {"traced": False, "profiled": arguments.profile, "config": config, "symbols": symbols}
    with running(**options) as system:
        watched = Watched(system, len(symbols), bar_s)
        watched.warm_up()
        for rate in arguments.rates.split(","):
            runs.append(watched.measure(float(rate), arguments.seconds))
            print(json.dumps(runs[-1]), flush=True)
        system.stop()
        for name in ("gateway", "engine") if arguments.profile else ():
            print(f"{name}: functions by their own time")
            pstats.Stats(str(system.home / f"{name}.prof")).sort_stats("tottime").print_stats(FUNCTIONS)
    write_results(arguments.json, {"runs": runs}, symbols=arguments.symbols, bar=arguments.bar)


if __name__ == "__main__":
    main()
