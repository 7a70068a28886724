"""Which bars a strategy is fed on a symbol, live and in backtests."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from engine.model.bars import Bar, Bars, BarsKey
from engine.model.sentences import SentenceError
from engine.model.timeframes import timeframe_ns, timeframe_text
from engine.series.feeds import Feeds
from engine.strategies.base import ScriptStrategy, SignalStrategy


def deciding_ns(strategy: SignalStrategy | ScriptStrategy, run_on_ns: int) -> int:
    """Length of the bars it decides on: its own timeframe, or where it names none that it is run on."""
    own = strategy.inputs.timeframes
    return timeframe_ns(own[0]) if own else run_on_ns


def inputs_of(strategy: SignalStrategy | ScriptStrategy, symbol: str, run_on_ns: int) -> tuple[BarsKey, ...]:
    """The bars a strategy is fed on a symbol, the deciding ones first. A signal strategy is bound to them.

    `SentenceError` where the deciding bars cannot make up a longer one.
    """
    wanted, length = strategy.inputs, deciding_ns(strategy, run_on_ns)
    if isinstance(strategy, SignalStrategy):
        strategy.bind(symbol, length)
    own = [(symbol, timeframe_ns(text)) for text in wanted.timeframes] or [(symbol, length)]
    others = [(name or symbol, timeframe_ns(text) if text else length) for name, text in wanted.others]
    return tuple(dict.fromkeys([*own, *others]))


def informative_of(
    strategy: SignalStrategy | ScriptStrategy, bars: Bars, beside: Iterable[Bars] = ()
) -> list[Bars]:
    """The histories it looks at beside the deciding one: those given, or made of those given.

    `SentenceError` where it decides on bars of another length, or there are none of what it looks at.
    """
    own = strategy.inputs.timeframes
    if own and timeframe_ns(own[0]) != bars.timeframe_ns:
        given = timeframe_text(bars.timeframe_ns)
        raise SentenceError(f"it decides on {own[0]} bars, and those given of {bars.symbol} are {given}")
    feeds = Feeds(bars, beside)
    keys = inputs_of(strategy, bars.symbol, bars.timeframe_ns)
    return [feeds.of(*key) for key in keys[1:]]


class Informative:
    """The informative bars of a history, each handed out once, as soon as a deciding bar knows it."""

    def __init__(self, histories: Sequence[Bars]) -> None:
        self._histories = histories
        closes = [bars.open_time_ns + bars.timeframe_ns for bars in histories]
        counts = [len(bars) for bars in histories]
        close = np.concatenate([np.empty(0, np.int64), *closes])
        length = np.repeat([bars.timeframe_ns for bars in histories], counts)
        history = np.repeat(np.arange(len(histories)), counts)
        row = np.concatenate([np.empty(0, np.int64), *(np.arange(count) for count in counts)])
        order = np.lexsort((history, -length, close))
        self._rows = list(zip(*(one[order].tolist() for one in (close, history, row)), strict=True))
        self._next = 0

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._rows)

    def until(self, time_ns: int) -> Iterator[Bar]:
        """Those closed by then that were not handed out before; of those that close together the longest
        first.
        """
        while self._next < len(self._rows) and self._rows[self._next][0] <= time_ns:
            _, history, row = self._rows[self._next]
            self._next += 1
            yield bar_at(self._histories[history], row)


def bar_at(bars: Bars, row: int) -> Bar:
    """One bar of a history."""
    return Bar(
        bars.symbol,
        bars.timeframe_ns,
        int(bars.open_time_ns[row]),
        float(bars.open[row]),
        float(bars.high[row]),
        float(bars.low[row]),
        float(bars.close[row]),
        float(bars.volume_base[row]),
        "exchange",
    )
