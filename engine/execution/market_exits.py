"""Leaving a position at market, and not giving up: an exit that was proven not to happen is sent again.

One exit at a time for each owner and symbol; leaving everything, asked for meanwhile, follows it. An attempt
follows only on proof that the one before did not (wholly) happen, under the id of the next attempt, with what
is left of the position. What each refusal leads to stands in docs/refused_exits.md.
"""

from collections.abc import Callable, Container
from decimal import Decimal

import msgspec

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore
from engine.execution.exit_sizer import ExitSizer
from engine.execution.exit_way import ExitWay
from engine.execution.holdings import Holdings
from engine.execution.order_check import DUPLICATE
from engine.execution.order_executor import OrderExecutor
from engine.execution.order_gate import OrderGate, Placed
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
"""From this attempt on they follow each other at the longest distance."""
_FIRST_DELAY_NS = SECOND_NS // 4
_DOUBT_DELAY_NS = 5 * SECOND_NS
_LONGEST_DELAY_NS = _FIRST_DELAY_NS << ALARM_AT_ATTEMPT
_WAY_DELAY_NS = 2 * SECOND_NS
"""So long an exit waits for cancels of what stands in its way, before it is tried all the same."""
IN_FLIGHT = Verdict(False, "exit_in_flight", "an exit is under way")
NOTHING_TO_REDUCE = "the exchange says there is nothing to reduce"
NOTHING = Verdict(False, "nothing_to_close", "there is nothing to close")
DUST = Verdict(False, "dust", "what is left is dust: the exchange takes no order that leaves it")


class _Wish(msgspec.Struct, frozen=True):
    """Leaving everything, asked for while a smaller exit was under way."""

    side: Side
    cause: Cause
    leg: Leg
    signal: str


class _Exit(msgspec.Struct):
    """The running exit of one owner on one symbol. `retry_at_ns` is when its next attempt is due; nobody's
    word brings it forward to before `not_before_ns`. `clears` once own orders had to be taken out of its way:
    until it is over none of them is placed again. `is_exact`: the exchange does not cut an order down to the
    position. `told` is the reason that was last told."""

    intent: Intent
    retry_at_ns: int = NEVER_NS
    not_before_ns: int = 0
    then: _Wish | None = None
    clears: bool = False
    is_exact: bool = False
    told: str = ""


