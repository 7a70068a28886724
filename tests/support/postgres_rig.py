"""A PostgreSQL server of our own on a free port, and the driver for it: for tests of the tables."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.process.clients.environments import python_with

USER = "nextbar"
PASSWORD = "pa@ss:wo/rd"
PASSWORD_IN_URL = "pa%40ss%3Awo%2Frd"
START_SECONDS = 60


def programs() -> Path:
    """Folder of initdb and postgres; skips the test where there are none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folder = next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)
    if folder is None:
        pytest.skip("needs the programs of a PostgreSQL server: initdb and postgres")
    return folder


def driver_folder() -> Path:
    """A folder for the module search path that holds psycopg; skips where it cannot be had."""
    python = python_with("postgres")
    code = "import psycopg, pathlib; print(pathlib.Path(psycopg.__file__).parents[1])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


class PostgresServer:
    """`start` and `kill` it as often as wanted; port and data stay."""

    def __init__(self, folder: Path) -> None:
        self._bin = programs()
        self._folder = folder
        self._runs = False
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.name == "posix" and os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = int(taken.getsockname()[1])
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        settings = ("-U", USER, "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync", "-E", "UTF8")
        self._run("initdb", "-D", str(folder / "db"), "--no-locale", *settings)

    def url(self, password: str = PASSWORD_IN_URL, database: str = "postgres") -> str:
        """As it stands in the configuration."""
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c shared_buffers=16MB"
        self._control("start", "-w", "-o", options, "-l", str(self._folder / "log"))
        self._runs = True

    def start_again(self) -> None:
        """Start it where it does not run."""
        if not self._runs:
            self.start()

    def kill(self) -> None:
        """As a machine that loses power would: no connection is ended in order."""
        if self._runs:
            self._control("stop", "-m", "immediate")
        self._runs = False

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "db"), "-t", str(START_SECONDS), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / program, *arguments],
            user=self._user,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server in a folder that its user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="nextbar-postgres-"))
    folder.chmod(0o755)
    try:
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
