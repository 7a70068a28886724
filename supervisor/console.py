"""Where the lines of all processes go: to standard output, and to a log file that is bounded."""

import logging
import re
import time
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

from supervisor.printer import Printer

LOG_FILE_BYTES = 5_000_000
LOG_FILES_KEPT = 3
RECENT_LINES = 200
_TIME = re.compile(r"^[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} ")


class Console:
    """Prefixes each line with its source. With `quiet` standard output is left to the live view."""

    def __init__(self, log_path: Path, *, quiet: bool) -> None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self.quiet = quiet
        self.recent: deque[str] = deque(maxlen=RECENT_LINES)
        self._printer = Printer()
        self._file = RotatingFileHandler(
            log_path, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8", delay=True
        )
        form = logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%Y-%m-%d %H:%M:%S")
        form.converter = time.gmtime
        self._file.setFormatter(form)

    def __call__(self, source: str, line: str) -> None:
        """One line of one process."""
        text = f"[{source}] {line}"
        self.recent.append(text)
        # The file has a time of its own before each line.
        written = f"[{source}] {_TIME.sub('', line)}"
        self._file.emit(logging.LogRecord(source, logging.INFO, "", 0, written, None, None))
        if not self.quiet:
            self.say(text)

    def say(self, text: str) -> None:
        """On standard output; a reader that has gone away, or takes nothing, holds up nothing."""
        self._printer.say(text)

    def close(self) -> None:
        """Finish the file and what is to be printed."""
        self._printer.close()
        self._file.close()
