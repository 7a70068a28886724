"""Bars are due by the clock: one that has not come is fetched from the exchange, and is told.

A series is one timeframe of one symbol. Its next bar is due at its close; `overdue_ns` later it is overdue:
entries of the symbol wait, and a moment later the exchange is asked for the bar. Exits are decided on what
it answers. Entries go on when the stream itself brings a bar again. Bars of seconds cannot be fetched, so
they are not watched.

A minute without a trade may be a quiet market or a stream that is silent alone. So it is looked up: where
the exchange had trades in it, the stream is silent until its next trade. Bars of trades of any length have
their minutes watched for this.
"""

from collections.abc import Callable, Collection, Sequence

import msgspec

from engine.market_data.aggregator import delivery_order
from engine.market_data.klines import bar_of
from engine.model.bars import Bar, BarFlag, CandleKind
from engine.model.context import Clock, Outbox
from engine.model.timeframes import NEVER_NS, SECOND_NS, bar_open_ns, time_text, timeframe_text
from gateways.wire.messages import Kline, KlinesReply, RequestKlines

Key = tuple[str, CandleKind, int]
EMPTY = int(BarFlag.EMPTY)
FINAL_NS = SECOND_NS
"""So long after its close the exchange's own answer holds a bar's last trades."""
AGAIN_NS = 2 * SECOND_NS
MOST_BARS = 100
"""Of a longer gap the strategies' own catching up takes care, in slices."""
MINUTE_NS = 60 * SECOND_NS


class _Series:
    """`told_ns` is the open time of the newest bar that was delivered (-1 before the first deadline is
    known), `heard_ns` that of the newest one the stream spoke of. `lost_ns` is when the first bar closed that
    did not come (0: they come). A `is_probe` is watched, but delivered to nobody.
    """

    __slots__ = (
        "ask_at_ns",
        "heard_ns",
        "is_overdue",
        "is_probe",
        "kind",
        "length_ns",
        "lost_ns",
        "symbol",
        "told_ns",
        "tries",
    )

    def __init__(self, symbol: str, kind: CandleKind, length_ns: int) -> None:
        self.symbol = symbol
        self.kind = kind
        self.length_ns = length_ns
        self.told_ns = self.heard_ns = -1
        self.lost_ns = 0
        self.is_overdue = self.is_probe = False
        self.ask_at_ns = 0
        self.tries = 0

    @property
    def due_ns(self) -> int:
        """Close time of the next bar."""
        return self.told_ns + 2 * self.length_ns

    @property
    def what(self) -> str:
        """What is missing when it does not come."""
        return "trade" if self.kind == "trade" else f"{timeframe_text(self.length_ns)} bar"


