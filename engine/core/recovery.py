"""Reconciliation: subscribe, take a full snapshot of the exchange, compare, then trade.

The same happens after every cut of the link and after every gap in the order events. What we did not
send is EXTERNAL: shown, never adopted silently. A position that our fills do not explain is accepted as
an adjustment only when two complete snapshots agree and no order of ours is unsettled; fills are never
invented.
"""

from collections.abc import Callable

from engine.account.state import AccountStateStore, PositionMismatch
from engine.execution.sending.order_executor import OrderExecutor
from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.records import AccountKnown, OrderReport
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.orders.order_store import Applied, Order, OrderStore
from engine.orders.reconcile import Finding, reconcile_orders
from engine.risk.health import Health
from gateways.wire.messages import Reply, RequestSnapshot, Snapshot, Subscribe

_OVERLAP_NS = 60 * SECOND_NS
_AGAIN_NS = 2 * SECOND_NS
_SETTLE_NS = 200_000_000
_DRIFT_NS = 5 * SECOND_NS
_MAX_ROUNDS = 15
"""So often fills are asked for that the exchange says exist, before positions are compared without them."""
_LOUD = frozenset(
    {"external_order", "external_fill", "left_behind", "position", "hedge_mode", "missing_fill"}
)


class Recovery:
    """Reconciles our state with the exchange's.

    `on_applied` is called with every report that changed something, `on_done` each time the comparison ends
    well.
    """

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        out: Outbox,
        health: Health,
        store: OrderStore,
        account: AccountStateStore,
        executor: OrderExecutor,
        streams: tuple[str, ...],
        on_applied: Callable[[Applied], None],
        on_done: Callable[[], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._health = health
        self._store = store
        self._account = account
        self._executor = executor
        self._streams = streams
        self._on_applied = on_applied
        self._on_done = on_done
        self._request_id = 0
        self._subscription_id = 0
        self._asked: frozenset[str] = frozenset()
        self._suspects: tuple[PositionMismatch, ...] = ()
        self._rounds = 0
        self._shown: set[str] = set()
        self.account_id = ""
        """The exchange's name of the account that the journal is about ("": not told yet)."""
        self.last_fill_ns = 0
        self.written_ns = 0
        """When the last record of the journal was written (0: it was empty)."""
        self.agreed_ns = 0
        """When positions were last seen to be the same here and there (0: never)."""
        self.deadline_ns = NEVER_NS

    def on_link_up(self) -> None:
        """Subscribe to market data, then request a full snapshot."""
        out = self._out
        config = self._config
        self._subscription_id = out.next_request_id()
        out.send(Subscribe(out.last_request_id, config.symbols, self._streams, config.depth_levels))
        self.begin("connected")

    def on_reply(self, reply: Reply) -> None:
        """Report a refused subscription: without market data nothing is decided."""
        if reply.request_id == self._subscription_id and reply.outcome != "ok":
            text = f"the subscription of market data was not accepted: {reply.outcome} {reply.code}"
            self._out.notice("critical", f"{text} {reply.message}".rstrip())

    def on_link_down(self) -> None:
        """Nothing can be compared."""
        self._request_id = 0
        self.deadline_ns = NEVER_NS

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: a missing answer is requested again soon."""
        if self.deadline_ns != NEVER_NS:
            self.deadline_ns = min(self.deadline_ns, now_ns + _AGAIN_NS)

    def begin(self, why: str) -> None:
        """Start reconciling; entries wait until it succeeds."""
        if self._health.reconciled or not self._request_id:
            self._out.notice("info", f"reconciling with the exchange: {why}")
        self._health.reconciled = False
        self._suspects = ()
        self._asked = frozenset()
        self._rounds = 0
        self._ask()

    def on_missing_fill(self, applied: Applied) -> None:
        """A query says that an order has filled: only the account's history has the fills themselves.

        What the stream or a submit's answer says so early, the stream's next event brings.
        """
        order, update = applied.order, applied.update
        if update is None or update.source != "query" or not self._health.connected:
            return
        if self._health.reconciled:
            self.begin(f"order {order.client_order_id} has fills that were not seen")

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Compare with a full snapshot."""
        if snapshot.request_id != self._request_id:
            return
        if snapshot.account_id and not self.account_id:
            self.account_id = snapshot.account_id
            self._out.append(AccountKnown(snapshot.account_id, self._clock.now_ns))
        self._account.on_snapshot(snapshot, self._config.symbols)
        self._health.on_modes(snapshot)
        result = reconcile_orders(self._store, snapshot, self._config.symbols)
        for applied in result.applied:
            if applied.update is not None:
                self._out.append(OrderReport(applied.update, self._clock.now_ns))
            self._on_applied(applied)
        for finding in result.findings:
            self._show(finding)
        for key in result.to_query:
            self._executor.query_soon(key)
        if not result.complete:
            self._wait(_AGAIN_NS)
            return
        asked, asked_before = frozenset(result.to_query), self._asked
        self._asked = asked
        if asked or any(one.intent.symbol in self._config.symbols for one in self._store.unsettled()):
            # The first answers come at once. After that only time helps, and snapshots are heavy requests.
            self._wait(_AGAIN_NS if asked & asked_before else _SETTLE_NS)
        else:
            self._compare_positions(snapshot.time_ns)

    def on_time(self) -> None:
        """A snapshot did not come, or orders had to be settled first."""
        if self._clock.now_ns < self.deadline_ns:
            return
        self.deadline_ns = NEVER_NS
        if not self._health.connected:
            return
        if self._health.reconciled:
            drifted = self._mismatches(self._clock.exchange_now_ns - _DRIFT_NS)
            for one in drifted:
                self._out.notice("warning", one.text)
            if drifted:
                self.begin("the exchange's position is not the sum of our fills")
            elif self._mismatches():
                self.watch_position()
            return
        self._ask()

    def on_agreed(self, time_ns: int) -> None:
        """A regular check found no difference: no earlier fill is missing."""
        self.agreed_ns = max(self.agreed_ns, time_ns)

    def watch_position(self) -> None:
        """A position changed: check soon that the exchange's position is the sum of our fills."""
        if self._health.reconciled:
            self.deadline_ns = min(self.deadline_ns, self._clock.now_ns + _DRIFT_NS + SECOND_NS)

    def _mismatches(self, settled_before_ns: int | None = None) -> tuple[PositionMismatch, ...]:
        """Positions that differ, of the symbols we trade."""
        found = self._account.mismatches(settled_before_ns)
        return tuple(one for one in found if one.symbol in self._config.symbols)

    def _compare_positions(self, at_ns: int) -> None:
        if self._incomplete() and self._rounds < _MAX_ROUNDS:
            self._rounds += 1
            self._wait(_AGAIN_NS)
            return
        found = self._mismatches()
        same = [(one.symbol, one.venue_base - one.ours_base) for one in found]
        before = [(one.symbol, one.venue_base - one.ours_base) for one in self._suspects]
        if found and same != before:
            self._suspects = found
            self._wait(_AGAIN_NS)
            return
        for mismatch in found:
            adjustment = mismatch.adjustment(self._clock.now_ns, "two complete snapshots agree")
            self._out.append(adjustment)
            self._account.on_adjustment(adjustment)
            self._out.notice(
                "critical",
                f"{mismatch.text}; the difference is booked as EXTERNAL",
            )
        self._suspects = ()
        self.agreed_ns = at_ns
        self._health.reconciled = True
        self._health.ever_reconciled = True
        self.deadline_ns = NEVER_NS
        self._request_id = 0
        self._on_done()

    def _ask(self) -> None:
        self._request_id = self._out.next_request_id()
        since = max(1, self._fills_wanted_since() - _OVERLAP_NS)
        self._out.send(RequestSnapshot(self._request_id, since))
        self.deadline_ns = self._clock.now_ns + self._config.snapshot_timeout_ns

    def _fills_wanted_since(self) -> int:
        """From the last fill we have, else the end of the journal we began with, or the time until which none
        was missing where that is earlier, and from the first order that may have one we have not."""
        since = self.last_fill_ns or self.written_ns or self._clock.exchange_now_ns
        since = min(since, self.agreed_ns or since)
        for order in (*self._store.open_orders(), *self._incomplete()):
            if order.intent.symbol in self._config.symbols:
                since = min(since, order.intent.time_ns)
        return since

    def _incomplete(self) -> list[Order]:
        """Orders of which the exchange reports more filled than our fills add up to."""
        symbols = self._config.symbols
        closed = (order for order in self._store.closed_orders() if order.intent.symbol in symbols)
        return [order for order in closed if order.evidence.missing_base]

    def _wait(self, delay_ns: int) -> None:
        self.deadline_ns = self._clock.now_ns + delay_ns

    def _show(self, finding: Finding) -> None:
        """Report each finding once."""
        if finding.text in self._shown:
            return
        if len(self._shown) > 10_000:
            self._shown.clear()
        self._shown.add(finding.text)
        self._out.notice("warning" if finding.kind in _LOUD else "info", finding.text)
