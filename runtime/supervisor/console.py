"""Output of all processes: to standard output, and to a log file of bounded size."""

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
    """A rotating file; each kind of write error, such as a full disk, is reported once."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        super().__init__(
            path, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8", delay=True
        )
        self._say = say
        self._reported = ""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # logging's own name
        error = sys.exception()
        said = getattr(error, "strerror", None) or str(error)
        if said != self._reported:
            self._reported = said
            self._say(f"[supervisor] {self.baseFilename} cannot be written: {said}")


class Console:
    """Prefixes each line with its source. With `quiet` nothing is printed: the live view has the terminal."""

    def __init__(self, log_path: Path, *, quiet: bool) -> None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self.quiet = quiet
        self.recent: deque[str] = deque(maxlen=RECENT_LINES)
        self._printer = Printer()
        self._file = _LogFile(log_path, self._add)
        form = logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%Y-%m-%d %H:%M:%S")
        form.converter = time.gmtime
        self._file.setFormatter(form)

    def __call__(self, source: str, line: str) -> None:
        """Add one line of one process."""
        text = f"[{source}] {line}"
        self._add(text)
        # The file puts its own time before each line.
        written = f"[{source}] {_TIME.sub('', line)}"
        self._file.emit(logging.LogRecord(source, logging.INFO, "", 0, written, None, None))

    def _add(self, text: str) -> None:
        self.recent.append(text)
        if not self.quiet:
            self.say(text)

    def say(self, text: str) -> None:
        """Print to standard output; a reader that is gone or does not read blocks nothing."""
        self._printer.say(text)

    def flush(self) -> None:
        """Print what is left, for a moment at most."""
        self._printer.flush()

    def close(self) -> None:
        """Print what is left and close the file. `say` goes on working."""
        self.flush()
        with contextlib.suppress(OSError):  # reported when it was written to
            self._file.close()
