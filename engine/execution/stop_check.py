"""After a stop could not be placed, entries of its symbol wait until one can be.

A position without its stop is left, and the next entry would only repeat that, at the cost of fees and
spread. So the symbol's gate closes with the refusal, and opens with proof: a stop of the symbol that the
exchange accepts. While a position is open its own stop is tried again and is that proof. Once it is gone, a
stop like the refused one is tried by itself, ever less often: reduce-only, so that it can open nothing, and
cancelled as soon as it rests.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.order_executor import OrderExecutor
from engine.execution.order_gate import OrderGate
from engine.model.cause import Cause
from engine.model.context import Clock, Outbox, Touch
from engine.model.leg import TRY
from engine.model.lots import decimal_of, level_to_tick
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.orders.order_states import OrderState
from engine.orders.order_store import Applied, Order, OrderStore
from engine.orders.refusals import is_nothing_to_reduce, refusal_of
from engine.risk.health import Health
from gateways.wire.messages import Side
from gateways.wire.words import Refusal

OWNER: Final = "stop-check"
FIRST_NS = 30 * SECOND_NS
MOST_DOUBLINGS = 7
"""Tried after 30 s, a minute, two, ... at most about once an hour."""
NOT_NOW_NS = 5 * SECOND_NS
NEAREST, USUAL = Decimal("0.005"), Decimal("0.05")
"""A stop to try is at the refused one's price, or where the market has come near, a usual distance away."""
NO_FAULT = frozenset({Refusal.NONE, Refusal.NOTHING_TO_REDUCE, Refusal.WOULD_TRIGGER})
"""The exchange has refused nothing (it never heard of the order), there is nothing to reduce, or price is
past the stop: that says nothing against stops."""
_PLACED = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.FILLED})


class _Bare(msgspec.Struct):
    """The stop that a symbol could not have. `trying` is the order that tries another ("": none)."""

    side: Side
    qty_base: Decimal
    stop_price: Decimal | None
    due_ns: int = NEVER_NS
    trying: str = ""


