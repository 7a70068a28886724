"""Keeps the code path of an order warm: a second core decides on artificial bars, and nothing leaves.

Orders are rare. By the next one, caches and branch predictors have forgotten the path, and it takes several
times as long. So a separate core, with its own state and without journal or connection, runs the same code at
short intervals: candle, strategy, exit rules, sizing, risk, id, records, frames. The result is encoded as
always and dropped. It shares no object with the trading core, except compiled code, which has no state.
"""

import dataclasses
from decimal import Decimal
from typing import cast

from engine.core.engine import Engine
from engine.journal.journal import Journal
from engine.journal.segment import frame
from engine.model.bars import Bar
from engine.model.broker_settings import Sizing
from engine.model.config import EngineConfig, StrategySpec
from engine.model.events import LinkUp
from engine.model.limits import RiskLimits
from engine.model.records import JournalRecord
from engine.model.signals import Signals
from engine.model.timeframes import SECOND_NS
from engine.shell.performer import Performer
from engine.strategies.library.ema_cross import EMACrossStrategy
from gateways.wire import messages as wire
from gateways.wire.framing import TO_GATEWAY_LIMIT, encode

SYMBOL = "REHEARSAL"
REMEMBERED_IDS = 100
STALE_AFTER_NS = 5 * SECOND_NS
PRICE = 64_000.0
_WINDOWS = {"fast": 2, "slow": 3}
_SPEC = StrategySpec(
    "rehearsal", EMACrossStrategy.name, (SYMBOL,), "1s", "mid", Sizing("fixed", 0.01), params=_WINDOWS
)
_LIMIT = Decimal(1_000_000_000)
_LIMITS = RiskLimits(
    max_order_notional_quote=_LIMIT,
    max_position_notional_quote=_LIMIT,
    max_total_notional_quote=_LIMIT,
    max_leverage=_LIMIT,
    max_open_orders=1_000,
    price_band_fraction=Decimal("0.5"),
    max_orders_per_window=10,
    order_window_ns=SECOND_NS,
    max_daily_loss_quote=_LIMIT,
)
"""Every rule is checked, none refuses."""


class PaperJournal:
    """Frames records as the journal does and drops them; there is no file."""

    accepts_entries = True

    def __init__(self) -> None:
        self.records = 0

    def append(self, record: JournalRecord) -> int:
        """Encode it."""
        self.records += 1
        frame(record, self.records, self.records - 1)
        return self.records

    def flush(self) -> None:
        """Nothing to do."""


class PaperSender:
    """Encodes requests as the wire does and drops them; there is no socket."""

    def __init__(self) -> None:
        self.last_order_id = 0
        self.orders = 0

    def send(self, message: wire.ToGateway) -> None:
        """Encode it."""
        encode(message, TO_GATEWAY_LIMIT)
        if isinstance(message, wire.SubmitOrder):
            self.orders += 1
            self.last_order_id = message.request_id


class _Insistent(EMACrossStrategy):
    """Computes its averages as always and then signals a long entry in any case."""

    def on_bar(self, bar: Bar) -> Signals:
        """Advance by one closed bar."""
        return Signals(True, False, False, False, values=super().on_bar(bar).values)


class Rehearsal:
    """Each `once` is one bar that leads to one order. It has its own clock."""

    def __init__(self, config: EngineConfig) -> None:
        self.sender = PaperSender()
        self.journal = PaperJournal()
        self.engine = core = Engine(_config(config))
        self._performer = Performer(
            core, cast(Journal, self.journal), self.sender, _ignore, lambda: self._now_ns, gives_way=False
        )
        self._now_ns = SECOND_NS
        self._updates = 0
        core.strategies.slots[0].strategy = _Insistent(**_WINDOWS)
        take = self._performer.take
        take(LinkUp(self._now_ns, "rehearsal", 1))
        self._keep_up()
        take(_snapshot(core.out.last_request_id, self._now_ns))
        for _ in range(core.strategies.slots[0].warm_left + 2):
            self.once()

    def once(self) -> None:
        """Close a bar, decide, and refuse the order, so that the next bar can try again."""
        self._now_ns += SECOND_NS
        now = self._now_ns
        self._updates += 1
        orders = self.sender.orders
        bids = ((PRICE, 1.0), (PRICE - 0.1, 1.0))
        asks = ((PRICE + 0.1, 1.0), (PRICE + 0.2, 1.0))
        self._performer.take(wire.OrderBookTick(SYMBOL, self._updates, now, now, now, bids, asks))
        if self.sender.orders > orders:
            self._performer.take(wire.Reply(self.sender.last_order_id, "refused"))
            self.engine.risk.forget_refused()  # orders that are refused repeatedly would be tried less often
        if self._updates % 8 == 0:  # before a mark price becomes too old
            self._keep_up()

    def _keep_up(self) -> None:
        now = self._now_ns
        up = dict.fromkeys(("public", "market", "private", "rest"), "up")
        self._performer.take(
            wire.GatewayStatus("rehearsal", now, up, (SYMBOL,), 0, 1_000, 0, 2400, 0, 0, 0, 0)
        )
        mark = Decimal(64_000)
        self._performer.take(wire.MarkPrice(SYMBOL, mark, mark, Decimal(0), 0, now, now))


def _config(config: EngineConfig) -> EngineConfig:
    """Configuration of a core for the rehearsal's symbol only; ids come from the same identity."""
    return dataclasses.replace(
        config,
        symbols=(SYMBOL,),
        strategies=(_SPEC,),
        limits=_LIMITS,
        stale_after_ns=STALE_AFTER_NS,
        compare_every_ns=0,
        remembered_ids=REMEMBERED_IDS,
    )


def _ignore(_events: object) -> None:
    pass


def _snapshot(request_id: int, now: int) -> wire.Snapshot:
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
        taker_fee=Decimal("0.0005"),
        liquidation_fee=Decimal("0.0125"),
        leverage=20,
        brackets=(),
    )
    wallet = Decimal(1_000_000)
    balance = wire.Balance("USDT", wallet, wallet, wallet)
    zero = Decimal(0)
    flat = wire.PositionReport(SYMBOL, "BOTH", zero, zero, zero, "cross", zero)
    return wire.Snapshot(
        request_id, True, (balance,), (flat,), (), (), (instrument,), False, False, 1, 0, now
    )
