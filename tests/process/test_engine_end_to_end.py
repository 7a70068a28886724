"""Simulator, gateway and engine as real processes: ticks become fills, a kill doubles nothing."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from runtime.settings.environment import free_port
from tests.process.turning import python_path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
symbols = ["BTCUSDT"]
[simulator]
enabled = true
[risk]
max_order_notional_quote = 2000
max_position_notional_quote = 5000
max_leverage = 3
max_daily_loss_quote = 500
max_orders = 1000
[[strategies]]
name = "turns"
symbols = ["BTCUSDT"]
timeframe = "1s"
sizing = { kind = "cash", value = 500 }
protective_stop_percent = 5
"""


class Trio:
    """The three processes over one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "configs").mkdir()
        (home / "configs" / "demo.toml").write_text(CONFIG)
        self.ports = {name: free_port() for name in ("SIMULATOR", "WIRE", "CONTROL")}
        self.env = {
            **os.environ,
            "NEXTBAR_HOME": str(home),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": python_path(ROOT),
            **{f"NEXTBAR_{name}_PORT": str(port) for name, port in self.ports.items()},
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        state = str(self.home / "data" / "demo" / "simulator")
        port = str(self.ports["SIMULATOR"])
        commands = {
            "simulator": ["-m", "gateways.simulator", "--port", port, "--market", "synthetic", "--seed", "7",
                          "--state", state, "--symbols", "BTCUSDT"],
            "gateway": [str(ROOT / "gateways" / "binance" / "run_binance.py"), "demo"],
            "engine": [str(ROOT / "engine" / "main.py"), "demo"],
        }  # fmt: skip
        with (self.home / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *commands[name], "--exit-with-stdin"],
                cwd=self.home,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        ended(process)

    def close(self) -> None:
        for name in ("engine", "gateway", "simulator"):
            process = self.running.pop(name, None)
            if process is not None:
                ended(process)

    @property
    def status_file(self) -> Path:
        return self.home / "data" / "demo" / "engine" / "summary.json"

    def status(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads(self.status_file.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def fills(self) -> int:
        """Of the present engine process; 0 while it has said nothing."""
        fills = self.status().get("fills")
        return fills if isinstance(fills, int) else 0

    def answers(self) -> bool:
        """Whether the simulator serves requests."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.ports['SIMULATOR']}/fapi/v1/ping", timeout=1
            ):
                return True
        except OSError:
            return False


def ended(process: subprocess.Popen[bytes]) -> None:
    """Close its stdin, which asks it to end, and wait."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(20)


def wait_until(is_true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_ticks_become_fills_and_a_killed_engine_comes_back_without_doubling_anything(tmp_path: Path) -> None:
    trio = Trio(tmp_path)
    with contextlib.closing(trio):
        trio.start("simulator")
        wait_until(trio.answers, 60, "no simulator")
        trio.start("gateway")
        trio.start("engine")
        wait_until(lambda: trio.fills() >= 2, 90, "no fills")
        trio.kill("engine")
        # What it said last is not the next one's word.
        trio.status_file.unlink()
        trio.start("engine")
        wait_until(lambda: trio.fills() >= 1, 60, "no fills after the restart")
        trio.kill("gateway")
        fills = trio.fills()
        trio.start("gateway")
        wait_until(lambda: trio.fills() > fills, 90, "no fills after the gateway's restart")
        trio.running["engine"].send_signal(signal.SIGTERM)
        engine = trio.running.pop("engine")
        assert engine.wait(20) == 0
        ended(engine)
        status = trio.status()
    assert status["rejects"] == 0
    wallet = Decimal(str(status["wallet_balance"]))
    earned = Decimal(str(status["realised_pnl"])) - Decimal(str(status["fees"]))
    assert wallet == Decimal(10_000) + earned
    log = (tmp_path / "engine.log").read_text()
    assert "adjustment" not in log
    assert "Traceback" not in log