class BarWatch:
    """Every series that has a history at the exchange. Times are the exchange's, `deadline_ns` is local."""

    def __init__(self, overdue_ns: int, clock: Clock, out: Outbox) -> None:
        self._clock = clock
        self._out = out
        self._overdue_ns = overdue_ns
        self._series: dict[Key, _Series] = {}
        self._asked: dict[int, _Series] = {}
        self._found: dict[str, list[Bar]] = {}
        self._is_on = False
        self._earliest_ns = NEVER_NS
        self.silent: dict[str, str] = {}
        """By symbol: which bars have not come, and since when."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when `silent` has changed."""
        self.on_trades_lost: Callable[[str], None] = lambda _symbol: None
        """Called with a symbol whose trades do not come."""

    def watch(self, wanted: Collection[Key]) -> tuple[Key, ...]:
        """Their bars are expected from the first `begin` on. Returns what must be made: probes too."""
        self._series = {key: _Series(*key) for key in wanted if key[2] % MINUTE_NS == 0}
        for symbol, kind, _ in wanted:
            key = (symbol, kind, MINUTE_NS)
            if kind == "trade" and key not in self._series:
                self._series[key] = _Series(*key)
                self._series[key].is_probe = True
        return tuple({**dict.fromkeys(wanted), **dict.fromkeys(self._series)})

    @property
    def deadline_ns(self) -> int:
        """When `on_time` is due."""
        return NEVER_NS if self._earliest_ns == NEVER_NS else self._earliest_ns - self._clock.offset_ns

    def begin(self) -> None:
        """The gateway is there and the exchange's time is known: from now on bars are due."""
        if self._is_on:
            return
        self._is_on = True
        now_ns = self._clock.exchange_now_ns
        for one in self._series.values():
            if one.told_ns < 0:
                one.told_ns = bar_open_ns(now_ns, one.length_ns) - one.length_ns
        self._reschedule()

    def end(self) -> None:
        """No connection: nothing can come, and nothing can be asked for."""
        self._is_on = False
        self._asked.clear()
        self._found.clear()
        self._earliest_ns = NEVER_NS

    def begin_anew(self) -> None:
        """The clock was set back: no series is ahead of the exchange's time any more."""
        now_ns = self._clock.exchange_now_ns
        for one in self._series.values():
            one.told_ns = min(one.told_ns, bar_open_ns(now_ns, one.length_ns) - one.length_ns)
            one.ask_at_ns = 0
        self._reschedule()

    def fresh(self, bars: Sequence[Bar]) -> Sequence[Bar]:
        """Those of the bars that were not delivered yet; they count as delivered from now on."""
        if not self._series:
            return bars  # none has a history
        found = [bar for bar in bars if self._is_new(bar)]
        self._reschedule()
        return found

    def heard_trade(self, symbol: str) -> None:
        """A trade: their stream is alive."""
        for one in self._series.values():
            if one.symbol == symbol and one.kind == "trade" and one.lost_ns:
                self._recovered(one)

    def heard(self, kline: Kline, length_ns: int) -> None:
        """A frame of the exchange's own bars, running or closed: their stream is alive."""
        one = self._series.get((kline.symbol, "exchange", length_ns))
        if one is not None and kline.open_time_ns > one.told_ns:
            one.heard_ns = kline.open_time_ns
            if one.lost_ns:
                self._recovered(one)

    def on_time(self) -> None:
        """Say what is overdue, and ask for it."""
        now_ns, offset_ns = self._clock.exchange_now_ns, self._clock.offset_ns
        for one in self._series.values():
            if now_ns < one.due_ns + self._overdue_ns:
                one.is_overdue = False
                continue
            if not one.is_overdue:
                one.is_overdue = True
                one.ask_at_ns = max(now_ns, one.due_ns + FINAL_NS) - offset_ns
                one.tries = 0
            is_silent = one.heard_ns < one.due_ns and one.kind != "trade"
            if (is_silent or one.tries > 1) and not one.lost_ns:
                one.lost_ns = one.due_ns
            if self._clock.now_ns >= one.ask_at_ns:
                self._ask(one)
        self._list_silent()
        self._reschedule()

    def on_set_back(self, now_ns: int) -> None:
        """Nothing is asked for later than it would be from now on."""
        for one in self._series.values():
            one.ask_at_ns = min(one.ask_at_ns, now_ns + AGAIN_NS)
        self._reschedule()

    def on_klines(self, reply: KlinesReply) -> Sequence[Bar] | None:
        """Bars to deliver, once all questions about the symbol are answered; None for another's answer."""
        one = self._asked.pop(reply.request_id, None)
        if one is None:
            return None
        found = self._found.setdefault(one.symbol, [])
        if reply.complete:
            found += self._missing(one, reply)
        if any(other.symbol == one.symbol for other in self._asked.values()):
            return ()
        del self._found[one.symbol]
        self._reschedule()
        return sorted(found, key=delivery_order)

    def _missing(self, one: _Series, reply: KlinesReply) -> list[Bar]:
        over_ns = self._clock.exchange_now_ns - one.length_ns
        missing = [
            kline for kline in reply.klines if kline.is_closed and one.told_ns < kline.open_time_ns <= over_ns
        ]
        if one.kind == "trade" and missing:
            self._judge_trades(one, any(kline.trades for kline in missing))
        bars = [
            msgspec.structs.replace(
                bar_of(kline, one.length_ns),
                kind=one.kind,
                flags=EMPTY if one.kind == "trade" and not kline.trades else 0,
            )
            for kline in missing
        ]
        return [bar for bar in bars if self._is_new(bar, is_fetched=True)]

    def _judge_trades(self, one: _Series, were_trades: bool) -> None:
        """The exchange had trades where the stream had none; or nobody traded."""
        if not were_trades:
            self._recovered(one)
        elif not one.lost_ns:
            one.lost_ns = one.due_ns - one.length_ns
            self._list_silent()
            self.on_trades_lost(one.symbol)

    def _is_new(self, bar: Bar, *, is_fetched: bool = False) -> bool:
        one = self._series.get((bar.symbol, bar.kind, bar.timeframe_ns))
        if one is None:
            return True
        if bar.open_time_ns <= one.told_ns:
            return False
        if bar.kind == "trade" and bar.flags & EMPTY and not is_fetched:
            return False  # to be looked up
        one.told_ns = bar.open_time_ns
        if one.is_overdue and one.kind == "mid":
            self._recovered(one)  # its book is watched as such
        one.is_overdue = False
        return not one.is_probe

    def _recovered(self, one: _Series) -> None:
        one.lost_ns = 0
        self._list_silent()

    def _ask(self, one: _Series) -> None:
        """The newest bars; the answer to an older question about them is not waited for any more."""
        self._asked = {key: other for key, other in self._asked.items() if other is not one}
        one.ask_at_ns = self._clock.now_ns + AGAIN_NS
        one.tries += 1
        missing = (self._clock.exchange_now_ns - one.due_ns) // one.length_ns + 1
        request_id = self._out.next_request_id()
        self._asked[request_id] = one
        text = timeframe_text(one.length_ns)
        self._out.send(RequestKlines(request_id, one.symbol, text, min(missing + 1, MOST_BARS)))

    def _list_silent(self) -> None:
        lost = [one for one in self._series.values() if one.lost_ns]
        silent = {one.symbol: f"no {one.what} has come since {time_text(one.lost_ns)}" for one in lost}
        if silent != self.silent:
            self.silent = silent
            self.on_change()

    def _reschedule(self) -> None:
        if not self._is_on:
            return
        offset_ns = self._clock.offset_ns
        self._earliest_ns = min(
            (
                one.ask_at_ns + offset_ns if one.is_overdue else one.due_ns + self._overdue_ns
                for one in self._series.values()
            ),
            default=NEVER_NS,
        )
