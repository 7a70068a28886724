"""Entries that wait at their signal's price, of one strategy on one symbol.

One is valid through the bar after its signal: the exit plan forgets it at each deciding bar, and what is not
wanted any more is cancelled. One that is ordered anew at the same price with the same size stays as it rests.
An entry of a flip is placed when nothing of the other side is left.
"""

from collections.abc import Mapping

from engine.account.state import AccountStateStore
from engine.execution.entries.market_entries import NOT_KNOWN
from engine.execution.entries.signal_log import NO_SIGNALS
from engine.execution.entries.sizing import TooSmall, entry_qty
from engine.execution.sending.order_gate import OrderGate, Placed
from engine.execution.sending.resting import RestingOrder, RestingOrders
from engine.exits.bar_plan import Action, BarPlan, WaitingEntry
from engine.model.cause import Cause
from engine.model.context import Clock
from engine.model.leg import WAITING_ENTRY, Leg
from engine.model.limits import ALLOWED, Verdict
from engine.model.lots import level_to_tick
from engine.orders.order_store import Order, OrderStore
from engine.strategies.slot import Decision, StrategySlot
from gateways.wire.messages import Side

NOT_SHARED = Verdict(
    False, "limit_entry", "no entry waits at a price on a symbol that other strategies trade too"
)
_NOTHING: Mapping[Leg, RestingOrder] = {}


class LimitEntries:
    """At most one, kept in `plan`, so that it is journalled with it."""

    def __init__(
        self,
        slot: StrategySlot,
        plan: BarPlan,
        clock: Clock,
        gate: OrderGate,
        store: OrderStore,
        account: AccountStateStore,
        resting: RestingOrders,
        *,
        shared: bool,
    ) -> None:
        self._slot = slot
        self._plan = plan
        self._clock = clock
        self._gate = gate
        self._store = store
        self._account = account
        self._resting = resting
        self._shared = shared

    def want(self, decision: Decision, action: Action) -> Verdict:
        """Want the entry from now on; it goes out when resting orders are renewed."""
        if decision.block is not None:
            return decision.block.verdict
        if self._shared:
            return NOT_SHARED
        instrument = self._gate.instruments.get(self._slot.symbol)
        if instrument is None or action.limit is None:
            return NOT_KNOWN
        side: Side = "BUY" if action.direction > 0 else "SELL"
        price = level_to_tick(action.limit, instrument.price_tick, side, is_stop=False)
        signals = decision.signals or NO_SIGNALS
        try:
            qty = entry_qty(
                self._slot.sizing,
                price=float(price),
                equity=self._account.equity,
                risk_distance=signals.risk_distance,
                instrument=instrument,
                strength=signals.strength,
            )
        except TooSmall as error:
            return Verdict(False, "size", str(error))
        bar = decision.bar
        cause, until_ns = Cause.bar(bar.timeframe_ns, bar.open_time_ns), bar.close_time_ns + bar.timeframe_ns
        self._plan.entry = WaitingEntry(action.direction, price, qty, action.text, until_ns, cause.text)
        return ALLOWED

    def placed(self) -> Placed:
        """What has become of the entry just wanted; one that was refused is wanted no more."""
        owner, symbol = self._slot.key
        refused = self._resting.veto(owner, symbol, WAITING_ENTRY)
        if refused is not None:
            self.drop()
            return Placed(refused)
        order, wanted = self._working(), self.asked().get(WAITING_ENTRY)
        is_it = order is not None and wanted is not None and order.intent.side == wanted.side
        return Placed(ALLOWED, order.client_order_id if order is not None and is_it else "")

    def asked(self) -> Mapping[Leg, RestingOrder]:
        """The order that should rest now."""
        entry = self._plan.entry
        if entry is None or self._clock.exchange_now_ns > entry.until_ns + self._slot.lateness_ns:
            return _NOTHING
        if self._account.strategy_position(*self._slot.key).qty_base * entry.direction < 0:
            return _NOTHING
        side: Side = "BUY" if entry.direction > 0 else "SELL"
        return {
            WAITING_ENTRY: RestingOrder("LIMIT", side, entry.left_base, entry.price, None, False, entry.text)
        }

    def drop(self) -> bool:
        """The entry is wanted no more; whether there was one."""
        entry, self._plan.entry = self._plan.entry, None
        return entry is not None

    @property
    def is_under_way(self) -> bool:
        """Whether an order of such an entry is at the exchange, or on its way there or back."""
        return self._working() is not None

    def _working(self) -> Order | None:
        order = self._store.get(self._resting.working_id(*self._slot.key, WAITING_ENTRY))
        return order if order is not None and order.is_open else None
