"""Ticks to bars, by the rules of time of this system.

A bar is [open_time, close_time). Ticks are binned by exchange transaction time, one exactly on a
boundary belongs to the next bar. A bar closes at the first tick at or past its `close_time`, or when
estimated exchange time passes `close_time` + grace; nothing polls, `deadline_ns` says when to call
`on_time`. While data are missing no clock closes a bar, for nobody knows its close: the next tick does.
A tick that comes after its bar has closed is dropped, counted and marks the bar.

Ticks of one symbol are gathered in a *segment* that ends at the next close of any of its timeframes, and
a segment is merged into the open bar of each timeframe only when it ends. So a tick costs the same
however many timeframes there are.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from engine.model.bars import Bar, BarFlag, CandleKind
from engine.model.timeframes import NEVER_NS, bar_open_ns

EMPTY = int(BarFlag.EMPTY)
SUSPECT = int(BarFlag.SUSPECT)
LATE_TICK = int(BarFlag.LATE_TICK)
MAX_FILLED_BARS = 10_000
"""After a silence of more bars than this the series begins anew instead of being filled with empty bars."""

NO_BARS: Sequence[Bar] = ()
_TOP_PRICE = 1e300


class _OpenBar:
    """The bar of one timeframe that is being made."""

    __slots__ = (
        "close_time",
        "flags",
        "high",
        "last",
        "length",
        "low",
        "open",
        "open_time",
        "ticks",
        "volume",
    )

    def __init__(self, length_ns: int) -> None:
        self.length = length_ns
        self.begin(0, 0.0, 0)

    def begin(self, open_time_ns: int, last: float, flags: int) -> None:
        self.open_time = open_time_ns
        self.close_time = open_time_ns + self.length
        self.open = self.high = self.low = self.last = last
        self.volume = 0.0
        self.ticks = 0
        self.flags = flags

    def merge(self, prices: tuple[float, float, float, float], volume: float, ticks: int) -> None:
        """Take a segment: its first, highest, lowest and last price."""
        first, high, low, self.last = prices
        if self.ticks == 0:
            self.open, self.high, self.low = first, high, low
        else:
            self.high = max(self.high, high)
            self.low = min(self.low, low)
        self.volume += volume
        self.ticks += ticks


class SymbolBars:
    """All bars of one symbol made from one kind of tick.

    Prices are in the quote asset, volumes in the base asset. `late_ticks` and `invalid_ticks` count what
    was dropped. `on_begin` is called when a series begins, begins anew or goes on after a hole: its bars have
    close times now. Closed bars that a late tick marked are added to `late_marks`.
    """

    __slots__ = (
        "_bars",
        "_first",
        "_high",
        "_hole",
        "_last",
        "_low",
        "_on_begin",
        "_segment_end",
        "_segment_open",
        "_started",
        "_ticks",
        "_volume",
        "invalid_ticks",
        "kind",
        "last_closed",
        "late_marks",
        "late_ticks",
        "restarts",
        "symbol",
    )

    def __init__(
        self,
        symbol: str,
        kind: CandleKind,
        timeframes_ns: Iterable[int],
        on_begin: "Callable[[SymbolBars], object]" = lambda _: None,
        late_marks: list[Bar] | None = None,
    ) -> None:
        self._on_begin = on_begin
        self.symbol = symbol
        self.kind = kind
        self._bars = [_OpenBar(length) for length in sorted(set(timeframes_ns), reverse=True)]
        self.last_closed: dict[int, Bar] = {}
        self.late_marks: list[Bar] = [] if late_marks is None else late_marks
        self.late_ticks = 0
        self.invalid_ticks = 0
        self.restarts = 0
        self._started = False
        self._hole = False
        self._segment_open = self._segment_end = 0
        self._first = self._high = self._low = self._last = self._volume = 0.0
        self._ticks = 0

    @property
    def next_close_ns(self) -> int:
        """Exchange time at which the next bar is over; `NEVER_NS` before the first tick and in a hole."""
        return self._segment_end if self._started and not self._hole else NEVER_NS

    def add(self, time_ns: int, price: float, volume_base: float = 0.0) -> Sequence[Bar]:
        """Take one tick; the bars it closes, in order of close time, longest timeframe first."""
        if self._segment_open <= time_ns < self._segment_end and 0.0 < price < _TOP_PRICE and self._ticks:
            if price > self._high:
                self._high = price
            elif price < self._low:
                self._low = price
            self._last = price
            self._volume += volume_base
            self._ticks += 1
            return NO_BARS
        return self._add_slowly(time_ns, price, volume_base)

    def on_time(self, exchange_now_ns: int, grace_ns: int) -> Sequence[Bar]:
        """Close what is over by more than the grace time."""
        closed: list[Bar] = []
        if self._started and not self._hole:
            self._close_until(exchange_now_ns - grace_ns, closed)
        return closed

    def mark_hole(self) -> None:
        """Data are missing from now on: bars are suspect up to and including that of the next tick."""
        self._hole = True
        for bar in self._bars:
            bar.flags |= SUSPECT
        self._flush_segment()

    def begin_anew(self) -> None:
        """Forget the open bars: the next tick begins the series again."""
        self._started = False
        self._hole = True
        self.restarts += 1
        self._segment_open = self._segment_end = 0

    @property
    def open_since_ns(self) -> int:
        """Exchange time from which on ticks are taken in; 0 before the first one."""
        return self._segment_open

    def _add_slowly(self, time_ns: int, price: float, volume_base: float) -> Sequence[Bar]:
        if not 0.0 < price < _TOP_PRICE:
            self.invalid_ticks += 1
            self.mark_hole()
            return NO_BARS
        closed: list[Bar] = []
        if not self._started:
            self._start(time_ns, price)
        elif time_ns < self._segment_open:
            self._add_late(time_ns, price, volume_base)
            return NO_BARS
        elif not self._close_until(time_ns, closed):
            self._start(time_ns, price)
        if self._hole:
            self._hole = False
            self._on_begin(self)
        self._begin_segment(price, volume_base)
        return closed

    def _begin_segment(self, price: float, volume_base: float) -> None:
        """A segment is begun by its first tick; `add` takes the others."""
        self._first = self._high = self._low = self._last = price
        self._volume = volume_base
        self._ticks = 1

    def _start(self, time_ns: int, price: float) -> None:
        """Open the first bars. One that began before its first tick has a hole."""
        self._started = True
        for bar in self._bars:
            open_time = bar_open_ns(time_ns, bar.length)
            bar.begin(open_time, price, SUSPECT if open_time < time_ns or self._hole else 0)
        self._segment_open = max(bar.open_time for bar in self._bars)
        self._segment_end = min(bar.close_time for bar in self._bars)
        self._on_begin(self)

    def _add_late(self, time_ns: int, price: float, volume_base: float) -> None:
        """Bars that have closed drop the tick and are marked; those still open take it."""
        self._flush_segment()
        for bar in self._bars:
            if time_ns >= bar.open_time:
                bar.merge((price, price, price, price), volume_base, 1)
                continue
            self.late_ticks += 1
            done = self.last_closed.get(bar.length)
            if done is not None and done.open_time_ns <= time_ns and not done.flags & LATE_TICK:
                marked = msgspec.structs.replace(done, flags=done.flags | LATE_TICK)
                self.last_closed[bar.length] = marked
                self.late_marks.append(marked)

    def _flush_segment(self) -> None:
        if self._ticks == 0:
            return
        prices = (self._first, self._high, self._low, self._last)
        for bar in self._bars:
            bar.merge(prices, self._volume, self._ticks)
        self._ticks = 0

    def _close_until(self, time_ns: int, closed: list[Bar]) -> bool:
        """Close every bar whose close time is at or before `time_ns`, one boundary after the other.

        False when the silence was too long to be filled and the series has to begin anew.
        """
        if time_ns - self._segment_end > MAX_FILLED_BARS * self._bars[-1].length:
            self.begin_anew()
            return False
        while self._segment_end <= time_ns:
            self._flush_segment()
            boundary = self._segment_end
            closed.extend(self._close(bar) for bar in self._bars if bar.close_time == boundary)
            self._segment_open = boundary
            self._segment_end = min(bar.close_time for bar in self._bars)
        return True

    def _close(self, bar: _OpenBar) -> Bar:
        done = Bar(
            self.symbol,
            bar.length,
            bar.open_time,
            bar.open,
            bar.high,
            bar.low,
            bar.last,
            bar.volume,
            self.kind,
            bar.flags | (EMPTY if bar.ticks == 0 else 0),
            bar.ticks,
        )
        self.last_closed[bar.length] = done
        bar.begin(bar.close_time, bar.last, SUSPECT if self._hole else 0)
        return done


def delivery_order(bar: Bar) -> tuple[int, int, str]:
    """Sort key: what closes first comes first, then the longest timeframe, then the symbol."""
    return (bar.open_time_ns + bar.timeframe_ns, -bar.timeframe_ns, bar.symbol)


class CandleAggregator:
    """The series of all symbols, and the one deadline they need.

    `tracks` gives direct access for the tick path: the series of (symbol, kind).
    """

    __slots__ = ("_grace_ns", "_late_marks", "_waiting", "deadline_ns", "tracks")

    def __init__(self, series: Iterable[tuple[str, CandleKind, int]], grace_ns: int) -> None:
        lengths: dict[tuple[str, CandleKind], set[int]] = {}
        for symbol, kind, length_ns in series:
            lengths.setdefault((symbol, kind), set()).add(length_ns)
        self._grace_ns = grace_ns
        self._late_marks: list[Bar] = []
        self.deadline_ns = NEVER_NS
        self._waiting = 0
        self.tracks = {
            key: SymbolBars(key[0], key[1], lengths[key], self._on_begin, self._late_marks)
            for key in sorted(lengths)
        }

    def on_time(self, exchange_now_ns: int) -> list[Bar]:
        """Close what is over by more than the grace time, in the order of delivery."""
        closed: list[Bar] = []
        for track in self.tracks.values():
            closed.extend(track.on_time(exchange_now_ns, self._grace_ns))
        closed.sort(key=delivery_order)
        self._reschedule()
        return closed

    def _on_begin(self, track: SymbolBars) -> None:
        begun_ns = track.next_close_ns + self._grace_ns
        if begun_ns < self.deadline_ns:
            self.deadline_ns, self._waiting = begun_ns, 0
        self._waiting += begun_ns == self.deadline_ns

    def on_closed(self, bar: Bar) -> None:
        """A bar has been delivered: once ticks have closed all that end at the deadline, it moves on."""
        if bar.close_time_ns + self._grace_ns == self.deadline_ns:
            self._waiting -= 1
            if self._waiting <= 0:
                self._reschedule()

    def _reschedule(self) -> None:
        """Exchange time at which `on_time` is due, and how many series wait for it."""
        closes = [track.next_close_ns for track in self.tracks.values()]
        earliest = min(closes, default=NEVER_NS)
        self._waiting = closes.count(earliest)
        self.deadline_ns = earliest if earliest == NEVER_NS else earliest + self._grace_ns

    def mark_hole(self, symbol: str | None = None) -> None:
        """Data of one symbol, or of all, are missing from now on."""
        for (name, _), track in self.tracks.items():
            if symbol is None or name == symbol:
                track.mark_hole()
        self._reschedule()

    def begin_anew(self, exchange_now_ns: int) -> None:
        """Series that were closed ahead of the exchange's time begin again with their next tick."""
        for track in self.tracks.values():
            if track.open_since_ns > exchange_now_ns:
                track.begin_anew()
        self._reschedule()

    def take_late_marks(self) -> list[Bar]:
        """Closed bars that a late tick marked since the last call."""
        if not self._late_marks:
            return []
        marked = self._late_marks.copy()
        self._late_marks.clear()
        return marked

    @property
    def late_ticks(self) -> int:
        """Ticks dropped because their bar had closed."""
        return sum(track.late_ticks for track in self.tracks.values())
