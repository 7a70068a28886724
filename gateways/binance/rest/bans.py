"""Saves until when the exchange has banned requests.

A gateway that restarts during a ban must not send requests: each one extends the ban.
"""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gateways.binance.rest.request_budget import RequestBudget

FILE_NAME = "stops.json"
_MS = 1_000_000

_log = structlog.get_logger("gateway.stops")


class Bans:
    """Keeps the bans of the budget in the file `path`. `address` is the exchange they belong to."""

    def __init__(self, budget: RequestBudget, path: Path, address: str, now_ns: Callable[[], int]) -> None:
        self._budget = budget
        self._path = path
        self._address = address
        self._now_ns = now_ns
        self._written_ns = 0

    def resume(self) -> None:
        """Load the file, and keep it up to date from now on."""
        requests_ns, orders_ns, held_ns = (self._no_longer(until_ns) for until_ns in self._read())
        self._budget.resume(requests_ns, orders_ns, held_ns)
        if self._budget.banned_until_ns:
            _log.warning(
                "requests were stopped by the exchange before this start",
                until=moment(max(requests_ns, held_ns)),
                file=str(self._path),
            )
        self._budget.on_stop = self._stopped

    def _no_longer(self, until_ns: int) -> int:
        """No later than now plus the whole term: this machine's clock may be hours behind, and counts until
        the exchange can be asked for its time."""
        return min(until_ns, self._now_ns() + max(until_ns - self._written_ns, 0))

    def _stopped(self) -> None:
        requests_ns, orders_ns, held_ns = self._budget.stopped_until_ns
        now_ns = self._now_ns()
        if requests_ns > now_ns:
            _log.warning("the exchange has stopped all requests", until=moment(requests_ns))
        elif held_ns > now_ns:
            text = "HTTP 403 instead of an answer: requests wait, exits and cancels are still tried, slowly"
            _log.warning(text, until=moment(held_ns))
        elif orders_ns > now_ns:
            _log.warning("the exchange has stopped new orders", until=moment(orders_ns))
        try:
            self._write(requests_ns, orders_ns, held_ns)
        except OSError as error:
            _log.error("the ban cannot be saved: it will not be known after a restart", reason=str(error))

    def _read(self) -> tuple[int, int, int]:
        """Zeros where there is no file, or it is of another exchange or unreadable."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            if found["address"] != self._address:
                return 0, 0, 0
            self._written_ns = int(found.get("written_ms", 0)) * _MS
            held_ns = int(found.get("held_until_ms", 0)) * _MS
            return int(found["requests_until_ms"]) * _MS, int(found["orders_until_ms"]) * _MS, held_ns
        except FileNotFoundError:
            return 0, 0, 0
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("the saved bans cannot be read", reason=f"{self._path}: {error}")
            return 0, 0, 0

    def _write(self, requests_ns: int, orders_ns: int, held_ns: int) -> None:
        """Atomic, and on the disk when it returns. Rare, and nothing may be sent at that time anyway."""
        row = {
            "address": self._address,
            "written_ms": self._now_ns() // _MS,
            "requests_until_ms": -(-requests_ns // _MS),
            "orders_until_ms": -(-orders_ns // _MS),
            "held_until_ms": -(-held_ns // _MS),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        with part.open("w", encoding="utf-8") as file:
            json.dump(row, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)


def moment(time_ns: int) -> str:
    """Day and time of day, for a person."""
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
