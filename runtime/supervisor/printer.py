"""Standard output that never blocks the supervisor.

A terminal stopped with Ctrl+S, or a pager, may stop reading. A supervisor that waited for it would no longer
read its children's output, and a child whose pipe is full blocks too: trading would stop.
"""

import atexit
import sys
import threading
from collections import deque

MAX_WAITING_LINES = 2_000
CLOSE_SECONDS = 2.0


class Printer:
    """Writes lines in its own thread. While nobody reads, the newest lines are kept and the others counted.

    When the reader is gone, nothing more is written.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._skipped = 0
        self._changed = threading.Condition()
        self._closed = False
        self._is_read = True
        self._thread: threading.Thread | None = None

    def say(self, line: str) -> None:
        """Print the line soon; after `close` at once."""
        if not self._is_read:
            return
        with self._changed:
            if not self._closed:
                self._keep(line)
                return
        self._is_read = _write(line)

    def close(self) -> None:
        """Print the waiting lines, for at most `CLOSE_SECONDS`."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        atexit.unregister(self.close)
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _keep(self, line: str) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="printer", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        if len(self._waiting) >= MAX_WAITING_LINES:
            self._waiting.popleft()
            self._skipped += 1
        self._waiting.append(line)
        self._changed.notify()

    def _run(self) -> None:
        while self._is_read:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                lines, skipped = list(self._waiting), self._skipped
                self._waiting.clear()
                self._skipped = 0
            if not lines:
                return
            if skipped:
                note = f"{skipped} lines could not be printed in time: they are in the log file"
                lines.insert(0, f"[supervisor] {note}")
            self._is_read = _write("\n".join(lines))


def _write(text: str) -> bool:
    """False when the reader is gone, which does not end the session."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True
