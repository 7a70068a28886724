"""Blocks entries of a symbol after its stop was refused, until the exchange accepts a stop again.

A position without a stop is closed at market, and the next entry would only repeat that, at the cost of fees
and spread. So the symbol's gate closes with the refusal and opens with the first stop of the symbol that the
exchange accepts. While a position is open, its own stop is retried and gives that proof. Without a position
a test stop is placed, less and less often: reduce-only, so that it can open nothing, and cancelled as soon as
it rests.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.sending.order_executor import OrderExecutor
from engine.execution.sending.order_gate import OrderGate
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
"""Tests follow after 30 s, 1 min, 2 min, ... at most about once an hour."""
NOT_NOW_NS = 5 * SECOND_NS
NEAREST, USUAL = Decimal("0.005"), Decimal("0.05")
"""A test stop has the refused one's price, or where the market is near that, a usual distance."""
NO_FAULT = frozenset({Refusal.NONE, Refusal.NOTHING_TO_REDUCE, Refusal.WOULD_TRIGGER})
"""Refusals that say nothing against stops: none at all (the order never arrived), nothing to reduce, or the
price is past the stop."""
_PLACED = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.FILLED})


class _RefusedStop(msgspec.Struct):
    """The stop that a symbol could not have. `test_id` is the client id of the test stop ("": none)."""

    side: Side
    qty_base: Decimal
    stop_price: Decimal | None
    due_ns: int = NEVER_NS
    test_id: str = ""


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
        self._refused_stops: dict[str, _RefusedStop] = {}
        self._failed_tests: dict[str, int] = {}
        self.deadline_ns = NEVER_NS

    def on_applied(self, applied: Applied) -> None:
        """An order update: a stop was accepted or refused, or a position was closed for lack of one."""
        order = applied.order
        if order.intent.strategy == OWNER:
            self._on_test_answer(order)
        elif applied.changed:
            self._look_at(order, notify=True)
        self._reschedule()

    def adopt_orders(self) -> None:
        """After reading the journal: a stop that was refused before the restart still counts."""
        orders = (*self._store.closed_orders(), *self._store.open_orders())
        for order in sorted(orders, key=lambda one: one.updated_ns or one.intent.time_ns):
            if order.intent.strategy != OWNER:
                self._look_at(order, notify=False)
            elif order.state in _PLACED | {OrderState.CANCELED, OrderState.EXPIRED}:
                self._open_gate(order.intent.symbol, notify=False)
        self._reschedule()

    def on_reconciled(self) -> None:
        """Cancel a test stop of an earlier run that still rests."""
        for order in list(self._store.open_orders()):
            if order.intent.strategy == OWNER and order.state in _PLACED:
                self._executor.cancel(order, "it was only tried")

    def on_time(self) -> None:
        """Place test stops that are due."""
        for symbol, refused in self._refused_stops.items():
            if refused.due_ns <= self._clock.now_ns:
                refused.due_ns = NEVER_NS
                if not self._test(symbol, refused):
                    refused.due_ns = self._clock.now_ns + NOT_NOW_NS
        self._reschedule()

    def on_resume(self) -> None:
        """The operator said resume: test at once."""
        self._failed_tests.clear()
        for refused in self._refused_stops.values():
            refused.due_ns = NEVER_NS if refused.test_id else self._clock.now_ns
        self._reschedule()

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: bring tests forward."""
        for refused in self._refused_stops.values():
            if refused.due_ns != NEVER_NS:
                refused.due_ns = min(refused.due_ns, now_ns + FIRST_NS)
        self._reschedule()

    def _look_at(self, order: Order, *, notify: bool) -> None:
        intent = order.intent
        is_stop = intent.reduce_only and intent.order_type == "STOP_MARKET" and not order.is_external
        if is_stop and order.state in _PLACED:
            self._failed_tests.pop(intent.symbol, None)
            self._open_gate(intent.symbol, notify=notify)
        elif is_stop and order.evidence.refused and order.state is OrderState.REJECTED:
            if refusal_of(order) not in NO_FAULT:
                self._close_gate(order, order.reason, notify=notify)
        elif Cause.parse(intent.cause).is_missing_stop and intent.symbol not in self._refused_stops:
            self._close_gate(order, "its position had to be left", notify=notify)

    def _close_gate(self, order: Order, why: str, *, notify: bool) -> None:
        symbol, intent = order.intent.symbol, order.intent
        known = self._refused_stops.get(symbol)
        if known is not None:
            known.side, known.qty_base, known.stop_price = intent.side, intent.qty_base, intent.stop_price
            return
        due_ns = self._clock.now_ns + self._delay_ns(symbol)
        self._refused_stops[symbol] = _RefusedStop(intent.side, intent.qty_base, intent.stop_price, due_ns)
        self._health.stops_refused.add(symbol)
        if notify:
            text = f"{symbol}: a stop could not be placed ({why}): entries wait until one can be"
            self._out.notice("critical", text)

    def _open_gate(self, symbol: str, *, notify: bool) -> None:
        if self._refused_stops.pop(symbol, None) is None:
            return
        self._health.stops_refused.discard(symbol)
        if notify:
            self._out.notice("info", f"{symbol}: stops can be placed again")

    def _on_test_answer(self, order: Order) -> None:
        """The exchange's answer to a test stop."""
        symbol = order.intent.symbol
        refused = self._refused_stops.get(symbol)
        if order.state in _PLACED:
            self._open_gate(symbol, notify=True)
            self._executor.cancel(order, "it was only tried")
        elif refused is None or refused.test_id != order.client_order_id:
            return
        elif order.state is OrderState.REJECTED and not is_nothing_to_reduce(order):
            refused.test_id = ""
            refused.due_ns = self._clock.now_ns + self._delay_ns(symbol)
        elif not order.is_open:
            # It has rested, or was refused only because there is no position to reduce.
            self._open_gate(symbol, notify=True)

    def _delay_ns(self, symbol: str) -> int:
        tries = self._failed_tests.get(symbol, 0)
        self._failed_tests[symbol] = min(tries + 1, MOST_DOUBLINGS)
        return FIRST_NS << tries

    def _test(self, symbol: str, refused: _RefusedStop) -> bool:
        """Whether a test stop was sent: only without a position, and when no other gate is closed."""
        touch, instrument = self._touch_of(symbol), self._gate.instruments.get(symbol)
        held = self._account.position(symbol).qty_base or self._account.venue_base(symbol)
        if held or refused.test_id or instrument is None or len(self._health.blockers(symbol)) > 1:
            return False
        sells = refused.side == "SELL"
        market = decimal_of(touch.bid if sells else touch.ask)
        near, usual = (
            (market * (1 - NEAREST), market * (1 - USUAL))
            if sells
            else (market * (1 + NEAREST), market * (1 + USUAL))
        )
        price = refused.stop_price
        if price is None or (price > near if sells else price < near):
            price = level_to_tick(float(usual), instrument.price_tick, refused.side, is_stop=True)
        intent = self._gate.intent(
            OWNER,
            symbol,
            refused.side,
            "STOP_MARKET",
            refused.qty_base,
            cause=Cause.at(OWNER, self._clock.now_ns),
            leg=TRY,
            stop_price=price,
            reduce_only=True,
            is_exit=True,
            signal="Stop check",
        )
        refused.test_id = self._gate.place(intent).client_order_id
        return bool(refused.test_id)

    def _reschedule(self) -> None:
        self.deadline_ns = min((refused.due_ns for refused in self._refused_stops.values()), default=NEVER_NS)
