"""Checks against the exchange at regular intervals: finds what a lost event should have told.

Positions, open orders and balances are requested, without their history. A difference that is
still there some seconds later is no race with an event under way: it is reported, and recovery takes over.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

from engine.account.state import AccountStateStore
from engine.execution.trade_executor import TradeExecutor
from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.lots import plain
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.orders.order_states import UNSETTLED
from engine.orders.order_store import Order, OrderStore
from engine.risk.health import Health
from gateways.wire.messages import RequestSnapshot, Snapshot

AGAIN_NS = 6 * SECOND_NS
"""So long after the first look a difference is looked at again."""
YOUNG_NS = 5 * SECOND_NS
"""An order younger than this may have been sent while the exchange was answering."""
ZERO = Decimal(0)


class Difference(NamedTuple):
    """What differs, wherever it is found again: `subject` is the missing quantity, or the order."""

    kind: Literal["position", "order"]
    symbol: str
    subject: str


class Comparison:
    """Checks while all is reconciled; `on_differs` gets one sentence when a difference has lasted,
    `on_agreed` the time of a check without one."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        out: Outbox,
        health: Health,
        store: OrderStore,
        account: AccountStateStore,
        trades: TradeExecutor,
        on_differs: Callable[[str], None],
        on_agreed: Callable[[int], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._health = health
        self._store = store
        self._account = account
        self._trades = trades
        self._on_differs = on_differs
        self._on_agreed = on_agreed
        self._request_id = 0
        self._suspects: frozenset[Difference] = frozenset()
        self._unresolved: frozenset[Difference] = frozenset()
        self._lingered: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()
        self.deadline_ns = NEVER_NS

    def on_reconciled(self) -> None:
        """Everything was reconciled just now."""
        self._suspects = frozenset()
        self._request_id = 0
        self._look_in(self._config.compare_every_ns)

    def on_time(self) -> None:
        """Request a snapshot, if possible; without an answer it is requested again at the next check."""
        if self._clock.now_ns < self.deadline_ns:
            return
        if not (self._health.connected and self._health.reconciled):
            self.deadline_ns = NEVER_NS  # `on_reconciled` begins again
            return
        self._request_id = self._out.next_request_id()
        self._out.send(RequestSnapshot(self._request_id, 0))
        self._look_in(max(self._config.compare_every_ns, self._config.snapshot_timeout_ns))

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: the next check is no further ahead than one planned now."""
        if self.deadline_ns != NEVER_NS:
            self.deadline_ns = min(self.deadline_ns, now_ns + self._config.compare_every_ns)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Compare with a snapshot; an incomplete one proves nothing."""
        if not self._request_id or snapshot.request_id != self._request_id:
            return
        self._request_id = 0
        if not self._health.reconciled:
            return
        wait_ns = self._config.compare_every_ns
        if self._account.is_ahead_of(snapshot):
            wait_ns = min(wait_ns, AGAIN_NS)  # something moved while it was taken
        elif snapshot.complete:
            self._health.on_modes(snapshot)
            found = differences(self._config.symbols, self._store, self._account, snapshot)
            lingering = self._lingering(snapshot)
            self._cancel_again(lingering)
            found = {key: text for key, text in found.items() if key.subject not in lingering}
            # An order about which recovery could not make us agree is told once, and recovered from once.
            self._unresolved &= found.keys()
            new = (self._suspects & found.keys()) - self._unresolved
            if new:
                lasting = sorted(new, key=lambda key: (key.kind != "position", key))
                self._unresolved |= {key for key in lasting if key.kind == "order"}
                self._out.notice("warning", "; ".join(found[key] for key in lasting))
                self._on_differs("the exchange's state differs from ours and no event explains it")
                return
            self._suspects = frozenset(found)
            if lingering or found.keys() - self._unresolved:
                wait_ns = min(wait_ns, AGAIN_NS)
            else:
                self._account.on_snapshot(snapshot, self._config.symbols)
                self._on_agreed(snapshot.time_ns)
        self._look_in(wait_ns)

    def _lingering(self, snapshot: Snapshot) -> dict[str, Order]:
        """Own orders that rest at the exchange though they have ended here, or no leg wants them. A young one
        may still be on its way."""
        found: dict[str, Order] = {}
        for update in snapshot.open_orders:
            order = self._store.find(update)
            is_old = update.transaction_time_ns <= snapshot.time_ns - YOUNG_NS
            if order is not None and is_old and not self._trades.wants(order):
                found[order.client_order_id] = order
        return found

    def _cancel_again(self, lingering: Mapping[str, Order]) -> None:
        """Cancel those that were there at the last check too; each is reported once."""
        for key in sorted(lingering.keys() & self._lingered):
            order = lingering[key]
            if key not in self._told:
                here = "is not wanted" if order.is_open else f"is {order.state} here"
                text = f"{order.intent.symbol}: order {key} rests at the exchange and {here}"
                self._out.notice("warning", f"{text}: it is cancelled again")
            self._trades.resting.drop(order, "not wanted")
        self._told = (self._told | self._lingered) & lingering.keys()
        self._lingered = frozenset(lingering)

    def _look_in(self, delay_ns: int) -> None:
        self.deadline_ns = self._clock.now_ns + delay_ns if self._config.compare_every_ns else NEVER_NS


def differences(
    symbols: tuple[str, ...], store: OrderStore, account: AccountStateStore, snapshot: Snapshot
) -> Mapping[Difference, str]:
    """Where positions and open orders of those symbols differ between engine and exchange, as sentences."""
    found: dict[Difference, str] = {}
    for symbol in symbols:
        theirs = sum((one.qty_base for one in snapshot.positions if one.symbol == symbol), ZERO)
        ours = account.position(symbol).qty_base
        if theirs != ours:
            found[Difference("position", symbol, str(theirs - ours))] = (
                f"{symbol}: the exchange holds {plain(theirs)}, our fills make {plain(ours)}"
            )
    listed = set()
    for update in snapshot.open_orders:
        order = store.find(update)
        name = update.client_order_id or str(update.exchange_order_id)
        if order is not None:
            listed.add(order.client_order_id)
        if order is None or not order.is_open:
            here = "is not known here" if order is None else f"is {order.state} here"
            found[Difference("order", update.symbol, name)] = (
                f"{update.symbol}: order {name} rests at the exchange and {here}"
            )
    for order in store.open_orders():
        intent, key = order.intent, order.client_order_id
        is_young = intent.time_ns > snapshot.time_ns - YOUNG_NS
        if intent.symbol in symbols and key not in listed and order.state not in UNSETTLED and not is_young:
            found[Difference("order", intent.symbol, key)] = (
                f"{intent.symbol}: order {key} is {order.state} here and does not rest at the exchange"
            )
    return found
