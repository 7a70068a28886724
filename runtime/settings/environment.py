"""Where an environment's files are, and on which ports its processes connect to each other.

The supervisor passes ports on in environment variables. A process started by hand takes the last used ports
from `data/<env>/ports.json`, so three processes in three terminals find each other as well.
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

from runtime.process.interpreter import ROOT, is_checkout

HOME_VARIABLE = "NEXTBAR_HOME"
"""The user's folder, whatever the current one is; the supervisor tells its processes by it."""
MARKER = ".nextbar"
"""The file by which a user's folder is known from anywhere inside it."""

PortName = Literal["simulator", "wire", "control"]


@dataclass(frozen=True, slots=True)
class Home:
    """The user's folder, of configs/, vault/, strategies/ and data/."""

    root: Path

    @classmethod
    def find(cls) -> "Home":
        """NEXTBAR_HOME, else the nearest folder with a `MARKER` from here upwards, else the checkout.

        Where nextbar was installed and there is no such folder, it is the current one.
        """
        given = os.environ.get(HOME_VARIABLE)
        if given:
            return cls(Path(given).resolve())
        here = Path.cwd()
        marked = next((folder for folder in (here, *here.parents) if (folder / MARKER).is_file()), None)
        return cls(marked or (ROOT if is_checkout() else here))

    @property
    def is_made(self) -> bool:
        """Whether it is somebody's folder, and not just the current one."""
        return (self.root / MARKER).is_file() or (self.root / "configs").is_dir()

    def config(self, environment: str) -> Path:
        """The environment's TOML file."""
        return self.root / "configs" / f"{environment}.toml"

    @property
    def strategies(self) -> Path:
        """Folder of strategies that are found by name."""
        return self.root / "strategies"

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
    given = os.environ.get(port_variable(name), "")
    if given.isdecimal():
        return int(given)
    if configured:
        return configured
    remembered = remembered_ports(data).get(name, 0)
    return remembered or remember_port(name, free_port(), data)


def ports_to_try(name: PortName, configured: int, data: Path) -> tuple[int, ...]:
    """Where that server may listen, likeliest first: when another program has taken its port while it was
    down, it listens on a new one and remembers that."""
    return tuple(dict.fromkeys((configured, remembered_ports(data).get(name, configured))))


async def listen(
    name: PortName, port: int, data: Path, start: Callable[[int], Awaitable[int]], say: Callable[[str], None]
) -> int:
    """Start a server on `port`, or on a free one if another program has taken that port.

    The new port is remembered, so clients find it, and `say` gets one sentence. `start` returns the port it
    listens on; OSError where it cannot listen for any other reason.
    """
    try:
        return await start(port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    moved = await start(remember_port(name, free_port(), data))
    say(f"another program listens on port {port}; using port {moved} instead")
    return moved


def free_port() -> int:
    """A port on which nothing listens now.

    It lies below the range that systems use for outgoing connections: inside that range a client that
    retries while its server is down can connect to itself and block the server's port.
    """
    for _ in range(200):
        port = 20_000 + secrets.randbelow(10_000)
        if is_free(port):
            return port
    raise OSError("no free port between 20000 and 29999")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def remembered_ports(data: Path) -> dict[str, int]:
    """Ports of the last run; empty if there was none or the file cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((data / "ports.json").read_text("utf-8"))
        if isinstance(found, dict):
            return {str(key): port for key, port in found.items() if isinstance(port, int)}
    return {}


def remember_port(name: PortName, port: int, data: Path) -> int:
    """Save the port for processes that are started by hand; returns it."""
    ports = remembered_ports(data) | {name: port}
    data.mkdir(parents=True, exist_ok=True)
    part = data / f"ports.json.{os.getpid()}.tmp"
    part.write_text(json.dumps(ports, sort_keys=True) + "\n", "utf-8")
    part.replace(data / "ports.json")
    return port
