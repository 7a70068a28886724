"""Where an environment's files are, and the ports its processes meet on.

The supervisor passes ports on in environment variables. A process started by hand finds the ones used
last time in `data/<env>/ports.json`, so three processes in three terminals meet as well.
"""

import contextlib
import errno
import json
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runtime.process.interpreter import ROOT

HOME_VARIABLE = "NEXTBAR_HOME"
"""Replaces the checkout as the place of configs/, vault/ and data/."""

PortName = Literal["simulator", "wire", "control"]


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds configs/, vault/ and data/: the checkout, unless NEXTBAR_HOME says otherwise."""

    root: Path

    @classmethod
    def find(cls) -> "Home":
        """From the environment."""
        told = os.environ.get(HOME_VARIABLE)
        return cls(Path(told).resolve() if told else ROOT)

    def config(self, environment: str) -> Path:
        """The environment's TOML file."""
        return self.root / "configs" / f"{environment}.toml"

    def data(self, environment: str) -> Path:
        """Folder of everything the environment's processes write."""
        return self.root / "data" / environment

    @property
    def vault(self) -> Path:
        """Folder of keys and tokens."""
        return self.root / "vault"


def port_variable(name: PortName) -> str:
    """Environment variable that carries a port from the supervisor."""
    return f"NEXTBAR_{name.upper()}_PORT"


def resolve_port(name: PortName, configured: int, data: Path) -> int:
    """The port to use: the supervisor's, else the configured one, else the remembered one, else a free one.

    A free one is remembered.
    """
    told = os.environ.get(port_variable(name), "")
    if told.isdecimal():
        return int(told)
    if configured:
        return configured
    remembered = remembered_ports(data).get(name, 0)
    return remembered or remember_port(name, free_port(), data)


def ports_to_try(name: PortName, configured: int, data: Path) -> tuple[int, ...]:
    """Where that server may listen, likeliest first: a server whose port was taken by another program
    while it was down listens on a new one, which it remembers."""
    return tuple(dict.fromkeys((configured, remembered_ports(data).get(name, configured))))


async def listen(
    name: PortName, port: int, data: Path, start: Callable[[int], Awaitable[int]], say: Callable[[str], None]
) -> int:
    """Start a server on `port`, or on a free one where another program has taken that meanwhile.

    The new port is remembered, so clients find it, and `say` gets one sentence. `start` returns the port it
    listens on; OSError where it cannot listen for any other reason.
    """
    try:
        return await start(port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    moved = await start(remember_port(name, free_port(), data))
    say(f"another program listens on port {port}; this is found on port {moved} instead")
    return moved


def free_port() -> int:
    """A port nobody listens on at this moment.

    From below the range systems hand out to outgoing connections: a client that retries against a dead
    server inside that range can connect to itself and keep the server from coming back.
    """
    for _ in range(200):
        port = 20_000 + secrets.randbelow(10_000)
        if is_free(port):
            return port
    raise OSError("no free port between 20000 and 29999")


def is_free(port: int) -> bool:
    """Whether one could listen on the port now."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def remembered_ports(data: Path) -> dict[str, int]:
    """Ports of the last run; empty when there was none or its file is unreadable."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((data / "ports.json").read_text("utf-8"))
        if isinstance(found, dict):
            return {str(key): port for key, port in found.items() if isinstance(port, int)}
    return {}


def remember_port(name: PortName, port: int, data: Path) -> int:
    """Write the port down for processes started by hand; returns it."""
    ports = remembered_ports(data) | {name: port}
    data.mkdir(parents=True, exist_ok=True)
    part = data / f"ports.json.{os.getpid()}.tmp"
    part.write_text(json.dumps(ports, sort_keys=True) + "\n", "utf-8")
    part.replace(data / "ports.json")
    return port
