"""The engine's status, for the live view, clients and the summary of a run."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from engine.core.engine import Engine
from engine.core.standing import may_enter, state_of
from engine.execution.entries.signal_log import flag_words
from engine.model.audit import AuditEvent, CandleClosed
from engine.model.lots import decimal_of, plain
from engine.model.records import Fill, Intent, JournalRecord, Signal
from engine.model.timeframes import timeframe_text
from engine.orders.order_states import OrderState
from engine.orders.signal_fate import REJECTED, settled_signal
from engine.strategies.slot import StrategySlot
from runtime.control.shown import ShowPrice
from runtime.control.status import (
    CandleStatus,
    Counts,
    EngineStatus,
    LatencyStatus,
    OrderStatus,
    PositionStatus,
    SignalStatus,
    StartMoney,
    StrategyStatus,
)

SHOWN = 20


class StatusKeeper:
    """Counts events, and makes the status from the counts and the core's state."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.candles = 0
        self.signals = 0
        self.orders = 0
        self.fills = 0
        self._last_candles: dict[str, CandleStatus] = {}
        account = engine.account
        self._at_start = StartMoney(plain(account.realised_pnl), plain(account.fees), plain(account.funding))

    def counts(self) -> Counts:
        """Counts over all starts, as in the journal."""
        before = self._engine.earlier
        return Counts(
            before.signals + self.signals,
            before.orders + self.orders,
            before.fills + self.fills,
            before.rejects + self._engine.order_events.rejects,
        )

    def observe(self, events: Sequence[JournalRecord | AuditEvent]) -> None:
        """Count events, and note the first reported balance."""
        if self._at_start.wallet_balance is None and (wallet := self._wallet()) is not None:
            self._at_start = msgspec.structs.replace(self._at_start, wallet_balance=wallet)
        for event in events:
            kind = type(event)
            if kind is CandleClosed:
                self.candles += 1
                self._candle(event)  # type: ignore[arg-type]  # narrowed by `kind`
            elif kind is Signal:
                self.signals += 1
            elif kind is Intent:
                self.orders += 1
            elif kind is Fill:
                self.fills += 1

    def status(self, now_ns: int) -> EngineStatus:
        """The complete status at this moment."""
        engine = self._engine
        account = engine.account
        gateway = engine.health.status
        return EngineStatus(
            time_ns=now_ns,
            ready=any(market.ticks for market in engine.markets.values()),
            ticks=sum(market.ticks for market in engine.markets.values()),
            candles=self.candles,
            signals=self.signals,
            orders=self.orders,
            fills=self.fills,
            rejects=engine.order_events.rejects,
            conflated_ticks=gateway.conflated_ticks if gateway is not None else 0,
            positions=self._positions(),
            realised_pnl=plain(account.realised_pnl),
            unrealised_pnl=plain(account.unrealised_pnl),
            fees=plain(account.fees),
            wallet_balance=self._wallet(),
            funding=plain(account.funding),
            at_start=self._at_start,
            tick_to_order_us=_latency(engine.orders.tick_to_order_ns),
            last_prices={symbol: market.mid for symbol, market in engine.markets.items() if market.ticks},
            last_candles=tuple(self._last_candles[symbol] for symbol in sorted(self._last_candles)),
            recent_signals=tuple(
                _signal(settled_signal(one.signal, engine.store.get), engine.health.show_price, one.times)
                for one in list(engine.trades.log.recent)[-SHOWN:]
            ),
            open_orders=self._open_orders(),
            links=self._links(),
            paused=engine.operator.is_paused,
            killed=engine.operator.killed is not None,
            paused_strategies=tuple(
                f"{slot.owner} on {slot.symbol}" for slot in engine.strategies.slots if slot.paused
            ),
            tick_sizes={one.symbol: f"{one.price_tick:f}" for one in engine.gate.instruments.values()},
            since_journal_began=self.counts(),
            blockers=engine.health.blockers(),
            unanswered=engine.health.gateway.unanswered,
            left_behind=tuple(engine.ownership.left_behind()),
            strategies=self._strategies(),
        )

    def _wallet(self) -> str | None:
        account = self._engine.account
        return plain(account.wallet_balance) if account.balance(account.quote_asset) else None

    def _candle(self, event: CandleClosed) -> None:
        bar = event.bar
        self._last_candles[bar.symbol] = CandleStatus(
            bar.symbol,
            timeframe_text(bar.timeframe_ns),
            bar.open_time_ns,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
        )

    def _positions(self) -> tuple[PositionStatus, ...]:
        account = self._engine.account
        found = []
        for position in account.positions():
            if position.qty_base:
                mark = account.mark(position.symbol)
                found.append(
                    PositionStatus(
                        position.symbol,
                        plain(position.qty_base),
                        plain(position.entry_price),
                        None if mark is None else plain(mark),
                        None if mark is None else plain(position.unrealised(mark)),
                    )
                )
        return tuple(found)

    def _open_orders(self) -> tuple[OrderStatus, ...]:
        return tuple(
            OrderStatus(
                order.intent.symbol,
                order.intent.side,
                order.intent.order_type,
                plain(order.qty_base),
                plain(order.filled_base),
                plain(order.price) if order.price else None,
                OrderState(order.state).name,
                order.client_order_id,
                plain(order.stop_price) if order.stop_price else None,
                order.intent.strategy,
            )
            for order in list(self._engine.store.open_orders())[:SHOWN]
        )

    def _strategies(self) -> tuple[StrategyStatus, ...]:
        """First those that are no longer configured and hold a position."""
        engine, resting = self._engine, self._resting_stops()
        gone = []
        not_configured = f"not in the configuration: {engine.config.ctl('why')} shows the command"
        for owner, position in engine.ownership.orphans():
            stop = _nearest(resting.get((owner, position.symbol), ()), position.qty_base)
            gone.append(
                StrategyStatus(
                    *(owner, position.symbol, "", not_configured, plain(position.qty_base)),
                    None if stop is None else plain(stop),
                    may_enter=False,
                )
            )
        slots = (
            self._strategy(one, resting.get((one.owner, one.symbol), ())) for one in engine.strategies.slots
        )
        return (*gone, *slots)

    def _strategy(self, slot: StrategySlot, resting: Sequence[Decimal]) -> StrategyStatus:
        engine = self._engine
        held = engine.account.strategy_position(slot.owner, slot.symbol).qty_base
        watched = (
            engine.trades.traders[slot.owner, slot.symbol].protection.plan.watched_stop if held else None
        )
        level = None if watched is None else decimal_of(watched)
        stop = _nearest(resting if level is None else (*resting, level), held)
        return StrategyStatus(
            slot.owner,
            slot.symbol,
            timeframe_text(slot.timeframe_ns),
            state_of(slot, held),
            plain(held),
            None if stop is None else plain(stop),
            stop is not None and stop is level,
            may_enter(slot),
        )

    def _resting_stops(self) -> dict[tuple[str, str], list[Decimal]]:
        """Trigger prices of stop orders at the exchange, by owner and symbol."""
        found: dict[tuple[str, str], list[Decimal]] = {}
        for order in self._engine.store.open_orders():
            intent = order.intent
            if intent.reduce_only and order.stop_price:
                found.setdefault((intent.strategy, intent.symbol), []).append(order.stop_price)
        return found

    def _links(self) -> dict[str, str]:
        health = self._engine.health
        links = {"gateway": "up" if health.connected else "down"}
        if health.status is not None:
            links.update(health.status.streams)
        return links


def _signal(signal: Signal, price: ShowPrice, times: int) -> SignalStatus:
    words = f"{flag_words(signal)} at {price(signal.symbol, signal.price)}"
    fate = f"{signal.fate} by {signal.rule}" if signal.rule else signal.fate
    if signal.fate == REJECTED:
        fate += f": {signal.detail}"
    return SignalStatus(signal.time_ns, signal.strategy, signal.symbol, words, fate, times)


def _nearest(levels: Sequence[Decimal], held: Decimal) -> Decimal | None:
    """The stop level that the price reaches first, falling for a long, rising for a short; None if flat."""
    if not levels or not held:
        return None
    return max(levels) if held > 0 else min(levels)


def _latency(samples_ns: Sequence[int]) -> LatencyStatus:
    if not samples_ns:
        return LatencyStatus()
    ordered = sorted(samples_ns)
    last = len(ordered) - 1
    return LatencyStatus(ordered[last // 2] / 1000, ordered[-(-last * 99 // 100)] / 1000)
