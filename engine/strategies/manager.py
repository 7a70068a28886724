"""Runs the strategies: feeds them bars, warms them up, keeps each one's failure to itself.

Life: waiting (until the first reconciliation), fetching (history was asked for), warming, running; paused,
stopped and failed beside it. Bars of seconds have no history at the exchange, so such strategies wait
for live bars; the others get the exchange's klines, marked as backfilled.
"""

from bisect import insort
from collections.abc import Sequence
from typing import Protocol

from engine.market_data.history_gaps import HistoryGaps
from engine.market_data.klines import MAX_KLINES, bars_of
from engine.model.audit import StrategyChanged
from engine.model.bars import Bar, BarFlag, CandleKind
from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.events import StrategyEnded
from engine.model.operator_state import OperatorState
from engine.model.signals import Signals
from engine.model.timeframes import NEVER_NS, SECOND_NS, timeframe_text
from engine.strategies.base import Broker, SignalStrategy
from engine.strategies.calls import StrategyFault
from engine.strategies.guard import Guard
from engine.strategies.mending import Mending
from engine.strategies.slot import (
    LISTENING,
    Block,
    Decision,
    SlotState,
    StrategyRefused,
    StrategySlot,
    key_of,
)
from gateways.wire.messages import KlinesReply, RequestKlines
from runtime.control.shown import counted
from runtime.settings.models import EXCHANGE_TIMEFRAMES

SUSPECT = int(BarFlag.SUSPECT)
BACKFILLED = int(BarFlag.BACKFILLED)
_RETRY_NS = 3 * SECOND_NS
_HELD_NS = 2 * SECOND_NS
"""How long a deciding bar waits for an informative one that closes with it."""
_MOST_WAITING = 1_000
"""Bars that wait for a deciding bar which does not come; more than that and the oldest is fed."""
SLICE_BARS = 100
"""Bars of history fed in one event. A strategy may be slow, and meanwhile the process must answer."""


Series = tuple[str, CandleKind, int]
"""Bars of a symbol, made of one kind of tick, of one length in nanoseconds."""


class ScriptPort(Protocol):
    """Gives a script its broker for one bar."""

    def broker(self, slot: StrategySlot, bar: Bar) -> Broker:
        """The broker as of the close of the bar."""


