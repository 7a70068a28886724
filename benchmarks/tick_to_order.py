"""From the frame that closes a bar to the order request it leads to, through both processes.

`python benchmarks/tick_to_order.py [--runs 200:50,200:10,2000:50,2000:2] [--orders 1000] [--seconds 12]`
takes two minutes. A run is ticks a second and milliseconds from one bar, and so from one order, to the next.
Gateway and engine are the real ones, each in its process, against `load_exchange.py`; the way is: WebSocket
frame in the gateway, book, wire, candle, strategy, exit rules, risk, intent in the journal with fdatasync,
wire, request signed and written. Beside it, before and after each run, a bare TCP echo with msgpack and a
bare preallocated append with fdatasync, at the orders' rhythm and in a row: what such a way cannot go below.
"""

import argparse
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import references
from references import percentile
from results_file import write_results

from runtime.settings.environment import free_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GATEWAY = ("frame_arrived", "tick_written", "order_arrived", "order_written")
ENGINE = ("tick_arrived", "decided", "durable", "order_sent")
CONFIG = """
symbols = ["BTCUSDT"]
[engine]
rehearse_ms = 2.0
[gateway]
rehearse_ms = 1.0
rest_url = "http://127.0.0.1:{port}"
public_stream_url = "ws://127.0.0.1:{port}/public"
market_stream_url = "ws://127.0.0.1:{port}/market"
private_stream_url = "ws://127.0.0.1:{port}/private"
[risk]
max_order_notional_quote = 2_000
max_position_notional_quote = 5_000
max_leverage = 3
max_open_orders = 20
price_band_percent = 2
max_orders = 10_000
order_rate_seconds = 60
max_daily_loss_quote = 50_000
[[strategies]]
name = "mom"
symbols = ["BTCUSDT"]
timeframe = "1s"
candles = "mid"
params = {{ length = 1, upper = 0.5, mid = 0.0, lower = -1e6, exit_mode = "midpoint" }}
sizing = {{ kind = "cash", value = 500 }}
unprotected = true
"""
"""Long when a bar closes a unit above the bar before, out when it closes below: an order each bar, half of
them entries with every risk rule, half exits."""

PIECES = (
    ("gateway: frame, book, tick written", "frame_arrived", "tick_written"),
    ("wire to the engine", "tick_written", "tick_arrived"),
    ("engine: candle, strategy, risk, record", "tick_arrived", "decided"),
    ("journal: append and fdatasync", "decided", "durable"),
    ("engine: order written", "durable", "order_sent"),
    ("wire back", "order_sent", "order_arrived"),
    ("gateway: sign, request written", "order_arrived", "order_written"),
)
WHOLE = "tick_to_order"
TRIES, LEAST_ORDERS = 3, 5
"""A run in which fewer orders came is done again: on a busy machine the engine may have had to wait."""
AIM = {"p50_us": 2.5, "p99_us": 4.0}


