"""Trades one strategy on one symbol: decisions become orders, and exits follow the position."""

from decimal import Decimal

from engine.account.state import AccountStateStore
from engine.execution.entries.limit_entries import LimitEntries
from engine.execution.entries.market_entries import IN_FLIGHT, MarketEntries
from engine.execution.entries.signal_log import SignalLog
from engine.execution.exits.market_exits import MarketExits
from engine.execution.exits.protection import Protection
from engine.execution.planner import Planner
from engine.execution.scripts.planner import ScriptPlanner
from engine.execution.sending.order_gate import OrderGate, Placed
from engine.exits.bar_plan import Action
from engine.model.bars import Bar, BarFlag
from engine.model.cause import Cause
from engine.model.context import Clock, Outbox
from engine.model.leg import CLOSE, WAITING_ENTRY, Leg
from engine.model.limits import Verdict
from engine.model.lots import quantity_down
from engine.model.records import ExitState
from engine.orders.order_store import Applied
from engine.strategies.base import Broker
from engine.strategies.slot import Decision, SlotState, StrategySlot

ZERO = Decimal(0)


class Outcome:
    """The orders of one decision so far: the first refusal, and the ids of orders sent or waiting."""

    __slots__ = ("actions", "refusal", "sent")

    def __init__(self, actions: tuple[Action, ...]) -> None:
        self.actions = actions
        self.refusal: Verdict | None = None
        self.sent: list[str] = []

    def note(self, placed: Placed) -> None:
        """Add the outcome of one order."""
        if placed.client_order_id:
            self.sent.append(placed.client_order_id)
        if not placed.verdict.allowed and self.refusal is None:
            self.refusal = placed.verdict


