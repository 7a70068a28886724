"""The one door to the exchange: every order is checked by the risk manager and then handed on."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.order_executor import OrderExecutor
from engine.model.cause import Cause
from engine.model.config import EngineConfig
from engine.model.context import Clock, Touch
from engine.model.leg import Leg
from engine.model.limits import Verdict
from engine.model.lots import decimal_of
from engine.model.records import Intent
from engine.orders.client_ids import client_order_id
from engine.orders.order_store import OrderStore
from engine.risk.context import RiskContext, context_for
from engine.risk.health import Health
from engine.risk.manager import RiskManager
from gateways.wire.messages import Instrument, Side

ZERO = Decimal(0)
DUPLICATE = Verdict(False, reason="this very order exists already", fate="duplicate")


class Placed(msgspec.Struct, frozen=True):
    """What became of a wish: the verdict, and the order's id when it was sent."""

    verdict: Verdict
    client_order_id: str = ""


class OrderGate:
    """Gathers the facts for the risk manager, asks it, and sends what it allows."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        health: Health,
        touches: Mapping[str, Touch],
        store: OrderStore,
        account: AccountStateStore,
        risk: RiskManager,
        executor: OrderExecutor,
    ) -> None:
        self._config = config
        self._clock = clock
        self._health = health
        self._touches = touches
        self._store = store
        self._account = account
        self._risk = risk
        self._executor = executor
        self.instruments: Mapping[str, Instrument] = health.instruments
        self.show_price = health.show_price
        self.owners: dict[str, list[str]] = {}
        """Strategies by the symbols they trade."""
        self.caused_by_receive_ns = 0

    @property
    def is_killed(self) -> bool:
        """Whether an operator has said kill, and not yet resume."""
        return self._health.operator.killed is not None

    @property
    def stopped_until_ns(self) -> int:
        """Until when no request can leave; 0: it can."""
        return self._health.stopped_until_ns

    def intent(
        self,
        owner: str,
        symbol: str,
        side: Side,
        order_type: str,
        qty_base: Decimal,
        *,
        cause: Cause,
        leg: Leg,
        attempt: int = 0,
        price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: str = "",
        reduce_only: bool = False,
        is_exit: bool = False,
        signal: str = "",
    ) -> Intent:
        """An order to be, with the id that its cause gives it."""
        key = client_order_id(
            self._config.engine_id, strategy=owner, symbol=symbol, cause=cause, leg=leg, attempt=attempt
        )
        return Intent(
            key,
            owner,
            symbol,
            side,
            order_type,
            qty_base,
            cause.text,
            leg.text,
            attempt,
            self._clock.now_ns,
            price,
            stop_price,
            time_in_force,
            reduce_only,
            False,
            is_exit,
            signal,
        )

    def check(self, intent: Intent, *, running: bool = True) -> Verdict:
        """What the risk manager says, without sending anything."""
        if intent.reduce_only or intent.close_position:
            return self._risk.validate_exit(intent, is_connected=self._health.connected)
        return self._risk.validate_order(intent, self._context(intent, running=running))

    def place(self, intent: Intent, *, running: bool = True) -> Placed:
        """Check an order and send it."""
        if self._store.was_used(intent.client_order_id):
            return Placed(DUPLICATE)
        verdict = self.check(intent, running=running)
        if not verdict.allowed:
            return Placed(verdict)
        self._executor.submit(intent, self.caused_by_receive_ns)
        self._risk.note_sent(self._clock.now_ns)
        return Placed(verdict, intent.client_order_id)

    def _context(self, intent: Intent, *, running: bool) -> RiskContext:
        """The facts as of now. An order is valued at the touch it would meet."""
        symbol, account = intent.symbol, self._account
        touch = self._touches[symbol]
        best = touch.ask if intent.side == "BUY" else touch.bid
        owned = sum(
            (account.strategy_position(owner, symbol).qty_base for owner in self.owners.get(symbol, ())), ZERO
        )
        return context_for(
            symbol,
            now_ns=self._clock.now_ns,
            orders=self._store,
            account=account,
            gates=(self._health.account_facts(), self._health.symbol_facts(symbol)),
            strategy_running=running,
            foreign_base=account.position(symbol).qty_base - owned,
            reference_price=decimal_of(best) if best > 0.0 else ZERO,
        )
