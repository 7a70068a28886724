"""Starts the process that keeps the tables up to the journal, and ends it."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


class TablesProcess:
    """Runs `python -m engine.storage.tables follow ENV` beside the engine.

    The child ends when its stdin closes, so also when this process dies in whatever way. Its death harms
    nobody: the tables lag until the next start.
    """

    def __init__(self, environment: str) -> None:
        self._child = subprocess.Popen(  # noqa: S603  # our own module, with a checked name
            [sys.executable, "-m", "engine.storage.tables", "follow", environment],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=_ROOT,
        )

    @property
    def is_running(self) -> bool:
        """Whether the child is alive."""
        return self._child.poll() is None

    def stop(self, timeout_s: float = 5.0) -> int:
        """Let it catch up and end; returns its exit code. It is killed when that takes too long."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()
