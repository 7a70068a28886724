"""Standard output that waits for nobody.

A terminal stopped with Ctrl+S, or a pager that has enough, takes no more lines. A supervisor that waited for
it would read no child's output any more, and a child whose pipe is full waits too: trading would stand still.
"""

import atexit
import sys
import threading
from collections import deque

MAX_WAITING_LINES = 2_000
CLOSE_SECONDS = 2.0


class Printer:
    """Writes lines in a thread of its own. While nobody takes them the newest are kept, the others counted.

    A reader that has gone away gets no more of them.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._skipped = 0
        self._changed = threading.Condition()
        self._closed = False
        self._is_read = True
        self._thread: threading.Thread | None = None

    def say(self, line: str) -> None:
        """Print it soon; after `close` at once."""
        if not self._is_read:
            return
        with self._changed:
            if not self._closed:
                self._keep(line)
                return
        self._is_read = _write(line)

    def close(self) -> None:
        """Print what waits, for a moment."""
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
                told = f"{skipped} lines were not taken in time: they are in the log file"
                lines.insert(0, f"[supervisor] {told}")
            self._is_read = _write("\n".join(lines))


def _write(text: str) -> bool:
    """False when the reader has gone away, which does not end the session."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True
