"""A longer bar with a hole would give no entries until the next whole one, which may take hours or days. The
exchange has that bar whole: what the strategy knows is made again from the exchange's klines. So it is where
a deciding bar could not wait any longer for one that closes with it, and was fed before that one.

Meanwhile the strategy goes on with what there is of the bar, so its exits wait for nothing.
"""

from collections.abc import Callable

from engine.market_data.klines import MAX_KLINES, bars_of
from engine.model.bars import Bar, BarsKey
from engine.model.context import Clock, Outbox
from engine.model.timeframes import NEVER_NS, SECOND_NS, timeframe_text
from engine.strategies.base import SignalStrategy
from engine.strategies.calls import StrategyFault
from engine.strategies.guard import Guard
from engine.strategies.slot import LISTENING, StrategySlot
from gateways.wire.messages import KlinesReply, RequestKlines

FIRST_NS = 3 * SECOND_NS
"""So long after the close the exchange's own bar is final, too."""
AGAIN_NS = 15 * SECOND_NS


class Mending:
    """For strategies that are a function of their bars alone; a script's own memory cannot be made again.

    `on_failed` is called with a strategy that broke meanwhile.
    """

    def __init__(
        self,
        clock: Clock,
        out: Outbox,
        guard: Guard,
        on_failed: Callable[[StrategySlot, StrategyFault], None],
    ) -> None:
        self._clock = clock
        self._out = out
        self._guard = guard
        self._on_failed = on_failed
        self._due: dict[StrategySlot, int] = {}
        self._asked: dict[int, tuple[StrategySlot, BarsKey]] = {}
        self._found: dict[StrategySlot, list[Bar]] = {}

    @property
    def deadline_ns(self) -> int:
        """When something is due."""
        return min(self._due.values(), default=NEVER_NS)

    def want(self, slot: StrategySlot) -> None:
        """A bar with a hole was fed, or one too late."""
        if slot.can_be_made_again and _needs_it(slot):
            self._due.setdefault(slot, self._clock.now_ns + FIRST_NS)

    def on_time(self) -> None:
        """Ask for history, where it is still needed; what does not come is asked for again."""
        for slot, due in list(self._due.items()):
            if due > self._clock.now_ns:
                continue
            self._forget(slot)
            if _needs_it(slot):
                self._due[slot] = self._clock.now_ns + AGAIN_NS
                if slot.state in LISTENING:
                    self._ask(slot)
            else:
                del self._due[slot]

    def on_set_back(self, now_ns: int) -> None:
        """The clock went back: nothing lies further ahead than what is decided now."""
        self._due = {slot: min(due, now_ns + AGAIN_NS) for slot, due in self._due.items()}

    def on_klines(self, reply: KlinesReply) -> bool:
        """Whether that was asked for here. When all is there the strategy is made again."""
        slot, key = self._asked.pop(reply.request_id, (None, ("", 0)))
        if slot is None:
            return False
        if not reply.complete:
            self._forget(slot)
            return True
        fed = slot.fed_open_ns.get(key, 0)
        bars = bars_of(reply.klines, slot.spec.candles, key[1])
        self._found.setdefault(slot, []).extend(bar for bar in bars if bar.open_time_ns <= fed)
        if all(other is not slot for other, _ in self._asked.values()):
            self._mend(slot, self._found.pop(slot))
        return True

    def _ask(self, slot: StrategySlot) -> None:
        for symbol, length in slot.inputs:
            request_id = self._out.next_request_id()
            self._asked[request_id] = (slot, (symbol, length))
            limit = min(slot.history_bars(symbol, length) + 3, MAX_KLINES)
            self._out.send(RequestKlines(request_id, symbol, timeframe_text(length), limit))

    def _forget(self, slot: StrategySlot) -> None:
        self._asked = {key: one for key, one in self._asked.items() if one[0] is not slot}
        self._found.pop(slot, None)

    def _mend(self, slot: StrategySlot, bars: list[Bar]) -> None:
        """Feed it all again, up to the very bars it had been fed; nothing is decided on them."""
        bars.sort(key=slot.feeding_order)
        newest = {(bar.symbol, bar.timeframe_ns): bar.open_time_ns for bar in bars}
        fed, strategy = dict(slot.fed_open_ns), slot.strategy
        if newest != fed or slot.state not in LISTENING or not isinstance(strategy, SignalStrategy):
            return
        mended, warm_left = sorted(_longer_suspects(slot)), slot.warm_left
        slot.begin_again()
        slot.fed_open_ns, slot.warm_left = fed, warm_left
        del self._due[slot]
        try:
            for bar in bars:
                self._guard.signals(slot, strategy, bar)
        except StrategyFault as fault:
            self._on_failed(slot, fault)
            return
        holes = ", ".join(timeframe_text(length) for length in mended)
        what = (
            f"the hole in its {holes} bar is filled" if holes else "a bar that came late is put in its place"
        )
        self._out.notice("info", f"{slot.owner} on {slot.symbol}: {what} from klines")


def _needs_it(slot: StrategySlot) -> bool:
    return slot.is_disordered or bool(_longer_suspects(slot))


def _longer_suspects(slot: StrategySlot) -> list[int]:
    """Timeframes whose hole blocks more than one deciding bar."""
    return [length for _, length in slot.suspects if length > slot.timeframe_ns]
