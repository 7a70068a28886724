"""The parts of the core, made and connected."""

from abc import ABC, abstractmethod
from typing import Protocol

from engine.account.leverage import Leverages
from engine.account.margin_watch import MarginWatch
from engine.account.state import AccountStateStore
from engine.core.account_reporter import AccountReporter
from engine.core.comparison import Comparison
from engine.core.lost_records import LostRecords
from engine.core.ownership import Ownership
from engine.core.recovery import Recovery
from engine.core.symbol_market import SymbolMarket
from engine.execution.exits.stop_check import StopCheck
from engine.execution.sending.holdings import Holdings
from engine.execution.sending.order_check import OrderCheck
from engine.execution.sending.order_executor import OrderExecutor
from engine.execution.sending.order_gate import OrderGate
from engine.execution.trade_executor import TradeExecutor
from engine.market_data.aggregator import CandleAggregator
from engine.market_data.bar_watch import BarWatch
from engine.market_data.streams import wanted_streams
from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.operator_state import OperatorState
from engine.model.timeframes import timeframe_ns
from engine.orders.order_store import Applied, OrderStore
from engine.risk.gate_reporter import GateReporter
from engine.risk.health import Health
from engine.risk.manager import RiskManager
from engine.strategies.manager import StrategyManager
from runtime.control.status import Counts


class OrderNews(Protocol):
    """Acts on what the parts find out about orders."""

    def on_applied(self, applied: Applied) -> None:
        """The exchange said something new about an order."""

    def on_doubt(self, why: str) -> None:
        """Our view and the exchange's do not fit."""

    def on_reconciled(self) -> None:
        """The exchange and we agree."""


class Parts(ABC):
    """Everything the core is made of. Handlers of events and of commands are given all of it, the other parts
    only what they need.

    `earlier` counts what runs before this one did. With more than 30 attributes CPython would look each of
    them up by hash, which a tick would notice.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.out = Outbox(self.clock)
        self.operator = OperatorState()
        self.markets = {symbol: SymbolMarket(symbol) for symbol in config.symbols}
        self.store = OrderStore(config.client_id_prefix, id_capacity=config.remembered_ids)
        self.account = AccountStateStore()
        self.account.marked_symbols = frozenset(config.symbols)
        margin = MarginWatch(self.account, self.out.notice)
        news = self._make_order_news(margin)
        bars_ns = {spec.owner: timeframe_ns(spec.timeframe) for spec in config.strategies}
        self.risk = RiskManager(config.limits, bars_ns)
        self.leverages = Leverages(config, self.clock, self.out)
        self.bars = BarWatch(config.overdue_ns, self.clock, self.out)
        self.health = Health(
            config,
            self.clock,
            self.operator,
            self.markets,
            self.account,
            self.leverages,
            self.bars,
            self.store,
        )
        self.account_reporter = AccountReporter(self.out, self.account, self.health.show_price)
        self.orders = OrderExecutor(config, self.clock, self.out, self.store, news.on_applied)
        holdings = Holdings(self.account)
        check = OrderCheck(
            self.clock, self.health, self.markets, self.store, self.account, holdings, self.risk
        )
        self.gate = OrderGate(config, self.clock, self.health, check, self.orders)
        self.trades = TradeExecutor(
            self.clock,
            self.out,
            self.gate,
            self.store,
            self.account,
            holdings,
            self.orders,
            news.on_doubt,
        )
        self.stop_check = StopCheck(
            self.clock,
            self.out,
            self.gate,
            self.store,
            self.account,
            self.orders,
            self.health,
            self.markets.__getitem__,
        )
        self.strategies = StrategyManager(config, self.clock, self.out, self.trades, self.operator)
        self.ownership = Ownership(
            config, self.clock, self.out, self.operator, self.account, self.strategies, self.trades
        )
        self.candles = CandleAggregator(self.bars.watch(self.strategies.series), config.grace_ns)
        self.recovery = self._make_recovery(news)
        self.comparison = self._make_comparison()
        self.lost = self._make_lost_records()
        self.earlier = Counts()
        self.gate_reporter = GateReporter(self.health, self.clock, self.out)
        self.bars.on_change = self.gate_reporter.look_soon
        self.bars.on_trades_lost = lambda symbol: self.candles.tracks[symbol, "trade"].mark_hole()
        self._connect_strategies()

    @abstractmethod
    def _make_order_news(self, margin: MarginWatch) -> OrderNews:
        """Who acts on news of orders; made before the parts that it acts on."""

    def _make_recovery(self, news: OrderNews) -> Recovery:
        return Recovery(
            self.config,
            self.clock,
            self.out,
            self.health,
            self.store,
            self.account,
            self.orders,
            wanted_streams(self.strategies.series),
            news.on_applied,
            news.on_reconciled,
        )

    def _make_comparison(self) -> Comparison:
        return Comparison(
            self.config,
            self.clock,
            self.out,
            self.health,
            self.store,
            self.account,
            self.trades,
            self.recovery.begin,
            self.recovery.on_agreed,
        )

    def _make_lost_records(self) -> LostRecords:
        return LostRecords(
            self.config,
            self.clock,
            self.out,
            self.health,
            self.store,
            self.account,
            self.orders,
            self.trades,
            self.strategies,
        )

    def _connect_strategies(self) -> None:
        """A trader for each, and ticks to their candles."""
        symbols = [slot.symbol for slot in self.strategies.slots]
        for slot in self.strategies.slots:
            self.trades.add(slot, shared=symbols.count(slot.symbol) > 1)
        for (symbol, kind), track in self.candles.tracks.items():
            self.markets[symbol].connect(kind, track)
