"""What a run has recorded about one bar: its signals, the values behind them, and what became of them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from engine.execution.entries.signal_log import at_text, signal_line
from engine.journal.tail import JournalTail
from engine.model.owners import strategy_name
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS, utc_text
from engine.series.words import number_text
from engine.tables.reading import first_base


def signals_on(folder: Path, at: datetime | None, strategy: str = "", symbol: str = "") -> list[Signal]:
    """Signals of the bars in which the moment is, None for the newest bar with one; oldest first.

    `folder` is a journal's, which an engine may be writing. `strategy` is an owner's name, or that of all of
    a kind. JournalError, OSError.
    """
    time_ns = None if at is None else int(at.timestamp()) * SECOND_NS
    found = [
        one
        for one in _signals(folder)
        if strategy in {"", one.strategy, strategy_name(one.strategy)}
        and symbol in {"", one.symbol}
        and (time_ns is None or 0 <= time_ns - one.bar_open_time_ns < one.timeframe_ns)
    ]
    if time_ns is None and found:
        newest = max(one.bar_open_time_ns for one in found)
        found = [one for one in found if one.bar_open_time_ns == newest]
    return found


def lines_about(signal: Signal) -> Iterator[str]:
    """A signal for a person: its bar, what became of it, and the values behind it."""
    line = signal_line(signal, lambda _, price: number_text(float(price)))
    yield f"{line}; bar of {utc_text(signal.bar_open_time_ns)}, at {at_text(signal.time_ns)}"
    names = signal.value_names or tuple(f"value {k}" for k in range(1, len(signal.values) + 1))
    for name, value in zip(names, signal.values, strict=False):
        yield f"  plotted: {name} {number_text(value)}"


def _signals(folder: Path) -> Iterator[Signal]:
    base = first_base(folder)
    tail = JournalTail(folder, after=0 if base is None else base.sequence)
    while found := tail.read():
        yield from (record for _, record in found if isinstance(record, Signal))
