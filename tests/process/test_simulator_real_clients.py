"""Clients that others wrote, unchanged and each in its own environment, work against the simulator."""

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

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
    "pybotters_store": "pybotters",
}
CLIENTS = ROOT / "tests" / "process" / "clients"
PATIENCE_S = 120


def trade(folder: Path, *command: str, private: PrivateKeyTypes | None = None, **variables: str) -> None:
    """Run a driver against a simulator of its own; it has to come to its end."""
    options, signs_with = (), SECRET
    if private is not None:
        (folder / "public.pem").write_bytes(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        options = ("--public-key", str(folder / "public.pem"))
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signs_with = pem.decode().strip()
    with simulator(folder, *options) as sim:
        key = KEY if private is None else sim.said[0].rpartition(" ")[2]
        done = subprocess.run(
            [*command, sim.url, key, signs_with],
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


@pytest.mark.parametrize("driver", ["ccxt_pro", "sdk"])
def test_client_trades_with_an_ed25519_key(driver: str, tmp_path: Path):
    private = ed25519.Ed25519PrivateKey.generate()
    trade(tmp_path, str(python_with(DRIVERS[driver])), str(CLIENTS / f"{driver}.py"), private=private)


def test_node_client_trades_with_an_ed25519_key(tmp_path: Path):
    private = ed25519.Ed25519PrivateKey.generate()
    node, modules = node_modules_with("tiagosiebler")
    driver = str(CLIENTS / "tiagosiebler.cjs")
    trade(tmp_path, node, driver, private=private, NODE_PATH=str(modules))


@pytest.mark.parametrize("driver", ["ccxt_rest", "connector"])
def test_client_trades_with_an_rsa_key(driver: str, tmp_path: Path):
    private = rsa.generate_private_key(65537, 2048)
    trade(tmp_path, str(python_with(DRIVERS[driver])), str(CLIENTS / f"{driver}.py"), private=private)
