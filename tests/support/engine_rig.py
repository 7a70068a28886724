"""A deciding core with a small exchange beside it, both on the same made time: no process, no socket."""

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from engine.core.engine import Engine
from engine.model.broker_settings import Sizing
from engine.model.config import MS_NS, EngineConfig, StrategySpec
from engine.model.effects import Append, Effect, Notify, Send
from engine.model.events import Event, LinkDown, LinkUp, Timer
from engine.model.limits import RiskLimits
from engine.model.timeframes import SECOND_NS
from engine.orders.client_ids import client_id_prefix
from gateways.binance.protocol.classify import refusal_of
from gateways.binance.protocol.translate import change_of, forced_close_of
from gateways.wire import messages as wire

START_NS = 1_700_000_000 * SECOND_NS
MARK_EVERY_NS = 5 * SECOND_NS
ENGINE_ID = "aaaaaa"
ZERO = Decimal(0)


def instrument(symbol: str = "BTCUSDT") -> wire.Instrument:
    """A symbol with a tick of 0.1 and a step of 0.001."""
    return wire.Instrument(
        symbol=symbol,
        base_asset="BTC",
        quote_asset="USDT",
        status="TRADING",
        price_tick=Decimal("0.1"),
        min_price=Decimal("0.1"),
        max_price=Decimal(1_000_000),
        qty_step_base=Decimal("0.001"),
        min_qty_base=Decimal("0.001"),
        max_qty_base=Decimal(1000),
        market_max_qty_base=Decimal(120),
        min_notional_quote=Decimal(5),
        price_band_up=Decimal("1.05"),
        price_band_down=Decimal("0.95"),
        max_open_orders=200,
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0004"),
        liquidation_fee=Decimal("0.0125"),
        leverage=20,
        brackets=(),
    )


def spec(name: str = "sma_crossover_inflection", **changes: object) -> StrategySpec:
    """A strategy on seconds of BTCUSDT."""
    plain: dict[str, object] = {
        "owner": f"{name}:s1",
        "name": name,
        "symbols": ("BTCUSDT",),
        "timeframe": "1s",
        "candles": "mid",
        "params": {"short": 1, "long": 2, "smoothing": 1},
        "sizing": Sizing("fixed", 0.1),
    }
    return StrategySpec(**{**plain, **changes})  # type: ignore[arg-type]


def config(*specs: StrategySpec, **changes: object) -> EngineConfig:
    """A configuration of those strategies, with limits nobody reaches."""
    plain: dict[str, object] = {
        "symbols": ("BTCUSDT",),
        "strategies": specs or (spec(),),
        "limits": RiskLimits(max_order_notional_quote=Decimal(1_000_000)),
        "environment": "demo",
        "depth_levels": 5,
        "grace_ns": 250 * MS_NS,
        "overdue_ns": 375 * MS_NS,
        "stale_after_ns": 5 * SECOND_NS,
        "max_clock_uncertainty_ns": 500 * MS_NS,
        "compare_every_ns": 60 * SECOND_NS,
        "engine_id": ENGINE_ID,
        "client_id_prefix": client_id_prefix(ENGINE_ID),
    }
    return EngineConfig(**{**plain, **changes})  # type: ignore[arg-type]


