"""Where the lines of all processes go: to standard output, and to a log file that is bounded."""

import contextlib
import logging
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from runtime.supervisor.printer import Printer

LOG_FILE_BYTES = 5_000_000
LOG_FILES_KEPT = 3
RECENT_LINES = 200
_TIME = re.compile(r"^[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} ")


class _LogFile(RotatingFileHandler):
    """Rotates, and says once for each trouble that lines are missing: a full disk is no bug."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        super().__init__(
            path, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8", delay=True
        )
        self._say = say
        self._told = ""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # logging's own name
        error = sys.exception()
        said = getattr(error, "strerror", None) or str(error)
        if said != self._told:
            self._told = said
            self._say(f"[supervisor] {self.baseFilename} cannot be written: {said}")


class Console:
    """Prefixes each line with its source. With `quiet` standard output is left to the live view."""

    def __init__(self, log_path: Path, *, quiet: bool) -> None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self.quiet = quiet
        self.recent: deque[str] = deque(maxlen=RECENT_LINES)
        self._printer = Printer()
        self._file = _LogFile(log_path, self._tell)
        form = logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%Y-%m-%d %H:%M:%S")
        form.converter = time.gmtime
        self._file.setFormatter(form)

    def __call__(self, source: str, line: str) -> None:
        """One line of one process."""
        text = f"[{source}] {line}"
        self._tell(text)
        # The file has a time of its own before each line.
        written = f"[{source}] {_TIME.sub('', line)}"
        self._file.emit(logging.LogRecord(source, logging.INFO, "", 0, written, None, None))

    def _tell(self, text: str) -> None:
        self.recent.append(text)
        if not self.quiet:
            self.say(text)

    def say(self, text: str) -> None:
        """On standard output; a reader that has gone away, or takes nothing, holds up nothing."""
        self._printer.say(text)

    def close(self) -> None:
        """Finish the file and what is to be printed."""
        self._printer.close()
        with contextlib.suppress(OSError):  # told when it was written to
            self._file.close()
