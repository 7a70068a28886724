"""Watches strategies, which can block, end or copy the process that runs them.

A strategy that blocks is reported with its time. The one at work is noted in a mapped file, which survives a
kill, so one that never returns or ends the process is known afterwards. After the second such death in a run
the engine starts without it.
"""

import json
import mmap
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from engine.model.audit import Severity
from engine.model.bars import Bar
from engine.model.timeframes import utc_text
from engine.strategies.slot import StrategySlot

SLOW_SECONDS = 0.25
AGAIN_SECONDS = 60.0
"""A slow strategy is reported once a minute, or when it takes twice as long as last reported."""
DEATHS = 2
_NOTE_BYTES = 512
_FORKS = frozenset({"os.fork", "os.forkpty"})

Say = Callable[[Severity, str, str], None]


@dataclass(frozen=True, slots=True)
class Death:
    """How often the process ended in this run while this strategy was at work, and on which bar last."""

    strategy: str
    symbol: str
    bar_open_ns: int
    times: int

    @property
    def is_final(self) -> bool:
        """Whether the strategy is disabled from now on."""
        return self.times >= DEATHS

    @property
    def sentence(self) -> str:
        """Text for the log, and the reason why the strategy does not run."""
        bar = utc_text(self.bar_open_ns)
        if self.is_final:
            return f"it was at work when the engine ended {self.times} times in this run, last on bar {bar}"
        return (
            f"{self.strategy} on {self.symbol} was at work on bar {bar} when the engine ended; "
            "next time it is disabled"
        )


class StrategyWatch:
    """Implements `engine.strategies.guard.Watch`."""

    def __init__(self, folder: Path, say: Say) -> None:
        """`folder` is the engine's; OSError if it cannot be written."""
        path = folder / "strategy_at_work"
        with path.open("w+b") as file:
            file.write(bytes(_NOTE_BYTES))
            file.flush()
            self._note = mmap.mmap(file.fileno(), _NOTE_BYTES)
        self._say = say
        self._names: dict[StrategySlot, bytes] = {}
        self._slot: StrategySlot | None = None
        self._bar_open_ns = 0
        self._since = 0.0
        self._reported: dict[StrategySlot, tuple[float, float]] = {}

    def begin(self, slot: StrategySlot, bar: Bar) -> None:
        """Called just before a strategy gets a bar."""
        name = self._names.get(slot)
        if name is None:
            name = self._names[slot] = f"{slot.owner}\n{slot.symbol}\n".encode()[: _NOTE_BYTES - 32]
        note = name + b"%d\n\0" % bar.open_time_ns
        self._slot = slot
        self._bar_open_ns = bar.open_time_ns
        self._note[: len(note)] = note
        self._since = perf_counter()

    def end(self) -> None:
        """Called when it has returned or raised."""
        seconds = perf_counter() - self._since
        self._note[0] = 0
        if seconds >= SLOW_SECONDS and self._slot is not None:
            self._report_slow(self._slot, seconds)

    def close(self) -> None:
        """Close the file."""
        self._note.close()

    def _report_slow(self, slot: StrategySlot, seconds: float) -> None:
        now = self._since
        reported_at, reported_seconds = self._reported.get(slot, (-AGAIN_SECONDS, 0.0))
        if now - reported_at < AGAIN_SECONDS and seconds < 2 * reported_seconds:
            return
        self._reported[slot] = (now, seconds)
        text = f"{slot.owner} on {slot.symbol} took {seconds:.1f} s for bar {utc_text(self._bar_open_ns)}"
        self._say("warning", "strategy", f"{text}; everything else had to wait")


def deaths_at_work(folder: Path, *, same_run: bool) -> list[Death]:
    """Strategies that were at work when an engine of this run ended; kept for the next start.

    A new run begins without them: a person has started it.
    """
    memory = folder / "strategy_deaths.json"
    if not same_run:
        memory.unlink(missing_ok=True)
        return []
    counts = _remembered(memory)
    found = _at_work(folder / "strategy_at_work")
    if found is not None:
        strategy, symbol, bar_open_ns = found
        times = counts.get((strategy, symbol), (0, 0))[0] + 1
        counts[strategy, symbol] = (times, bar_open_ns)
        part = memory.with_suffix(f".{os.getpid()}.tmp")
        part.write_text(json.dumps([[*key, *value] for key, value in counts.items()]), "utf-8")
        part.replace(memory)
    return [Death(*key, bar_open_ns, times) for key, (times, bar_open_ns) in counts.items()]


def _remembered(path: Path) -> dict[tuple[str, str], tuple[int, int]]:
    try:
        rows = json.loads(path.read_text("utf-8"))
        return {(str(row[0]), str(row[1])): (int(row[2]), int(row[3])) for row in rows}
    except (OSError, ValueError, TypeError, LookupError):
        return {}


def _at_work(path: Path) -> tuple[str, str, int] | None:
    try:
        strategy, symbol, bar_open_ns, _ = path.read_bytes().decode("utf-8", "replace").split("\n", 3)
        return (strategy, symbol, int(bar_open_ns)) if not strategy.startswith("\0") else None
    except (OSError, ValueError):
        return None


def forbid_forks() -> None:
    """Make `os.fork` raise in this process: the copy would hold its sockets and trade too."""

    def look(event: str, _arguments: tuple[object, ...]) -> None:
        if event in _FORKS:
            raise RuntimeError(f"{event} is not allowed in the engine: the copy would trade too")

    sys.addaudithook(look)
