"""From what a strategy says to orders: exit rules, sizing, flips.

A flip is two orders: the close goes out first, reduce-only, and the entry when the close has filled.
One order of double size would be quicker, but it is not reduce-only: a risk rule that refuses the entry
would refuse the exit with it, and a wrong idea of the position would open one. Both legs have ids made from
the same bar, so neither can happen twice. An entry whose close fills too late is dropped.
"""

from collections import deque
from decimal import Decimal
from math import isnan

import msgspec

from engine.account.state import AccountStateStore
from engine.core.config import EngineConfig
from engine.core.context import Clock, Outbox
from engine.execution.bar_plan import Action, BarPlan
from engine.execution.client_ids import bar_cause
from engine.execution.lots import quantity_down
from engine.execution.order_gate import OrderGate, Placed
from engine.execution.order_store import Applied, OrderStore
from engine.execution.sizing import TooSmall, entry_qty
from engine.market_data.bars import Bar
from engine.risk.limits import Verdict
from engine.storage import records
from engine.storage.records import Intent
from engine.strategies.base import Broker, Signals, SignalStrategy
from engine.strategies.slot import Decision, Fate, SlotState, StrategySlot
from gateways.wire.messages import Side

ZERO = Decimal(0)
NO_SIGNALS = Signals(False, False, False, False)
MAX_EXIT_ATTEMPTS = 5
RECENT_SIGNALS = 200
_REJECTED_BY_GATES = frozenset({"duplicate"})


class _Followup(msgspec.Struct):
    """The entry of a flip, waiting for its close to fill."""

    intent: Intent
    expires_ns: int
    decision: Decision


class _Desk:
    """One strategy's trading on one symbol."""

    __slots__ = ("entry_id", "exit_id", "journalled", "plan")

    def __init__(self, slot: StrategySlot) -> None:
        rules = slot.spec.exit_rules
        if rules is None and isinstance(slot.strategy, SignalStrategy):
            rules = slot.strategy.exit_rules
        self.plan = BarPlan(rules) if rules is not None else None
        self.journalled = b""
        self.entry_id = ""
        self.exit_id = ""