class StrategyManager:
    """All strategies by what they are fed."""

    def __init__(
        self, config: EngineConfig, clock: Clock, out: Outbox, scripts: ScriptPort, operator: OperatorState
    ) -> None:
        self._clock = clock
        self._out = out
        self._scripts = scripts
        self.slots = tuple(
            StrategySlot(spec, symbol, operator) for spec in config.strategies for symbol in spec.symbols
        )
        self._slots = {(slot.owner, slot.symbol): slot for slot in self.slots}
        self._decides: dict[Series, list[StrategySlot]] = {}
        self._informs: dict[Series, list[StrategySlot]] = {}
        for slot in self.slots:
            deciding, *informative = [(symbol, slot.spec.candles, length) for symbol, length in slot.inputs]
            self._decides.setdefault(deciding, []).append(slot)
            for series in informative:
                self._informs.setdefault(series, []).append(slot)
        _check_inputs(self.slots, config.symbols)
        self._by_request: dict[int, StrategySlot] = {}
        self._gaps = HistoryGaps(out)
        self.guard = Guard()
        self._mending = Mending(clock, out, self.guard, self.fail)
        self.deadline_ns = NEVER_NS

    @property
    def series(self) -> tuple[Series, ...]:
        """All bars that a strategy uses."""
        return tuple(dict.fromkeys([*self._decides, *self._informs]))

    def slot(self, owner: str, symbol: str) -> StrategySlot | None:
        """The strategy of that name on that symbol."""
        return self._slots.get((owner, symbol))

    def start(self) -> None:
        """Positions and orders are reconciled: start warming up the strategies that wait for it."""
        for slot in self.slots:
            if slot.state is SlotState.WAITING:
                self._warm_up(slot, "")

    def on_bars(self, bars: Sequence[Bar]) -> list[Decision]:
        """Feed bars that closed together, the informative ones first; the decisions they lead to."""
        decisions: list[Decision] = []
        for routes in (self._informs, self._decides) if self._informs else (self._decides,):
            for bar in bars:
                for slot in routes.get((bar.symbol, bar.kind, bar.timeframe_ns), ()):
                    if slot.backlog:
                        slot.backlog.append(bar)
                    elif slot.has_others:
                        decisions += self._feed_one_of_several(slot, bar)
                    elif (decision := self._feed(slot, bar)) is not None:
                        decisions.append(decision)
        return decisions

    def on_klines(self, reply: KlinesReply) -> list[Decision]:
        """History arrived: feed it, then the live bars that waited."""
        if self._mending.on_klines(reply):
            self._reschedule()
            return []
        slot = self._by_request.pop(reply.request_id, None)
        if slot is None or slot.state is not SlotState.FETCHING:
            return []
        _, length = slot.wanted.pop(reply.request_id)
        closed = [bar for bar in bars_of(reply.klines, slot.spec.candles, length) if self._is_over(bar)]
        if not reply.complete or not closed:
            self._retry_later(slot)
            return []
        self._gaps.note(closed)
        slot.pending.extendleft(reversed(closed))
        if slot.wanted:
            return []
        return self._drain(slot)

    def go_on(self) -> list[Decision]:
        """Feed the next slice to one that catches up, and what waited in vain; call it with each timer."""
        now = self._clock.now_ns
        overdue = [slot for slot in self.slots if slot.held_until_ns <= now]
        decisions = [one for slot in overdue for one in self._feed_waiting(slot)]
        slot = next((slot for slot in self.slots if slot.backlog), None)
        return decisions if slot is None else decisions + self._feed_slice(slot)

    def on_time(self) -> None:
        """Request history again that did not arrive."""
        now = self._clock.now_ns
        for slot in self.slots:
            if slot.state is SlotState.FETCHING and slot.retry_at_ns <= now:
                self._fetch(slot)
        self._mending.on_time()
        self._reschedule()

    def on_link_down(self) -> None:
        """Pending requests for history are lost with the connection."""
        for slot in self.slots:
            if slot.state is SlotState.FETCHING:
                self._retry_later(slot)

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: missing history is requested again soon."""
        for slot in self.slots:
            slot.retry_at_ns = min(slot.retry_at_ns, now_ns + _RETRY_NS)
            if slot.held_until_ns != NEVER_NS:
                slot.held_until_ns = min(slot.held_until_ns, now_ns + _HELD_NS)
        self._mending.on_set_back(now_ns)
        self._reschedule()

    def begin_anew(self, exchange_now_ns: int) -> None:
        """Strategies that saw bars of the future discard them and warm up again."""
        for slot in self.slots:
            slot.decided_open_ns = min(slot.decided_open_ns, exchange_now_ns)
            slot.waiting = [bar for bar in slot.waiting if self._is_over(bar)]
            if not slot.waiting:
                slot.held_until_ns = NEVER_NS
            is_ahead = any(open_ns > exchange_now_ns for open_ns in slot.fed_open_ns.values())
            if is_ahead and slot.state in LISTENING | {SlotState.FETCHING}:
                slot.begin_again()
                slot.pending.clear()
                slot.backlog.clear()
                slot.waiting.clear()
                slot.held_until_ns = NEVER_NS
                self._warm_up(slot, "it had been fed bars of the future")

    def on_told(self, slot: StrategySlot, reason: str) -> None:
        """The operator has paused or resumed it."""
        if slot.state in {SlotState.RUNNING, SlotState.PAUSED}:
            self._move(slot, SlotState.PAUSED if slot.paused else SlotState.RUNNING, reason)

    def stop(self, slot: StrategySlot, reason: str) -> None:
        """End a strategy; it gets no more bars."""
        self._move(slot, SlotState.STOPPED, reason)

    def on_ended(self, ended: StrategyEnded) -> None:
        """It has ended the process before: exclude it."""
        self._clock.advance(ended.now_ns)
        slot = self.slot(ended.strategy, ended.symbol)
        if slot is not None:
            self.fail(slot, StrategyFault(ended.reason))

    def fail(self, slot: StrategySlot, fault: StrategyFault) -> None:
        """A strategy raised an error: it gets no more bars. The exit rules of its position go on."""
        self._move(slot, SlotState.FAILED, str(fault), fault.trace)

    def _feed_one_of_several(self, slot: StrategySlot, bar: Bar) -> list[Decision]:
        """A bar of a strategy with several inputs: they come one by one and are fed in their order."""
        insort(slot.waiting, bar, key=slot.feeding_order)
        return self._feed_waiting(slot)

    def _feed_waiting(self, slot: StrategySlot) -> list[Decision]:
        """Feed the bars that wait, up to the first one that has to go on waiting."""
        decisions: list[Decision] = []
        while slot.waiting and not self._must_wait(slot, slot.waiting[0]):
            bar = slot.waiting.pop(0)
            if slot.decides_on(bar) and slot.held_until_ns != NEVER_NS:
                slot.held_until_ns = NEVER_NS
                self._reschedule()
            decision = self._feed(slot, bar)
            if decision is not None:
                decisions.append(decision)
        return decisions

    def _must_wait(self, slot: StrategySlot, bar: Bar) -> bool:
        """Whether a bar is to come that goes in front of this one. Another deciding bar ends the wait."""
        if slot.state not in LISTENING or bar.flags & BACKFILLED or len(slot.waiting) > _MOST_WAITING:
            return False
        if any(slot.decides_on(other) for other in slot.waiting[1:]):
            return False
        if not slot.decides_on(bar):
            return slot.is_early(bar)
        if not slot.missing(bar):
            return False
        if slot.held_until_ns == NEVER_NS:
            slot.held_until_ns = self._clock.now_ns + _HELD_NS
            self._reschedule()
        return self._clock.now_ns < slot.held_until_ns

    def _feed(self, slot: StrategySlot, bar: Bar) -> Decision | None:
        if slot.state is SlotState.FAILED:
            return self._exits_only(slot, bar)
        if slot.state not in LISTENING:
            if slot.state in {SlotState.WAITING, SlotState.FETCHING}:
                slot.pending.append(bar)
            return None
        key, length = (bar.symbol, bar.timeframe_ns), bar.timeframe_ns
        fed = slot.fed_open_ns.get(key, 0)
        if bar.open_time_ns <= fed:
            return None
        is_gap = fed and bar.open_time_ns > fed + length
        if is_gap and not self._gaps.is_known(bar.symbol, length, bar.open_time_ns):
            reason = f"bars are missing before {bar.open_time_ns}"
            if slot.has_history:
                slot.pending.append(bar)
                self._warm_up(slot, reason)
                return None
            self._forget(slot, reason)
        slot.fed_open_ns[key] = bar.open_time_ns
        if slot.has_others:
            slot.note_order(bar)
        if bar.flags & SUSPECT:
            slot.suspects.add(key)
        else:
            slot.suspects.discard(key)
        if bar.flags & SUSPECT or slot.is_disordered:
            self._mending.want(slot)
            self._reschedule()
        if bar.flags & SUSPECT and not fed and not slot.decides_on(bar):
            return None  # it began before we listened, and so before the history it would begin
        return self._decide(slot, bar)

    def _decide(self, slot: StrategySlot, bar: Bar) -> Decision | None:
        strategy = slot.strategy
        try:
            if isinstance(strategy, SignalStrategy):
                signals = self.guard.signals(slot, strategy, bar)
            else:
                signals = None
                self.guard.script(slot, strategy, bar, self._scripts.broker(slot, bar))
        except StrategyFault as fault:
            self.fail(slot, fault)
            return self._exits_only(slot, bar)
        if slot.has_others and not slot.decides_on(bar):
            return None
        block = self._block(slot, bar)
        if slot.state is SlotState.WARMING:
            slot.warm_left -= 1
            if slot.warm_left <= 0:
                self._move(slot, SlotState.PAUSED if slot.paused else SlotState.RUNNING, "")
        if bar.flags & BACKFILLED and not 0 < slot.decided_open_ns < bar.open_time_ns:
            return None
        if bar.open_time_ns > slot.decided_open_ns:
            slot.decided_open_ns = bar.open_time_ns
        elif block is None:
            block = Block("duplicate", "this bar was decided on before")
        return Decision(slot, bar, signals, block)

    def _exits_only(self, slot: StrategySlot, bar: Bar) -> Decision | None:
        """A bar of a strategy that broke: no signal of its own, but its exit rules see the bar."""
        if not isinstance(slot.strategy, SignalStrategy) or not slot.decides_on(bar):
            return None
        if bar.flags & BACKFILLED or bar.open_time_ns <= slot.decided_open_ns:
            return None
        slot.decided_open_ns = bar.open_time_ns
        return Decision(slot, bar, Signals(False, False, False, False), Block("failed", slot.reason))

    def _block(self, slot: StrategySlot, bar: Bar) -> Block | None:
        """Why entries of this bar are not followed, if so."""
        if slot.state is SlotState.WARMING and slot.warm_left > 0:
            return Block("warming", f"{counted(slot.warm_left, 'more bar')} to warm up")
        if slot.paused:
            return Block("paused", slot.reason or "paused")
        late_ns = self._clock.exchange_now_ns - bar.close_time_ns
        if late_ns > slot.lateness_ns or bar.flags & BACKFILLED:
            return Block("late", f"{late_ns / 1e9:.1f} s after the close of the bar")
        if bar.flags & SUSPECT:
            return Block("suspect", "the bar has a hole in its data")
        if slot.suspects:
            symbol, length = max(slot.suspects, key=lambda key: key[1])
            return Block("suspect", f"the newest {slot.words(symbol, length)} has a hole in its data")
        if slot.has_others and (late := slot.missing(bar)):
            return Block("suspect", f"the {late} that closes with it has not come")
        if slot.is_disordered and slot.can_be_made_again:
            return Block("suspect", "a bar came too late; what it knows is being made again from klines")
        return None

    def _warm_up(self, slot: StrategySlot, reason: str) -> None:
        if slot.has_history:
            self._move(slot, SlotState.FETCHING, reason)
            slot.pending.extend(slot.waiting)
            slot.waiting.clear()
            slot.held_until_ns = NEVER_NS
            self._fetch(slot)
            return
        self._forget(slot, reason)
        self._drain(slot)

    def _forget(self, slot: StrategySlot, reason: str) -> None:
        """Begin anew with the next bar, where there is no history."""
        if slot.fed_open_ns:
            slot.begin_again()
        self._move(slot, SlotState.WARMING if slot.warm_left > 0 else SlotState.RUNNING, reason)

    def _fetch(self, slot: StrategySlot) -> None:
        for request_id in slot.wanted:
            self._by_request.pop(request_id, None)
        slot.wanted.clear()
        for symbol, length in slot.inputs:
            fed = slot.fed_open_ns.get((symbol, length))
            if fed is None:
                limit = slot.history_bars(symbol, length) + 2 + self._missed_bars(slot, length)
            else:
                limit = (self._clock.exchange_now_ns - fed) // length + 2
                if limit > MAX_KLINES:
                    slot.begin_again()
                    limit = slot.history_bars(symbol, length) + 2
            request_id = self._out.next_request_id()
            slot.wanted[request_id] = (symbol, length)
            self._by_request[request_id] = slot
            self._out.send(
                RequestKlines(request_id, symbol, timeframe_text(length), min(int(limit), MAX_KLINES))
            )
        self._retry_later(slot, keep=True)

    def _missed_bars(self, slot: StrategySlot, length_ns: int) -> int:
        """Bars since the last one that an earlier run decided on: their exits still count."""
        if not slot.decided_open_ns:
            return 0
        return min(MAX_KLINES, (self._clock.exchange_now_ns - slot.decided_open_ns) // length_ns)

    def _retry_later(self, slot: StrategySlot, *, keep: bool = False) -> None:
        if not keep:
            for request_id in slot.wanted:
                self._by_request.pop(request_id, None)
            slot.wanted.clear()
        slot.retry_at_ns = self._clock.now_ns + (3 * _RETRY_NS if keep else _RETRY_NS)
        self._reschedule()

    def _drain(self, slot: StrategySlot) -> list[Decision]:
        """Feed the bars that waited, oldest first; where some close together, informative ones first."""
        if slot.state is SlotState.FETCHING:
            self._move(slot, SlotState.WARMING, f"{counted(len(slot.pending), 'bar')} of history")
        slot.backlog.extend(sorted(slot.pending, key=slot.feeding_order))
        slot.pending.clear()
        return self._feed_slice(slot)

    def _feed_slice(self, slot: StrategySlot) -> list[Decision]:
        decisions: list[Decision] = []
        for _ in range(min(SLICE_BARS, len(slot.backlog))):
            decisions += self._feed_one_of_several(slot, slot.backlog.popleft())
        if slot.state is SlotState.FETCHING:  # bars are missing among them
            slot.pending.extend(slot.backlog)
            slot.backlog.clear()
        if slot.state is SlotState.WARMING and slot.warm_left <= 0:
            self._move(slot, SlotState.PAUSED if slot.paused else SlotState.RUNNING, "")
        self._reschedule()
        return decisions

    def _is_over(self, bar: Bar) -> bool:
        return bar.close_time_ns <= self._clock.exchange_now_ns

    def _move(self, slot: StrategySlot, state: SlotState, reason: str, trace: str = "") -> None:
        if slot.state is state and slot.reason == reason:
            return
        slot.state = state
        slot.reason = reason
        self._out.notify(
            StrategyChanged(self._clock.now_ns, slot.owner, slot.symbol, state.value, reason, trace)
        )

    def _reschedule(self) -> None:
        fetching = (slot.retry_at_ns for slot in self.slots if slot.state is SlotState.FETCHING)
        held = min((slot.held_until_ns for slot in self.slots), default=NEVER_NS)
        self.deadline_ns = min(self._mending.deadline_ns, min(fetching, default=NEVER_NS), held)
        if any(slot.backlog for slot in self.slots):
            self.deadline_ns = min(self.deadline_ns, self._clock.now_ns)


def _check_inputs(slots: Sequence[StrategySlot], symbols: Sequence[str]) -> None:
    """`StrategyRefused` where a strategy looks at a symbol whose market data are not asked for, or at bars of
    which the exchange keeps no history.
    """
    for slot in slots:
        for symbol, length in slot.inputs:
            if not _has_klines(length, slot.spec.candles):
                looks = f"strategy {slot.spec.name} on {slot.symbol} looks at {timeframe_text(length)} bars"
                known = ", ".join(EXCHANGE_TIMEFRAMES)
                raise StrategyRefused(
                    f"{key_of(slot.spec, 'name')}{looks}, which the exchange does not have; it has {known}"
                )
            if symbol not in symbols:
                looks = f"strategy {slot.spec.name} on {slot.symbol} looks at bars of {symbol}"
                raise StrategyRefused(f"{key_of(slot.spec, 'name')}{looks}; add it to symbols")


def _has_klines(length_ns: int, candles: CandleKind) -> bool:
    """Whether bars of that length can be had at the exchange; those of seconds are made of ticks alone."""
    if candles != "exchange" and length_ns % (60 * SECOND_NS):
        return True
    return timeframe_text(length_ns) in EXCHANGE_TIMEFRAMES
