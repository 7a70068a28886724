"""Whether an order may go out: the facts for the risk manager, and what it says to them."""

from collections.abc import Mapping
from decimal import Decimal

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore
from engine.execution.sending.holdings import Holdings
from engine.model.context import Clock, Touch
from engine.model.limits import Verdict
from engine.model.lots import decimal_of
from engine.model.records import Intent
from engine.orders.order_store import OrderStore
from engine.risk.facts.context import RiskContext, context_for
from engine.risk.health import Health
from engine.risk.manager import RiskManager

ZERO = Decimal(0)
DUPLICATE = Verdict(False, reason="this very order exists already", fate="duplicate")


class OrderCheck:
    """Asks the risk manager about orders to be sent or amended."""

    def __init__(
        self,
        clock: Clock,
        health: Health,
        touches: Mapping[str, Touch],
        store: OrderStore,
        account: AccountStateStore,
        holdings: Holdings,
        risk: RiskManager,
    ) -> None:
        self._clock = clock
        self._health = health
        self._touches = touches
        self._store = store
        self._account = account
        self._holdings = holdings
        self._risk = risk

    def verdict_on_new(self, intent: Intent, *, running: bool) -> Verdict:
        """On a new order. One that can only reduce a position needs nothing but a connection."""
        if self._store.was_used(intent.client_order_id):
            return DUPLICATE
        return self.verdict_on_terms(intent, running=running)

    def verdict_on_terms(self, intent: Intent, *, running: bool = True) -> Verdict:
        """On an order that may exist already, with the price and quantity that it is to have."""
        if intent.reduce_only or intent.close_position:
            return self._risk.validate_exit(intent, is_connected=self._health.connected)
        return self._risk.validate_order(intent, self._context(intent, running=running))

    def note_sent(self) -> None:
        """An order has left: it counts for the rate of orders."""
        self._risk.note_sent(self._clock.now_ns)

    def _context(self, intent: Intent, *, running: bool) -> RiskContext:
        """The facts as of now. An order is valued at the touch it would meet."""
        symbol = intent.symbol
        touch = self._touches[symbol]
        best = touch.ask if intent.side == "BUY" else touch.bid
        return context_for(
            symbol,
            now_ns=self._clock.now_ns,
            orders=self._store,
            account=self._account,
            gates=(self._health.account_facts(), self._health.symbol_facts(symbol)),
            strategy_running=running,
            foreign_base=self._holdings.held(OPERATOR, symbol),
            reference_price=decimal_of(best) if best > 0.0 else ZERO,
        )
