"""Starts, restarts and stops the process that brings the tables up to date with the journal."""

import os
import subprocess
import sys

from runtime.process.child import EXIT_CONFIGURATION, OWN_SESSION
from runtime.process.interpreter import ROOT
from runtime.settings.environment import HOME_VARIABLE, Home

_FIRST_WAIT_S = 10.0
_LONGEST_WAIT_S = 600.0


class TablesProcess:
    """Runs `python -m engine.tables follow ENV` beside the engine.

    The child ends when its stdin closes, so also when this process dies for whatever reason. If the child
    dies, the tables lag until `revive` restarts it.
    """

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._child = self._started()
        self._next_start_s = _FIRST_WAIT_S
        self._wait_s = _FIRST_WAIT_S

    @property
    def is_running(self) -> bool:
        """Whether the child is alive."""
        return self._child.poll() is None

    def revive(self, now_s: float) -> None:
        """Restart it when it has died, at growing intervals; not if its configuration was refused.

        `now_s` counts from the first start.
        """
        if self.is_running or self._child.returncode == EXIT_CONFIGURATION or now_s < self._next_start_s:
            return
        self._close_stdin()
        self._child = self._started()
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
        self._next_start_s = now_s + self._wait_s

    def stop(self, timeout_s: float = 5.0) -> int:
        """Let it catch up and end; returns its exit code. It is killed if that takes too long."""
        self._close_stdin()
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Kill it, which loses nothing."""
        self._child.kill()
        return self._child.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        # Ctrl+C comes before the engine's last records.
        return subprocess.Popen(  # noqa: S603  # our own module, with a checked name
            [sys.executable, "-m", "engine.tables", "follow", self._environment],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, HOME_VARIABLE: str(Home.find().root)},
            **OWN_SESSION,
        )

    def _close_stdin(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
