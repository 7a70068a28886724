"""Clients that others wrote, unchanged and each in its own environment, work against the simulator."""

import subprocess
from pathlib import Path

import pytest

from tests.process.clients.environments import python_with
from tests.process.simulator_process import KEY, ROOT, SECRET, simulator

pytestmark = pytest.mark.clients

DRIVERS = {
    "ccxt_rest": "ccxt",
    "ccxt_pro": "ccxt",
    "connector": "connector",
    "sdk": "sdk",
    "python_binance": "python_binance",
}
PATIENCE_S = 120


@pytest.mark.parametrize("driver", DRIVERS)
def test_client_trades_through_the_simulator(driver: str, tmp_path: Path):
    python = python_with(DRIVERS[driver])
    script = ROOT / "tests" / "process" / "clients" / f"{driver}.py"
    with simulator(tmp_path) as sim:
        done = subprocess.run(
            [str(python), str(script), sim.url, KEY, SECRET],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            cwd=tmp_path,
        )
    assert done.returncode == 0, f"after {done.stdout.split()[-1:]}: {done.stderr[-3000:]}"
    assert done.stdout.rstrip().endswith("end")
