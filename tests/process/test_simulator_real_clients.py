"""Clients that others wrote, unchanged and each in its own environment, work against the simulator."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.process.clients.environments import NODE_REQUIREMENTS, node_modules_with, python_with
from tests.process.simulator_process import KEY, ROOT, SECRET, simulator

pytestmark = pytest.mark.clients

DRIVERS = {
    "ccxt_rest": "ccxt",
    "ccxt_pro": "ccxt",
    "connector": "connector",
    "sdk": "sdk",
    "sdk_every_method": "sdk",
    "python_binance": "python_binance",
}
CLIENTS = ROOT / "tests" / "process" / "clients"
PATIENCE_S = 120


def trade(folder: Path, *command: str, **variables: str) -> None:
    """Run a driver against a simulator of its own; it has to come to its end."""
    with simulator(folder) as sim:
        done = subprocess.run(
            [*command, sim.url, KEY, SECRET],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            cwd=folder,
            env=os.environ | variables,
        )
    assert done.returncode == 0, f"after {done.stdout.split()[-1:]}: {done.stderr[-3000:]}"
    assert done.stdout.rstrip().endswith("end")


@pytest.mark.parametrize("driver", DRIVERS)
def test_client_trades_through_the_simulator(driver: str, tmp_path: Path):
    trade(tmp_path, str(python_with(DRIVERS[driver])), str(CLIENTS / f"{driver}.py"))


@pytest.mark.parametrize("driver", NODE_REQUIREMENTS)
def test_node_client_trades_through_the_simulator(driver: str, tmp_path: Path):
    node, modules = node_modules_with(driver)
    trade(tmp_path, node, str(CLIENTS / f"{driver}.cjs"), NODE_PATH=str(modules))
