"""Routes decisions of strategies and order updates to the trader of their strategy and symbol."""

from collections.abc import Callable, Collection, Iterable

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore
from engine.execution.entries.limit_entries import LimitEntries
from engine.execution.entries.market_entries import MarketEntries
from engine.execution.entries.signal_log import SignalLog
from engine.execution.exits.market_exits import MarketExits
from engine.execution.exits.protection import Asked, Protection, rules_of
from engine.execution.exits.resting_refusals import RestingRefusals
from engine.execution.planner import Planner, RulesPlanner
from engine.execution.scripts.book import ScriptBook
from engine.execution.scripts.broker import ScriptBroker
from engine.execution.scripts.planner import ScriptPlanner
from engine.execution.scripts.verbs import refuse_verbs
from engine.execution.sending.holdings import Holdings
from engine.execution.sending.order_executor import OrderExecutor
from engine.execution.sending.order_gate import OrderGate
from engine.execution.sending.resting import RestingOrder, RestingOrders
from engine.execution.symbol_trader import Outcome, SymbolTrader
from engine.exits.bar_plan import BarPlan
from engine.model.bars import Bar
from engine.model.cause import Cause, Moment
from engine.model.context import Clock, Outbox
from engine.model.leg import Leg
from engine.model.records import ExitState, Fill
from engine.orders.order_states import UNSETTLED
from engine.orders.order_store import Applied, Order, OrderStore
from engine.strategies.base import Broker, ScriptStrategy
from engine.strategies.slot import Decision, StrategySlot


