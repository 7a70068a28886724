"""The decision core: one event in, effects out.

It is synchronous and deterministic. The same events give the same effects, to the byte, on any machine: time
comes in with the events, and nothing here reads a clock, a disk or a socket.
"""

from collections.abc import Callable, Sequence
from typing import Any

from engine.account.margin_watch import MarginWatch
from engine.core.bar_delivery import BarDelivery, Work
from engine.core.commands import Commands
from engine.core.deadlines import Deadlines
from engine.core.link_events import LinkEvents
from engine.core.market_events import MarketEvents
from engine.core.order_events import OrderEvents
from engine.core.parts import Parts
from engine.model.config import EngineConfig
from engine.model.context import NO_EFFECTS
from engine.model.effects import Effect
from engine.model.events import Command, Event, JournalState, LinkDown, LinkUp, Stop, StrategyEnded, Timer
from gateways.wire import messages as wire

_BOOK, _TRADE = wire.OrderBookTick, wire.TradeTick
"""Events after which nothing but the clock can have become due. Nearly all are: they are told apart by
identity, which is quicker than a set."""
_FREQUENT = frozenset(
    {
        *(_BOOK, _TRADE, wire.MarkPrice, wire.Kline, wire.OrderUpdate, wire.AccountUpdate, wire.Reply, Timer),
        wire.GatewayStatus,
    }
)
"""Events after which what is said of the gates may wait a moment. A status that changes a gate says so."""
_DONE = object()


class Engine(Parts):
    """The main loop of the core, around its parts. docs/architecture.md explains their words."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self.commands = Commands(self)
        delivery = BarDelivery(
            self.clock, self.out, self.gate, self.bars, self.candles, self.strategies, self.trades
        )
        timed = (
            self.orders,
            self.strategies,
            self.recovery,
            self.trades,
            self.comparison,
            self.leverages,
            self.bars,
            self.stop_check,
        )
        self._deadlines = Deadlines(self.clock, self.candles, delivery.deliver, timed)
        self._handlers = self._routes(delivery)
        self._rest: Work | None = None

    def _make_order_news(self, margin: MarginWatch) -> OrderEvents:
        self.order_events = OrderEvents(self, margin)
        return self.order_events

    def decide(self, event: Event) -> Sequence[Effect]:
        """Take one event as far as the first orders it leads to, which must not wait for the rest; without
        orders to its end. Where effects are returned, `finish` has to be called before the next event.

        A tick's way: `MarketEvents.on_book` takes it to its candle; a bar it closes goes through
        `BarDelivery` to the strategies, from there to the trade executor, through the risk manager to the
        order executor.
        """
        kind = type(event)
        work = self._handlers[kind](event)
        if work is None:
            if (
                (kind is _BOOK or kind is _TRADE)
                and self.clock.now_ns < self._deadlines.next_ns
                and not self.out.effects
            ):
                return NO_EFFECTS
            work = self._deadlines.bars_due()
        if self._rest is not None:
            raise RuntimeError("the event before this one has not been finished")
        if work is None:
            self._conclude(kind)
            return self.out.take()
        rest = self._carry_on(kind, work)
        while next(rest, _DONE) is not _DONE:
            if self.out.effects:  # else the first order was refused, and nothing has to leave early
                self._rest = rest
                break
        return self.out.take()

    def finish(self) -> Sequence[Effect]:
        """The rest of the event: second legs, stops and targets, records, what has become due."""
        rest, self._rest = self._rest, None
        if rest is None:
            return NO_EFFECTS
        for _ in rest:
            pass
        return self.out.take()

    def process(self, event: Event) -> Sequence[Effect]:
        """One event from beginning to end, where nothing has to leave early: `decide`, then `finish`."""
        effects = self.decide(event)
        rest = self.finish() if effects else NO_EFFECTS
        return [*effects, *rest] if rest else effects

    def _carry_on(self, kind: type, work: Work) -> Work:
        """What follows the handler of an event that closed bars: decisions, then as after any event."""
        yield from work
        late = self._deadlines.bars_due()
        if late is not None:
            yield from late
        self._conclude(kind)

    def _conclude(self, kind: type) -> None:
        """What has become due, and what is new about the gates."""
        self._deadlines.meet()
        if kind not in _FREQUENT or self.clock.now_ns >= self.gate_reporter.due_ns:
            self.gate_reporter.tell()

    @property
    def next_deadline_ns(self) -> int:
        """When the next thing is due: a `Timer` should come then."""
        return self._deadlines.next_ns

    def _routes(self, delivery: BarDelivery) -> dict[type, Callable[[Any], Work | None]]:
        """Who takes which event."""
        market, orders = MarketEvents(self, delivery), self.order_events
        link = LinkEvents(self, delivery, self._deadlines)
        return {
            wire.OrderBookTick: market.on_book,
            wire.TradeTick: market.on_trade,
            wire.Kline: market.on_kline,
            wire.KlinesReply: market.on_klines,
            wire.MarkPrice: orders.on_mark,
            wire.OrderUpdate: self.orders.on_update,
            wire.AccountUpdate: orders.on_account,
            wire.Reply: orders.on_reply,
            wire.Snapshot: orders.on_snapshot,
            wire.Gap: lambda gap: self.recovery.begin(gap.reason),
            wire.Instrument: orders.on_instrument,
            wire.GatewayStatus: link.on_status,
            Timer: link.on_timer,
            LinkUp: link.on_link_up,
            LinkDown: link.on_link_down,
            JournalState: link.on_journal,
            Command: self.commands.on_command,
            StrategyEnded: self.strategies.on_ended,
            Stop: self.commands.on_stop,
        }