class SymbolTrader:
    """Plans on each deciding bar, enters, leaves, and keeps the position's exits in the market.

    `planner` says what is wanted, `entries` and `exits` place orders at market, `protection` those that rest.
    """

    def __init__(
        self,
        slot: StrategySlot,
        planner: Planner,
        entries: MarketEntries,
        waiting: LimitEntries,
        exits: MarketExits,
        protection: Protection,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        account: AccountStateStore,
        log: SignalLog,
    ) -> None:
        self.slot = slot
        self.planner = planner
        self.entries = entries
        self._waiting = waiting
        self.protection = protection
        self._exits = exits
        self._clock = clock
        self._out = out
        self._gate = gate
        self._account = account
        self._log = log
        self._journalled = b""

    @property
    def held_base(self) -> Decimal:
        """The strategy's position, signed."""
        return self._account.strategy_position(self.slot.owner, self.slot.symbol).qty_base

    def on_decision(self, decision: Decision) -> Outcome | None:
        """Plan, and place the first order; None when there is nothing to do."""
        if decision.block is not None and decision.block.fate == "duplicate":
            return None
        actions = self.planner.actions(decision)
        if not actions:
            return None
        outcome, first = Outcome(actions), actions[0]
        if first.kind == "close":
            outcome.note(self._close(decision, first))
        else:
            outcome.note(self._enter(decision, first, after_close=False))
        return outcome

    def finish(self, decision: Decision, outcome: Outcome | None) -> None:
        """After the first order was sent: the second one, the record of the signal, resting exits."""
        if outcome is None:
            self._record_idle(decision)
        else:
            if len(outcome.actions) > 1:
                second, left = outcome.actions[1], bool(outcome.sent)
                outcome.note(self._enter(decision, second, after_close=left))
            words = ", ".join(action.text for action in outcome.actions)
            self._log.record_orders(decision, outcome.refusal, words, tuple(outcome.sent))
        self.protection.on_bar(decision.bar)
        self.journal_state()

    def on_applied(self, applied: Applied) -> None:
        """An update of one of its orders: exits follow the position, a flip continues."""
        self.planner.on_applied(applied)
        fill = applied.fill
        if fill is not None:
            cause = Cause.fill(fill.symbol, fill.trade_id)
            self.protection.on_position(cause)
            self.journal_state()
            if not applied.order.intent.is_exit:
                self._leave_as_told(cause)
            self._leave_met_levels(cause)
        elif applied.order.leg == WAITING_ENTRY and not applied.order.is_open:
            self.protection.on_position(Cause.parse(applied.order.intent.cause))
            self.journal_state()
        self.entries.on_applied(applied)

    def on_reconciled(self) -> None:
        """Everything is reconciled: place missing resting exits, close what must be closed."""
        self.protection.on_position(Cause.at("reconciled", self._clock.now_ns))
        self._leave_as_told()

    def on_time(self) -> None:
        """Close a position that has been without its stop for too long."""
        is_due = self.protection.deadline_ns <= self._clock.now_ns
        if is_due and self.protection.on_time():
            cause = Cause.at("unprotected", self._clock.now_ns)
            placed = self._exits.leave(*self.slot.key, cause=cause, leg=CLOSE, signal="Unprotected")
            if placed.verdict.allowed:
                text = "closing the position at market: its stop could not be placed for too long"
                self._out.notice("critical", f"{self.slot.owner} on {self.slot.symbol}: {text}")

    def broker(self, bar: Bar) -> Broker:
        """A script's broker as of the close of the bar. Its verbs do nothing on bars that are not traded, and
        on informative ones.
        """
        if not isinstance(self.planner, ScriptPlanner):
            raise TypeError(f"{self.slot.owner} is no script")
        is_live = self.slot.state in {SlotState.RUNNING, SlotState.PAUSED}
        muted = not is_live or bool(bar.flags & BarFlag.BACKFILLED) or not self.slot.decides_on(bar)
        return self.planner.broker(bar, muted=muted, coming=self.entries.coming())

    def withdraw_entries(self, leg: Leg | None) -> None:
        """Withdraw all resting entries, or that one: they are cancelled and not placed again."""
        if self.planner.withdraw_entries(leg):
            self.journal_state()

    def journal_state(self) -> None:
        """Journal the planner's state if it has changed."""
        state = self.planner.state()
        if state != self._journalled:
            self._journalled = state
            self._out.append(self._record_of(state))

    def exit_state(self) -> ExitState:
        """The planner's state as a record."""
        return self._record_of(self.planner.state())

    def restore(self, state: ExitState) -> None:
        """Restore the planner's state from the journal."""
        self.planner.restore(state.state, state.bar_open_time_ns)
        self._journalled = state.state

    def _record_of(self, state: bytes) -> ExitState:
        slot = self.slot
        return ExitState(slot.owner, slot.symbol, slot.decided_open_ns, state)

    def _enter(self, decision: Decision, action: Action, *, after_close: bool) -> Placed:
        """Enter at market, or let the entry wait at its price."""
        if action.limit is None:
            behind = self._waiting.is_under_way
            return self.entries.enter(decision, action, after_close=after_close, after_entry=behind)
        if self.entries.is_in_flight():
            return Placed(IN_FLIGHT)
        verdict = self._waiting.want(decision, action)
        if not verdict.allowed:
            return Placed(verdict)
        self.protection.on_bar(decision.bar)
        return self._waiting.placed()

    def _close(self, decision: Decision, action: Action) -> Placed:
        """Close the position, or a part of it."""
        slot, qty = self.slot, action.qty_base
        if qty is not None:
            qty = quantity_down(qty, self._gate.instruments[slot.symbol].qty_step_base)
        cause = Cause.bar(slot.timeframe_ns, decision.bar.open_time_ns)
        return self._exits.leave(
            *self.slot.key, qty_base=qty, cause=cause, leg=action.leg, signal=action.text
        )

    def _leave_as_told(self, cause: Cause | None = None) -> None:
        """After flatten or kill: close what is held. An entry may have filled since, or the engine crashed
        before the exit was sent."""
        told = self.slot.leaving
        if told is not None:
            self._exits.leave_as_told(*self.slot.key, cause or told)

    def _leave_met_levels(self, cause: Cause) -> None:
        """After a fill: place exits of a script at market whose level is already met."""
        for one in self.planner.met():
            self._exits.leave(
                *self.slot.key, qty_base=one.qty_base, cause=cause, leg=one.leg, signal=one.text
            )

    def _record_idle(self, decision: Decision) -> None:
        """Record a signal that leads to no order."""
        signals, block = decision.signals, decision.block
        if signals is None or not (
            signals.enter_long or signals.enter_short or signals.exit_long or signals.exit_short
        ):
            return
        if block is not None and block.fate in {"duplicate", "warming"}:
            self._log.record(decision, block.fate, detail=block.detail)
        else:
            held = self.held_base
            side = "long" if held > ZERO else "short" if held < ZERO else "flat"
            self._log.record(decision, "ignored", detail=f"nothing to do while {side}")
