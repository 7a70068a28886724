"""Standard output that never blocks the supervisor.

A terminal stopped with Ctrl+S, or a pager, may stop reading. A supervisor that waited for it would no longer
read its children's output, and a child whose pipe is full blocks too: trading would stop.
"""

import atexit
import os
import sys
import threading
from collections import deque
from typing import TextIO

MAX_WAITING_LINES = 2_000
FLUSH_SECONDS = 2.0


class Printer:
    """Writes lines in its own thread. While nobody reads, the newest lines are kept and the others counted.

    When the reader is gone, nothing more is written.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._skipped = 0
        self._changed = threading.Condition()
        self._is_writing = False
        self._is_read = True
        self._thread: threading.Thread | None = None

    def say(self, line: str) -> None:
        """Print the line soon."""
        if not self._is_read:
            return
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(_own_output(),), name="printer", daemon=True
                )
                self._thread.start()
                atexit.register(self.flush)
            if len(self._waiting) >= MAX_WAITING_LINES:
                self._waiting.popleft()
                self._skipped += 1
            self._waiting.append(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Print the waiting lines, for at most `FLUSH_SECONDS`: nobody may be reading."""
        with self._changed:
            self._changed.wait_for(self._is_idle, FLUSH_SECONDS)

    def _is_idle(self) -> bool:
        return not self._is_read or not (self._waiting or self._is_writing)

    def _run(self, output: TextIO) -> None:
        while self._is_read:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                lines, skipped = list(self._waiting), self._skipped
                self._waiting.clear()
                self._skipped = 0
                self._is_writing = True
            if skipped:
                note = f"{skipped} lines could not be printed in time: they are in the log file"
                lines.insert(0, f"[supervisor] {note}")
            is_read = _write(output, "\n".join(lines))
            with self._changed:
                self._is_writing, self._is_read = False, is_read
                self._changed.notify_all()


def _own_output() -> TextIO:
    """Standard output with a buffer of its own: a write that is never taken holds no lock that the end of
    the process needs."""
    output = sys.stdout
    try:
        copy = os.dup(output.fileno())
    except (OSError, ValueError):  # something in its place, or it is closed
        return output
    return os.fdopen(copy, "w", encoding=output.encoding, errors=output.errors)


def _write(output: TextIO, text: str) -> bool:
    """False when the reader is gone, which does not end the session."""
    try:
        output.write(text + "\n")
        output.flush()
    except (OSError, ValueError):
        return False
    return True
