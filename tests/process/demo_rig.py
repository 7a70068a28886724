"""The whole demo as a person starts it, and the simulator's own word afterwards."""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateways.wire.token import load_token
from runtime.control.client import connect
from runtime.control.protocol import Request, Response
from runtime.control.status import EngineStatus, read_status
from runtime.settings import load_settings
from runtime.settings.environment import Home

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = {"simulator": "gateways.simulator", "gateway": "run_binance.py", "engine": "engine/main.py"}


class Demo:
    """`run.py demo` with a home of its own. Linux: finds its children in /proc."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        config: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        shutil.copytree(ROOT / "configs", home / "configs", dirs_exist_ok=True)
        if config:
            (home / "configs" / "demo.toml").write_text(config)
        self.home = home
        # What an earlier run has said is not this one's word.
        self.status_file.unlink(missing_ok=True)
        self.summary_file = home / "summary.json"
        self.environment = {
            **os.environ,
            "NEXTBAR_HOME": str(home),
            "NEXTBAR_INSIDE_VENV": str(ROOT / ".venv"),
            **(environment or {}),
        }
        self.output = (home / "output.txt").open("wb")
        command = [
            sys.executable,
            str(ROOT / "run.py"),
            "demo",
            "--summary",
            str(self.summary_file),
            *arguments,
        ]
        self.process = subprocess.Popen(
            command, cwd=home, env=self.environment, stdout=self.output, stderr=subprocess.STDOUT
        )

    @property
    def lines(self) -> str:
        return (self.home / "output.txt").read_text("utf-8", "replace")

    @property
    def output_bytes(self) -> int:
        return (self.home / "output.txt").stat().st_size

    def said_since(self, byte: int) -> bytes:
        with (self.home / "output.txt").open("rb") as file:
            file.seek(byte)
            return file.read()

    @property
    def status_file(self) -> Path:
        return self.home / "data" / "demo" / "engine" / "summary.json"

    def status(self) -> EngineStatus:
        return read_status(self.status_file) or EngineStatus()

    def until(self, condition: Callable[[EngineStatus], object], what: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition(self.status()):
            assert self.process.poll() is None, f"the demo ended early:\n{self.lines[-4000:]}"
            assert time.monotonic() < deadline, f"waited for {what}:\n{self.lines[-4000:]}"
            time.sleep(0.05)

    def pid(self, name: str) -> int | None:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode()
            except OSError:
                continue
            if PROCESSES[name] in command:
                return int(child)
        return None

    def ask(self, what: Literal["status", "pause", "resume", "flatten"]) -> Response:
        """Over the engine's control socket."""
        settings = load_settings("demo", home=Home(self.home))

        async def talk() -> Response:
            async with connect(settings.engine.control_port, load_token(settings.token_path)) as client:
                return await client.ask(Request(what, secrets.token_hex(8)))

        return asyncio.run(talk())

    def engine_status(self) -> EngineStatus:
        """As of now, from the engine itself."""
        return msgspec.json.decode(self.ask("status").data, type=EngineStatus)

    def come_to_rest(self) -> None:
        """No new positions, and nothing in flight: only stops may be open."""
        assert self.ask("pause").ok
        paused_ns = time.time_ns()
        self.until(
            lambda status: (
                status.time_ns > paused_ns
                and all(one.order_type == "STOP_MARKET" for one in status.open_orders)
            ),
            "nothing in flight",
        )

    def kill(self, name: str) -> None:
        self.send_signal(name, signal.SIGKILL)

    def send_signal(self, name: str, number: signal.Signals) -> int:
        """Returns the process it was sent to."""
        pid = self.pid(name)
        assert pid is not None
        os.kill(pid, number)
        return pid

    def end(self, number: int = signal.SIGTERM) -> dict[str, Any]:
        """Stop it in order; returns the summary."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> dict[str, Any]:
        code = self.process.wait(120)
        self.output.close()
        assert code == 0, self.lines[-4000:]
        summary: dict[str, Any] = json.loads(self.summary_file.read_text())
        return summary

    def abandon(self) -> None:
        """Whatever happened, leave nothing running."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


class Client:
    """Asks a simulator as the account's owner."""

    def __init__(self, state: Path, url: str) -> None:
        lines = (state / "binance_keys").read_text().splitlines()
        keys = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        self._key, self._secret = keys["api_key"].strip(), keys["api_secret"].strip()
        self._url = url

    @classmethod
    def of(cls, demo: Demo) -> "Client":
        """To the simulator of a running demo."""
        folder = demo.home / "data" / "demo"
        port = json.loads((folder / "ports.json").read_text())["simulator"]
        return cls(folder / "simulator", f"http://127.0.0.1:{port}")

    def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401  # JSON
        query = urllib.parse.urlencode({**parameters, "timestamp": int(time.time() * 1000)})
        signature = hmac.new(self._secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(f"{self._url}{path}?{query}&signature={signature}")
        request.add_header("X-MBX-APIKEY", self._key)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


class Exchange(Client):
    """The simulator alone, on the state the demo has left: what does the account really look like?"""

    def __init__(self, demo: Demo) -> None:
        state = demo.home / "data" / "demo" / "simulator"
        command = [sys.executable, "-m", "gateways.simulator", "--port", "0", "--state", str(state)]
        self._process = subprocess.Popen(
            [*command, "--symbols", "BTCUSDT", "--exit-with-stdin"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "listening on " in line:
                super().__init__(state, line.split("listening on ")[1].strip())
                return
        raise AssertionError("the simulator does not come up on the demo's state")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
