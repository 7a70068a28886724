"""From what a strategy says to orders: exit rules, sizing, flips, resting exits.

A flip is two orders: the close goes out first, reduce-only, and the entry when the close has filled.
One order of double size would be quicker, but it is not reduce-only: a risk rule that refuses the entry
would refuse the exit with it, and a wrong idea of the position would open one. Both legs have ids made from
the same bar, so neither can happen twice. An entry whose close fills too late is dropped.
"""

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal

import msgspec

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore
from engine.execution.desks import Desk, Followup, Outcome
from engine.execution.market_exits import NOTHING_TO_REDUCE, MarketExits
from engine.execution.order_executor import OrderExecutor
from engine.execution.order_gate import OrderGate, Placed
from engine.execution.protection import Protection, rules_of
from engine.execution.resting import RestingOrder, RestingOrders
from engine.execution.script_broker import ScriptBroker, actions_of
from engine.execution.script_verbs import refuse_verbs
from engine.execution.signal_log import NO_SIGNALS, SignalLog
from engine.execution.sizing import TooSmall, entry_qty
from engine.exits.bar_plan import Action, BarPlan
from engine.model import records
from engine.model.bars import Bar, BarFlag
from engine.model.cause import Cause
from engine.model.context import Clock, Outbox
from engine.model.leg import CLOSE, STOP, Leg
from engine.model.limits import Verdict
from engine.model.lots import quantity_down
from engine.model.records import Fill, Intent
from engine.model.signals import Signals
from engine.orders.order_states import UNSETTLED, OrderState
from engine.orders.order_store import Applied, Order, OrderStore
from engine.orders.refusals import has_fired_in_vain, is_nothing_to_reduce
from engine.risk.gates import INSTRUMENT, NO_FILTERS
from engine.strategies.base import Broker, ScriptStrategy
from engine.strategies.slot import Decision, SlotState, StrategySlot
from gateways.wire.words import Refusal

ZERO = Decimal(0)


