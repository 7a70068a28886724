"""Keeps resting orders in line with what their owners want.

Each owner names the orders (legs) that should rest on a symbol. Missing ones are placed, unwanted ones
cancelled. A changed exit is placed again before the old one is cancelled, so that the position is never
without protection; a changed entry only after the old one is gone, so that both cannot fill. A leg whose
order is unsettled is not touched, but for a stop: while it is unknown whether an earlier one rests, another
is placed for other terms. Both only reduce, and an unknown order takes seconds to settle.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from engine.execution.sending.order_executor import OrderExecutor
from engine.execution.sending.order_gate import OrderGate
from engine.model.cause import Cause
from engine.model.context import Clock, Outbox
from engine.model.leg import Leg
from engine.model.limits import Verdict
from engine.model.records import AmendIntent
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.orders.order_states import UNSETTLED, OrderState
from engine.orders.order_store import Applied, Order, OrderStore
from engine.orders.refusals import is_triggered_unfilled
from gateways.wire.messages import Side

Key = tuple[str, str]
"""Owner and symbol."""

RETRY_NS = 2 * SECOND_NS
MAX_ATTEMPTS = 1_000


class RestingOrder(msgspec.Struct, frozen=True):
    """One wanted order. `price` belongs to LIMIT, `stop_price` to STOP_MARKET; both are on the grid."""

    order_type: str
    side: Side
    qty_base: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = True
    signal: str = ""

    @property
    def is_stop(self) -> bool:
        """Whether it protects a position: it reduces nothing until it triggers."""
        return self.reduce_only and self.order_type == "STOP_MARKET"

    def waits_for(self, order: Order) -> bool:
        """Whether that order must be settled before another is sent for the same leg."""
        if order.state is OrderState.UNKNOWN and self.is_stop:
            return self.is_met_by(order)
        return order.state in UNSETTLED

    def is_met_by(self, order: Order) -> bool:
        """Whether that order is the wanted one: same terms, and as much left to fill."""
        intent = order.intent
        return (
            intent.order_type == self.order_type
            and intent.side == self.side
            and intent.reduce_only == self.reduce_only
            and order.qty_base - order.filled_base == self.qty_base
            and (order.price if self.order_type == "LIMIT" else intent.price or None) == self.price
            and (intent.stop_price or None) == self.stop_price
        )


class _Legs(msgspec.Struct):
    """What one owner wants and has on one symbol. `working` has the client ids of each leg, newest last,
    `vetoes` what kept the last order of a leg from being sent.

    Until the owner has said what it wants (`is_told`) nothing is placed or cancelled.
    """

    wanted: dict[Leg, RestingOrder] = {}
    cause: Cause = Cause("")
    working: dict[Leg, list[str]] = {}
    vetoes: dict[Leg, Verdict] = {}
    refusals: dict[Leg, int] = {}
    retry_at_ns: int = NEVER_NS
    is_told: bool = False


class RestingOrders:
    """Keeps the resting orders of all owners.

    `on_refused` is told of an order the exchange refused for good reason (a stop that would trigger at once),
    or that was triggered and did not fill: owner, symbol, leg, the order. `may_rest` says whether one may be
    placed for that owner and symbol now; what rests already stays.
    """

    def __init__(
        self,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        store: OrderStore,
        executor: OrderExecutor,
        on_refused: Callable[[str, str, Leg, Order], None],
        may_rest: Callable[[str, str, RestingOrder], bool],
    ) -> None:
        self._clock = clock
        self._out = out
        self._gate = gate
        self._store = store
        self._executor = executor
        self._on_refused = on_refused
        self._may_rest = may_rest
        self._legs: dict[Key, _Legs] = {}
        self._leg_of: dict[str, tuple[str, str, Leg]] = {}
        self._amended: dict[str, tuple[Decimal, Decimal]] = {}
        self.deadline_ns = NEVER_NS

    def want(self, owner: str, symbol: str, wanted: Mapping[Leg, RestingOrder], cause: Cause) -> None:
        """Set the orders that should rest from now on. `cause` goes into the ids of new orders."""
        legs = self._of(owner, symbol)
        legs.is_told = True
        if legs.wanted == wanted and not legs.working and not wanted:
            return
        legs.wanted = dict(wanted)
        legs.vetoes = {leg: why for leg, why in legs.vetoes.items() if leg in wanted}
        legs.cause = cause
        self._sync(owner, symbol, legs)

    def has(self, owner: str, symbol: str, leg: Leg) -> bool:
        """Whether an order of that leg is confirmed to rest."""
        return any(
            (order := self._store.get(key)) is not None
            and order.state in {OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED}
            for key in self._of(owner, symbol).working.get(leg, ())
        )

    def cancel_entries(self, owner: str, symbol: str) -> None:
        """Cancel entries of an owner who is no longer configured."""
        for key in [key for ids in self._of(owner, symbol).working.values() for key in ids]:
            order = self._store.get(key)
            if order is not None and not order.intent.reduce_only:
                self._cancel(key, "left behind")

    def wants(self, order: Order) -> bool:
        """Whether its owner wants this order to rest; True while the owner has not said so yet."""
        legs = self._legs.get((order.intent.strategy, order.intent.symbol))
        leg = order.leg
        if legs is None or not legs.is_told:
            return True
        return leg in legs.wanted and order.client_order_id in legs.working.get(leg, ())

    def drop(self, order: Order, reason: str) -> None:
        """Cancel an order at the exchange, whatever its state here."""
        self._executor.cancel(order, reason)

    def owners(self) -> list[Key]:
        """All owners and symbols with wanted or working orders."""
        return list(self._legs)

    def legs(self, owner: str, symbol: str) -> frozenset[Leg]:
        """Legs with an order at the exchange or on its way."""
        return frozenset(self._of(owner, symbol).working)

    def refusals(self, owner: str, symbol: str, leg: Leg) -> int:
        """Number of refusals of that leg since its last accepted order."""
        return self._of(owner, symbol).refusals.get(leg, 0)

    def veto(self, owner: str, symbol: str, leg: Leg) -> Verdict | None:
        """Why the last order of that leg was not sent; None where it was."""
        return self._of(owner, symbol).vetoes.get(leg)

    def working_id(self, owner: str, symbol: str, leg: Leg) -> str:
        """Client id of the newest order of that leg at the exchange or on its way, "" for none."""
        return next(reversed(self._of(owner, symbol).working.get(leg, ())), "")

    def vetoed(self, owner: str, symbol: str) -> list[tuple[RestingOrder, Verdict]]:
        """Orders that should rest and were not sent, with why not; they are tried again."""
        legs = self._legs.get((owner, symbol), _Legs())
        return [(legs.wanted[leg], why) for leg, why in legs.vetoes.items() if leg in legs.wanted]

    def filled(self, owner: str, symbol: str, leg: Leg) -> Decimal:
        """Filled quantity of the working orders of that leg."""
        orders = map(self._store.get, self._of(owner, symbol).working.get(leg, ()))
        return sum((order.filled_base for order in orders if order is not None), Decimal(0))

    def leg_of(self, client_order_id: str) -> Leg | None:
        """The leg of a resting order, or of one that has just ended."""
        place = self._leg_of.get(client_order_id)
        return None if place is None else place[2]

    def adopt(self, order: Order) -> None:
        """Take over an order from the journal."""
        intent = order.intent
        leg = order.leg
        legs = self._of(intent.strategy, intent.symbol)
        legs.working.setdefault(leg, []).append(order.client_order_id)
        self._leg_of[order.client_order_id] = (intent.strategy, intent.symbol, leg)

    def on_applied(self, applied: Applied) -> None:
        """A resting order was accepted, filled, cancelled or refused."""
        order = applied.order
        if applied.contradiction and order.is_open and order.leg.rests:
            self.adopt(order)  # it was taken as ended, and is open
        place = self._leg_of.get(order.client_order_id)
        if place is None:
            return
        owner, symbol, leg = place
        legs = self._of(owner, symbol)
        if not order.is_open:
            ids = legs.working.get(leg, [])
            if order.client_order_id in ids:
                ids.remove(order.client_order_id)
            if not ids:
                legs.working.pop(leg, None)
            self._amended.pop(order.client_order_id, None)
            if order.state is OrderState.REJECTED or is_triggered_unfilled(order):
                self._refused(owner, symbol, leg, order, legs)
                return
            if not order.evidence.missing_base:
                self._leg_of.pop(order.client_order_id, None)
        else:
            legs.refusals.pop(leg, None)
        if applied.fill is None and not order.evidence.missing_base:
            self._sync(owner, symbol, legs)  # a fill moves the position first: `want` follows

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: retry now what was due later."""
        for legs in self._legs.values():
            if legs.retry_at_ns != NEVER_NS:
                legs.retry_at_ns = min(legs.retry_at_ns, now_ns)
        self.deadline_ns = min((legs.retry_at_ns for legs in self._legs.values()), default=NEVER_NS)

    def on_time(self) -> None:
        """Retry what was refused."""
        for (owner, symbol), legs in self._legs.items():
            if legs.retry_at_ns <= self._clock.now_ns:
                legs.retry_at_ns = NEVER_NS
                self._sync(owner, symbol, legs)
        self._reschedule()

    def sync_all(self) -> None:
        """Everything is reconciled: correct every difference."""
        for (owner, symbol), legs in self._legs.items():
            self._sync(owner, symbol, legs)

    def _sync(self, owner: str, symbol: str, legs: _Legs) -> None:
        if not legs.is_told:
            return
        for leg in list(legs.working):
            if leg not in legs.wanted:
                for key in legs.working[leg]:
                    self._cancel(key, "no longer wanted")
        for leg, wanted in list(legs.wanted.items()):
            self._sync_leg(owner, symbol, legs, leg, wanted)

    def _sync_leg(self, owner: str, symbol: str, legs: _Legs, leg: Leg, wanted: RestingOrder) -> None:
        ids = legs.working.get(leg, [])
        orders = [order for key in ids if (order := self._store.get(key)) is not None and order.is_open]
        if any(wanted.waits_for(order) for order in orders):
            return
        good = [order for order in orders if wanted.is_met_by(order)]
        for order in orders:
            if good and order is not good[-1]:
                self._cancel(order.client_order_id, "replaced")
        if not good and not self._may_rest(owner, symbol, wanted):
            return
        if not good and len(orders) == 1 and self._amend(orders[0], legs, wanted):
            return
        if not good and orders and not wanted.reduce_only:
            for order in orders:
                self._cancel(order.client_order_id, "replaced")
            return
        if not good and self._clock.now_ns < legs.retry_at_ns < NEVER_NS and leg in legs.refusals:
            return
        if not good:
            self._place(owner, symbol, legs, leg, wanted)

    def _amend(self, order: Order, legs: _Legs, wanted: RestingOrder) -> bool:
        """Give a limit entry that has not begun to fill new terms. False: it must be replaced instead.

        Each terms are tried once. An exit is replaced, the new one first, so that one always rests.
        """
        intent, key, price = order.intent, order.client_order_id, wanted.price
        is_entry = not wanted.reduce_only and not intent.reduce_only
        is_limit = wanted.order_type == "LIMIT" == intent.order_type and price is not None
        if not is_entry or not is_limit or price is None or intent.side != wanted.side or order.filled_base:
            return False
        terms = (wanted.qty_base, price)
        if self._amended.get(key) == terms or self._executor.is_amending(key):
            return self._executor.is_amending(key)
        asked = msgspec.structs.replace(
            intent, qty_base=wanted.qty_base, price=price, time_ns=self._clock.now_ns
        )
        if not self._gate.verdict_on_terms(asked).allowed:
            return False
        self._amended[key] = terms
        self._executor.amend(AmendIntent(key, intent.symbol, *terms, self._clock.now_ns), order)
        legs.retry_at_ns = self._clock.now_ns + RETRY_NS  # a refused amendment brings no update
        self._reschedule()
        return True

    def _place(self, owner: str, symbol: str, legs: _Legs, leg: Leg, wanted: RestingOrder) -> None:
        for attempt in range(MAX_ATTEMPTS):
            intent = self._gate.intent(
                owner,
                symbol,
                wanted.side,
                wanted.order_type,
                wanted.qty_base,
                cause=legs.cause,
                leg=leg,
                attempt=attempt,
                price=wanted.price,
                stop_price=wanted.stop_price,
                time_in_force="GTC" if wanted.order_type == "LIMIT" else "",
                reduce_only=wanted.reduce_only,
                is_exit=wanted.reduce_only,
                signal=wanted.signal,
            )
            if not self._store.was_used(intent.client_order_id):
                break
        else:
            return
        legs.working.setdefault(leg, []).append(intent.client_order_id)
        self._leg_of[intent.client_order_id] = (owner, symbol, leg)
        caused, self._gate.caused_by_receive_ns = self._gate.caused_by_receive_ns, 0
        placed = self._gate.place(intent)
        self._gate.caused_by_receive_ns = caused
        if placed.verdict.allowed:
            legs.vetoes.pop(leg, None)
        else:
            legs.vetoes[leg] = placed.verdict
            legs.working[leg].remove(intent.client_order_id)
            self._leg_of.pop(intent.client_order_id)
            if not legs.working[leg]:
                del legs.working[leg]
            self._try_later(legs, leg)

    def _refused(self, owner: str, symbol: str, leg: Leg, order: Order, legs: _Legs) -> None:
        self._leg_of.pop(order.client_order_id, None)
        wanted = legs.wanted.get(leg)
        if wanted is None:
            return
        others = map(self._store.get, legs.working.get(leg, ()))
        if not is_triggered_unfilled(order) and any(one and wanted.is_met_by(one) for one in others):
            return  # another was placed while its fate was unknown
        self._try_later(legs, leg)
        self._on_refused(owner, symbol, leg, order)

    def _try_later(self, legs: _Legs, leg: Leg) -> None:
        legs.refusals[leg] = legs.refusals.get(leg, 0) + 1
        legs.retry_at_ns = self._clock.now_ns + RETRY_NS
        self._reschedule()

    def _cancel(self, key: str, reason: str) -> None:
        order = self._store.get(key)
        if order is not None and order.is_open and order.state not in UNSETTLED:
            self._executor.cancel(order, reason)

    def _of(self, owner: str, symbol: str) -> _Legs:
        return self._legs.setdefault((owner, symbol), _Legs())

    def _reschedule(self) -> None:
        self.deadline_ns = min((legs.retry_at_ns for legs in self._legs.values()), default=NEVER_NS)
