"""Exits at market, repeated until the position is closed.

One exit at a time for each owner and symbol; a full exit requested meanwhile follows it. A new attempt needs
proof that the last one was not (completely) filled; it has the next attempt's id and the size that is left.
docs/refused_exits.md says how each refusal is handled.
"""

from collections.abc import Callable, Container
from decimal import Decimal

import msgspec

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore
from engine.execution.exits.exit_size import ExitSizer
from engine.execution.exits.orders_in_way import OrdersInWay
from engine.execution.sending.holdings import Holdings
from engine.execution.sending.order_check import DUPLICATE
from engine.execution.sending.order_executor import OrderExecutor
from engine.execution.sending.order_gate import OrderGate, Placed
from engine.model.cause import Cause
from engine.model.context import Clock, Outbox
from engine.model.leg import FLATTEN, Leg
from engine.model.limits import Verdict
from engine.model.records import Intent
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.orders.order_states import TERMINAL, OrderState
from engine.orders.order_store import Applied, Order, OrderStore
from engine.orders.refusals import Reaction, reaction_to
from gateways.wire.messages import Side

ZERO = Decimal(0)
ALARM_AT_ATTEMPT = 8
"""From this attempt on the delay between attempts is the longest."""
_FIRST_DELAY_NS = SECOND_NS // 4
_DOUBT_DELAY_NS = 5 * SECOND_NS
_LONGEST_DELAY_NS = _FIRST_DELAY_NS << ALARM_AT_ATTEMPT
_WAY_DELAY_NS = 2 * SECOND_NS
"""How long an exit waits for the cancels of orders in its way before it is sent anyway."""
IN_FLIGHT = Verdict(False, "exit_in_flight", "an exit is under way")
NOTHING_TO_REDUCE = "the exchange says there is nothing to reduce"
NOTHING = Verdict(False, "nothing_to_close", "there is nothing to close")
DUST = Verdict(False, "dust", "what is left is dust: the exchange takes no order that leaves it")


class _FullExit(msgspec.Struct, frozen=True):
    """A full exit, requested while a smaller one is running."""

    side: Side
    cause: Cause
    leg: Leg
    signal: str


class _Exit(msgspec.Struct):
    """The running exit of one owner on one symbol. `retry_at_ns` is when its next attempt is due, never
    before `not_before_ns`. `then` follows it. `cleared_way`: own orders in its way were cancelled, and none
    is placed again until the exit is done. `is_exact`: the exchange does not cut an order down to the
    position. `last_reason` is the last reason that was reported."""

    intent: Intent
    retry_at_ns: int = NEVER_NS
    not_before_ns: int = 0
    then: _FullExit | None = None
    cleared_way: bool = False
    is_exact: bool = False
    last_reason: str = ""


