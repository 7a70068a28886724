"""Clients that others wrote, unchanged and each in its own environment, work against the simulator."""

import subprocess
from pathlib import Path

import pytest

from tests.process.clients.environments import python_with
from tests.process.simulator_process import KEY, ROOT, SECRET, simulator

pytestmark = pytest.mark.clients

AS_LIVE = ("--strict-routing", "--deflate")
DRIVERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ccxt_rest": ("ccxt", ()),
    "ccxt_pro": ("ccxt", AS_LIVE),
    "connector": ("connector", ()),  # knows nothing of the split into public, market and private
    "sdk": ("sdk", AS_LIVE),
    "python_binance": ("python_binance", ()),  # asks for public streams on the market path
}
PATIENCE_S = 120


@pytest.mark.parametrize("driver", DRIVERS)
def test_client_trades_through_the_simulator(driver: str, tmp_path: Path):
    environment, options = DRIVERS[driver]
    python = python_with(environment)
    script = ROOT / "tests" / "process" / "clients" / f"{driver}.py"
    with simulator(tmp_path, *options) as sim:
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
