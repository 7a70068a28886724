"""The one door to the exchange: every order is checked by the risk manager and then handed on."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from engine.execution.sending.order_check import OrderCheck
from engine.execution.sending.order_executor import OrderExecutor
from engine.model.cause import Cause
from engine.model.config import EngineConfig
from engine.model.context import Clock
from engine.model.leg import Leg
from engine.model.limits import Verdict
from engine.model.records import Intent
from engine.orders.client_ids import client_order_id
from engine.risk.health import Health
from gateways.wire.messages import Instrument, Side


class Placed(msgspec.Struct, frozen=True):
    """What became of a wish: the verdict, and the order's id when it was sent."""

    verdict: Verdict
    client_order_id: str = ""


class OrderGate:
    """Makes intents, has them checked, and sends those that are allowed.

    `caused_by_receive_ns`: when the tick was received that leads to the orders of the moment (0: no tick).
    """

    def __init__(
        self, config: EngineConfig, clock: Clock, health: Health, check: OrderCheck, executor: OrderExecutor
    ) -> None:
        self._config = config
        self._clock = clock
        self._health = health
        self._check = check
        self._executor = executor
        self.instruments: Mapping[str, Instrument] = health.instruments
        self.show_price = health.show_price
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

    def verdict_on_terms(self, intent: Intent) -> Verdict:
        """Whether an order may have these terms, without sending anything."""
        return self._check.verdict_on_terms(intent)

    def place(self, intent: Intent, *, running: bool = True) -> Placed:
        """Check a new order and send it. `running`: its strategy may enter."""
        verdict = self._check.verdict_on_new(intent, running=running)
        if not verdict.allowed:
            return Placed(verdict)
        self._executor.submit(intent, self.caused_by_receive_ns)
        self._check.note_sent()
        return Placed(verdict, intent.client_order_id)
