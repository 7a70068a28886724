"""From the frame that closes a bar to the order request it leads to, through both processes.

`python benchmarks/tick_to_order.py [--rates 200,2000] [--orders 300] [--bar-ms 50]`. Gateway and
engine are the real ones, each in its process, against `load_exchange.py`; the way is: WebSocket frame in the
gateway, book, wire, candle, strategy, exit rules, risk, intent in the journal with fdatasync, wire, request
signed and written. Beside it, in the same run and at the same rhythm, a bare TCP echo with msgpack and a bare
preallocated append with fdatasync; their sum is what such a way cannot go below. On a machine that others use
too, `chrt --fifo 10 python benchmarks/tick_to_order.py` keeps their work out of the way of all of it.
"""

import argparse
import contextlib
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import references
from references import percentile

from settings.environment import free_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GATEWAY = ("frame_arrived", "tick_written", "order_arrived", "order_written")
ENGINE = ("tick_arrived", "decided", "durable", "order_sent")
CONFIG = """
symbols = ["BTCUSDT"]
[gateway]
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


class System:
    """Stand-in exchange, gateway and engine, in `home`."""

    def __init__(self, home: Path, *, engine: bool = True) -> None:
        self.home = home
        self._log = (home / "processes.log").open("w")
        self.exchange = self._start([str(HERE / "load_exchange.py")], stdout=subprocess.PIPE)
        port = self._answer()["port"]
        (home / "configs").mkdir()
        (home / "configs" / "testnet.toml").write_text(CONFIG.format(port=port))
        (home / "vault").mkdir()
        keys = home / "vault" / "binance_keys"
        keys.touch(0o600)
        keys.write_text(f"api_key={'k' * 64}\napi_secret={secrets.token_hex(32)}\n")
        self.wire_port = free_port()
        self._ports = {"NEXTBAR_WIRE_PORT": str(self.wire_port), "NEXTBAR_CONTROL_PORT": str(free_port())}
        if engine:
            self.traced = [self._traced(name) for name in ("gateway", "engine")]
        else:
            script = str(ROOT / "gateways" / "binance" / "run_binance.py")
            self.traced = [self._start([script, "testnet", "--exit-with-stdin"])]

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
        raise SystemExit(f"no order has come:\n{Path(self._log.name).read_text()[-3000:]}")

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
def running(*, engine: bool = True) -> Iterator[System]:
    """A system in a folder of its own on this disk."""
    (ROOT / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "data", prefix="benchmark-") as folder:
        system = System(Path(folder), engine=engine)
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


def row(name: str, micros: list[float]) -> dict[str, float]:
    """Print one line; its numbers."""
    p50, p99 = percentile(micros, 0.5), percentile(micros, 0.99)
    print(f"  {name:42s} p50 {p50:8.1f} us   p99 {p99:8.1f} us   n {len(micros)}")
    return {"p50_us": round(p50, 1), "p99_us": round(p99, 1), "n": len(micros)}


def report(
    rate: float,
    orders: list[dict[str, int]],
    seen: list[float],
    bare: tuple[list[float], list[float]],
    hot: tuple[list[float], list[float]],
) -> dict[str, Any]:
    """One rate's table and its ratios."""
    print(f"{rate:g} ticks a second")
    whole = [(one["order_written"] - one["frame_arrived"]) / 1e3 for one in orders]
    result: dict[str, Any] = {"rate": rate, "tick_to_order": row("frame arrived to order written", whole)}
    for name, begin, end in PIECES:
        result[name] = row(f"  {name}", [(one[end] - one[begin]) / 1e3 for one in orders])
    result["outside"] = row("seen by the exchange, send to receive", seen)
    for label, (echoes, appends) in (("at this rhythm", bare), ("in a row", hot)):
        echo = row(f"bare echo with msgpack, {label}", echoes)
        append = row(f"bare append and fdatasync, {label}", appends)
        ratios = {
            key: round(result["tick_to_order"][key] / (echo[key] + append[key]), 2)
            for key in ("p50_us", "p99_us")
        }
        print(f"  ratio to their sum {label}: p50 {ratios['p50_us']:.2f}   p99 {ratios['p99_us']:.2f}")
        result[label] = {"echo": echo, "append": append, "ratio": ratios}
    return result


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All rates."""
    rates = [float(text) for text in arguments.rates.split(",")]
    bars, gap_s = arguments.orders, arguments.bar_ms / 1e3
    runs = []
    with running() as system:
        system.warm_up(arguments.bar_ms)
        folder = ROOT / "data"
        bare = [references.measure(folder, max(10, bars // 2), gap_s)]
        hot = [references.measure(folder, 4 * bars, 0.0)]
        for rate in rates:
            system.warm_up(arguments.bar_ms)  # the market stood still: books were stale, bars are missing
            begun = time.time_ns()
            runs.append((rate, begun, system.run(rate, bars, arguments.bar_ms), time.time_ns()))
            bare.append(references.measure(folder, max(10, bars // 2), gap_s))
            hot.append(references.measure(folder, 4 * bars, 0.0))
        rows = system.stop()
    results = []
    for index, (rate, begun, result, ended) in enumerate(runs):
        orders = [one for key, one in sorted(rows.items()) if begun < key < ended]
        if not orders:
            raise SystemExit(f"at {rate:g} ticks a second no order has come")
        around = [merged(one[index : index + 2]) for one in (bare, hot)]
        results.append(report(rate, orders, outside(result), around[0], around[1]))
    return results


def merged(pairs: list[tuple[list[float], list[float]]]) -> tuple[list[float], list[float]]:
    """The reference measurements before and after a run as one."""
    return [x for pair in pairs for x in pair[0]], [x for pair in pairs for x in pair[1]]


def main() -> None:
    """Print the tables, and write them down where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rates", default="200,2000", help="ticks a second, comma-separated")
    parser.add_argument("--orders", type=int, default=300, help="bars, and so orders, for each rate")
    parser.add_argument("--bar-ms", type=float, default=50.0, help="real time from one bar to the next")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    results = measure(arguments)
    if arguments.json is not None:
        about = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "bar_ms": arguments.bar_ms,
        }
        arguments.json.write_text(json.dumps({"about": about, "runs": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