class MarketExits:
    """Sends reduce-only market orders until the requested size is closed.

    `on_doubt` is called when the exchange says there is nothing to reduce: positions must be reconciled.
    """

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
        self._holdings = holdings
        self._sizer = ExitSizer(out, gate, account, holdings)
        self._way = OrdersInWay(gate, store, executor)
        self._on_doubt = on_doubt
        self._exits: dict[tuple[str, str], _Exit] = {}
        self.deadline_ns = NEVER_NS

    def leave(
        self, owner: str, symbol: str, *, qty_base: Decimal | None = None, cause: Cause, leg: Leg, signal: str
    ) -> Placed:
        """Close a position, or `qty_base` of it. What cannot be sent now is sent as soon as possible."""
        held = self._holdings.held(owner, symbol)
        side: Side = "SELL" if held > ZERO else "BUY"
        running = self._exits.get((owner, symbol))
        if running is not None:
            if qty_base is None:
                running.then = _FullExit(side, cause, leg, signal)
            if running.retry_at_ns != NEVER_NS:
                running.retry_at_ns = max(self._clock.now_ns, running.not_before_ns)
                self._reschedule()
            return Placed(IN_FLIGHT, running.intent.client_order_id)
        qty = abs(held) if qty_base is None else min(abs(held), qty_base)
        if qty <= ZERO:
            return Placed(NOTHING)
        if self._sizer.is_dust(owner, symbol):
            return Placed(DUST)
        first = self._gate.intent(
            owner, symbol, side, "MARKET", qty, cause=cause, leg=leg, is_exit=True, signal=signal
        )
        running = _Exit(self._sizer.sized(first, qty, is_exact=False))
        if not running.intent.qty_base:
            return Placed(DUST)
        self._exits[owner, symbol] = running
        placed = self._gate.place(running.intent)
        if placed.verdict is DUPLICATE:
            del self._exits[owner, symbol]
        elif not placed.client_order_id:
            running.retry_at_ns = self._clock.now_ns + SECOND_NS
            self._reschedule()
        return placed

    def leave_as_told(self, owner: str, symbol: str, cause: Cause) -> None:
        """Close what is left of a position after `flatten` or `kill`. The engine may have crashed between the
        command and the order, or after the order."""
        if not self._holdings.held(owner, symbol):
            return
        for one in (cause, cause.again(self._clock.now_ns)):
            placed = self.leave(owner, symbol, cause=one, leg=FLATTEN, signal="Flatten")
            if placed.verdict is not DUPLICATE:
                return

    def has_cleared_way(self, owner: str, symbol: str) -> bool:
        """Whether own orders were cancelled for a running exit, so that none may be placed again yet."""
        running = self._exits.get((owner, symbol))
        return running is not None and running.cleared_way

    def give_up(self, owner: str) -> None:
        """Stop retrying the exits of that owner."""
        for key in [key for key in self._exits if key[0] == owner]:
            del self._exits[key]
        self._reschedule()

    def adopt(self, order: Order) -> None:
        """Continue an exit from the journal that is still open, or is due for a retry."""
        intent = order.intent
        due = NEVER_NS if order.is_open else self._clock.now_ns
        self._exits[intent.strategy, intent.symbol] = _Exit(intent, due)
        self._reschedule()

    def adopt_unfinished(self, keys: Container[tuple[str, str]]) -> None:
        """Continue exits of those owners and symbols, and of the operator, that failed or filled in part,
        where nothing was sent for the owner since."""
        newest: dict[tuple[str, str], Order] = {}
        for order in (*self._store.closed_orders(), *self._store.open_orders()):
            intent = order.intent
            key = (intent.strategy, intent.symbol)
            is_later = key not in newest or intent.time_ns >= newest[key].intent.time_ns
            is_known = key in keys or intent.strategy == OPERATOR
            if is_known and not order.leg.rests and is_later:
                newest[key] = order
        for order in newest.values():
            is_done = order.state is OrderState.FILLED and not order.intent.rest_base
            if order.intent.is_exit and order.state in TERMINAL and not is_done:
                self.adopt(order)

    def on_applied(self, applied: Applied) -> None:
        """An exit has filled, or must be retried; or an order in the way of an exit has ended."""
        order = applied.order
        key = (order.intent.strategy, order.intent.symbol)
        running = self._exits.get(key)
        if order.is_open:
            return
        if running is None or running.intent.client_order_id != order.client_order_id:
            self._retry_if_way_is_free(order.intent.symbol)
        elif order.evidence.missing_base == ZERO:
            self._conclude(key, running, order)

    def on_reconciled(self) -> None:
        """Positions are reconciled: an exit that has ended no longer waits for missing fills, and one with
        nothing left to close is done."""
        for key, running in list(self._exits.items()):
            if running.retry_at_ns != NEVER_NS:
                if self._left(running.intent) == ZERO:
                    self._end(key)
            else:
                order = self._store.get(running.intent.client_order_id)
                if order is None:
                    self._end(key)
                elif not order.is_open:
                    self._conclude(key, running, order)

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: retry now what was due later."""
        for running in self._exits.values():
            running.not_before_ns = min(running.not_before_ns, now_ns)
            if running.retry_at_ns != NEVER_NS:
                running.retry_at_ns = min(running.retry_at_ns, now_ns)
        self._reschedule()

    def on_time(self) -> None:
        """Send attempts that are due. While the exchange has stopped all requests none can be sent."""
        stopped_until_ns = self._gate.stopped_until_ns
        for key, running in list(self._exits.items()):
            if running.retry_at_ns > self._clock.now_ns:
                continue
            if stopped_until_ns > self._clock.now_ns:
                running.retry_at_ns = stopped_until_ns
                self._tell(running, self._store.get(running.intent.client_order_id))
            else:
                self._try_again(key, running)
        self._reschedule()

    def on_answers(self) -> None:
        """Requests are answered again: retry now what was only waiting."""
        for running in self._exits.values():
            if running.retry_at_ns != NEVER_NS:
                soonest_ns = max(self._clock.now_ns, running.not_before_ns)
                running.retry_at_ns = min(running.retry_at_ns, soonest_ns)
        self._reschedule()

    def _try_again(self, key: tuple[str, str], running: _Exit) -> None:
        running.retry_at_ns = NEVER_NS
        before = running.intent
        asked = before.qty_base - self._filled(before) + before.rest_base
        whole = min(self._left(before), asked)
        if whole <= ZERO:
            self._end(key)
            return
        following = self._gate.intent(
            before.strategy,
            before.symbol,
            before.side,
            "MARKET",
            whole,
            cause=Cause.parse(before.cause),
            leg=Leg.parse(before.leg),
            attempt=before.attempt + 1,
            is_exit=True,
            signal=before.signal,
        )
        running.intent = self._sizer.sized(following, whole, is_exact=running.is_exact)
        if not running.intent.qty_base:
            self._end(key)
            return
        placed = self._gate.place(running.intent)
        if not placed.client_order_id:
            running.retry_at_ns = self._clock.now_ns + SECOND_NS
            if placed.verdict is not DUPLICATE:  # sent before a restart: go on to the next attempt
                running.intent = before

    def _conclude(self, key: tuple[str, str], running: _Exit, order: Order) -> None:
        """An attempt has ended: finish, or schedule the next one."""
        left = self._left(order.intent)
        is_filled = order.state is OrderState.FILLED
        if left == ZERO or (is_filled and not running.intent.rest_base):
            self._end(key)
            return
        if is_filled:
            running.retry_at_ns = self._clock.now_ns
            self._reschedule()
            return
        attempt = order.intent.attempt + 1
        running.not_before_ns = 0
        delay_ns = self._react(running, order, left)
        if attempt == ALARM_AT_ATTEMPT:
            self._tell(running, order)
        running.retry_at_ns = self._clock.now_ns + delay_ns
        self._reschedule()

    def _react(self, running: _Exit, order: Order, left: Decimal) -> int:
        """React to the refusal; returns the nanoseconds until the next attempt."""
        attempt = order.intent.attempt + 1
        reaction = reaction_to(order)
        is_about_size = reaction in {Reaction.COMPARE, Reaction.REGRID} and order.intent.qty_base > left
        running.is_exact = running.is_exact or is_about_size
        if reaction is Reaction.COMPARE:
            self._on_doubt(NOTHING_TO_REDUCE)
            if self._way.clear(order.intent):
                running.cleared_way = True
                return _WAY_DELAY_NS
        # An order that was just cancelled may be counted against the position for a moment longer.
        was_reserved = reaction is Reaction.COMPARE and running.cleared_way
        if reaction is Reaction.PERSON or (reaction is Reaction.COMPARE and attempt == 2 + 2 * was_reserved):
            self._tell(running, order)
        if reaction in {Reaction.AGAIN, Reaction.REGRID} or is_about_size or was_reserved:
            return _FIRST_DELAY_NS << min(attempt, ALARM_AT_ATTEMPT)
        delay_ns = min(_DOUBT_DELAY_NS << min(attempt - 1, ALARM_AT_ATTEMPT), _LONGEST_DELAY_NS)
        running.not_before_ns = self._clock.now_ns + delay_ns
        return delay_ns

    def _tell(self, running: _Exit, order: Order | None) -> None:
        """Report why the position cannot be closed, each reason once."""
        if order is None:
            return
        intent, reason = order.intent, order.reason or order.state.name
        if running.last_reason == reason:
            return
        running.last_reason = reason
        others = [one.client_order_id for one in self._way.foreign(intent)]
        hint = f"; in its way may be {', '.join(others)} of somebody else" if others else ""
        text = (
            f"the position of {intent.strategy} on {intent.symbol} cannot be closed: {reason}{hint}; it is "
            "tried again until it is closed"
        )
        self._out.notice("critical", text)

    def _retry_if_way_is_free(self, symbol: str) -> None:
        """An order has ended: send an exit whose way is free now."""
        for (_, where), running in self._exits.items():
            waits = where == symbol and running.cleared_way and running.retry_at_ns != NEVER_NS
            if waits and not self._way.is_blocked(running.intent):
                soonest_ns = max(self._clock.now_ns, running.not_before_ns)
                running.retry_at_ns = min(running.retry_at_ns, soonest_ns)
                self._reschedule()

    def _end(self, key: tuple[str, str]) -> None:
        """An exit is done: start the full exit that was requested meanwhile."""
        wish = self._exits.pop(key).then
        held = self._holdings.held(*key)
        if wish is not None and held and (held > ZERO) == (wish.side == "SELL"):
            self.leave(*key, cause=wish.cause, leg=wish.leg, signal=wish.signal)

    def _left(self, intent: Intent) -> Decimal:
        """What the owner still holds on the side that the exit closes."""
        held = self._holdings.held(intent.strategy, intent.symbol)
        return abs(held) if (held > ZERO) == (intent.side == "SELL") else ZERO

    def _filled(self, intent: Intent) -> Decimal:
        order = self._store.get(intent.client_order_id)
        return ZERO if order is None else order.filled_base

    def _reschedule(self) -> None:
        self.deadline_ns = min((one.retry_at_ns for one in self._exits.values()), default=NEVER_NS)