@dataclass(slots=True)
class Run:
    """One rate and rhythm, what the exchange saw, and the references around it: echoes and appends, in us."""

    rate: float
    bar_ms: float
    begun_ns: int = 0
    ended_ns: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    spaced: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    in_a_row: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    def compare(self, rounds: int) -> None:
        """Measure the references once more, at this rhythm and in a row."""
        for kept, count, gap_s in (
            (self.spaced, max(10, rounds // 4), self.bar_ms / 1e3),
            (self.in_a_row, rounds, 0.0),
        ):
            echoes, appends = references.measure(ROOT / "data", count, gap_s)
            kept[0].extend(echoes)
            kept[1].extend(appends)


class System:
    """Stand-in exchange, gateway and engine, in `home`."""

    def __init__(
        self,
        home: Path,
        *,
        engine: bool = True,
        traced: bool = True,
        profiled: bool = False,
        config: str = CONFIG,
        symbols: Sequence[str] = (),
    ) -> None:
        """`config` has a place for the exchange's `port`; the exchange trades these symbols. `profiled`:
        cProfile writes `gateway.prof` and `engine.prof` into `home` at the end."""
        self.home = home
        self._log = (home / "processes.log").open("w")
        self.exchange = self._start([str(HERE / "load_exchange.py"), *symbols], stdout=subprocess.PIPE)
        port = self._answer()["port"]
        (home / "configs").mkdir()
        (home / "configs" / "testnet.toml").write_text(config.format(port=port))
        (home / "vault").mkdir()
        keys = home / "vault" / "binance_keys"
        keys.touch(0o600)
        keys.write_text(f"api_key={'k' * 64}\napi_secret={secrets.token_hex(32)}\n")
        self.wire_port = free_port()
        self._ports = {"NEXTBAR_WIRE_PORT": str(self.wire_port), "NEXTBAR_CONTROL_PORT": str(free_port())}
        if engine and traced:
            self.traced = [self._traced(name) for name in ("gateway", "engine")]
        else:
            scripts = {"gateway": "gateways/binance/run_binance.py", "engine": "engine/main.py"}
            self.traced = []
            for name, script in list(scripts.items())[: 1 + engine]:
                watch = ["-m", "cProfile", "-o", str(home / f"{name}.prof")] if profiled else []
                self.traced.append(self._start([*watch, str(ROOT / script), "testnet", "--exit-with-stdin"]))

    def _traced(self, name: str) -> subprocess.Popen[str]:
        out = str(self.home / f"{name}.json")
        return self._start([str(HERE / f"traced_{name}.py"), out, "testnet", "--exit-with-stdin"])

    def _start(self, arguments: list[str], stdout: int | None = None) -> subprocess.Popen[str]:
        environment = os.environ | {"NEXTBAR_HOME": str(self.home)} | getattr(self, "_ports", {})
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=stdout or self._log,
            stderr=self._log,
            text=True,
            env=environment,
        )

    def _answer(self) -> dict[str, Any]:
        assert self.exchange.stdout is not None
        line = self.exchange.stdout.readline()
        if not line:
            raise SystemExit(f"the stand-in exchange has ended; see {self._log.name}")
        result: dict[str, Any] = json.loads(line)
        return result

    def run(self, rate: float, bars: int, bar_ms: float) -> dict[str, Any]:
        """Frames at `rate` for that many bars."""
        return self._ask(f"run {rate} {bars} {bar_ms}")

    def flood(self, frames: int) -> int:
        """Frames without a pause; the update id of the last."""
        return int(self._ask(f"flood {frames}")["last_update_id"])

    def market(self, rate: float, seconds: float, bar_s: float) -> dict[str, Any]:
        """Frames of all symbols in real time, `rate` a second of each; all turn with each bar."""
        return self._ask(f"market {rate} {seconds} {bar_s}")

    def _ask(self, command: str) -> dict[str, Any]:
        assert self.exchange.stdin is not None
        self.exchange.stdin.write(command + "\n")
        self.exchange.stdin.flush()
        return self._answer()

    def warm_up(self, bar_ms: float) -> None:
        """Until orders come."""
        for _ in range(60):
            time.sleep(0.5)
            if len(self.run(200, 20, bar_ms)["arrivals"]) > 10:
                return
        raise SystemExit(f"no order has come:\n{self.log_text()[-3000:]}")

    def log_text(self) -> str:
        """What the processes have said."""
        return Path(self._log.name).read_text()

    def stop(self) -> dict[int, dict[str, int]]:
        """End everything; the clock readings of each order, by what joins both processes' rows."""
        for process in (*self.traced[::-1], self.exchange):
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()
        orders: dict[int, dict[str, int]] = {}
        for name, borders in (("gateway", GATEWAY), ("engine", ENGINE)):
            path = self.home / f"{name}.json"
            for key, *times in json.loads(path.read_text()) if path.exists() else ():
                orders.setdefault(key, {}).update(zip(borders, times, strict=True))
        return {key: one for key, one in orders.items() if len(one) == len(GATEWAY) + len(ENGINE)}


@contextlib.contextmanager
def running(**options: Any) -> Iterator[System]:  # noqa: ANN401  # handed on
    """A system in a folder of its own on this disk; `options` are those of `System`."""
    (ROOT / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "data", prefix="benchmark-") as folder:
        system = System(Path(folder), **options)
        try:
            yield system
        finally:
            for process in (system.exchange, *system.traced):
                if process.poll() is None:
                    process.kill()
                    process.wait()


def outside(result: dict[str, Any]) -> list[float]:
    """Microseconds from a closing frame's send to the arrival of the next order, at the exchange."""
    arrivals = iter(result["arrivals"])
    arrival = next(arrivals, None)
    waits = []
    ends = [sent for sent, _ in result["closing"][1:]] + [2**63]
    for (sent, _), end in zip(result["closing"], ends, strict=True):
        while arrival is not None and arrival < sent:
            arrival = next(arrivals, None)
        if arrival is not None and arrival < end:
            waits.append((arrival - sent) / 1e3)
    return waits


def spread(micros: list[float]) -> dict[str, float]:
    """Median, 99th percentile and number of samples."""
    return {
        "p50_us": round(percentile(micros, 0.5), 1),
        "p99_us": round(percentile(micros, 0.99), 1),
        "n": len(micros),
    }


def summed_up(run: Run, orders: list[dict[str, int]]) -> dict[str, Any]:
    """One run's numbers and its ratios to the references."""
    whole = spread([(one["order_written"] - one["frame_arrived"]) / 1e3 for one in orders])
    result: dict[str, Any] = {"rate": run.rate, "bar_ms": run.bar_ms, WHOLE: whole}
    for name, begin, end in PIECES:
        result[name] = spread([(one[end] - one[begin]) / 1e3 for one in orders])
    result["outside"] = spread(outside(run.result))
    for label, (echoes, appends) in (("at this rhythm", run.spaced), ("in a row", run.in_a_row)):
        echo, append = spread(echoes), spread(appends)
        ratio = {key: round(whole[key] / (echo[key] + append[key]), 2) for key in ("p50_us", "p99_us")}
        result[label] = {"echo": echo, "append": append, "ratio": ratio}
    return result


def print_table(results: list[dict[str, Any]]) -> None:
    """All runs side by side."""
    print(line("", [f"{one['rate']:g}/s, {one['bar_ms']:g} ms" for one in results]))
    print(line("microseconds, p50 and p99", [f"n {one[WHOLE]['n']}" for one in results]))
    rows: list[tuple[str, list[dict[str, float]]]] = [
        ("frame arrived to order written", [one[WHOLE] for one in results])
    ]
    rows += [(f"  {name}", [one[name] for one in results]) for name, _, _ in PIECES]
    rows.append(("seen by the exchange, send to receive", [one["outside"] for one in results]))
    for label in ("at this rhythm", "in a row"):
        rows.append((f"bare echo with msgpack, {label}", [one[label]["echo"] for one in results]))
        rows.append((f"bare append and fdatasync, {label}", [one[label]["append"] for one in results]))
        rows.append((f"RATIO to their sum {label}", [one[label]["ratio"] for one in results]))
    for name, cells in rows:
        digits = 2 if "RATIO" in name else 0
        print(line(name, [f"{cell['p50_us']:8.{digits}f} {cell['p99_us']:8.{digits}f}" for cell in cells]))
    print(f"aim: p50 at most {AIM['p50_us']} times, p99 at most {AIM['p99_us']} times the sum")


def line(name: str, cells: list[str]) -> str:
    """One row of the table."""
    return f"{name:42s}" + "".join(f"{cell:>20s}" for cell in cells)


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All runs, in their order."""
    pairs = [text.split(":") for text in arguments.runs.split(",")]
    runs = [Run(float(rate), float(bar_ms)) for rate, bar_ms in pairs]
    with running() as system:
        for run in runs:
            bars = max(10, min(arguments.orders, int(arguments.seconds * 1e3 / run.bar_ms)))
            run.compare(bars)
            for _ in range(TRIES):
                system.warm_up(run.bar_ms)  # the market stood still: books were stale, bars are missing
                run.begun_ns = time.time_ns()
                run.result = system.run(run.rate, bars, run.bar_ms)
                run.ended_ns = time.time_ns()
                if len(run.result["arrivals"]) >= LEAST_ORDERS:
                    break
            run.compare(bars)
        rows, said = system.stop(), system.log_text()
    results = []
    for run in runs:
        orders = [one for key, one in sorted(rows.items()) if run.begun_ns < key < run.ended_ns]
        if orders:
            results.append(summed_up(run, orders))
            continue
        arrived = len(run.result["arrivals"])
        print(f"{run.rate:g} ticks/s, {run.bar_ms:g} ms: {arrived} orders came, none could be followed")
    if not results:
        raise SystemExit(f"no order could be followed:\n{said[-3000:]}")
    return results


def main() -> None:
    """Print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", default="200:50,200:10,2000:50,2000:2", help="TICKS_A_SECOND:MS_A_BAR, ...")
    parser.add_argument(
        "--orders", type=int, default=1_000, help="at most so many bars, and so orders, a run"
    )
    parser.add_argument("--seconds", type=float, default=12.0, help="at most so long a run")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    results = measure(arguments)
    print_table(results)
    write_results(arguments.json, {"runs": results})


if __name__ == "__main__":
    main()