class TradeExecutor:
    """All traders, one for each strategy and symbol, and what they share: resting orders, exits at market and
    the signal log."""

    def __init__(
        self,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        store: OrderStore,
        account: AccountStateStore,
        holdings: Holdings,
        executor: OrderExecutor,
        on_doubt: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._out = out
        self._gate = gate
        self._store = store
        self._account = account
        self.holdings = holdings
        self.log = SignalLog(clock, out)
        self.resting = RestingOrders(clock, out, gate, store, executor, self._on_rest_refused, self._may_rest)
        self.exits = MarketExits(clock, out, gate, store, account, holdings, executor, on_doubt)
        self.traders: dict[tuple[str, str], SymbolTrader] = {}
        self._resting_refusals = RestingRefusals(out, gate, self.resting, self.exits, on_doubt)
        self._protected: set[Protection] = set()

    def add(self, slot: StrategySlot, *, shared: bool) -> None:
        """Make the trader of a strategy. `shared`: others trade the symbol too."""
        refuse_verbs(slot, shared=shared)
        self.holdings.add(slot.owner, slot.symbol)
        clock, out, gate, account = self._clock, self._out, self._gate, self._account
        rules = BarPlan(rules_of(slot, shared=shared))
        planner: Planner = RulesPlanner(slot, rules, account)
        waiting = LimitEntries(slot, rules, clock, gate, self._store, account, self.resting, shared=shared)
        asked: Asked = waiting.asked
        if isinstance(slot.strategy, ScriptStrategy):
            book = ScriptBook(slot, account, gate.instruments, tell=out.notice)
            broker = ScriptBroker(book, shared=shared)
            planner, asked = ScriptPlanner(slot, account, self.resting, book, broker), book.resting_orders
        protection = Protection(slot, rules, clock, out, gate, account, self.resting, asked)
        protection.waiting = self._protected
        entries = MarketEntries(slot, clock, gate, self._store, account, self.log)
        self.traders[slot.key] = SymbolTrader(
            slot, planner, entries, waiting, self.exits, protection, clock, out, gate, account, self.log
        )

    def on_signal(self, decision: Decision) -> Outcome | None:
        """Place the first order that a decision leads to; `finish` does the rest."""
        return self._trader(decision.slot).on_decision(decision)

    def finish(self, decision: Decision, outcome: Outcome | None) -> None:
        """After the first order was sent: the second leg, resting exits, and the signal log."""
        self._trader(decision.slot).finish(decision, outcome)

    def broker(self, slot: StrategySlot, bar: Bar) -> Broker:
        """A script's broker as of the close of the bar."""
        return self._trader(slot).broker(bar)

    def on_applied(self, applied: Applied) -> None:
        """An order update: first for resting orders and exits at market, then for its trader."""
        intent = applied.order.intent
        trader = self.traders.get((intent.strategy, intent.symbol))
        if trader is not None:
            trader.protection.on_applied(applied)
        self.resting.on_applied(applied)
        self.exits.on_applied(applied)
        if trader is None:
            self._release_left_behind(intent.symbol)
        else:
            trader.on_applied(applied)

    def on_position_adjusted(self, symbol: str) -> None:
        """Positions of that symbol were changed by somebody else."""
        self._renew_exits(symbol, "adjusted")
        self._release_left_behind(symbol)

    def on_rules_changed(self, symbol: str) -> None:
        """Tick, step or limits changed: what rests is put on the new grid."""
        self._renew_exits(symbol, "rules")

    def on_reconciled(self) -> None:
        """Everything is reconciled: place missing resting exits, continue exits."""
        self.exits.on_reconciled()
        for trader in self.traders.values():
            trader.on_reconciled()
        for _, symbol in self.resting.owners():
            self._release_left_behind(symbol)
        self.resting.sync_all()

    def withdraw_entries(self, slot: StrategySlot, leg: Leg | None = None) -> None:
        """Cancel resting entries (or that one) for good, and update resting exits."""
        self._trader(slot).withdraw_entries(leg)
        self.look_after(slot)

    def look_after(self, slot: StrategySlot) -> None:
        """Update the resting orders of a strategy."""
        self._trader(slot).protection.on_position(Cause.at("told", self._clock.now_ns))

    def wants(self, order: Order) -> bool:
        """Whether this order should rest: it is somebody else's, or wanted by a strategy here."""
        if order.is_external or order.intent.order_type == "MARKET":
            return True
        return order.is_open and (order.state in UNSETTLED or self.resting.wants(order))

    def protects(self, order: Order) -> bool:
        """Whether it is the stop of an open position of a strategy here."""
        trader = self.traders.get((order.intent.strategy, order.intent.symbol))
        is_stop = order.intent.is_conditional and order.intent.reduce_only
        return is_stop and trader is not None and bool(trader.held_base)

    def looks_after(self, order: Order) -> bool:
        """Whether it is a stop or target that would be replaced at once if it were cancelled."""
        trader = self.traders.get((order.intent.strategy, order.intent.symbol))
        is_over = trader is None or (trader.slot.leaving is not None and self._gate.is_killed)
        return order.intent.reduce_only and not is_over and self.resting.wants(order)

    @property
    def deadline_ns(self) -> int:
        """When something is due."""
        nearest_ns = min(self.resting.deadline_ns, self.exits.deadline_ns)
        if not self._protected:
            return nearest_ns
        return min(nearest_ns, *[one.deadline_ns for one in self._protected])

    def on_time(self) -> None:
        """Retry exits and stops; close a position that stays without its stop."""
        self.resting.on_time()
        self.exits.on_time()
        for trader in self.traders.values():
            trader.on_time()

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: bring deadlines forward that are too far ahead now."""
        self.resting.on_set_back(now_ns)
        self.exits.on_set_back(now_ns)
        for trader in self.traders.values():
            trader.protection.on_set_back(now_ns)

    def restore(self, state: ExitState) -> None:
        """Restore the state of a planner from the journal."""
        trader = self.traders.get((state.strategy, state.symbol))
        if trader is not None:
            trader.restore(state)

    def replay(self, unseen: Iterable[Fill]) -> None:
        """Apply fills of the journal that are newer than the restored states."""
        for trader in self.traders.values():
            trader.planner.replay(unseen, self._store)

    def adopt_orders(self, left_behind: Collection[tuple[str, str]] = ()) -> None:
        """After reading the journal: give open orders back to their traders, and exits also to the owners and
        symbols `left_behind` that are being closed."""
        known = {*self.traders, *left_behind}
        for order in self._store.open_orders():
            intent = order.intent
            key = intent.strategy, intent.symbol
            if order.leg.rests:
                self.resting.adopt(order)
            elif intent.is_exit and (key in known or intent.strategy == OPERATOR):
                self.exits.adopt(order)
            elif key in self.traders:
                self.traders[key].entries.adopt(order)
        self.exits.adopt_unfinished(known)
        if not self._gate.is_killed:
            self.exits.give_up(OPERATOR)
        for trader in self.traders.values():
            trader.protection.restore_size()

    def exit_states(self) -> list[ExitState]:
        """The state of every planner, for a snapshot."""
        return [trader.exit_state() for trader in self.traders.values()]

    def _trader(self, slot: StrategySlot) -> SymbolTrader:
        return self.traders[slot.key]

    def _renew_exits(self, symbol: str, moment: Moment) -> None:
        for trader in self.traders.values():
            if trader.slot.symbol == symbol:
                trader.protection.on_position(Cause.at(moment, self._clock.now_ns))

    def _release_left_behind(self, symbol: str) -> None:
        """Of strategies no longer configured: keep exits while a position is open, cancel entries."""
        for key in self.resting.owners():
            if key in self.traders or key[1] != symbol:
                continue
            if self._account.strategy_position(*key).qty_base:
                self.resting.cancel_entries(*key)
            else:
                self.resting.want(*key, {}, Cause("left behind"))

    def _may_rest(self, owner: str, symbol: str, wanted: RestingOrder) -> bool:
        """Whether a resting order may be placed. While a position is being closed only stops are, because
        other orders would be in the way; after kill none is."""
        trader = self.traders.get((owner, symbol))
        is_left = trader is not None and trader.slot.leaving is not None
        if is_left and self._gate.is_killed:
            return False
        return wanted.is_stop or not (is_left or self.exits.has_cleared_way(owner, symbol))

    def _on_rest_refused(self, owner: str, symbol: str, leg: Leg, order: Order) -> None:
        self._resting_refusals.on_refused(owner, symbol, leg, order)
