"""Closed bars to the strategies, and what they decide to the trade executor."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from engine.execution.sending.order_gate import OrderGate
from engine.execution.trade_executor import TradeExecutor
from engine.market_data.aggregator import CandleAggregator
from engine.market_data.bar_watch import BarWatch
from engine.model.audit import CandleClosed, CandleMarked
from engine.model.bars import Bar
from engine.model.context import Clock, Outbox
from engine.strategies.manager import StrategyManager
from engine.strategies.slot import Decision

Work = Iterator[None]
"""Work on an event. It pauses (yields) where an order has been placed that must not wait for the rest."""


class BarDelivery:
    """Delivers each bar once; bars that close together are all delivered before anything is decided."""

    def __init__(
        self,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        bars: BarWatch,
        candles: CandleAggregator,
        strategies: StrategyManager,
        trades: TradeExecutor,
    ) -> None:
        self._clock = clock
        self._out = out
        self._gate = gate
        self._bars = bars
        self._candles = candles
        self._strategies = strategies
        self._trades = trades

    def deliver(self, bars: Sequence[Bar], caused_by_receive_ns: int = 0) -> Work:
        """Hand out those bars that were not delivered before. `caused_by_receive_ns`: when the tick that
        closed them was received (0: no tick closed them)."""
        return self.hand_out(self._bars.fresh(bars), caused_by_receive_ns)

    def hand_out(self, bars: Sequence[Bar], caused_by_receive_ns: int = 0) -> Work:
        """Feed the strategies and carry out what they decide, one closing time after the other."""
        self._gate.caused_by_receive_ns = caused_by_receive_ns
        for _, together in groupby(bars, key=lambda bar: bar.close_time_ns):
            group = list(together)
            for bar in group:
                self._out.notify(CandleClosed(self._clock.now_ns, bar))
                self._candles.on_closed(bar)
            yield from self.carry_out(self._strategies.on_bars(group))
        self._gate.caused_by_receive_ns = 0
        for bar in self._candles.take_late_marks():
            self._out.notify(CandleMarked(self._clock.now_ns, bar))

    def carry_out(self, decisions: Sequence[Decision]) -> Work:
        """The first order of every decision, then the rest of the work on each."""
        outcomes = [self._trades.on_signal(decision) for decision in decisions]
        if any(outcomes):
            yield
        for decision, outcome in zip(decisions, outcomes, strict=True):
            self._trades.finish(decision, outcome)
