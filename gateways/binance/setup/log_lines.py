"""The format of the gateway's log: in the engine's style, repeated messages at most once a minute."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

QUIET_SECONDS = 60.0
MOST_REMEMBERED = 500
REPEATING = frozenset(
    {
        *("cannot connect", "cannot rotate yet", "cannot catch up", "no book snapshot", "no instrument"),
        "a connection was refused",
        *("no klines", "snapshot is incomplete", "cannot check the account"),
    }
)
"""Logged at every attempt while the exchange cannot be reached."""
EXPECTED = frozenset({"engine disconnected"})
"""Part of every orderly end; the supervisor reports an engine that died."""
UNRESOLVED = (
    "Name or service not known",
    "name resolution",
    "nodename nor servname",
    "getaddrinfo failed",
    "No address associated",
)
UNREACHED = "no connection to the exchange"
"""Reason of requests that found no connection."""


class LogLines:
    """The last processor of structlog: time, level where it matters, text.

    `hosts` names the host behind each link; `now` is monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.hosts: Mapping[str, str] = {}
        self._now = now
        self._unresolved_at = -QUIET_SECONDS
        self._said: dict[str, float] = {}

    def __call__(self, _logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
        """One line; `structlog.DropEvent` for what was logged less than a minute ago."""
        time, level, text = event.pop("timestamp")[:-3], event.pop("level"), event.pop("event")
        reason, trace = event.pop("reason", ""), event.pop("exception", "")
        if any(sign in reason for sign in UNRESOLVED):
            self._unresolved_at = self._now()
            host = self.hosts.get(event.get("link", ""), "the exchange")
            self._keep_quiet("unresolved")
            text, reason, event = f"no connection to {host}: name could not be resolved", "", {}
        elif text in REPEATING:
            if UNREACHED in reason and self._now() - self._unresolved_at < QUIET_SECONDS:
                raise structlog.DropEvent  # the one sentence about the name has said why
            self._keep_quiet(f"{text} {sorted(event.items())}")
        known = text.split()
        parts = [_words(value) if key in known else f"{key} {_words(value)}" for key, value in event.items()]
        parts += [reason] if reason else []
        loud = "" if level == "info" or text in EXPECTED else f"{level.upper()} "
        line = f"{time} {loud}{text}{': ' if parts else ''}{', '.join(parts)}"
        return f"{line}\n{trace}" if trace else line

    def _keep_quiet(self, key: str) -> None:
        now = self._now()
        if now - self._said.get(key, -QUIET_SECONDS) < QUIET_SECONDS:
            raise structlog.DropEvent
        if len(self._said) >= MOST_REMEMBERED:
            self._said.clear()
        self._said[key] = now


def _words(value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return " ".join(map(str, value))
    return str(value)
