"""Throw-away environments for clients that are not ours, kept in the user's cache between runs."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "ccxt": ("ccxt==4.5.90",),
    "connector": ("binance-futures-connector==4.2.0",),
    "sdk": ("binance-sdk-derivatives-trading-usds-futures==18.0.1",),
    "python_binance": ("python-binance==1.0.37",),
    "pybotters": ("pybotters==1.11.2",),
    "postgres": ("psycopg[binary]==3.3.9",),
}
NODE_REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "ccxt_node": ("ccxt@4.5.84",),
    "futures_connector_node": ("@binance/futures-connector@0.1.7",),
    "official_node": ("@binance/derivatives-trading-usds-futures@38.1.1",),
    "tiagosiebler": ("binance@3.6.5",),
    "binance_api_node": ("binance-api-node@0.13.10",),
    "node_binance_api": ("node-binance-api@1.0.33",),
}
INSTALL_SECONDS = 300


def cache_folder() -> Path:
    """Where environments are kept: outside of the repository."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "nextbar" / "peers"


def python_with(client: str) -> Path:
    """The interpreter of an environment that has `client`; skips the test where it cannot be made."""
    wanted = REQUIREMENTS[client]
    folder = _folder(client, sys.version, wanted)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _install((*pip, *wanted), wanted[0], folder)
    return python


def node_modules_with(client: str) -> tuple[str, Path]:
    """Node and the modules folder that has `client`; skips the test where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs Node.js and npm")
    wanted = NODE_REQUIREMENTS[client]
    folder = _folder(client, node, wanted)
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--loglevel=error")
        _install((npm, "install", "--prefix", str(folder), *quiet, *wanted), wanted[0], folder)
    return node, folder / "node_modules"


def _folder(client: str, runtime: str, wanted: tuple[str, ...]) -> Path:
    name = hashlib.sha256("\n".join((runtime, *wanted)).encode()).hexdigest()[:16]
    return cache_folder() / f"{client}-{name}"


def _install(command: tuple[str, ...], package: str, folder: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{package}: the package registry did not answer in time")
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        # npm names the cause first and a log file last; pip ends with the cause.
        cause = lines[0] if lines[0].startswith("npm ") else lines[-1]
        pytest.skip(f"{package} cannot be installed: {cause}")
    (folder / "complete").touch()
