"""A file of critical notifications that are not delivered yet: the next start delivers them.

One that was delivered at the moment of a kill may be sent twice; none is lost.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.notifications.model import Notification

MAX_KEPT = 100
"""The oldest are kept; the log has all of them."""
_log = logging.getLogger(__name__)


class Outbox:
    """With `path` None nothing is kept. Never raises: if the disk fails, notifications are only not kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: tuple[Notification, ...] = ()

    def load(self) -> tuple[Notification, ...]:
        """Notifications that an earlier process left."""
        found: tuple[Notification, ...] = ()
        try:
            if self._path is not None:
                found = msgspec.json.decode(self._path.read_bytes(), type=tuple[Notification, ...])
        except FileNotFoundError:
            pass  # nothing was left
        except OSError as error:
            _log.warning("%s cannot be read: %s", self._path, error.strerror)
        except ValueError:
            _log.warning("%s is damaged; its notifications are lost", self._path)
        self._kept = found
        return found

    def keep(self, notifications: Sequence[Notification]) -> None:
        """Save the notifications that are not delivered yet; all others are."""
        wanted = tuple(notifications[:MAX_KEPT])
        if self._path is None or wanted == self._kept:
            return
        part = self._path.with_name(self._path.name + ".tmp")
        try:
            if wanted:
                part.write_bytes(msgspec.json.encode(wanted))
                part.replace(self._path)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error.strerror)
        self._kept = wanted