class TradeExecutor:
    """Turns decisions into orders and tells what became of each signal."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        store: OrderStore,
        account: AccountStateStore,
    ) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._gate = gate
        self._store = store
        self._account = account
        self._desks: dict[tuple[str, str], _Desk] = {}
        self._followups: dict[str, _Followup] = {}
        self.signals = 0
        self.recent: deque[records.Signal] = deque(maxlen=RECENT_SIGNALS)

    def add(self, slot: StrategySlot) -> None:
        """Open a desk for a strategy."""
        self._desks[slot.owner, slot.symbol] = _Desk(slot)

    def broker(self, slot: StrategySlot, bar: Bar) -> Broker:
        """A script's broker as of the close of the bar."""
        raise NotImplementedError(f"{slot.owner}: scripts on {bar.symbol}")

    def restore(self, state: records.ExitState) -> None:
        """Take the state of exit rules from the journal."""
        desk = self._desks.get((state.strategy, state.symbol))
        if desk is not None and desk.plan is not None:
            desk.plan.restore(state.state)
            desk.journalled = state.state

    def exit_states(self) -> list[records.ExitState]:
        """The state of every strategy's exit rules, for a snapshot."""
        return [
            records.ExitState(owner, symbol, 0, desk.plan.state())
            for (owner, symbol), desk in self._desks.items()
            if desk.plan is not None
        ]

    def on_signal(self, decision: Decision) -> None:
        """Plan one deciding bar and place what it asks for."""
        slot, bar = decision.slot, decision.bar
        desk = self._desks[slot.owner, slot.symbol]
        signals = decision.signals
        if desk.plan is None or signals is None:
            return
        flagged = signals.enter_long or signals.enter_short or signals.exit_long or signals.exit_short
        if decision.block is not None and decision.block.fate in {"duplicate", "warming"}:
            if flagged:
                self._record(decision, decision.block.fate, detail=decision.block.detail)
            signals = NO_SIGNALS
            flagged = False
            if decision.block.fate == "duplicate":
                return
        position = self._account.strategy_position(slot.owner, slot.symbol)
        actions = desk.plan.on_bar(bar, signals, position.qty_base, position.entry_price)
        self._journal_state(desk, slot, bar.open_time_ns)
        if actions:
            self._act(desk, decision, actions, position.qty_base)
        elif flagged:
            self._record(decision, "ignored", detail="the exit rules ask for nothing")

    def on_applied(self, applied: Applied) -> None:
        """A close may have filled: send the entry that waits for it, or give it up."""
        order = applied.order
        followup = self._followups.get(order.client_order_id)
        if followup is None or order.is_open or order.evidence.missing_base > ZERO:
            return
        del self._followups[order.client_order_id]
        slot = followup.decision.slot
        left = self._account.strategy_position(slot.owner, slot.symbol).qty_base
        if left != ZERO:
            self._record(
                followup.decision,
                "rejected",
                rule="close_first",
                detail=f"{left} is left",
                action="flip entry",
            )
        elif self._clock.exchange_now_ns > followup.expires_ns:
            self._record(followup.decision, "late", detail="the close filled too late", action="flip entry")
        else:
            saved, self._gate.caused_by_receive_ns = self._gate.caused_by_receive_ns, 0
            intent = msgspec.structs.replace(followup.intent, time_ns=self._clock.now_ns)
            placed = self._enter(self._desks[slot.owner, slot.symbol], followup.decision, intent)
            self._gate.caused_by_receive_ns = saved
            if not placed.verdict.allowed:
                self._record_verdict(followup.decision, placed.verdict, "flip entry")

    def _act(
        self, desk: _Desk, decision: Decision, actions: tuple[Action, ...], position_base: Decimal
    ) -> None:
        sent: list[str] = []
        refusal: Verdict | None = None
        close_id = ""
        for index, action in enumerate(actions):
            if action.kind == "close":
                placed = self._close(desk, decision, action, position_base, index)
                close_id = placed.client_order_id
            else:
                placed = self._consider_entry(desk, decision, action, close_id)
            if placed.client_order_id:
                sent.append(placed.client_order_id)
            if not placed.verdict.allowed:
                refusal = placed.verdict
        words = ", ".join(action.text for action in actions)
        if refusal is None:
            self._record(decision, "traded", ids=tuple(sent), action=words)
        else:
            self._record_verdict(decision, refusal, words, tuple(sent))

    def _close(
        self, desk: _Desk, decision: Decision, action: Action, position_base: Decimal, index: int
    ) -> Placed:
        """Leave the position, or a part of it. One exit at a time."""
        slot = decision.slot
        working = self._store.get(desk.exit_id) if desk.exit_id else None
        if working is not None and working.is_open:
            return Placed(Verdict(False, "exit_in_flight", "an exit is under way"), desk.exit_id)
        qty = abs(position_base)
        if action.qty_base is not None:
            qty = quantity_down(action.qty_base, self._gate.instruments[slot.symbol].qty_step_base)
        if qty <= ZERO:
            return Placed(Verdict(False, "nothing_to_close", "there is nothing to close"))
        side: Side = "SELL" if position_base > ZERO else "BUY"
        intent = self._gate.intent(
            slot.owner,
            slot.symbol,
            side,
            "MARKET",
            qty,
            cause=bar_cause(slot.timeframe_ns, decision.bar.open_time_ns),
            leg=f"close{index}" if index else "close",
            reduce_only=self._reduces_net(slot.symbol, side, qty),
            is_exit=True,
            signal=action.text,
        )
        placed = self._gate.place(intent)
        desk.exit_id = placed.client_order_id
        return placed

    def _reduces_net(self, symbol: str, side: Side, qty: Decimal) -> bool:
        """Whether the exchange would take it as reduce-only: with netting the sum may point elsewhere."""
        net = self._account.position(symbol).qty_base
        return (net >= qty) if side == "SELL" else (-net >= qty)

    def _consider_entry(self, desk: _Desk, decision: Decision, action: Action, close_id: str) -> Placed:
        """An entry, at once or behind the close it flips."""
        slot = decision.slot
        if decision.block is not None:
            return Placed(Verdict(False, f"block:{decision.block.fate}", decision.block.detail))
        working = self._store.get(desk.entry_id) if desk.entry_id else None
        if working is not None and working.is_open:
            return Placed(Verdict(False, "entry_in_flight", "an entry is under way"))
        instrument = self._gate.instruments.get(slot.symbol)
        if instrument is None:
            return Placed(Verdict(False, "instrument", "the exchange's filters are not known yet"))
        distance = decision.signals.risk_distance if decision.signals is not None else float("nan")
        try:
            qty = entry_qty(
                slot.sizing,
                price=decision.bar.close,
                equity=self._account.equity,
                risk_distance=distance,
                instrument=instrument,
            )
        except TooSmall as error:
            return Placed(Verdict(False, "size", str(error)))
        intent = self._gate.intent(
            slot.owner,
            slot.symbol,
            "BUY" if action.direction > 0 else "SELL",
            "MARKET",
            qty,
            cause=bar_cause(slot.timeframe_ns, decision.bar.open_time_ns),
            leg="entry",
            signal=action.text,
        )
        if not close_id:
            return self._enter(desk, decision, intent)
        expires = decision.bar.close_time_ns + slot.lateness_ns
        self._followups[close_id] = _Followup(intent, expires, decision)
        return Placed(Verdict(True))

    def _enter(self, desk: _Desk, decision: Decision, intent: Intent) -> Placed:
        placed = self._gate.place(intent, running=decision.slot.state is SlotState.RUNNING)
        if placed.client_order_id:
            desk.entry_id = placed.client_order_id
        return placed

    def _journal_state(self, desk: _Desk, slot: StrategySlot, open_time_ns: int) -> None:
        if desk.plan is None:
            return
        state = desk.plan.state()
        if state != desk.journalled:
            desk.journalled = state
            self._out.append(
                records.ExitState(slot.owner, slot.symbol, slot.decided_open_ns or open_time_ns, state)
            )

    def _record_verdict(
        self, decision: Decision, verdict: Verdict, action: str, ids: tuple[str, ...] = ()
    ) -> None:
        fate, rule = verdict_fate(verdict)
        self._record(decision, fate, rule=rule, detail=verdict.reason, ids=ids, action=action)

    def _record(
        self,
        decision: Decision,
        fate: Fate,
        *,
        rule: str = "",
        detail: str = "",
        ids: tuple[str, ...] = (),
        action: str = "",
    ) -> None:
        """Every signal goes into the journal with its fate."""
        signals = decision.signals or NO_SIGNALS
        bar = decision.bar
        self.signals += 1
        record = records.Signal(
            decision.slot.owner,
            decision.slot.symbol,
            bar.timeframe_ns,
            bar.open_time_ns,
            signals.enter_long,
            signals.enter_short,
            signals.exit_long,
            signals.exit_short,
            signals.tag,
            tuple(0.0 if isnan(value) else value for value in signals.values),
            fate,
            rule,
            detail,
            ids,
            self._clock.now_ns,
            bar.close,
            action,
        )
        self.recent.append(record)
        self._out.append(record)

    def why(self, strategy: str, symbol: str) -> str:
        """The last signals and what became of them, newest last."""
        chosen = [
            one
            for one in self.recent
            if (not strategy or one.strategy.startswith(strategy)) and symbol in {"", one.symbol}
        ]
        return "\n".join(signal_line(one) for one in chosen[-10:]) or "no signal yet"


def signal_line(signal: records.Signal) -> str:
    """One signal and its fate as a line for a person."""
    flags = [
        word
        for word, is_set in (
            ("long", signal.enter_long),
            ("short", signal.enter_short),
            ("exit long", signal.exit_long),
            ("exit short", signal.exit_short),
        )
        if is_set
    ]
    words = [f"{signal.strategy} {signal.symbol}", " and ".join(flags) or "no flag", f"at {signal.price:g}:"]
    words.append(f"{signal.fate} by {signal.rule}" if signal.rule else signal.fate)
    if signal.action:
        words.append(f"[{signal.action}]")
    if signal.detail:
        words.append(f"({signal.detail})")
    return " ".join(words)


def verdict_fate(verdict: Verdict) -> tuple[Fate, str]:
    """A refusal as a signal's fate and the rule behind it."""
    if verdict.rule.startswith("block:"):
        fate = verdict.rule.removeprefix("block:")
        return fate, ""  # type: ignore[return-value]  # blocks are made from fates
    if verdict.rule in _REJECTED_BY_GATES:
        return "duplicate", ""
    return "vetoed", verdict.rule
