"""What settings alone cannot see, looked at before anything starts: ports, symbols, strategies.

The strategies are the engine's to know, so a short-lived engine process is asked. Its yes is remembered for
that very configuration and those very sources: later starts do not ask again.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from gateways.simulator.exchange.model.symbols import default_symbols
from runtime.settings import Settings
from runtime.settings.environment import Home, PortName, is_free, port_variable
from runtime.settings.load import parse_settings
from runtime.supervisor.specs import ROOT

SOURCES = ("engine", "runtime/settings", "gateways/wire")
CHECK_SECONDS = 300.0
"""The first start of all may have to compile the indicators."""
CHECKING = (
    "Checking the configuration and compiling the strategies; "
    "later starts skip this until one of them changes."
)


def refusal(
    settings: Settings, *, symbol: str | None, accept_real_orders: bool, say: Callable[[str], None]
) -> str:
    """One sentence about what would keep the environment from starting; "" when all is well.

    `say` is told what is under way where a person would otherwise look at an empty screen.
    """
    wrong = _ports(settings) or _symbols(settings, symbol)
    return wrong or _strategies(settings, symbol, accept_real_orders, say)


def _ports(settings: Settings) -> str:
    """A port that the file fixes is that one or none; others are picked."""
    path = Home.find().config(settings.environment)
    fixed = parse_settings(path, settings.environment)
    keys: dict[str, tuple[PortName, int]] = {
        "wire.port": ("wire", fixed.wire.port),
        "engine.control_port": ("control", fixed.engine.control_port),
    }
    if fixed.simulator.enabled:
        keys["simulator.port"] = ("simulator", fixed.simulator.port)
    owners: dict[int, str] = {}
    for key, (name, port) in keys.items():
        if not port or os.environ.get(port_variable(name)):
            continue
        if port in owners:
            return f"{path}: {owners[port]} and {key} are both {port}; each needs its own, 0 picks a free one"
        owners[port] = key
        if not is_free(port):
            return (
                f"{path}: {key} is {port}, which is in use or not allowed on this machine; "
                "free it, or say 0 to have a free one picked"
            )
    return ""


def _symbols(settings: Settings, given: str | None) -> str:
    """The simulator has a fixed list. What a real exchange has, only the exchange can say."""
    if not settings.simulator.enabled:
        return ""
    known = default_symbols()
    for index, symbol in enumerate(settings.symbols):
        if symbol not in known:
            if symbol == given:
                return f"the command line: the simulator has no {symbol}; allowed: {', '.join(known)}"
            path = Home.find().config(settings.environment)
            return f"{path}: symbols[{index}]: the simulator has no {symbol}; allowed: {', '.join(known)}"
    return ""


def _strategies(
    settings: Settings, symbol: str | None, accept_real_orders: bool, say: Callable[[str], None]
) -> str:
    mark = settings.data_dir / "checked"
    seen = _digest(settings, symbol)
    with contextlib.suppress(OSError):
        if mark.read_text("ascii") == seen:
            return ""
    say(CHECKING)
    command = [sys.executable, str(ROOT / "engine" / "main.py"), settings.environment]
    command += [symbol] if symbol is not None else []
    command += ["--i-accept-real-orders"] if accept_real_orders else []
    try:
        done = subprocess.run(  # noqa: S603  # our own engine
            [*command, "--check"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=CHECK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"the engine did not say within {CHECK_SECONDS:.0f} s whether its strategies can run"
    if done.returncode:
        said = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said else f"the engine cannot start: it ended with code {done.returncode}"
    with contextlib.suppress(OSError):
        mark.write_text(seen, "ascii")
    return ""


def _digest(settings: Settings, symbol: str | None) -> str:
    """Of the configuration and of what is known of the sources without reading them."""
    sums = hashlib.sha256(Home.find().config(settings.environment).read_bytes())
    sums.update(repr((symbol, sys.version)).encode())
    for path in _sources():
        status = path.stat()
        sums.update(f"{path}:{status.st_mtime_ns}:{status.st_size}".encode())
    return sums.hexdigest()


def _sources() -> Iterator[Path]:
    for folder in SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))