class Exchange:
    """Takes requests and makes the events that answer them. `answers` are queued until asked for.

    Market orders fill at the touch. `on_submit` may replace the answer to a submit: it returns the
    events, or None for the usual ones.
    """

    def __init__(self) -> None:
        self.bid = self.ask = Decimal(100)
        self.now_ns = START_NS
        self.position = ZERO
        self.entry_price = ZERO
        self.mark = Decimal(100)
        self.orders: dict[str, wire.OrderUpdate] = {}
        self.fills: list[wire.OrderUpdate] = []
        self.requests: list[wire.Message] = []
        self.sequence = 0
        self.trades = 0
        self.wallet = Decimal(10_000)
        self.complete = True
        self.account_id = ""
        self.rules = instrument()
        self.amends = True
        self.on_submit: Callable[[wire.SubmitOrder], list[Event] | None] = lambda _: None
        self.on_query: Callable[[wire.QueryOrder], list[Event] | None] = lambda _: None
        self.leverage = 20
        self.on_leverage: Callable[[wire.SetLeverage], list[Event]] = self.set_leverage
        self.klines: Callable[[wire.RequestKlines], list[Event]] = lambda _: []

    def ask_for(self, message: wire.Message) -> list[Event]:
        """One request; the events it causes, in order."""
        self.requests.append(message)
        if isinstance(message, wire.SubmitOrder):
            replaced = self.on_submit(message)
            return self.execute(message) if replaced is None else replaced
        if isinstance(message, wire.RequestSnapshot):
            return [self.snapshot(message.request_id, message.fills_since_ns)]
        if isinstance(message, wire.CancelOrder):
            return self.cancel(message)
        if isinstance(message, wire.AmendOrder):
            return self.amend(message)
        if isinstance(message, wire.QueryOrder):
            replaced = self.on_query(message)
            return self.query(message) if replaced is None else replaced
        if isinstance(message, wire.RequestKlines):
            return self.klines(message)
        if isinstance(message, wire.SetLeverage):
            return self.on_leverage(message)
        return []

    def set_leverage(self, message: wire.SetLeverage) -> list[Event]:
        """Take it, and state the instrument anew."""
        self.leverage = message.leverage
        return [wire.Reply(message.request_id, "ok"), self.instrument()]

    def instrument(self) -> wire.Instrument:
        """With the leverage that is set."""
        return msgspec.structs.replace(self.rules, leverage=self.leverage)

    def execute(self, order: wire.SubmitOrder) -> list[Event]:
        """Fill a market order, rest any other."""
        events: list[Event] = [
            wire.Reply(order.request_id, "ok", sent_time_ns=self.now_ns + 1000, answered_time_ns=self.now_ns)
        ]
        new = self.update(order, "NEW", "NEW", ZERO, 0)
        events.append(new)
        self.orders[order.client_order_id] = new
        if order.order_type == "MARKET":
            events.extend(self.fill(order, order.qty_base))
        return events

    def fill(self, order: wire.SubmitOrder, qty: Decimal) -> list[Event]:
        """A fill and the account update that belongs to it."""
        self.trades += 1
        done = self.orders[order.client_order_id].filled_base + qty
        status = "FILLED" if done == order.qty_base else "PARTIALLY_FILLED"
        trade = self.update(order, "TRADE", status, done, self.trades, qty)
        signed = qty if order.side == "BUY" else -qty
        if self.position * signed >= 0:
            self.entry_price = trade.last_price
        self.position += signed
        self.wallet -= trade.fee
        self.fills.append(trade)
        if status == "FILLED":
            self.orders.pop(order.client_order_id)
        else:
            self.orders[order.client_order_id] = trade
        return [trade, self.account()]

    def update(
        self,
        order: wire.SubmitOrder,
        execution: str,
        status: str,
        filled: Decimal,
        trade_id: int,
        qty: Decimal = ZERO,
    ) -> wire.OrderUpdate:
        """An order report with the next sequence."""
        self.sequence += 1
        price = (self.ask if order.side == "BUY" else self.bid) if trade_id else ZERO
        return wire.OrderUpdate(
            epoch=1,
            sequence=self.sequence,
            symbol=order.symbol,
            client_order_id=order.client_order_id,
            exchange_order_id=1 + len(order.client_order_id) + order.request_id,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            execution=execution,
            status=status,
            price=order.price or ZERO,
            stop_price=order.stop_price or ZERO,
            average_price=price,
            qty_base=order.qty_base,
            filled_base=filled,
            last_price=price,
            last_qty_base=qty,
            trade_id=trade_id,
            is_maker=False,
            fee=price * qty * Decimal("0.0004"),
            fee_asset="USDT" if trade_id else "",
            realised_pnl=ZERO,
            reduce_only=order.reduce_only,
            close_position=False,
            reason="",
            event_time_ns=self.now_ns,
            transaction_time_ns=self.now_ns,
            is_conditional=order.order_type in {"STOP_MARKET", "TAKE_PROFIT_MARKET"},
        )

    def cancel(self, message: wire.CancelOrder) -> list[Event]:
        """Cancel a resting order."""
        order = self.orders.pop(message.client_order_id, None)
        if order is None:
            return [wire.Reply(message.request_id, "not_found", -2011, "Unknown order sent.")]
        self.sequence += 1
        gone = wire.OrderUpdate(
            **{
                **{name: getattr(order, name) for name in order.__struct_fields__},
                "sequence": self.sequence,
                "execution": "CANCELED",
                "status": "CANCELED",
                "trade_id": 0,
                "last_qty_base": ZERO,
            }
        )
        return [wire.Reply(message.request_id, "ok"), gone]

    def amend(self, message: wire.AmendOrder) -> list[Event]:
        """Give a resting order new terms."""
        order = self.orders.get(message.client_order_id)
        if order is None or not self.amends:
            return [wire.Reply(message.request_id, "refused", -5022, "not amended")]
        self.sequence += 1
        self.orders[message.client_order_id] = changed = msgspec.structs.replace(
            order,
            sequence=self.sequence,
            execution="AMENDMENT",
            qty_base=message.qty_base,
            price=message.price,
            event_time_ns=self.now_ns,
            transaction_time_ns=self.now_ns,
        )
        return [wire.Reply(message.request_id, "ok"), changed]

    def query(self, message: wire.QueryOrder) -> list[Event]:
        """What is known of an order."""
        order = self.orders.get(message.client_order_id)
        known = order or next(
            (one for one in reversed(self.fills) if one.client_order_id == message.client_order_id), None
        )
        if known is None:
            return [wire.Reply(message.request_id, "not_found", -2013, "Order does not exist.")]
        told = msgspec.structs.replace(
            known, epoch=0, sequence=0, trade_id=0, last_qty_base=ZERO, fee=ZERO, source="query"
        )
        return [wire.Reply(message.request_id, "ok", order=told)]

    def account(self, reason: str = "ORDER") -> wire.AccountUpdate:
        """Balance and position now."""
        self.sequence += 1
        return wire.AccountUpdate(
            1, self.sequence, reason, self._balances(), self._positions(), self.now_ns, self.now_ns
        )

    def snapshot(self, request_id: int, fills_since_ns: int = 0) -> wire.Snapshot:
        """The whole truth."""
        return wire.Snapshot(
            request_id,
            self.complete,
            self._balances(),
            self._positions(),
            tuple(self.orders.values()),
            tuple(fill for fill in self.fills if fill.transaction_time_ns >= fills_since_ns),
            (self.instrument(),),
            False,
            False,
            1,
            self.sequence,
            self.now_ns,
            self.account_id,
        )

    def _balances(self) -> tuple[wire.Balance, ...]:
        return (wire.Balance("USDT", self.wallet, self.wallet, self.wallet),)

    def _positions(self) -> tuple[wire.PositionReport, ...]:
        return (
            wire.PositionReport(
                "BTCUSDT", "BOTH", self.position, self.entry_price, ZERO, "cross", ZERO, self.mark
            ),
        )