class TradeExecutor:
    """Turns decisions into orders and tells what became of each signal."""

    def __init__(
        self,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        store: OrderStore,
        account: AccountStateStore,
        executor: OrderExecutor,
        on_doubt: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._out = out
        self._on_doubt = on_doubt
        self._gate = gate
        self._store = store
        self._account = account
        self.log = SignalLog(clock, out)
        self.resting = RestingOrders(clock, out, gate, store, executor, self._on_rest_refused, self._may_rest)
        self.exits = MarketExits(clock, out, gate, store, account, executor, on_doubt)
        self.desks: dict[tuple[str, str], Desk] = {}
        self._protected: set[Protection] = set()

    def add(self, slot: StrategySlot, *, shared: bool) -> None:
        """Open a desk for a strategy. `shared`: others trade the symbol too."""
        refuse_verbs(slot, shared=shared)
        if shared:
            self.exits.share(slot.symbol)
        self._gate.owners.setdefault(slot.symbol, []).append(slot.owner)
        plan = BarPlan(rules_of(slot, shared=shared))
        script = None
        if isinstance(slot.strategy, ScriptStrategy):
            instruments, tell = self._gate.instruments, self._out.notice
            script = ScriptBroker(slot, self._account, instruments, shared=shared, tell=tell)
        protection = Protection(
            slot,
            plan,
            self._clock,
            self._out,
            self._gate,
            self._account,
            self.resting,
            None if script is None else script.resting_orders,
        )
        protection.waiting = self._protected
        self.desks[slot.owner, slot.symbol] = Desk(slot, plan, protection, script)

    def broker(self, slot: StrategySlot, bar: Bar) -> Broker:
        """A script's broker as of the close of the bar."""
        desk = self.desks[slot.owner, slot.symbol]
        if desk.script is None:
            raise TypeError(f"{slot.owner} is no script")
        live = slot.state in {SlotState.RUNNING, SlotState.PAUSED} and not bar.flags & BarFlag.BACKFILLED
        desk.script.begin_bar(bar, muted=not live, coming=desk.coming(self._store))
        return desk.script

    def on_signal(self, decision: Decision) -> Outcome | None:
        """Plan one deciding bar and place what cannot wait; `finish` does the rest."""
        slot, bar, signals = decision.slot, decision.bar, decision.signals
        desk = self.desks[slot.owner, slot.symbol]
        block = decision.block
        if block is not None and block.fate == "duplicate":
            return None
        if desk.script is not None or signals is None:
            return self._on_script(desk, decision)
        if block is not None and block.fate == "warming":
            signals = NO_SIGNALS
        position = self._account.strategy_position(slot.owner, slot.symbol)
        actions = desk.plan.on_bar(bar, signals, position.qty_base, position.entry_price)
        if not actions:
            return None
        outcome = Outcome(actions, actions[0].kind == "close")
        self._begin(desk, decision, outcome)
        return outcome

    def _on_script(self, desk: Desk, decision: Decision) -> Outcome | None:
        """Carry out what a script asked for at market: its first close and its last entry."""
        script = desk.script
        if script is None:
            return None
        if decision.block is not None:
            script.drop_entries(self.resting.legs(desk.slot.owner, desk.slot.symbol))
        wishes = script.take_market()
        if not wishes:
            return None
        held = self._account.strategy_position(desk.slot.owner, desk.slot.symbol).qty_base
        actions = actions_of(wishes, held)
        if not actions:
            return None
        direction, closes = actions[-1].direction, any(one.kind == "close" for one in wishes)
        decision.signals = Signals(
            direction > 0, direction < 0, closes and held > ZERO, closes and held < ZERO, actions[-1].entry_id
        )
        outcome = Outcome(actions, actions[0].kind == "close")
        self._begin(desk, decision, outcome)
        return outcome

    def _begin(self, desk: Desk, decision: Decision, outcome: Outcome) -> None:
        """Place the first of the actions."""
        action = outcome.actions[0]
        if outcome.closing:
            outcome.note(self._close(desk, decision, action))
        else:
            outcome.note(self._consider_entry(desk, decision, action, closing=False))

    def finish(self, decision: Decision, outcome: Outcome | None) -> None:
        """After the first order has left: the second leg, resting exits, and what goes on record."""
        slot, signals = decision.slot, decision.signals
        desk = self.desks[slot.owner, slot.symbol]
        if outcome is not None:
            if len(outcome.actions) > 1:
                left = bool(outcome.sent)
                outcome.note(self._consider_entry(desk, decision, outcome.actions[1], closing=left))
                if desk.followup is not None and desk.followup.decision is decision:
                    outcome.sent.append(desk.followup.intent.client_order_id)
            self._record(decision, outcome)
        elif signals is not None and (
            signals.enter_long or signals.enter_short or signals.exit_long or signals.exit_short
        ):
            block = decision.block
            if block is not None and block.fate in {"duplicate", "warming"}:
                self.log.record(decision, block.fate, detail=block.detail)
            else:
                held = self._account.strategy_position(slot.owner, slot.symbol).qty_base
                side = "long" if held > ZERO else "short" if held < ZERO else "flat"
                self.log.record(decision, "ignored", detail=f"nothing to do while {side}")
        desk.protection.on_bar(decision.bar)
        self._journal_state(desk)

    def on_applied(self, applied: Applied) -> None:
        """News of an order: positions move, resting exits follow, a flip goes on."""
        intent = applied.order.intent
        desk = self.desks.get((intent.strategy, intent.symbol))
        leg = self.resting.leg_of(intent.client_order_id)
        whole = applied.order.state is OrderState.FILLED and not applied.order.evidence.missing_base
        if leg is not None and applied.fill is not None and whole:
            self._rested_filled(desk, leg[2])
        self.resting.on_applied(applied)
        self.exits.on_applied(applied)
        if desk is None:
            self._release_left_behind(intent.symbol)
            return
        desk.tell_script(applied)
        if applied.fill is not None:
            cause = Cause.fill(applied.fill.symbol, applied.fill.trade_id)
            desk.protection.on_position(cause)
            self._journal_state(desk)
            if not intent.is_exit:
                self._leave_as_told(desk, cause)
            self._leave_at_met_levels(desk, cause)
        if desk.followup is not None:
            self._go_on(desk, applied)

    def on_position_adjusted(self, symbol: str) -> None:
        """Somebody else changed positions of that symbol."""
        for desk in self.desks.values():
            if desk.slot.symbol == symbol:
                desk.protection.on_position(Cause.at("adjusted", self._clock.now_ns))
        self._release_left_behind(symbol)

    def _leave_as_told(self, desk: Desk, cause: Cause | None = None) -> None:
        """Somebody said flatten or kill, and there is a position still, or again: an entry was under way, or
        a crash came between his word and the order."""
        told = desk.slot.leaving
        if told is not None:
            self.exits.leave_as_told(*desk.key, cause or told)

    def _leave_at_met_levels(self, desk: Desk, cause: Cause) -> None:
        """An order of a script has filled, and price is past an exit of what it holds."""
        for one in () if desk.script is None else desk.script.take_met():
            self.exits.leave(*desk.key, qty_base=one.qty_base, cause=cause, leg=one.leg, signal=one.text)

    def _release_left_behind(self, symbol: str) -> None:
        """Exits that rest for a strategy no longer configured stay with its position, entries do not."""
        for key in self.resting.owners():
            if key in self.desks or key[1] != symbol:
                continue
            if self._account.strategy_position(*key).qty_base:
                self.resting.cancel_entries(*key)
            else:
                self.resting.want(*key, {}, Cause("left behind"))

    def withdraw_entries(self, slot: StrategySlot, leg: Leg | None = None) -> None:
        """Cancel what rests to enter (or that leg of it), and forget what was wanted: it does not come back
        by itself. Exits that rest are looked after anew."""
        desk = self.desks[slot.owner, slot.symbol]
        if desk.script is not None:
            desk.script.drop_entries(self.resting.legs(*desk.key) - {leg} if leg else frozenset())
            self._journal_state(desk)
        self.look_after(slot)

    def look_after(self, slot: StrategySlot) -> None:
        """Let rest what belongs to the position now."""
        desk = self.desks[slot.owner, slot.symbol]
        desk.protection.on_position(Cause.at("told", self._clock.now_ns))

    def wants(self, order: Order) -> bool:
        """Whether it is right that this order rests: somebody else's, or one that a leg here wants."""
        if order.is_external or order.intent.order_type == "MARKET":
            return True
        return order.is_open and (order.state in UNSETTLED or self.resting.wants(order))

    def protects(self, order: Order) -> bool:
        """Whether it is a stop of a position that a strategy here holds."""
        key = order.intent.strategy, order.intent.symbol
        is_stop = order.intent.is_conditional and order.intent.reduce_only
        return is_stop and key in self.desks and self._account.strategy_position(*key).qty_base != ZERO

    def looks_after(self, order: Order) -> bool:
        """Whether it is a stop or target that would be placed again if it were cancelled."""
        desk = self.desks.get((order.intent.strategy, order.intent.symbol))
        is_over = desk is None or (desk.slot.leaving is not None and self._gate.is_killed)
        return order.intent.reduce_only and not is_over and self.resting.wants(order)

    def on_rules_changed(self, symbol: str) -> None:
        """Tick, step or limits changed: what rests is put on the new grid."""
        for desk in self.desks.values():
            if desk.slot.symbol == symbol:
                desk.protection.on_position(Cause.at("rules", self._clock.now_ns))

    def _may_rest(self, owner: str, symbol: str, wanted: RestingOrder) -> bool:
        """Whether an order may be placed to rest. While a position is being left nothing comes back that
        could stand in the way of leaving it, and after kill nothing at all."""
        desk = self.desks.get((owner, symbol))
        is_left = desk is not None and desk.slot.leaving is not None
        if is_left and self._gate.is_killed:
            return False
        return wanted.is_stop or not (is_left or self.exits.makes_way(owner, symbol))

    def on_reconciled(self) -> None:
        """The world was compared: make up what is missing of the resting exits."""
        self.exits.on_reconciled()
        for desk in self.desks.values():
            desk.protection.on_position(Cause.at("reconciled", self._clock.now_ns))
            self._leave_as_told(desk)
        for _, symbol in self.resting.owners():
            self._release_left_behind(symbol)
        self.resting.sync_all()

    @property
    def deadline_ns(self) -> int:
        """When something is due."""
        protections = [one.deadline_ns for one in self._protected]
        return min(self.resting.deadline_ns, self.exits.deadline_ns, *protections)

    def on_time(self) -> None:
        """Retry exits and stops; leave a position that stays without its stop."""
        self.resting.on_time()
        self.exits.on_time()
        for desk in self.desks.values():
            is_due = desk.protection.deadline_ns <= self._clock.now_ns
            if is_due and desk.protection.on_time():
                self._leave_unprotected(desk)

    def on_set_back(self, now_ns: int) -> None:
        """The clock went back: no deadline lies further ahead than one made now."""
        self.resting.on_set_back(now_ns)
        self.exits.on_set_back(now_ns)
        for desk in self.desks.values():
            desk.protection.on_set_back(now_ns)

    def restore(self, state: records.ExitState) -> None:
        """Take the state of exit rules from the journal."""
        desk = self.desks.get((state.strategy, state.symbol))
        if desk is None:
            return
        if desk.script is not None:
            desk.script.restore(state.state, state.bar_open_time_ns)
        else:
            desk.plan.restore(state.state)
        desk.journalled = state.state

    def replay(self, unseen: Iterable[Fill]) -> None:
        """Fills of the journal that the states after which they came have not seen."""
        for desk in self.desks.values():
            desk.replay_script(unseen, self._store)

    def adopt_orders(self, left_behind: Collection[tuple[str, str]] = ()) -> None:
        """After the journal was read: open orders belong to their desks again, as far as they did; exits also
        to owners and symbols `left_behind` that somebody said to leave."""
        known = {*self.desks, *left_behind}
        for order in self._store.open_orders():
            intent = order.intent
            desk = self.desks.get((intent.strategy, intent.symbol))
            if order.leg.rests:
                self.resting.adopt(order)
            elif intent.is_exit and (
                (intent.strategy, intent.symbol) in known or intent.strategy == OPERATOR
            ):
                self.exits.adopt(order)
            elif desk is not None:
                desk.entry_id = intent.client_order_id
        self.exits.adopt_unfinished(known)
        if not self._gate.is_killed:
            self.exits.give_up(OPERATOR)
        for desk in self.desks.values():
            desk.protection.restore_size()

    def exit_states(self) -> list[records.ExitState]:
        """The state of every strategy's exit rules, for a snapshot."""
        return [
            records.ExitState(owner, symbol, desk.slot.decided_open_ns, self._state_of(desk))
            for (owner, symbol), desk in self.desks.items()
        ]

    def _record(self, decision: Decision, outcome: Outcome) -> None:
        words = ", ".join(action.text for action in outcome.actions)
        sent = tuple(outcome.sent)
        if outcome.refusal is None:
            self.log.record(decision, "traded", ids=sent, action=words)
        else:
            self.log.record_verdict(decision, outcome.refusal, words, sent)

    def _close(self, desk: Desk, decision: Decision, action: Action) -> Placed:
        """Leave the position, or a part of it."""
        slot = desk.slot
        qty = action.qty_base
        if qty is not None:
            qty = quantity_down(qty, self._gate.instruments[slot.symbol].qty_step_base)
        return self.exits.leave(
            slot.owner,
            slot.symbol,
            qty_base=qty,
            cause=self._bar_cause(decision),
            leg=action.leg,
            signal=action.text,
        )

    def _consider_entry(self, desk: Desk, decision: Decision, action: Action, *, closing: bool) -> Placed:
        """An entry, at once or behind the close it flips."""
        slot = desk.slot
        if decision.block is not None:
            return Placed(decision.block.verdict)
        working = self._store.get(desk.entry_id) if desk.entry_id else None
        if working is not None and working.is_open:
            return Placed(Verdict(False, "entry_in_flight", "an entry is under way"))
        instrument = self._gate.instruments.get(slot.symbol)
        if instrument is None:
            return Placed(Verdict(False, INSTRUMENT.name, NO_FILTERS))
        signals = decision.signals or NO_SIGNALS
        try:
            qty = (
                quantity_down(action.qty_base, instrument.qty_step_base)
                if action.qty_base is not None
                else entry_qty(
                    slot.sizing,
                    price=decision.bar.close,
                    equity=self._account.equity,
                    risk_distance=signals.risk_distance,
                    instrument=instrument,
                )
            )
        except TooSmall as error:
            return Placed(Verdict(False, "size", str(error)))
        intent = self._gate.intent(
            slot.owner,
            slot.symbol,
            "BUY" if action.direction > 0 else "SELL",
            "MARKET",
            qty,
            cause=self._bar_cause(decision),
            leg=Leg("entry", id=action.entry_id),
            signal=action.text,
        )
        if not closing:
            return self._enter(desk, intent)
        expires = decision.bar.close_time_ns + slot.lateness_ns
        desk.followup = Followup(intent, expires, decision)
        return Placed(Verdict(True))

    def _enter(self, desk: Desk, intent: Intent) -> Placed:
        placed = self._gate.place(intent, running=desk.slot.state is SlotState.RUNNING)
        if placed.client_order_id:
            desk.entry_id = placed.client_order_id
        return placed

    def _go_on(self, desk: Desk, applied: Applied) -> None:
        """The entry of a flip, once its close has filled; given up when it did not, or too late."""
        followup, slot = desk.followup, desk.slot
        order = applied.order
        if followup is None or not order.intent.is_exit or order.is_open or order.evidence.missing_base:
            return
        left = self._account.strategy_position(slot.owner, slot.symbol).qty_base
        late = self._clock.exchange_now_ns > followup.expires_ns
        if left and not late:
            return
        desk.followup = None
        if late:
            self.log.record(
                followup.decision, "late", detail="the close filled too late", action="flip entry"
            )
            return
        caused, self._gate.caused_by_receive_ns = self._gate.caused_by_receive_ns, 0
        placed = self._enter(desk, msgspec.structs.replace(followup.intent, time_ns=self._clock.now_ns))
        self._gate.caused_by_receive_ns = caused
        if not placed.verdict.allowed:
            self.log.record_verdict(followup.decision, placed.verdict, "flip entry")

    def _rested_filled(self, desk: Desk | None, leg: Leg) -> None:
        if desk is not None:
            desk.protection.on_filled(leg)

    def _on_rest_refused(self, owner: str, symbol: str, leg: Leg, order: Order) -> None:
        """It could not be placed, or did not do what it rested for. A stop whose price is passed: leave."""
        desk, intent = self.desks.get((owner, symbol)), order.intent
        why = order.reason or order.state.name.lower()
        in_vain = has_fired_in_vain(order)
        is_stop = leg == STOP or (intent.reduce_only and intent.order_type == "STOP_MARKET")
        if in_vain and is_stop:
            at = f"at {self._gate.show_price(symbol, intent.stop_price)} " if intent.stop_price else ""
            text = f"the stop {at}was triggered and did not fill ({why}): leaving at market"
            self._out.notice("critical", f"{owner} on {symbol}: {text}")
        elif self.resting.refusals(owner, symbol, leg) <= 1:  # it is tried again, and told once
            self._out.notice("warning", f"{owner} on {symbol}: {leg.name} order was not placed: {why}")
        if is_nothing_to_reduce(order) and self.resting.refusals(owner, symbol, leg) == 1:
            self._on_doubt(NOTHING_TO_REDUCE)
        if desk is not None and is_stop and (in_vain or order.refusal is Refusal.WOULD_TRIGGER):
            self.exits.leave(
                owner,
                symbol,
                qty_base=None if leg == STOP else intent.qty_base,
                cause=Cause.parse(intent.cause),
                leg=leg.past_stop(intent.attempt),
                signal=intent.signal,
            )

    def _leave_unprotected(self, desk: Desk) -> None:
        slot = desk.slot
        text = f"{slot.owner} leaves {slot.symbol}: its stop could not be placed for too long"
        placed = self.exits.leave(
            slot.owner,
            slot.symbol,
            cause=Cause.at("unprotected", self._clock.now_ns),
            leg=CLOSE,
            signal="Unprotected",
        )
        if placed.verdict.allowed:
            self._out.notice("critical", text)

    def _journal_state(self, desk: Desk) -> None:
        state = self._state_of(desk)
        if state != desk.journalled:
            desk.journalled = state
            slot = desk.slot
            self._out.append(records.ExitState(slot.owner, slot.symbol, slot.decided_open_ns, state))

    def _state_of(self, desk: Desk) -> bytes:
        return desk.plan.state() if desk.script is None else desk.script.state()

    def _bar_cause(self, decision: Decision) -> Cause:
        return Cause.bar(decision.slot.timeframe_ns, decision.bar.open_time_ns)
