"""Latency and throughput benchmarks run to their end on a handful of ticks; nobody judges the numbers."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def numbers_of(tmp_path: Path, script: str, *arguments: str) -> dict[str, object]:
    """What the benchmark has written down."""
    out = tmp_path / "numbers.json"
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments, "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers: dict[str, object] = json.loads(out.read_text())
    return numbers


def test_tick_to_order_follows_orders_through_both_processes(tmp_path: Path) -> None:
    numbers = numbers_of(tmp_path, "tick_to_order.py", "--runs", "200:50", "--orders", "12")
    run = numbers["runs"][0]  # type: ignore[index]  # JSON
    assert run["tick_to_order"]["n"] > 0
    assert run["outside"]["n"] > 0


def test_tick_throughput_trades_in_the_core_and_relays_every_tick(tmp_path: Path) -> None:
    numbers = numbers_of(
        tmp_path, "tick_throughput.py", "--only", "engine,relay,memory", "--ticks", "100000",
        "--memory-ticks", "100000", "--relay-ticks", "1000",
    )  # fmt: skip
    assert numbers["engine"]["orders"] > 0  # type: ignore[index]  # JSON
    assert numbers["relay"]["ticks"] + numbers["relay"]["conflated"] == 1000  # type: ignore[index]  # JSON
    assert numbers["memory"]["ticks"] == 100_000  # type: ignore[index]  # JSON


def test_many_symbols_trade_through_both_processes(tmp_path: Path) -> None:
    numbers = numbers_of(tmp_path, "many_symbols.py", "--symbols", "3", "--rates", "20", "--seconds", "3")
    run = numbers["runs"][0]  # type: ignore[index]  # JSON
    assert run["orders"] > 0
    assert run["ticks_per_second"] > 0
