"""What to do with a position: by exit rules on a strategy's signals, or by a script's own calls."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from engine.account.state import AccountStateStore
from engine.execution.entries.signal_log import NO_SIGNALS
from engine.exits.bar_plan import Action, BarPlan
from engine.model.leg import WAITING_ENTRY, Leg
from engine.model.records import Fill
from engine.orders.order_store import Applied, OrderStore
from engine.strategies.slot import Decision, StrategySlot


class Planner(Protocol):
    """Plans for one strategy on one symbol; `RulesPlanner` for signals, `ScriptPlanner` for a script."""

    def actions(self, decision: Decision) -> tuple[Action, ...]:
        """Orders at market after a decision: a close, an entry, or a close and then an entry."""

    def withdraw_entries(self, leg: Leg | None) -> bool:
        """Withdraw all resting entries, or that one; True: the state may have changed."""

    def met(self) -> Sequence[Action]:
        """Exits that must go at market, because the price is beyond their level already."""

    def on_applied(self, applied: Applied) -> None:
        """An update of one of the strategy's orders, before its resting exits are updated."""

    def replay(self, unseen: Iterable[Fill], store: OrderStore) -> None:
        """After a restart: fills that the restored state has not seen, and orders that fill no further."""

    def state(self) -> bytes:
        """For the journal."""

    def restore(self, state: bytes, bar_open_time_ns: int) -> None:
        """From the journal, as of the bar that opened at that time."""


class RulesPlanner:
    """A strategy's signals under its exit rules."""

    def __init__(self, slot: StrategySlot, rules: BarPlan, account: AccountStateStore) -> None:
        self._slot = slot
        self._rules = rules
        self._account = account

    def actions(self, decision: Decision) -> tuple[Action, ...]:
        """What the rules make of the bar and its signals; signals of a warm-up bar are ignored."""
        is_warming = decision.block is not None and decision.block.fate == "warming"
        signals = NO_SIGNALS if is_warming else decision.signals
        if signals is None:
            return ()
        position = self._account.strategy_position(self._slot.owner, self._slot.symbol)
        return self._rules.on_bar(decision.bar, signals, position.qty_base, position.entry_price)

    def withdraw_entries(self, leg: Leg | None) -> bool:
        """Withdraw the entry that waits at its signal's price, if it is that one."""
        if self._rules.entry is None or leg not in {None, WAITING_ENTRY}:
            return False
        self._rules.entry = None
        return True

    def met(self) -> Sequence[Action]:
        """None: levels of the rules rest at the exchange, or are tested on closed bars."""
        return ()

    def on_applied(self, applied: Applied) -> None:
        """The rules follow the position; of orders only the entry that waits counts, until it ends."""
        order, entry = applied.order, self._rules.entry
        if entry is None or order.leg != WAITING_ENTRY:
            return
        if applied.fill is not None:
            self._rules.on_entry_filled(applied.fill.qty_base)
        elif not order.is_open and order.intent.cause == entry.cause:
            self._rules.entry = None

    def replay(self, unseen: Iterable[Fill], store: OrderStore) -> None:
        """After a restart: fills of the entry that waits."""
        for fill in unseen:
            order = store.get(fill.client_order_id)
            is_mine = (fill.strategy, fill.symbol) == (self._slot.owner, self._slot.symbol)
            if is_mine and order is not None and order.leg == WAITING_ENTRY:
                self._rules.on_entry_filled(fill.qty_base)

    def state(self) -> bytes:
        """For the journal."""
        return self._rules.state()

    def restore(self, state: bytes, bar_open_time_ns: int) -> None:
        """From the journal; ValueError when it is of another version."""
        del bar_open_time_ns
        self._rules.restore(state)
