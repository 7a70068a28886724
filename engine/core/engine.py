"""The decision core: one event in, effects out.

`Engine.process` is synchronous and deterministic. The same events give the same effects, to the byte, on
any machine: time comes in with the events, and nothing here reads a clock, a disk or a socket.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from engine.account.leverage import Leverages
from engine.account.margin_watch import MarginWatch
from engine.account.state import AccountStateStore
from engine.core.account_news import AccountNews
from engine.core.commands import Commands
from engine.core.comparison import Comparison
from engine.core.deadlines import Deadlines
from engine.core.halts import Halts
from engine.core.lanes import Lane
from engine.core.lost_records import LostRecords
from engine.core.ownership import Ownership
from engine.core.recovery import Recovery
from engine.execution.order_executor import OrderExecutor
from engine.execution.order_gate import OrderGate
from engine.execution.stop_check import StopCheck
from engine.execution.trade_executor import TradeExecutor
from engine.market_data.aggregator import CandleAggregator
from engine.market_data.bar_watch import BarWatch
from engine.market_data.klines import bar_of
from engine.model.audit import CandleClosed, CandleMarked, PositionChanged, Ready
from engine.model.bars import Bar
from engine.model.config import EngineConfig
from engine.model.context import NO_EFFECTS, Clock, Outbox
from engine.model.effects import Effect
from engine.model.events import Command, Event, JournalState, LinkDown, LinkUp, Stop, StrategyEnded, Timer
from engine.model.lots import decimal_of
from engine.model.records import AccountReport
from engine.model.timeframes import timeframe_ns, timeframe_text
from engine.orders.order_store import Applied, OrderStore
from engine.risk.gate_news import GateNews
from engine.risk.health import Health, told_stop
from engine.risk.manager import RiskManager
from engine.strategies.manager import StrategyManager
from engine.strategies.slot import Decision
from gateways.wire import messages as wire
from runtime.control.status import Counts

SET_BACK_NS = 1_000_000_000
"""A clock that goes back by less is only being adjusted: time stands still for so long."""
_QUICK = frozenset({wire.OrderBookTick, wire.TradeTick})
"""Events after which nothing but the clock can have become due."""
_FREQUENT = _QUICK | {wire.MarkPrice, wire.Kline, wire.OrderUpdate, wire.AccountUpdate, wire.Reply, Timer}
"""Events after which what is said of the gates may wait a moment."""


class Engine:
    """The parts, and the way between them. docs/architecture.md explains their words.

    Parts that must tell the core something are given one of its methods: `_on_applied`: the exchange said
    something new about an order; `_on_doubt`: our view and the exchange's do not fit; `_on_reconciled`: they
    agree.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.out = Outbox(self.clock)
        self.lanes = {symbol: Lane(symbol) for symbol in config.symbols}
        self.store = OrderStore(config.client_id_prefix, id_capacity=config.remembered_ids)
        self.account = AccountStateStore()
        self.account.marked_symbols = frozenset(config.symbols)
        self.margin = MarginWatch(self.account, self.out.notice)
        bars_ns = {spec.owner: timeframe_ns(spec.timeframe) for spec in config.strategies}
        self.risk = RiskManager(config.limits, bars_ns)
        self.leverages = Leverages(config, self.clock, self.out)
        self.bars = BarWatch(config.overdue_ns, self.clock, self.out)
        self.health = Health(
            config, self.clock, self.lanes, self.account, self.risk, self.leverages, self.bars, self.store
        )
        self.account_news = AccountNews(self.out, self.account, self.health.show_price)
        self.orders = OrderExecutor(config, self.clock, self.out, self.store, self._on_applied)
        self.gate = OrderGate(
            config, self.clock, self.health, self.lanes, self.store, self.account, self.risk, self.orders
        )
        self.trades = TradeExecutor(
            self.clock, self.out, self.gate, self.store, self.account, self.orders, self._on_doubt
        )
        self.stop_check = StopCheck(
            self.clock,
            self.out,
            self.gate,
            self.store,
            self.account,
            self.orders,
            self.health,
            self.lanes.__getitem__,
        )
        self.strategies = StrategyManager(config, self.clock, self.out, self.trades)
        self.ownership = Ownership(config, self.clock, self.out, self.account, self.strategies, self.trades)
        self.halts = Halts(self.strategies, self.ownership)
        self.candles = CandleAggregator(self.bars.watch(self.strategies.series), config.grace_ns)
        self.recovery = self._make_recovery()
        self.comparison = self._make_comparison()
        self.lost, self.commands = LostRecords(self), Commands(self)
        self._deadlines = self._make_deadlines()
        self.rejects = 0
        self.earlier = Counts()
        self.gate_news = GateNews(self.health, self.clock, self.out)
        self.bars.on_change = self.gate_news.hurry
        self.bars.on_trades_lost = lambda symbol: self.candles.tracks[symbol, "trade"].mark_hole()
        self._connect_strategies()
        self._handlers = self._routes()

    def _make_recovery(self) -> Recovery:
        return Recovery(
            self.config,
            self.clock,
            self.out,
            self.health,
            self.store,
            self.account,
            self.orders,
            self._wanted_streams(),
            self._on_applied,
            self._on_reconciled,
        )

    def _make_comparison(self) -> Comparison:
        return Comparison(
            self.config,
            self.clock,
            self.out,
            self.health,
            self.store,
            self.account,
            self.trades,
            self.recovery.begin,
            self.recovery.on_agreed,
        )

    def _make_deadlines(self) -> Deadlines:
        parts = (
            self.orders,
            self.strategies,
            self.recovery,
            self.trades,
            self.comparison,
            self.leverages,
            self.bars,
            self.stop_check,
        )
        return Deadlines(self.clock, self.candles, self._deliver, parts)

    @property
    def next_deadline_ns(self) -> int:
        """When the next thing is due."""
        return self._deadlines.next_ns

    def _connect_strategies(self) -> None:
        """A desk for each, and ticks to their candles."""
        symbols = [slot.symbol for slot in self.strategies.slots]
        for slot in self.strategies.slots:
            self.trades.add(slot, shared=symbols.count(slot.symbol) > 1)
        for (symbol, kind), track in self.candles.tracks.items():
            self.lanes[symbol].connect(kind, track)

    def _routes(self) -> dict[type, Callable[[Any], None]]:
        """Who takes which event."""
        return {
            wire.OrderBookTick: self._on_book,
            wire.TradeTick: self._on_trade,
            wire.Kline: self._on_kline,
            wire.KlinesReply: self._on_klines,
            wire.MarkPrice: self._on_mark,
            wire.OrderUpdate: self.orders.on_update,
            wire.AccountUpdate: self._on_account,
            wire.Reply: self._on_reply,
            wire.Snapshot: self._on_snapshot,
            wire.Gap: lambda gap: self.recovery.begin(gap.reason),
            wire.Instrument: self._on_instrument,
            wire.GatewayStatus: self._on_status,
            Timer: self._on_timer,
            LinkUp: self._on_link_up,
            LinkDown: self._on_link_down,
            JournalState: self._on_journal,
            Command: self.commands.on_command,
            StrategyEnded: self.strategies.on_ended,
            Stop: self.commands.on_stop,
        }

    def process(self, event: Event) -> Sequence[Effect]:
        """Take one event to the part it is for, meet what has become due, return what is to be done.

        A tick's way: `_on_book` takes it to its candle; a bar it closes goes through `_deliver` to the
        strategies, from there to the trade executor, through the risk manager to the order executor.
        """
        kind = type(event)
        self._handlers[kind](event)
        if kind in _QUICK and not self.out.effects and self.clock.now_ns < self._deadlines.next_ns:
            return NO_EFFECTS
        self._deadlines.meet()
        if kind not in _FREQUENT or self.clock.now_ns >= self.gate_news.due_ns:
            self.gate_news.tell()
        return self.out.take()

    def _on_book(self, tick: wire.OrderBookTick) -> None:
        """A tick: the newest price of its symbol, and a point of its mid-price candle."""
        lane = self.lanes[tick.symbol]
        bids, asks = tick.bids, tick.asks
        if not bids or not asks:
            return
        received_ns = tick.receive_time_ns
        if received_ns > self.clock.now_ns:  # noqa: PLR1730  # a call of max() costs more than the branch
            self.clock.now_ns = received_ns
        lane.bid = bid = bids[0][0]
        lane.ask = ask = asks[0][0]
        if not lane.receive_time_ns:
            self.out.notify(Ready(self.clock.now_ns, tick.symbol, bid, ask))
        lane.receive_time_ns = received_ns
        lane.ticks += 1
        if lane.add_mid is not None:
            bars = lane.add_mid(tick.transaction_time_ns, (bid + ask) * 0.5)
            if bars:
                self._deliver(bars, received_ns)

    def _on_trade(self, tick: wire.TradeTick) -> None:
        """A public trade: a point of its trade candle."""
        self.clock.advance(tick.receive_time_ns)
        lane = self.lanes[tick.symbol]
        if tick.symbol in self.bars.silent:
            self.bars.heard_trade(tick.symbol)
        if lane.add_trade is not None:
            bars = lane.add_trade(tick.transaction_time_ns, tick.price, tick.qty_base)
            if bars:
                self._deliver(bars, tick.receive_time_ns)

    def _on_kline(self, kline: wire.Kline) -> None:
        """A bar of the exchange's own making."""
        length = timeframe_ns(kline.interval)
        self.bars.heard(kline, length)
        if kline.is_closed:
            self._deliver([bar_of(kline, length)], 0)

    def _deliver(self, bars: Sequence[Bar], caused_by_receive_ns: int) -> None:
        """Closed bars to the strategies, and their signals on, unless they were delivered before."""
        self._hand_out(self.bars.fresh(bars), caused_by_receive_ns)

    def _hand_out(self, bars: Sequence[Bar], caused_by_receive_ns: int) -> None:
        """Decisions come after all bars that close together."""
        self.gate.caused_by_receive_ns = caused_by_receive_ns
        for _, together in groupby(bars, key=lambda bar: bar.close_time_ns):
            group = list(together)
            for bar in group:
                self.out.notify(CandleClosed(self.clock.now_ns, bar))
            self._decide(self.strategies.on_bars(group))
        self.gate.caused_by_receive_ns = 0
        for bar in self.candles.take_late_marks():
            self.out.notify(CandleMarked(self.clock.now_ns, bar))

    def _on_klines(self, reply: wire.KlinesReply) -> None:
        fetched = self.bars.on_klines(reply)
        if fetched is None:
            self._decide(self.strategies.on_klines(reply))
        else:
            self._hand_out(fetched, 0)

    def _decide(self, decisions: Sequence[Decision]) -> None:
        """Orders first, for all; then the rest of the work on each decision."""
        done = [self.trades.on_signal(decision) for decision in decisions]
        if any(done):
            self.out.urge()
        for decision, placed in zip(decisions, done, strict=True):
            self.trades.finish(decision, placed)

    def _on_applied(self, applied: Applied) -> None:
        """The exchange said something new about an order: its fill counts once, then who waits for it."""
        fill = applied.fill
        if fill is not None:
            self.out.append(fill)
            self.account.on_fill(fill)
            self.account_news.note_day()
            self.recovery.last_fill_ns = max(self.recovery.last_fill_ns, fill.time_ns)
            self._tell_position(fill.symbol)
        self.account_news.on_applied(applied)
        refused = self.risk.on_applied(applied, self.clock.now_ns)
        if refused:
            self.out.notice("warning", refused)
        if applied.is_rejection:
            self.rejects += 1
        if applied.contradiction:
            self.out.notice(
                "critical", f"order {applied.order.client_order_id} was believed refused, but lives"
            )
        if applied.order.evidence.missing_base and applied.update is not None:
            self.recovery.on_missing_fill(applied)
        self.lost.on_applied(applied)
        self.recovery.watch_position()
        self.stop_check.on_applied(applied)
        self.trades.on_applied(applied)
        if fill is not None:
            self.ownership.settle(fill.symbol)

    def _on_reconciled(self) -> None:
        """The exchange and we agree: strategies may begin, stops that are missing are placed."""
        for symbol in self.config.symbols:
            self.ownership.settle(symbol)
        self.ownership.tell_left_behind()
        self.strategies.start()
        self.trades.on_reconciled()
        self.ownership.leave_as_told()
        self.stop_check.on_reconciled()
        self.comparison.on_reconciled()

    def _on_doubt(self, why: str) -> None:
        """Something does not fit: compare again."""
        if self.health.connected:
            self.recovery.begin(why)

    def _on_reply(self, reply: wire.Reply) -> None:
        self.orders.on_reply(reply)
        self.recovery.on_reply(reply)
        self.leverages.on_reply(reply)

    def _on_account(self, update: wire.AccountUpdate) -> None:
        self.out.append(AccountReport(update, self.clock.now_ns))
        self.account.on_account_update(update)
        self.health.on_positions(update.positions)
        self.account_news.note_day()
        self.account_news.on_account(update)
        self.recovery.watch_position()

    def _on_mark(self, mark: wire.MarkPrice) -> None:
        self.account.on_mark(mark)
        self.lanes[mark.symbol].mark_time_ns = mark.receive_time_ns
        self.account_news.note_day()
        self.margin.look()
        if self.health.reconciled:
            self.account_news.note_equity()

    def _on_snapshot(self, snapshot: wire.Snapshot) -> None:
        for instrument in snapshot.instruments:
            self._on_instrument(instrument, snapshot.request_id)
        self.health.on_positions(snapshot.positions)
        self.recovery.on_snapshot(snapshot)
        self.comparison.on_snapshot(snapshot)

    def _on_instrument(self, instrument: wire.Instrument, snapshot_id: int = 0) -> None:
        known = self.health.instruments.get(instrument.symbol)
        self.health.instruments[instrument.symbol] = instrument
        self.margin.on_instrument(instrument)
        self.leverages.on_instrument(instrument, snapshot_id)
        if known is not None and known != instrument:
            self.trades.on_rules_changed(instrument.symbol)

    def _on_status(self, status: wire.GatewayStatus) -> None:
        """A book that lost its way leaves a hole in the candles made from it."""
        self.clock.advance(status.time_ns)
        lost = self.health.fresh_symbols.difference(status.fresh_symbols)
        for symbol in sorted(lost):
            self.candles.mark_hole(symbol)
        before, old, answered = self.health.private_stream, self.health.status, self.health.answers_come
        if status.banned_until_ns and not (old and old.banned_until_ns):
            self.out.notice(*told_stop(status))
        self.health.on_status(status)
        if status.keys_refused and not (old and old.keys_refused):
            text = (
                f"the exchange refuses the API key ({status.keys_refused}): entries wait, positions are kept,"
            )
            self.out.notice("critical", f"{text} and exits get through only when its rights are back")
        self.bars.begin()
        if old is not None and not answered and self.health.answers_come:
            self.orders.ask_again()
            self.trades.exits.on_answers()
        if (
            self.health.set_back
            and self.health.clock_ok
            and status.time_ns < self.clock.timer_ns + SET_BACK_NS
        ):
            self._after_set_back()
        if before not in {"", "up"} and self.health.private_stream == "up" and self.health.reconciled:
            self.recovery.begin("the private stream is back")

    def _on_link_up(self, link: LinkUp) -> None:
        self.clock.advance(link.now_ns)
        self.health.on_link(up=True)
        self.orders.on_link_up()
        self.leverages.on_link_up()
        self.recovery.on_link_up()

    def _on_link_down(self, link: LinkDown) -> None:
        self.clock.advance(link.now_ns)
        if self.health.connected or link.reason != self.health.link_reason:
            self.out.notice("warning", f"the link to the gateway is down: {link.reason}")
        self.health.link_reason = link.reason
        self.candles.mark_hole()
        self.health.on_link(up=False)
        self.bars.end()
        self.orders.on_link_down()
        self.recovery.on_link_down()
        self.leverages.on_link_down()
        self.strategies.on_link_down()

    def _on_timer(self, timer: Timer) -> None:
        """Time as the machine's clock has it now. It may have been set ahead, and later back."""
        # What was under way while the clock was ahead may carry its time a second time.
        before_ns = self.clock.now_ns if self.health.set_back else self.clock.timer_ns
        if timer.now_ns < before_ns - SET_BACK_NS:
            self._on_set_back(timer.now_ns)
        self.clock.timer_ns = timer.now_ns
        self.clock.advance(timer.now_ns)
        self._decide(self.strategies.go_on())

    def _on_set_back(self, now_ns: int) -> None:
        """What was to happen at times that are far away now happens soon; entries wait until the clock is
        known well again and the exchange's truth was compared."""
        seconds = (self.clock.now_ns - now_ns) / 1e9
        self.clock.now_ns = now_ns
        self.health.set_back = True
        text = (
            f"the machine's clock was set back by {seconds:.0f} s: entries wait until all is compared again"
        )
        self.out.notice("critical", text)
        for lane in self.lanes.values():
            lane.receive_time_ns = min(lane.receive_time_ns, 1)
            lane.mark_time_ns = min(lane.mark_time_ns, now_ns)
        for part in self._deadlines.parts:
            part.on_set_back(now_ns)
        self.account_news.on_set_back(now_ns)
        self.risk.on_set_back(now_ns)
        self.gate_news.hurry()
        if self.health.connected:
            self.recovery.begin("the machine's clock was set back")

    def _after_set_back(self) -> None:
        """The exchange's time is known again: bars that were closed ahead of it are begun anew."""
        self.health.set_back = False
        exchange_now_ns = self.clock.exchange_now_ns
        self.candles.begin_anew(exchange_now_ns)
        self.bars.begin_anew()
        self.strategies.begin_anew(exchange_now_ns)

    def _on_journal(self, state: JournalState) -> None:
        self.health.journal_ok = state.accepts_entries

    def _tell_position(self, symbol: str) -> None:
        position = self.account.position(symbol)
        lane = self.lanes.get(symbol)  # none of a symbol that was traded once
        mark = self.account.mark(symbol) or (decimal_of(lane.mid) if lane else position.entry_price)
        self.out.notify(
            PositionChanged(
                self.clock.now_ns,
                symbol,
                position.qty_base,
                position.entry_price,
                position.realised_pnl,
                position.unrealised(mark),
                position.fees,
                self.margin.liquidation_price(symbol),
            )
        )

    def _wanted_streams(self) -> tuple[str, ...]:
        """Book and mark always; trades and klines where a strategy's candles are made from them."""
        wanted = {"book", "mark"}
        for _, kind, length in self.strategies.series:
            if kind == "trade":
                wanted.add("trade")
            elif kind == "exchange":
                wanted.add(f"kline:{timeframe_text(length)}")
        return tuple(sorted(wanted))
