"""Notifications as log lines."""

import logging

from engine.notifications.model import Notification

_LEVEL = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}


class LogSink:
    """Writes to one logger of the standard library."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("nextbar.notifications")

    async def start(self) -> None:
        """Nothing to get ready."""

    async def send(self, notification: Notification) -> None:
        """One line."""
        self._logger.log(_LEVEL[notification.level], "%s", notification.text)

    async def stop(self) -> None:
        """Nothing to close."""
