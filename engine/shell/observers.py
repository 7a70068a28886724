"""The receivers of events: log and notification center. Neither is in an order's path."""

import sys
from collections.abc import Sequence

import structlog

from engine.model.audit import AuditEvent, Severity
from engine.model.records import Fill, JournalRecord
from engine.notifications.model import Notification
from engine.notifications.setup import make_center
from engine.shell.log_lines import line_of
from runtime.control.shown import ShowPrice, as_it_is
from runtime.settings import Settings


class Observers:
    """Writes log lines for everything, and notifications for what a person wants to know at once."""

    def __init__(self, settings: Settings, price: ShowPrice = as_it_is) -> None:
        self._price = price
        self._log = _logger()
        self._center, self._missing = make_center(settings)

    def start(self) -> None:
        """Start the notification center's thread."""
        self._center.start()
        if self._missing:
            self._write("warning", "telegram", self._missing)

    def stop(self) -> None:
        """Deliver what is queued, within a limited time."""
        self._center.stop()

    def say(self, level: Severity, kind: str, text: str) -> None:
        """One line of the shell itself."""
        self._write(level, kind, text)
        if level != "info":
            self._notify(level, kind, text)

    def tell(self, events: Sequence[JournalRecord | AuditEvent]) -> None:
        """Log what happened, in order, and notify of what matters."""
        for event in events:
            line = line_of(event, self._price)
            if line is None:
                continue
            level, kind, text = line
            trace = getattr(event, "trace", "")
            self._write(level, kind, f"{text}\n{trace}" if trace else text)
            if level != "info" or isinstance(event, Fill):
                self._notify(level, kind, text, repeats=isinstance(event, Fill))

    def _write(self, level: Severity, kind: str, text: str) -> None:
        self._log.log(_LEVELS[level], f"{kind:<9} {text}")

    def _notify(self, level: Severity, kind: str, text: str, *, repeats: bool = False) -> None:
        """The same text within a minute is sent once, unless it `repeats` by nature."""
        key = "" if repeats else f"{kind}:{text}"
        self._center.publish(Notification(level, f"{kind}: {text}", key=key))


_LEVELS = {"info": 20, "warning": 30, "critical": 50}


def _logger() -> structlog.typing.FilteringBoundLogger:
    """One line per event on standard output: time, level if not info, text."""
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
            _one_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    return logger


def _one_line(_logger: object, _name: str, event: structlog.typing.EventDict) -> str:
    level = event["level"]
    loud = "" if level == "info" else f"{level.upper()} "
    return f"{event['timestamp'][:-3]} {loud}{event['event']}"