class MarketExits:
    """Reduce-only market orders until what was to be left is left.

    `on_doubt` is called when the exchange says there is nothing to reduce: our view must be compared.
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
        self._way = ExitWay(gate, store, executor)
        self._on_doubt = on_doubt
        self._exits: dict[tuple[str, str], _Exit] = {}
        self.deadline_ns = NEVER_NS

    def leave(
        self, owner: str, symbol: str, *, qty_base: Decimal | None = None, cause: Cause, leg: Leg, signal: str
    ) -> Placed:
        """Leave a position, or `qty_base` of it. What cannot be sent now is sent as soon as it can be."""
        held = self._holdings.held(owner, symbol)
        side: Side = "SELL" if held > ZERO else "BUY"
        running = self._exits.get((owner, symbol))
        if running is not None:
            if qty_base is None:
                running.then = _Wish(side, cause, leg, signal)
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
        """Leave what is still held of a position that somebody said to leave. A crash may have come between
        the word and the order, or after it."""
        if not self._holdings.held(owner, symbol):
            return
        for one in (cause, cause.again(self._clock.now_ns)):
            placed = self.leave(owner, symbol, cause=one, leg=FLATTEN, signal="Flatten")
            if placed.verdict is not DUPLICATE:
                return

    def makes_way(self, owner: str, symbol: str) -> bool:
        """Whether own orders had to be taken out of the way of a running exit: none may come back."""
        running = self._exits.get((owner, symbol))
        return running is not None and running.clears

    def give_up(self, owner: str) -> None:
        """That owner's exits are not tried again."""
        for key in [key for key in self._exits if key[0] == owner]:
            del self._exits[key]
        self._reschedule()

    def adopt(self, order: Order) -> None:
        """An exit of the journal that is still under way, or was to be tried again."""
        intent = order.intent
        due = NEVER_NS if order.is_open else self._clock.now_ns
        self._exits[intent.strategy, intent.symbol] = _Exit(intent, due)
        self._reschedule()

    def adopt_unfinished(self, keys: Container[tuple[str, str]]) -> None:
        """Of those owners and symbols, and the operator: an exit that had failed or filled in part goes on,
        when nothing was sent for its owner since."""
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
        """An exit has ended: well, or to be tried again. Or what stood in an exit's way is gone."""
        order = applied.order
        key = (order.intent.strategy, order.intent.symbol)
        running = self._exits.get(key)
        if order.is_open:
            return
        if running is None or running.intent.client_order_id != order.client_order_id:
            self._hurry(order.intent.symbol)
        elif order.evidence.missing_base == ZERO:
            self._conclude(key, running, order)

    def on_reconciled(self) -> None:
        """Positions are known: an exit that has ended waits for no fill that nobody could show, and one that
        has nothing left to leave is over."""
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
        """The clock went back: what was to be tried later is tried now."""
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
        """Requests are answered again: what waits only for its time is tried now."""
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
            if placed.verdict is not DUPLICATE:  # that one was made before a restart: on to the next
                running.intent = before

    def _conclude(self, key: tuple[str, str], running: _Exit, order: Order) -> None:
        """It has ended: is there anything left to leave?"""
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
        """Do what the refusal asks for; returns the nanoseconds until the next attempt."""
        attempt = order.intent.attempt + 1
        reaction = reaction_to(order)
        is_about_size = reaction in {Reaction.COMPARE, Reaction.REGRID} and order.intent.qty_base > left
        running.is_exact = running.is_exact or is_about_size
        if reaction is Reaction.COMPARE:
            self._on_doubt(NOTHING_TO_REDUCE)
            if self._way.clear(order.intent):
                running.clears = True
                return _WAY_DELAY_NS
        # What has just been cancelled may count against the position for a moment longer.
        was_reserved = reaction is Reaction.COMPARE and running.clears
        if reaction is Reaction.PERSON or (reaction is Reaction.COMPARE and attempt == 2 + 2 * was_reserved):
            self._tell(running, order)
        if reaction in {Reaction.AGAIN, Reaction.REGRID} or is_about_size or was_reserved:
            return _FIRST_DELAY_NS << min(attempt, ALARM_AT_ATTEMPT)
        delay_ns = min(_DOUBT_DELAY_NS << min(attempt - 1, ALARM_AT_ATTEMPT), _LONGEST_DELAY_NS)
        running.not_before_ns = self._clock.now_ns + delay_ns
        return delay_ns

    def _tell(self, running: _Exit, order: Order | None) -> None:
        """Why it cannot be left; each reason once."""
        if order is None:
            return
        intent, reason = order.intent, order.reason or order.state.name
        if running.told == reason:
            return
        running.told = reason
        others = [one.client_order_id for one in self._way.foreign(intent)]
        hint = f"; in its way may be {', '.join(others)} of somebody else" if others else ""
        text = (
            f"{intent.strategy} cannot leave {intent.symbol}: {reason}{hint}; it is tried again until it can"
        )
        self._out.notice("critical", text)

    def _hurry(self, symbol: str) -> None:
        """An order has ended: an exit that waited for its way to be free goes out now."""
        for (_, where), running in self._exits.items():
            waits = where == symbol and running.clears and running.retry_at_ns != NEVER_NS
            if waits and not self._way.is_blocked(running.intent):
                soonest_ns = max(self._clock.now_ns, running.not_before_ns)
                running.retry_at_ns = min(running.retry_at_ns, soonest_ns)
                self._reschedule()

    def _end(self, key: tuple[str, str]) -> None:
        """An exit is over: on with what was asked for meanwhile."""
        wish = self._exits.pop(key).then
        held = self._holdings.held(*key)
        if wish is not None and held and (held > ZERO) == (wish.side == "SELL"):
            self.leave(*key, cause=wish.cause, leg=wish.leg, signal=wish.signal)

    def _left(self, intent: Intent) -> Decimal:
        """What the owner still holds on the side that the exit leaves."""
        held = self._holdings.held(intent.strategy, intent.symbol)
        return abs(held) if (held > ZERO) == (intent.side == "SELL") else ZERO

    def _filled(self, intent: Intent) -> Decimal:
        order = self._store.get(intent.client_order_id)
        return ZERO if order is None else order.filled_base

    def _reschedule(self) -> None:
        self.deadline_ns = min((one.retry_at_ns for one in self._exits.values()), default=NEVER_NS)
