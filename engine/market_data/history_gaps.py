"""Bars that the exchange itself does not have: told with place and length, and not asked for again."""

from collections.abc import Sequence

import numpy as np

from engine.market_data.bar_times import gap_text, gaps
from engine.model.bars import Bar
from engine.model.context import Outbox
from engine.model.timeframes import timeframe_text


class HistoryGaps:
    """Gaps in the exchange's answers, by the first bar behind each."""

    def __init__(self, out: Outbox) -> None:
        self._out = out
        self._known: dict[tuple[str, int], set[int]] = {}

    def note(self, bars: Sequence[Bar]) -> None:
        """Take an answer, ascending bars of one series; say what is missing in it, once."""
        if not bars:
            return
        symbol, length = bars[0].symbol, bars[0].timeframe_ns
        known = self._known.setdefault((symbol, length), set())
        times = np.array([bar.open_time_ns for bar in bars], dtype=np.int64)
        new = [gap for gap in gaps(times, length) if gap.end_ns not in known]
        if not new:
            return
        known.update(gap.end_ns for gap in new)
        text = f"{symbol} {timeframe_text(length)} history: {gap_text(new)}"
        self._out.notice("warning", text)

    def is_known(self, symbol: str, length_ns: int, open_time_ns: int) -> bool:
        """Whether the exchange has no bar in front of the one that opens then."""
        return open_time_ns in self._known.get((symbol, length_ns), ())
