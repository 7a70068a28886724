"""Plans by the orders that a script has requested with Pine's verbs on the last closed bar."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from engine.account.state import AccountStateStore
from engine.execution.scripts.book import MarketRequest, ScriptBook
from engine.execution.sending.resting import RestingOrders
from engine.exits.bar_plan import Action
from engine.model.bars import Bar
from engine.model.leg import Leg
from engine.model.records import Fill
from engine.model.signals import Signals
from engine.orders.order_store import Applied, OrderStore
from engine.strategies.base import Broker
from engine.strategies.slot import Decision, StrategySlot

ZERO = Decimal(0)


def actions_of(requests: Sequence[MarketRequest], held: Decimal) -> tuple[Action, ...]:
    """What is done of the requested market orders: the first close, then the last entry."""
    closes = [one for one in requests if one.kind == "close"][:1]
    entries = [one for one in requests if one.kind == "enter" and one.direction * held <= ZERO][-1:]
    actions = tuple(Action("close", one.text, 0, one.qty_base, one.id, one.leg) for one in closes)
    for one in entries:
        if held and not closes:
            actions += (Action("close", one.text),)
        actions += (Action("enter", one.text, one.direction, one.qty_base, one.id),)
    return actions


class ScriptPlanner:
    """The planner of a script; `book` has what its broker was asked for."""

    def __init__(
        self,
        slot: StrategySlot,
        account: AccountStateStore,
        resting: RestingOrders,
        book: ScriptBook,
        broker: Broker,
    ) -> None:
        self._slot = slot
        self._account = account
        self._resting = resting
        self._book = book
        self._broker = broker

    def actions(self, decision: Decision) -> tuple[Action, ...]:
        """The first close and the last entry at market; as signals they go into the decision, for its record.

        Where entries of the bar are blocked, those that rest already stay as they were.
        """
        if decision.block is not None:
            self._book.drop_entries(self._resting.legs(self._slot.owner, self._slot.symbol))
        requests = self._book.take_market()
        if not requests:
            return ()
        held = self._account.strategy_position(self._slot.owner, self._slot.symbol).qty_base
        actions = actions_of(requests, held)
        if actions:
            direction, closes = actions[-1].direction, any(one.kind == "close" for one in requests)
            decision.signals = Signals(
                direction > 0,
                direction < 0,
                closes and held > ZERO,
                closes and held < ZERO,
                actions[-1].entry_id,
            )
        return actions

    def broker(self, bar: Bar, *, muted: bool, coming: Mapping[str, int]) -> Broker:
        """Its broker as of the close of the bar."""
        self._book.begin_bar(bar, muted=muted, coming=coming)
        return self._broker

    def withdraw_entries(self, leg: Leg | None) -> bool:
        """Withdraw all resting entries, or that one; True: the state may have changed."""
        kept = self._resting.legs(self._slot.owner, self._slot.symbol) - {leg} if leg else frozenset()
        self._book.drop_entries(kept)
        return True

    def met(self) -> Sequence[Action]:
        """The first exit whose level is already met; the next follows when it has filled."""
        return tuple(
            Action("close", one.text, 0, one.qty_base, one.id, one.leg) for one in self._book.take_met()
        )

    def on_applied(self, applied: Applied) -> None:
        """An order of the script has filled, or ended."""
        order, fill = applied.order, applied.fill
        if fill is not None:
            may_go_on = order.is_open or order.evidence.missing_base != ZERO
            self._book.on_fill(fill, order.leg, may_go_on=may_go_on)
        elif not order.is_open:
            self._book.on_ended(order.client_order_id)

    def replay(self, unseen: Iterable[Fill], store: OrderStore) -> None:
        """After a restart: fills that the script's state has not seen, and orders that fill no further."""
        for fill in unseen:
            order = store.get(fill.client_order_id)
            if (fill.strategy, fill.symbol) == (self._slot.owner, self._slot.symbol) and order is not None:
                self._book.on_fill(fill, order.leg, may_go_on=order.is_open)
        for key in self._book.filling():
            order = store.get(key)
            if order is None or not order.is_open:
                self._book.on_ended(key)

    def state(self) -> bytes:
        """For the journal."""
        return self._book.state()

    def restore(self, state: bytes, bar_open_time_ns: int) -> None:
        """From the journal, as of the bar that opened at that time."""
        self._book.restore(state, bar_open_time_ns)
