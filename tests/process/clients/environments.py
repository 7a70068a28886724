"""Throw-away environments for clients that are not ours, kept in the user's cache between runs."""

import hashlib
import os
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
    name = hashlib.sha256("\n".join((sys.version, *wanted)).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{client}-{name}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = folder / "complete"
    if complete.exists():
        return python
    venv.create(folder, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{wanted[0]}: the package registry did not answer in time")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"{wanted[0]} cannot be installed: {last}")
    complete.touch()
    return python