def in_words_of_the_wire(event: Event) -> Event:
    """What the gateway adds to an answer or report that says only what Binance said."""
    if isinstance(event, wire.Reply) and event.outcome != "ok" and not event.refusal:
        return msgspec.structs.replace(event, refusal=refusal_of(event.code))
    if isinstance(event, wire.AccountUpdate) and not event.change:
        return msgspec.structs.replace(event, change=change_of(event.reason))
    if isinstance(event, wire.OrderUpdate) and not event.forced:
        forced = forced_close_of(event.client_order_id, event.order_type)
        return msgspec.structs.replace(event, forced=forced)
    return event


class Rig:
    """An engine and an exchange. Every event and every effect is kept, in order."""

    def __init__(self, engine: Engine | None = None, exchange: Exchange | None = None) -> None:
        self.engine = engine or Engine(config())
        self.exchange = exchange or Exchange()
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.connected = False
        self.now_ns = self.exchange.now_ns
        self.marked_ns = 0

    def feed(self, event: Event) -> Sequence[Effect]:
        """One event, then what the exchange answers, in the order of the requests. Returns all effects."""
        queue = deque([event])
        caused: list[Effect] = []
        while queue:
            one = in_words_of_the_wire(queue.popleft())
            self.events.append(one)
            effects = self.engine.process(one)
            caused.extend(effects)
            for effect in effects:
                if isinstance(effect, Send) and self.connected:
                    queue.extend(self.exchange.ask_for(effect.message))
        self.effects.extend(caused)
        return caused

    def up(self) -> "Rig":
        """Connect; the exchange answers everything, and status says that all is well."""
        self.connected = True
        self.feed(LinkUp(self.now_ns, "test", 1))
        if "BTCUSDT" in self.engine.markets:
            self.mark()
        return self.status()

    def down(self) -> "Rig":
        """Cut the link."""
        self.connected = False
        self.feed(LinkDown(self.now_ns, "cut"))
        return self

    def status(self, fresh: tuple[str, ...] = ("BTCUSDT",), **changes: object) -> "Rig":
        """The gateway's report of itself."""
        plain: dict[str, object] = {
            "gateway": "test", "time_ns": self.now_ns, "fresh_symbols": fresh, "clock_offset_ns": 0,
            "streams": {"public": "up", "market": "up", "private": "up", "rest": "up"},
            "clock_uncertainty_ns": 1_000_000, "budget_used": 0, "budget_limit": 2400,
            "banned_until_ns": 0, "conflated_ticks": 0, "dropped_market_events": 0, "resyncs": 0,
        }  # fmt: skip
        self.feed(wire.GatewayStatus(**{**plain, **changes}))  # type: ignore[arg-type]
        return self

    def mark(self, price: int = 100) -> "Rig":
        """A mark price; it counts as known for 10 s."""
        self.marked_ns = self.now_ns
        self.exchange.mark = mark = Decimal(price)
        self.feed(wire.MarkPrice("BTCUSDT", mark, mark, ZERO, 0, self.now_ns, self.now_ns))
        return self

    def tick(self, seconds: float, bid: float) -> Sequence[Effect]:
        """A book tick that many seconds after the start, with a spread of 0.2. Mark prices go along."""
        self.now_ns = self.exchange.now_ns = max(self.now_ns, START_NS + int(seconds * SECOND_NS))
        time_ns = START_NS + int(seconds * SECOND_NS)
        if self.marked_ns and self.now_ns - self.marked_ns > MARK_EVERY_NS:
            self.mark(int(self.exchange.mark))
        bid = float(bid)
        self.exchange.bid, self.exchange.ask = Decimal(str(bid)), Decimal(str(round(bid + 0.2, 6)))
        return self.feed(
            wire.OrderBookTick(
                "BTCUSDT", time_ns, time_ns, time_ns, time_ns, ((bid, 1.0),), ((round(bid + 0.2, 6), 1.0),)
            )
        )

    def wait(self, seconds: float) -> Sequence[Effect]:
        """Only time passes, deadline by deadline."""
        end = self.now_ns + int(seconds * SECOND_NS)
        effects: list[Effect] = []
        while self.engine.next_deadline_ns <= end:
            self.now_ns = self.exchange.now_ns = max(self.now_ns + 1, self.engine.next_deadline_ns)
            effects.extend(self.feed(Timer(self.now_ns)))
        self.now_ns = self.exchange.now_ns = end
        effects.extend(self.feed(Timer(end)))
        return effects

    def prices(self, *bids: float, start: float = 0.0) -> "Rig":
        """One tick a second."""
        for index, bid in enumerate(bids):
            self.tick(start + index, bid)
        return self

    def sent(self, kind: type) -> list[wire.Message]:
        """Requests of one kind so far."""
        return [e.message for e in self.effects if isinstance(e, Send) and isinstance(e.message, kind)]

    def records(self, kind: type) -> list[object]:
        """Journal records of one kind so far."""
        return [e.record for e in self.effects if isinstance(e, Append) and isinstance(e.record, kind)]

    def notices(self, kind: type) -> list[object]:
        """Audit events of one kind so far."""
        return [e.event for e in self.effects if isinstance(e, Notify) and isinstance(e.event, kind)]
