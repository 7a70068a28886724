"""The processes of an environment and how each is started."""

import os
import sys
from dataclasses import dataclass, field

from runtime.process.interpreter import ROOT
from runtime.settings import Settings
from runtime.settings.environment import (
    HOME_VARIABLE,
    PortName,
    free_port,
    is_free,
    port_variable,
    remember_port,
)

SIMULATOR = "gateways.simulator"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process. It is ready when a line of its output contains `ready_line`; with "" at once.

    `waits_for` names a process that must be ready before this one is started.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    ready_line: str = ""
    waits_for: str = ""


def known_ports(settings: Settings) -> dict[PortName, int]:
    """Ports of the settings."""
    ports: dict[PortName, int] = {"wire": settings.wire.port, "control": settings.engine.control_port}
    if settings.simulator.enabled:
        ports["simulator"] = settings.simulator.port
    return ports


def claim_ports(settings: Settings) -> dict[PortName, int]:
    """Ports of this run; a remembered one that is in use is replaced, those of the file are free."""
    ports = known_ports(settings)
    for name, port in ports.items():
        if not is_free(port):
            ports[name] = remember_port(name, free_port(), settings.data_dir)
    return ports


def process_specs(
    settings: Settings, ports: dict[PortName, int], *, symbol: str | None, accept_real_orders: bool
) -> tuple[ProcessSpec, ...]:
    """Processes of the environment, in starting order."""
    common = {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", HOME_VARIABLE: str(settings.home)}
    common |= {port_variable(name): str(port) for name, port in ports.items()}
    arguments: list[str] = [settings.environment]
    if symbol is not None:
        arguments.append(symbol)
    if accept_real_orders:
        arguments.append("--i-accept-real-orders")
    simulated = settings.simulator.enabled
    specs = []
    if simulated:
        specs.append(_simulator(settings, ports["simulator"], common))
    for name, script, ready_line, waits_for in (
        ("gateway", "gateways/binance/run_binance.py", "listening ", "simulator" if simulated else ""),
        # Where keys may be missing, the engine waits until the gateway has found them.
        ("engine", "engine/main.py", "control port ", "" if simulated else "gateway"),
    ):
        command = (sys.executable, str(ROOT / script), *arguments, "--exit-with-stdin")
        specs.append(ProcessSpec(name, command, common, ready_line, waits_for))
    return tuple(specs)


def _simulator(settings: Settings, port: int, common: dict[str, str]) -> ProcessSpec:
    clock = settings.clock
    command = [sys.executable, "-m", SIMULATOR, "--port", str(port), *market_options(settings)]
    command += ["--state", str(settings.simulator_dir), "--exit-with-stdin"]
    # As on the live exchange: a stream requested on the wrong path stays silent, so the demo would show it.
    command.append("--strict-routing")
    if clock.speed != 1.0:
        command += ["--speed", f"{clock.speed:g}", "--epoch", str(clock.epoch_ms)]
    return ProcessSpec(
        "simulator", tuple(command), {**common, **root_on_path()}, ready_line="listening on http://"
    )


def market_options(settings: Settings) -> list[str]:
    """The simulator's options that say what it trades."""
    simulator = settings.simulator
    options = ["--market", simulator.market, "--seed", str(simulator.seed)]
    options += ["--symbols", ",".join(settings.symbols)]
    return [*options, "--keep-times"] if simulator.keep_times else options


def root_on_path() -> dict[str, str]:
    """Environment in which `python -m` finds our packages, whatever the working directory."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))}
