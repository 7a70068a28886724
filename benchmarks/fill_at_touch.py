"""A deciding core and the smallest exchange that answers it, in one process without any I/O."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from engine.core.engine import Engine
from engine.model.broker_settings import Sizing
from engine.model.config import MS_NS, EngineConfig, StrategySpec
from engine.model.effects import Send
from engine.model.events import Event, LinkUp
from engine.model.limits import RiskLimits
from engine.orders.client_ids import client_id_prefix
from gateways.wire import messages as wire

SYMBOL = "BTCUSDT"
WINDOWS = ((5, 13), (10, 20), (20, 50))
"""Bars of the fast and the slow average of the three strategies."""
QTY_BASE = 0.01
FEE = Decimal("0.0005")
ZERO = Decimal(0)


def made_engine() -> Engine:
    """Three EMA crosses on 1-second mid-price candles of one symbol."""
    specs = tuple(
        StrategySpec(
            owner=f"ema_cross:e{index}",
            name="ema_cross",
            symbols=(SYMBOL,),
            timeframe="1s",
            candles="mid",
            params={"fast": fast, "slow": slow},
            sizing=Sizing("fixed", QTY_BASE),
            netting=True,
        )
        for index, (fast, slow) in enumerate(WINDOWS)
    )
    limits = RiskLimits(
        max_order_notional_quote=Decimal(10_000),
        max_position_notional_quote=Decimal(100_000),
        max_leverage=Decimal(5),
    )
    return Engine(
        EngineConfig(
            environment="demo",
            engine_id="aaaaaa",
            client_id_prefix=client_id_prefix("aaaaaa"),
            symbols=(SYMBOL,),
            strategies=specs,
            limits=limits,
            depth_levels=5,
            grace_ns=250 * MS_NS,
            overdue_ns=375 * MS_NS,
            stale_after_ns=5_000 * MS_NS,
            max_clock_uncertainty_ns=500 * MS_NS,
            compare_every_ns=60_000 * MS_NS,
        )
    )


class Market:
    """Feeds the core and fills its market orders at the best bid or ask of the newest tick."""

    def __init__(self, core: Engine, start_ns: int) -> None:
        self.orders = 0
        self.fills = 0
        self._core = core
        self._now_ns = start_ns
        self._bid = self._ask = 0.0
        self._queue: deque[Event] = deque()
        self._sequence = 0
        self._position = ZERO
        self._wallet = Decimal(1_000_000)
        self._feed(LinkUp(start_ns, "benchmark", 1))
        self.keep_alive()

    def run(self, ticks: Iterable[wire.OrderBookTick]) -> None:
        """Each tick, and what follows from it."""
        decide, finish = self._core.decide, self._core.finish
        for tick in ticks:
            effects = decide(tick)
            if effects:
                effects = [*effects, *finish()]
                self._now_ns = tick.receive_time_ns
                self._bid, self._ask = tick.bids[0][0], tick.asks[0][0]
                for effect in effects:
                    if type(effect) is Send:
                        self._answer(effect.message)
                self._drain()
        self._now_ns = tick.receive_time_ns
        self._bid, self._ask = tick.bids[0][0], tick.asks[0][0]

    def keep_alive(self) -> None:
        """What a gateway tells once a second: call it once a second of market time."""
        now = self._now_ns
        up = dict.fromkeys(("public", "market", "private", "rest"), "up")
        status = wire.GatewayStatus("benchmark", now, up, (SYMBOL,), 0, 1_000, 0, 2400, 0, 0, 0, 0)
        self._feed(status)
        mark = Decimal(str(round(self._bid, 1))) if self._bid else Decimal(64_000)
        self._feed(wire.MarkPrice(SYMBOL, mark, mark, ZERO, 0, now, now))

    def _feed(self, event: Event) -> None:
        self._queue.append(event)
        self._drain()

    def _drain(self) -> None:
        queue = self._queue
        while queue:
            for effect in self._core.process(queue.popleft()):
                if type(effect) is Send:
                    self._answer(effect.message)

    def _answer(self, message: wire.ToGateway) -> None:
        if isinstance(message, wire.SubmitOrder):
            self._fill(message)
        elif isinstance(message, wire.RequestSnapshot):
            self._queue.append(self._snapshot(message.request_id))

    def _fill(self, order: wire.SubmitOrder) -> None:
        now = self._now_ns
        self.orders += 1
        self.fills += 1
        price = Decimal(str(round(self._ask if order.side == "BUY" else self._bid, 1)))
        self._position += order.qty_base if order.side == "BUY" else -order.qty_base
        self._sequence += 2
        self._queue.append(wire.Reply(order.request_id, "ok", sent_time_ns=now, answered_time_ns=now))
        self._queue.append(
            wire.OrderUpdate(
                epoch=1,
                sequence=self._sequence - 1,
                symbol=SYMBOL,
                client_order_id=order.client_order_id,
                exchange_order_id=self.orders,
                side=order.side,
                order_type="MARKET",
                time_in_force="GTC",
                execution="TRADE",
                status="FILLED",
                price=ZERO,
                stop_price=ZERO,
                average_price=price,
                qty_base=order.qty_base,
                filled_base=order.qty_base,
                last_price=price,
                last_qty_base=order.qty_base,
                trade_id=self.orders,
                is_maker=False,
                fee=order.qty_base * price * FEE,
                fee_asset="USDT",
                realised_pnl=ZERO,
                reduce_only=order.reduce_only,
                close_position=False,
                reason="",
                event_time_ns=now,
                transaction_time_ns=now,
            )
        )
        position = wire.PositionReport(SYMBOL, "BOTH", self._position, price, ZERO, "cross", ZERO)
        account = wire.AccountUpdate(1, self._sequence, "ORDER", (), (position,), now, now)
        self._queue.append(account)

    def _snapshot(self, request_id: int) -> wire.Snapshot:
        instrument = wire.Instrument(
            symbol=SYMBOL,
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
            taker_fee=FEE,
            liquidation_fee=Decimal("0.0125"),
            leverage=20,
            brackets=(),
        )
        balance = wire.Balance("USDT", self._wallet, self._wallet, self._wallet)
        now = self._now_ns
        position = wire.PositionReport(SYMBOL, "BOTH", self._position, ZERO, ZERO, "cross", ZERO)
        return wire.Snapshot(
            request_id,
            True,
            (balance,),
            (position,),
            (),
            (),
            (instrument,),
            False,
            False,
            1,
            self._sequence,
            now,
        )
