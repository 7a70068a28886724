"""Leaving a position at market, and not giving up: an exit that was proven not to happen is sent again.

One exit at a time for each owner and symbol; leaving everything, asked for meanwhile, follows it. An attempt
follows only on proof that the one before did not (wholly) happen, under the id of the next attempt, with what
is left of the position.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.account.state import AccountStateStore
from engine.core.context import Clock, Outbox
from engine.execution.attribution import OPERATOR
from engine.execution.order_gate import DUPLICATE, OrderGate, Placed
from engine.execution.order_states import OrderState
from engine.execution.order_store import Applied, Order, OrderStore
from engine.market_data.timeframes import NEVER_NS, SECOND_NS
from engine.risk.limits import Verdict
from engine.storage.records import Intent
from gateways.wire.messages import Side

ZERO = Decimal(0)
ALARM_AT_ATTEMPT = 8
"""From this attempt on they follow each other at the longest distance."""
_FIRST_DELAY_NS = SECOND_NS // 4
_DOUBT_DELAY_NS = 5 * SECOND_NS
_LONGEST_DELAY_NS = _FIRST_DELAY_NS << ALARM_AT_ATTEMPT
REDUCE_ONLY_REJECTED = "-2022"
IN_FLIGHT = Verdict(False, "exit_in_flight", "an exit is under way")
NOTHING_TO_REDUCE = "the exchange says there is nothing to reduce"
NOTHING = Verdict(False, "nothing_to_close", "there is nothing to close")


class _Wish(msgspec.Struct, frozen=True):
    """Leaving everything, asked for while a smaller exit was under way."""

    side: Side
    cause: str
    leg: str
    signal: str


class _Exit(msgspec.Struct):
    """The running exit of one owner on one symbol. `retry_at_ns` is when its next attempt is due; nobody's
    word brings it forward to before `not_before_ns`."""

    intent: Intent
    retry_at_ns: int = NEVER_NS
    not_before_ns: int = 0
    then: _Wish | None = None


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
        on_doubt: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._out = out
        self._gate = gate
        self._store = store
        self._account = account
        self._on_doubt = on_doubt
        self._exits: dict[tuple[str, str], _Exit] = {}
        self._shared: set[str] = set()
        self.deadline_ns = NEVER_NS

    def share(self, symbol: str) -> None:
        """Several strategies trade that symbol."""
        self._shared.add(symbol)

    def leave(
        self, owner: str, symbol: str, *, qty_base: Decimal | None = None, cause: str, leg: str, signal: str
    ) -> Placed:
        """Leave a position, or `qty_base` of it. What cannot be sent now is sent as soon as it can be."""
        held = self._account.strategy_position(owner, symbol).qty_base
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
        intent = self._intent(owner, symbol, side, qty, cause, leg, 0, signal)
        running = self._exits[owner, symbol] = _Exit(intent)
        placed = self._gate.place(intent)
        if placed.verdict is DUPLICATE:
            del self._exits[owner, symbol]
        elif not placed.client_order_id:
            running.retry_at_ns = self._clock.now_ns + SECOND_NS
            self._reschedule()
        return placed

    def adopt(self, order: Order) -> None:
        """An exit of the journal that is still under way, or was to be tried again."""
        intent = order.intent
        due = NEVER_NS if order.is_open else self._clock.now_ns
        self._exits[intent.strategy, intent.symbol] = _Exit(intent, due)
        self._reschedule()

    def on_applied(self, applied: Applied) -> None:
        """An exit has ended: well, or to be tried again."""
        order = applied.order
        key = (order.intent.strategy, order.intent.symbol)
        running = self._exits.get(key)
        if running is None or running.intent.client_order_id != order.client_order_id or order.is_open:
            if applied.is_rejection and key[0] == OPERATOR and is_nothing_to_reduce(order):
                self._on_doubt(NOTHING_TO_REDUCE)  # nobody sends it again
            return
        if order.evidence.missing_base == ZERO:
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
        delay_ns = _FIRST_DELAY_NS << min(attempt, ALARM_AT_ATTEMPT)
        if is_nothing_to_reduce(order):
            delay_ns = min(_DOUBT_DELAY_NS << min(attempt - 1, ALARM_AT_ATTEMPT), _LONGEST_DELAY_NS)
            running.not_before_ns = self._clock.now_ns + delay_ns
            self._on_doubt(NOTHING_TO_REDUCE)
        if attempt == ALARM_AT_ATTEMPT:
            self._out.notice(
                "critical", f"{key[0]} cannot leave {key[1]}: {order.reason or order.state.name}"
            )
        running.retry_at_ns = self._clock.now_ns + delay_ns
        self._reschedule()

    def on_set_back(self, now_ns: int) -> None:
        """The clock went back: what was to be tried later is tried now."""
        for running in self._exits.values():
            running.not_before_ns = min(running.not_before_ns, now_ns)
            if running.retry_at_ns != NEVER_NS:
                running.retry_at_ns = min(running.retry_at_ns, now_ns)
        self._reschedule()

    def on_time(self) -> None:
        """Send attempts that are due."""
        for key, running in list(self._exits.items()):
            if running.retry_at_ns > self._clock.now_ns:
                continue
            running.retry_at_ns = NEVER_NS
            before = running.intent
            asked = before.qty_base - self._filled(before) + before.rest_base
            whole = min(self._left(before), asked)
            if whole <= ZERO:
                self._end(key)
                continue
            running.intent = self._intent(
                before.strategy,
                before.symbol,
                before.side,
                whole,
                before.cause,
                before.leg,
                before.attempt + 1,
                before.signal,
            )
            placed = self._gate.place(running.intent)
            if not placed.client_order_id:
                running.retry_at_ns = self._clock.now_ns + SECOND_NS
                if placed.verdict is not DUPLICATE:  # that one was made before a restart: on to the next
                    running.intent = before
        self._reschedule()

    def _intent(
        self,
        owner: str,
        symbol: str,
        side: Side,
        whole: Decimal,
        cause: str,
        leg: str,
        attempt: int,
        signal: str,
    ) -> Intent:
        """An order that leaves `whole`, or as much of it as the exchange takes at once."""
        qty = min(whole, self._largest(symbol, whole))
        intent = self._gate.intent(
            owner,
            symbol,
            side,
            "MARKET",
            qty,
            cause=cause,
            leg=leg,
            attempt=attempt,
            reduce_only=self._reduces_net(symbol, side, qty),
            is_exit=True,
            signal=signal,
        )
        return msgspec.structs.replace(intent, rest_base=whole - qty) if whole > qty else intent

    def _end(self, key: tuple[str, str]) -> None:
        """An exit is over: on with what was asked for meanwhile."""
        wish = self._exits.pop(key).then
        held = self._account.strategy_position(*key).qty_base
        if wish is not None and held and (held > ZERO) == (wish.side == "SELL"):
            self.leave(*key, cause=wish.cause, leg=wish.leg, signal=wish.signal)

    def _largest(self, symbol: str, qty: Decimal) -> Decimal:
        """The exchange's largest market order; `qty` where that is not known."""
        instrument = self._gate.instruments.get(symbol)
        if instrument is None:
            return qty
        return instrument.market_max_qty_base or instrument.max_qty_base or qty

    def _left(self, intent: Intent) -> Decimal:
        """What the owner still holds on the side that the exit leaves."""
        held = self._account.strategy_position(intent.strategy, intent.symbol).qty_base
        return abs(held) if (held > ZERO) == (intent.side == "SELL") else ZERO

    def _filled(self, intent: Intent) -> Decimal:
        order = self._store.get(intent.client_order_id)
        return ZERO if order is None else order.filled_base

    def _reduces_net(self, symbol: str, side: Side, qty: Decimal) -> bool:
        """Reduce-only always, but where strategies share a symbol and the sum points elsewhere."""
        if symbol not in self._shared:
            return True
        net = self._account.position(symbol).qty_base
        return (net >= qty) if side == "SELL" else (-net >= qty)

    def _reschedule(self) -> None:
        self.deadline_ns = min((one.retry_at_ns for one in self._exits.values()), default=NEVER_NS)


def is_nothing_to_reduce(order: Order) -> bool:
    """Whether the exchange refused it because there is no position that it could reduce."""
    return order.state is OrderState.REJECTED and order.reason.startswith(REDUCE_ONLY_REJECTED)