class StopCheck:
    """Watches stops of all symbols. `health.stops_refused` holds the symbols whose entries wait."""

    def __init__(
        self,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        store: OrderStore,
        account: AccountStateStore,
        executor: OrderExecutor,
        health: Health,
        touch_of: Callable[[str], Touch],
    ) -> None:
        self._clock = clock
        self._out = out
        self._gate = gate
        self._store = store
        self._account = account
        self._executor = executor
        self._health = health
        self._touch_of = touch_of
        self._bare: dict[str, _Bare] = {}
        self._tries: dict[str, int] = {}
        self.deadline_ns = NEVER_NS

    def on_applied(self, applied: Applied) -> None:
        """News of an order: a stop that was accepted or refused, or a position left for want of one."""
        order = applied.order
        if order.intent.strategy == OWNER:
            self._on_tried(order)
        elif applied.changed:
            self._look_at(order, is_told=True)
        self._reschedule()

    def adopt_orders(self) -> None:
        """After the journal was read: what was refused before a restart is refused still."""
        orders = (*self._store.closed_orders(), *self._store.open_orders())
        for order in sorted(orders, key=lambda one: one.updated_ns or one.intent.time_ns):
            if order.intent.strategy != OWNER:
                self._look_at(order, is_told=False)
            elif order.state in _PLACED | {OrderState.CANCELED, OrderState.EXPIRED}:
                self._passed(order.intent.symbol, is_told=False)
        self._reschedule()

    def on_reconciled(self) -> None:
        """A stop that was only tried and still rests, of a run before, goes."""
        for order in list(self._store.open_orders()):
            if order.intent.strategy == OWNER and order.state in _PLACED:
                self._executor.cancel(order, "it was only tried")

    def on_time(self) -> None:
        """Try a stop where the last one was refused and nothing is held."""
        for symbol, bare in self._bare.items():
            if bare.due_ns <= self._clock.now_ns:
                bare.due_ns = NEVER_NS
                if not self._try(symbol, bare):
                    bare.due_ns = self._clock.now_ns + NOT_NOW_NS
        self._reschedule()

    def on_resume(self) -> None:
        """Somebody has looked into it: try at once."""
        self._tries.clear()
        for bare in self._bare.values():
            bare.due_ns = NEVER_NS if bare.trying else self._clock.now_ns
        self._reschedule()

    def on_set_back(self, now_ns: int) -> None:
        """The clock went back: what was to be tried later is tried soon."""
        for bare in self._bare.values():
            if bare.due_ns != NEVER_NS:
                bare.due_ns = min(bare.due_ns, now_ns + FIRST_NS)
        self._reschedule()

    def _look_at(self, order: Order, *, is_told: bool) -> None:
        intent = order.intent
        is_stop = intent.reduce_only and intent.order_type == "STOP_MARKET" and not order.is_external
        if is_stop and order.state in _PLACED:
            self._tries.pop(intent.symbol, None)
            self._passed(intent.symbol, is_told=is_told)
        elif is_stop and order.evidence.refused and order.state is OrderState.REJECTED:
            if refusal_of(order) not in NO_FAULT:
                self._refused(order, order.reason, is_told=is_told)
        elif Cause.parse(intent.cause).is_missing_stop and intent.symbol not in self._bare:
            self._refused(order, "its position had to be left", is_told=is_told)

    def _refused(self, order: Order, why: str, *, is_told: bool) -> None:
        symbol, intent = order.intent.symbol, order.intent
        known = self._bare.get(symbol)
        if known is not None:
            known.side, known.qty_base, known.stop_price = intent.side, intent.qty_base, intent.stop_price
            return
        due_ns = self._clock.now_ns + self._delay_ns(symbol)
        self._bare[symbol] = _Bare(intent.side, intent.qty_base, intent.stop_price, due_ns)
        self._health.stops_refused.add(symbol)
        if is_told:
            text = f"{symbol}: a stop could not be placed ({why}): entries wait until one can be"
            self._out.notice("critical", text)

    def _passed(self, symbol: str, *, is_told: bool) -> None:
        if self._bare.pop(symbol, None) is None:
            return
        self._health.stops_refused.discard(symbol)
        if is_told:
            self._out.notice("info", f"{symbol}: stops can be placed again")

    def _on_tried(self, order: Order) -> None:
        """The answer to a stop that was only tried."""
        symbol = order.intent.symbol
        bare = self._bare.get(symbol)
        if order.state in _PLACED:
            self._passed(symbol, is_told=True)
            self._executor.cancel(order, "it was only tried")
        elif bare is None or bare.trying != order.client_order_id:
            return
        elif order.state is OrderState.REJECTED and not is_nothing_to_reduce(order):
            bare.trying = ""
            bare.due_ns = self._clock.now_ns + self._delay_ns(symbol)
        elif not order.is_open:
            # It had rested, or only the position that it would reduce was missing.
            self._passed(symbol, is_told=True)

    def _delay_ns(self, symbol: str) -> int:
        tries = self._tries.get(symbol, 0)
        self._tries[symbol] = min(tries + 1, MOST_DOUBLINGS)
        return FIRST_NS << tries

    def _try(self, symbol: str, bare: _Bare) -> bool:
        """Whether a stop was sent to be tried: only when nothing is held and no other gate is closed."""
        touch, instrument = self._touch_of(symbol), self._gate.instruments.get(symbol)
        held = self._account.position(symbol).qty_base or self._account.venue_base(symbol)
        if held or bare.trying or instrument is None or len(self._health.blockers(symbol)) > 1:
            return False
        sells = bare.side == "SELL"
        market = decimal_of(touch.bid if sells else touch.ask)
        near, usual = (
            (market * (1 - NEAREST), market * (1 - USUAL))
            if sells
            else (market * (1 + NEAREST), market * (1 + USUAL))
        )
        price = bare.stop_price
        if price is None or (price > near if sells else price < near):
            price = level_to_tick(float(usual), instrument.price_tick, bare.side, is_stop=True)
        intent = self._gate.intent(
            OWNER,
            symbol,
            bare.side,
            "STOP_MARKET",
            bare.qty_base,
            cause=Cause.at(OWNER, self._clock.now_ns),
            leg=TRY,
            stop_price=price,
            reduce_only=True,
            is_exit=True,
            signal="Stop check",
        )
        bare.trying = self._gate.place(intent).client_order_id
        return bool(bare.trying)

    def _reschedule(self) -> None:
        self.deadline_ns = min((bare.due_ns for bare in self._bare.values()), default=NEVER_NS)
