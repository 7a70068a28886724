"""The one door to the exchange: every order is checked by the risk manager and then handed on."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from engine.account.state import AccountStateStore
from engine.core.config import EngineConfig
from engine.core.context import Clock, Touch
from engine.core.health import Health
from engine.execution.client_ids import client_order_id
from engine.execution.lots import decimal_of, price_to_tick
from engine.execution.order_executor import OrderExecutor
from engine.execution.order_store import OrderStore
from engine.risk.context import RiskContext
from engine.risk.limits import Verdict
from engine.risk.manager import RiskManager
from engine.storage.records import Intent
from gateways.wire.messages import Instrument, Side

ZERO = Decimal(0)
DUPLICATE = Verdict(False, "duplicate", "this very order exists already")
DISCONNECTED = Verdict(False, "connection", "there is no connection to the gateway")


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
        self.instruments: dict[str, Instrument] = {}
        self.caused_by_receive_ns = 0

    def intent(
        self,
        owner: str,
        symbol: str,
        side: Side,
        order_type: str,
        qty_base: Decimal,
        *,
        cause: str,
        leg: str,
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
            cause,
            leg,
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
        if not self._health.connected:
            return DISCONNECTED
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
        symbol = intent.symbol
        health = self._health
        buys = sells = ZERO
        for order in self._store.open_orders(symbol):
            if order.intent.reduce_only:
                continue
            if order.intent.side == "BUY":
                buys += order.unfilled_base
            else:
                sells += order.unfilled_base
        mark = self._price(symbol)
        ours, venue = self._account.position(symbol).qty_base, self._account.venue_base(symbol)
        return RiskContext(
            now_ns=self._clock.now_ns,
            mark_price=mark,
            reference_price=self._reference(intent, mark),
            position_base=venue if abs(venue) > abs(ours) else ours,
            open_buy_base=buys,
            open_sell_base=sells,
            other_notional_quote=self._other_notional(symbol),
            open_orders=self._store.open_count,
            equity_quote=self._account.equity,
            daily_pnl_quote=self._account.daily_pnl,
            connected=health.connected,
            data_fresh=health.is_fresh(symbol),
            reconciled=health.reconciled and health.streams_ok,
            clock_ok=health.clock_ok,
            journal_ok=health.journal_ok,
            paused=health.paused,
            strategy_running=running,
        )

    def _price(self, symbol: str) -> Decimal:
        """Mark price, else the middle of the book."""
        mark = self._account.mark(symbol)
        if mark:
            return mark
        touch = self._touches[symbol]
        return decimal_of(touch.mid) if touch.bid > 0.0 else ZERO

    def _reference(self, intent: Intent, mark: Decimal) -> Decimal:
        """What the order is expected to pay."""
        if intent.price is not None:
            return intent.price
        touch = self._touches[intent.symbol]
        best = touch.ask if intent.side == "BUY" else touch.bid
        if best <= 0.0:
            return mark
        instrument = self.instruments.get(intent.symbol)
        return decimal_of(best) if instrument is None else price_to_tick(best, instrument.price_tick)

    def _other_notional(self, symbol: str) -> Decimal:
        total = ZERO
        for other in self._config.symbols:
            if other == symbol:
                continue
            size = abs(self._account.position(other).qty_base)
            for order in self._store.open_orders(other):
                if not order.intent.reduce_only:
                    size += order.unfilled_base
            if size:
                total += size * self._price(other)
        return total
