"""Checks that settings alone cannot make, before anything starts: ports, symbols, market, strategies.

Only the simulator knows its symbols and markets and only the engine its strategies, so a short-lived process
of each is asked. A good result is remembered for this very configuration, market file and sources: later
starts do not ask again.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from runtime.process.interpreter import ROOT
from runtime.settings import Settings
from runtime.settings.environment import Home, PortName, is_free, port_variable
from runtime.settings.load import overlay_of, parse_settings
from runtime.suggestions import SYMBOL_LIKENESS, allowed
from runtime.supervisor.specs import SIMULATOR, market_options, root_on_path

SOURCES = ("engine", "runtime", "gateways/wire", "gateways/simulator")
_STRATEGY_FILES = (".py", ".toml")
CHECK_SECONDS = 300.0
"""The first start of all may have to compile the indicators."""
CHECKING = (
    "Checking the configuration and compiling the strategies; "
    "later starts skip this until one of them changes."
)


class _CheckFailed(Exception):
    """A process that was asked did not answer, or said no; the message is one sentence."""


def refusal(
    settings: Settings, *, symbol: str | None, accept_real_orders: bool, say: Callable[[str], None]
) -> str:
    """One sentence about what would keep the environment from starting; "" when all is well.

    `say` gets a line before slow work, so that the screen is not empty meanwhile.
    """
    wrong = _ports(settings)
    if wrong:
        return wrong
    mark = settings.data_dir / "checked"
    seen = _digest(settings, symbol)
    with contextlib.suppress(OSError):
        if seen and mark.read_text("ascii") == seen:
            return ""
    try:
        wrong = _symbols(settings, symbol) or _market(settings)
        if wrong:
            return wrong
        say(CHECKING)
        _check_engine(settings, symbol, accept_real_orders=accept_real_orders)
    except _CheckFailed as error:
        return str(error)
    with contextlib.suppress(OSError):
        mark.write_text(seen, "ascii")
    return ""


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
    known = _answer_of("simulator", ["-m", SIMULATOR, "--list-symbols"]).split()
    for index, symbol in enumerate(settings.symbols):
        if symbol not in known:
            path = Home.find().config(settings.environment)
            where = "the command line" if symbol == given else f"{path}: symbols[{index}]"
            return f"{where}: the simulator has no {symbol}{allowed(symbol, known, likeness=SYMBOL_LIKENESS)}"
    return ""


def _market(settings: Settings) -> str:
    """What the simulator would refuse about the file its market is played from."""
    if not settings.simulator.enabled or not any(_market_files(settings)):
        return ""
    try:
        _answer_of("simulator", ["-m", SIMULATOR, "--check", "--port", "0", *market_options(settings)])
    except _CheckFailed as error:
        said = str(error).removeprefix("simulator: ").removeprefix("--market ")
        return f"{Home.find().config(settings.environment)}: simulator.market: {said}"
    return ""


def _market_files(settings: Settings) -> Iterator[Path]:
    kind, _, rest = settings.simulator.market.partition(":")
    if kind in {"recording", "klines"}:
        yield from map(Path, rest.split(",") if kind == "recording" else [rest])


def _check_engine(settings: Settings, symbol: str | None, *, accept_real_orders: bool) -> None:
    arguments = [str(ROOT / "engine" / "main.py"), settings.environment]
    arguments += [symbol] if symbol is not None else []
    arguments += ["--i-accept-real-orders"] if accept_real_orders else []
    _answer_of("engine", [*arguments, "--check"])


def _answer_of(process: str, arguments: list[str]) -> str:
    """Standard output of one of our processes, run to its end."""
    try:
        done = subprocess.run(  # noqa: S603  # our own process
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=CHECK_SECONDS,
            env={**os.environ, **root_on_path()},
        )
    except subprocess.TimeoutExpired:
        raise _CheckFailed(
            f"the {process} did not check the configuration within {CHECK_SECONDS:.0f} s"
        ) from None
    if done.returncode:
        said = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
        raise _CheckFailed(
            said[-1] if said else f"the {process} cannot start: it ended with code {done.returncode}"
        )
    return done.stdout.decode("utf-8", "replace")


def _digest(settings: Settings, symbol: str | None) -> str:
    """Of the configuration and of what is known of sources and market files without reading them."""
    if any(_is_of_a_module(one.name) for one in settings.strategies):
        return ""  # whose sources are unknown here
    configuration = Home.find().config(settings.environment)
    sums = hashlib.sha256(configuration.read_bytes())
    with contextlib.suppress(FileNotFoundError):
        sums.update(overlay_of(configuration).read_bytes())
    sums.update(repr((symbol, sys.version)).encode())
    for path in (*_sources(), *_own_sources(settings)):
        with contextlib.suppress(OSError):  # an editor's dangling link
            sums.update(_mark(path))
    for path in _market_files(settings):
        try:
            sums.update(_mark(path))
        except OSError:
            return ""  # it is gone: what was said about it no longer holds
    return sums.hexdigest()


def _mark(path: Path) -> bytes:
    status = path.stat()
    return f"{path}:{status.st_mtime_ns}:{status.st_size}".encode("utf-8", "surrogateescape")


def _is_of_a_module(name: str) -> bool:
    place, colon, _ = name.rpartition(":")
    return bool(colon) and not place.endswith(_STRATEGY_FILES)


def _own_sources(settings: Settings) -> Iterator[Path]:
    """Files of the user's that its strategies may be in, and those beside them."""
    home = Home.find().root
    folders = {home / "strategies"}
    for strategy in settings.strategies:
        file = Path(strategy.name.rpartition(":")[0] or strategy.name)
        if file.suffix in _STRATEGY_FILES:
            folders |= {(folder / file).parent for folder in (home / "configs", home, Path.cwd())}
    for folder in sorted(folders):
        found = folder.rglob("*") if folder == home / "strategies" else folder.glob("*")
        yield from sorted(one for one in found if one.suffix in _STRATEGY_FILES)


def _sources() -> Iterator[Path]:
    for folder in SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))
