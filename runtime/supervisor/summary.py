"""The numbers of a run: the engine's, and those that only the supervisor knows."""

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from runtime.control.status import Counts, EngineStatus, StartMoney, read_status

COUNTERS = ("ticks", "candles", "signals", "orders", "fills", "rejects", "conflated_ticks")
EXACT = Counts.__struct_fields__
"""Counters that the engine's journal holds exactly, however the engine ended."""
LATE_S = 10.0
"""The engine writes each second, and once more at its end."""
MONEY = ("realised_pnl", "unrealised_pnl", "fees", "wallet_balance")
OF_RUN = ("realised_pnl", "fees", "funding")
"""Sums of the whole journal; the part of this run is reported too."""


class RunSummary:
    """Reads the engine's status file; counters continue across restarts of the engine.

    The engine counts from zero at each start, so the counts of a dead engine are added. Its last status may
    be a second old, so counts that the journal keeps over all starts are taken from there, less their values
    when this run began.
    """

    def __init__(self, status_path: Path) -> None:
        self._path = status_path
        self._carried = dict.fromkeys(COUNTERS, 0)
        self._before_death = EngineStatus()
        self._at_begin: Counts | None = None
        self._money_at_begin: StartMoney | None = None
        self._written_s = 0.0

    def forget_last_run(self) -> None:
        """Delete the status file of an earlier run."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def read(self) -> EngineStatus:
        """The engine's last status; all zero while there is none."""
        status = read_status(self._path) or EngineStatus()
        with contextlib.suppress(OSError):
            self._written_s = self._path.stat().st_mtime
        if self._at_begin is None and status.since_journal_began is not None:
            self._at_begin = Counts(
                *(getattr(status.since_journal_began, name) - getattr(status, name) for name in EXACT)
            )
        begin, given = self._money_at_begin, status.at_start
        if begin is None:
            self._money_at_begin = given
        elif begin.wallet_balance is None and given is not None:
            self._money_at_begin = msgspec.structs.replace(begin, wallet_balance=given.wallet_balance)
        return status

    def engine_died(self) -> None:
        """Keep the counts of the engine that has died."""
        last = self.read()
        for name in COUNTERS:
            self._carried[name] += getattr(last, name)
        if last.time_ns:
            self._before_death = last
        self.forget_last_run()

    def last_status(self) -> EngineStatus:
        """The status of this engine, or of the one before while this one has written none."""
        status = self.read()
        return status if status.time_ns else self._before_death

    def as_of(self, ended_s: float) -> str:
        """When its last status was written, if the engine ended long after that (full disk); else ""."""
        self.read()
        late_s = ended_s - self._written_s
        if not self._written_s or late_s < LATE_S:
            return ""
        written = datetime.fromtimestamp(self._written_s, UTC)
        return f"as of {written:%Y-%m-%d %H:%M:%S} UTC, {late_s:.0f} s before the engine ended"

    def merged(self, *, seconds: float, restarts: int) -> dict[str, Any]:
        """Every key of `--summary`. Money is a number, None if the engine never reported it.

        If the engine has died and written no status since, its last one is used.
        """
        status = self.read()
        counters = {name: getattr(status, name) + self._carried[name] for name in COUNTERS}
        total = (status if status.time_ns else self._before_death).since_journal_began
        if total is not None and self._at_begin is not None:
            counters |= {name: getattr(total, name) - getattr(self._at_begin, name) for name in EXACT}
        if not status.time_ns:
            status = self._before_death
        return {
            "seconds": round(seconds, 3),
            **counters,
            "restarts": restarts,
            "positions": {one.symbol: _number(one.qty_base) for one in status.positions},
            **{name: _number(getattr(status, name)) for name in MONEY},
            **self._of_run(status),
            "tick_to_order_us": {"p50": status.tick_to_order_us.p50, "p99": status.tick_to_order_us.p99},
        }

    def _of_run(self, status: EngineStatus) -> dict[str, float | None]:
        """The balance at the beginning of the run, and its changes since."""
        begin = self._money_at_begin
        found: dict[str, float | None] = {
            "start_wallet_balance": None if begin is None else _number(begin.wallet_balance)
        }
        for name in OF_RUN:
            now = getattr(status, name)
            is_known = begin is not None and now is not None
            found[f"run_{name}"] = float(Decimal(now) - Decimal(getattr(begin, name))) if is_known else None
        return found


def _number(text: str | None) -> float | None:
    """Exact up to 15 digits, more than a wallet shows."""
    return None if text is None else float(Decimal(text))


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write it as JSON, completely or not at all."""
    part = path.with_name(path.name + ".tmp")
    part.write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    part.replace(path)
