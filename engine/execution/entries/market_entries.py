"""Entries at market of one strategy on one symbol: sized, checked, and sent at once or after a close.

A flip is two orders: the close goes out first, reduce-only, and the entry when the close has filled. One
order of double size would be quicker, but it is not reduce-only: a risk rule that refuses the entry would
refuse the exit with it, and a wrong idea of the position would open one. Both ids are made from the same bar,
so neither can happen twice. An entry whose close fills too late is dropped.
"""

from decimal import Decimal
from math import nan

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.entries.signal_log import NO_SIGNALS, SignalLog
from engine.execution.entries.sizing import TooSmall, entry_qty
from engine.execution.sending.order_gate import OrderGate, Placed
from engine.exits.bar_plan import Action
from engine.model.cause import Cause
from engine.model.context import Clock
from engine.model.leg import ENTRY, WAITING_ENTRY, Leg
from engine.model.limits import ALLOWED, Verdict
from engine.model.lots import quantity_down
from engine.model.records import Intent
from engine.orders.order_store import Applied, Order, OrderStore
from engine.risk.facts.gates import INSTRUMENT, NO_FILTERS
from engine.strategies.base import ScriptStrategy
from engine.strategies.slot import Decision, SlotState, StrategySlot
from gateways.wire.messages import Instrument, Side

IN_FLIGHT = Verdict(False, "entry_in_flight", "an entry is under way")
NOT_KNOWN = Verdict(False, INSTRUMENT.name, NO_FILTERS)


class _Held(msgspec.Struct, frozen=True):
    """An entry that waits for the close before it to fill, or for another one's order to be cancelled."""

    intent: Intent
    expires_ns: int
    decision: Decision


class MarketEntries:
    """At most one entry at a time is under way."""

    def __init__(
        self,
        slot: StrategySlot,
        clock: Clock,
        gate: OrderGate,
        store: OrderStore,
        account: AccountStateStore,
        log: SignalLog,
    ) -> None:
        self._slot = slot
        self._clock = clock
        self._gate = gate
        self._store = store
        self._account = account
        self._log = log
        self._newest_id = ""
        self._held: _Held | None = None

    def enter(
        self, decision: Decision, action: Action, *, after_close: bool, after_entry: bool = False
    ) -> Placed:
        """Place an entry at once, or `after_close` as soon as the exit under way has filled, or `after_entry`
        as soon as the order of an entry that has waited for its price is gone.
        """
        if decision.block is not None:
            return Placed(decision.block.verdict)
        if self._working() is not None:
            return Placed(IN_FLIGHT)
        instrument = self._gate.instruments.get(self._slot.symbol)
        if instrument is None:
            return Placed(NOT_KNOWN)
        try:
            qty = self._qty_base(decision, action, instrument)
        except TooSmall as error:
            return Placed(Verdict(False, "size", str(error)))
        intent = self._intent(decision, action, qty)
        if not after_close and not after_entry:
            return self._place(intent)
        expires = decision.bar.close_time_ns + self._slot.lateness_ns
        self._held = _Held(intent, expires, decision)
        return Placed(ALLOWED, intent.client_order_id)

    def verdict_now(self, direction: int) -> Verdict | None:
        """On an entry of the default size, without sending it. None where that cannot be told: a position is
        open, an entry is under way, no price is known, or the size comes from the signal or the script.
        """
        slot, mark = self._slot, self._account.mark(self._slot.symbol)
        instrument = self._gate.instruments.get(slot.symbol)
        by_signal = slot.sizing.kind == "risk_percent" or isinstance(slot.strategy, ScriptStrategy)
        if by_signal or not mark or instrument is None or self._working() is not None or self._held:
            return None
        if self._account.strategy_position(slot.owner, slot.symbol).qty_base:
            return None
        try:
            qty = entry_qty(
                slot.sizing,
                price=float(mark),
                equity=self._account.equity,
                risk_distance=nan,
                instrument=instrument,
            )
        except TooSmall as error:
            return Verdict(False, "size", str(error))
        cause = Cause.at("asked", self._clock.now_ns)
        side: Side = "BUY" if direction > 0 else "SELL"
        asked = self._gate.intent(slot.owner, slot.symbol, side, "MARKET", qty, cause=cause, leg=ENTRY)
        return self._gate.verdict_on_terms(asked)

    def adopt(self, order: Order) -> None:
        """An entry of the journal is still under way."""
        self._newest_id = order.client_order_id

    def is_in_flight(self) -> bool:
        """Whether an entry is sent and has yet to fill; one that was to follow is dropped."""
        self._held = None
        return self._working() is not None

    def coming(self) -> dict[str, int]:
        """Ids and directions of a script's entries that have yet to fill."""
        working = self._working()
        intents = [] if working is None else [working.intent]
        if self._held is not None:
            intents.append(self._held.intent)
        return {Leg.parse(one.leg).entry_id: 1 if one.side == "BUY" else -1 for one in intents}

    def on_applied(self, applied: Applied) -> None:
        """What an entry waits for may have ended: send it, unless it is too late or something is held."""
        held, slot, order = self._held, self._slot, applied.order
        is_entry = order.leg == WAITING_ENTRY
        is_end = order.intent.is_exit or is_entry
        if held is None or not is_end or order.is_open or order.evidence.missing_base:
            return
        left = self._account.strategy_position(slot.owner, slot.symbol).qty_base
        late = self._clock.exchange_now_ns > held.expires_ns
        if left and not late and not is_entry:
            return
        self._held = None
        if left and is_entry:
            self._log.record(held.decision, "ignored", detail="the entry that waited has filled")
            return
        if late:
            self._log.record(held.decision, "late", detail="the close filled too late", action="flip entry")
            return
        caused, self._gate.caused_by_receive_ns = self._gate.caused_by_receive_ns, 0
        placed = self._place(msgspec.structs.replace(held.intent, time_ns=self._clock.now_ns))
        self._gate.caused_by_receive_ns = caused
        if not placed.verdict.allowed:
            self._log.record_verdict(held.decision, placed.verdict, "flip entry")

    def _working(self) -> Order | None:
        """The entry that is under way."""
        newest = self._store.get(self._newest_id) if self._newest_id else None
        return newest if newest is not None and newest.is_open else None

    def _qty_base(self, decision: Decision, action: Action, instrument: Instrument) -> Decimal:
        if action.qty_base is not None:
            return quantity_down(action.qty_base, instrument.qty_step_base)
        signals = decision.signals or NO_SIGNALS
        return entry_qty(
            self._slot.sizing,
            price=decision.bar.close,
            equity=self._account.equity,
            risk_distance=signals.risk_distance,
            instrument=instrument,
            strength=signals.strength,
        )

    def _intent(self, decision: Decision, action: Action, qty_base: Decimal) -> Intent:
        slot, bar = self._slot, decision.bar
        return self._gate.intent(
            slot.owner,
            slot.symbol,
            "BUY" if action.direction > 0 else "SELL",
            "MARKET",
            qty_base,
            cause=Cause.bar(slot.timeframe_ns, bar.open_time_ns),
            leg=Leg("entry", id=action.entry_id),
            signal=action.text,
        )

    def _place(self, intent: Intent) -> Placed:
        placed = self._gate.place(intent, running=self._slot.state is SlotState.RUNNING)
        if placed.client_order_id:
            self._newest_id = placed.client_order_id
        return placed
