"""The exchange's state, and the list of changes since the last commit.

The rules are in other modules, as functions over `ExchangeState`; this one only stores, indexes, counts
and records changes. Everything is bounded: closed orders, fills, income rows and conditional orders are
kept up to the limits below; the oldest are dropped first.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from gateways.simulator.exchange.model.accounts import (
    ZERO,
    Account,
    IncomeRecord,
    MarginChange,
    Position,
    SymbolConfig,
)
from gateways.simulator.exchange.model.book import Book, Entry
from gateways.simulator.exchange.model.errors import refusal
from gateways.simulator.exchange.model.events import ForcedOrder, Listener, UserEvent
from gateways.simulator.exchange.model.orders import AlgoOrder, Amendment, Order, UserTrade
from gateways.simulator.exchange.model.symbols import SymbolSpec

MAX_CLOSED_ORDERS = 20_000
MAX_USER_TRADES = 50_000
MAX_INCOME = 50_000
MAX_CLOSED_ALGOS = 5_000
MAX_AMENDMENTS = 5_000
MAX_FORCED_ORDERS = 1_000
MAX_MARGIN_CHANGES = 5_000
MAX_FUNDING_ROWS = 1_000
FIRST_ORDER_ID = 8_000_000_001
FIRST_ALGO_ID = 1_000_000_000_000_001
ID_BLOCK = 1_000_000
"""Ids for market data are reserved in blocks of this size, so that a restart never reuses one."""


@dataclass(slots=True)
class FundingRow:
    """One settled funding of a symbol."""

    symbol: str
    rate: Decimal
    time_ms: int
    mark_price: Decimal


@dataclass(slots=True)
class Counters:
    """The last id used of each kind, and the ceilings up to which market ids are reserved."""

    order: int = FIRST_ORDER_ID - 1
    algo: int = FIRST_ALGO_ID - 1
    transaction: int = 0
    amendment: int = 0
    priority: int = 0
    update: int = 0
    update_ceiling: int = 0
    insurance_fund: Decimal = Decimal(1_000_000_000)
    state_id: str = ""
    """Random id of the state folder ("" in old ones), in every record, so that files of different folders
    are not mixed up."""


@dataclass(slots=True)
class MarketFacts:
    """The part of a market's state that survives a restart."""

    symbol: str
    trade_ceiling: int = 0
    next_funding_ms: int = 0
    last_funding_rate: Decimal = Decimal("0.0001")
    pinned_rate: Decimal | None = None
    pinned_mark: Decimal | None = None
    last_mark: Decimal = ZERO
    """Mark price and last trade at the time of the record; used after a restart until the market moves."""
    last_ticks: int = 0


@dataclass(slots=True)
class MarketState:
    """One symbol's market while it runs."""

    spec: SymbolSpec
    facts: MarketFacts
    book: Book = field(default_factory=Book)
    trade_id: int = 0
    last_ticks: int = 0
    index: Decimal = ZERO
    mark: Decimal = ZERO
    next_mark_ms: int = 0
    basis: deque[Decimal] = field(default_factory=lambda: deque(maxlen=60))
    premium_sum: Decimal = ZERO
    premium_weight: int = 0
    premium_samples: int = 0
    entries: dict[int, Entry] = field(default_factory=dict)
    path: list[int] = field(default_factory=list)
    """Trade prices since conditional orders were last checked; recorded only while there are some."""
    mark_moved: bool = False
    restored: bool = False
    waiting: dict[int, AlgoOrder] = field(default_factory=dict)
    """Waiting conditional orders of all accounts on this symbol, oldest first."""
    returning: list[Order] = field(default_factory=list)
    """Restored orders to put back once the market has filled the book."""
    funding_history: deque[FundingRow] = field(default_factory=lambda: deque(maxlen=MAX_FUNDING_ROWS))

    @property
    def last_price(self) -> Decimal:
        """Return the price of the last trade, 0 before the first."""
        return self.spec.ticks_to_price(self.last_ticks)


@dataclass(slots=True)
class AccountState:
    """One account with everything it owns."""

    account: Account
    orders: dict[int, Order] = field(default_factory=dict)
    open_by_symbol: dict[str, dict[int, Order]] = field(default_factory=dict)
    by_client_id: dict[str, int] = field(default_factory=dict)
    open_client_ids: set[str] = field(default_factory=set)
    closed: deque[int] = field(default_factory=deque)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    algo_by_client_id: dict[str, int] = field(default_factory=dict)
    open_algos: dict[int, AlgoOrder] = field(default_factory=dict)
    closed_algos: deque[int] = field(default_factory=deque)
    trades: deque[UserTrade] = field(default_factory=lambda: deque(maxlen=MAX_USER_TRADES))
    income: deque[IncomeRecord] = field(default_factory=lambda: deque(maxlen=MAX_INCOME))
    amendments: deque[Amendment] = field(default_factory=lambda: deque(maxlen=MAX_AMENDMENTS))
    forced: deque[ForcedOrder] = field(default_factory=lambda: deque(maxlen=MAX_FORCED_ORDERS))
    margin_changes: deque[MarginChange] = field(default_factory=lambda: deque(maxlen=MAX_MARGIN_CHANGES))
    in_liquidation: bool = False

    def open_of(self, symbol: str) -> dict[int, Order]:
        """Return the open ordinary orders of a symbol by id."""
        return self.open_by_symbol.get(symbol, {})

    def config(self, symbol: str) -> SymbolConfig:
        """Return the settings of a symbol, the defaults when it has none of its own."""
        return self.account.configs.get(symbol) or SymbolConfig()

    def own_config(self, symbol: str) -> SymbolConfig:
        """Return the settings of a symbol for changing them."""
        return self.account.configs.setdefault(symbol, SymbolConfig())

    def position(self, symbol: str, position_side: str) -> Position:
        """Return a position, made on first use."""
        key = f"{symbol}:{position_side}"
        position = self.account.positions.get(key)
        if position is None:
            position = self.account.positions[key] = Position(symbol, position_side)
        return position

    def lots(self, symbol: str, position_side: str) -> int:
        """Return the signed lots of a position without making one."""
        position = self.account.positions.get(f"{symbol}:{position_side}")
        return position.lots if position else 0

    def held(self, symbol: str | None = None) -> list[Position]:
        """Return the positions that are not flat, in a fixed order."""
        return [
            position
            for key, position in sorted(self.account.positions.items())
            if position.lots and (symbol is None or position.symbol == symbol)
        ]


@dataclass(slots=True)
class Dirty:
    """What changed since the last commit."""

    orders: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    trades: list[UserTrade] = field(default_factory=list)
    income: list[IncomeRecord] = field(default_factory=list)
    amendments: list[tuple[str, Amendment]] = field(default_factory=list)
    forced: list[ForcedOrder] = field(default_factory=list)
    margin_changes: list[MarginChange] = field(default_factory=list)
    funding: list[FundingRow] = field(default_factory=list)
    markets: dict[str, MarketFacts] = field(default_factory=dict)
    specs: dict[str, SymbolSpec] = field(default_factory=dict)
    counters: bool = False

    def any(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(
            self.counters
            or self.orders
            or self.accounts
            or self.algos
            or self.markets
            or self.income
            or self.funding
            or self.specs
        )


class ExchangeState:
    """Markets, accounts, counters, and the listener for events."""

    def __init__(self, specs: dict[str, SymbolSpec], listener: Listener) -> None:
        self.specs = dict(specs)
        self.listener = listener
        self.now_ms = 0
        self.counters = Counters()
        self.dirty = Dirty()
        self.accounts: dict[str, AccountState] = {}
        self.gtd_orders: dict[int, Order] = {}
        self.closed_children: list[Order] = []
        """Closed orders of conditional orders that have not sent FINISHED yet."""
        self.replaced_specs: set[str] = set()
        self.markets = {
            symbol: MarketState(spec=spec, facts=MarketFacts(symbol)) for symbol, spec in self.specs.items()
        }

    # Lookups.

    def market(self, symbol: str) -> MarketState:
        """Return a market; -1121 for an unknown symbol."""
        market = self.markets.get(symbol)
        if market is None:
            raise refusal(-1121)
        return market

    def user(self, account_id: str) -> AccountState:
        """Return an account; KeyError for an unknown one (API keys only refer to existing accounts)."""
        return self.accounts[account_id]

    def emit(self, account_id: str, event: UserEvent) -> None:
        """Send one user event to the listener."""
        self.listener.on_user(account_id, event)

    # Ids.

    def next_order_id(self) -> int:
        """Return a new order id."""
        self.counters.order += 1
        self.dirty.counters = True
        return self.counters.order

    def next_algo_id(self) -> int:
        """Return a new conditional order id."""
        self.counters.algo += 1
        self.dirty.counters = True
        return self.counters.algo

    def next_transaction_id(self) -> int:
        """Return a new income transaction id."""
        self.counters.transaction += 1
        self.dirty.counters = True
        return self.counters.transaction

    def next_amendment_id(self) -> int:
        """Return a new amendment id."""
        self.counters.amendment += 1
        self.dirty.counters = True
        return self.counters.amendment

    def next_priority(self) -> int:
        """Return a new time priority."""
        self.counters.priority += 1
        self.dirty.counters = True
        return self.counters.priority

    def next_trade_id(self, market: MarketState) -> int:
        """Return a new trade id of a symbol, reserving the next block well in advance."""
        market.trade_id += 1
        if market.trade_id + ID_BLOCK // 2 > market.facts.trade_ceiling:
            self._reserve_trade_ids(market)
        return market.trade_id

    def _reserve_trade_ids(self, market: MarketState) -> None:
        market.facts.trade_ceiling = market.trade_id + ID_BLOCK
        self.dirty.markets[market.spec.symbol] = market.facts

    def next_update_id(self) -> int:
        """Return a new market data update id."""
        counters = self.counters
        counters.update += 1
        if counters.update + ID_BLOCK // 2 > counters.update_ceiling:
            counters.update_ceiling = counters.update + ID_BLOCK
            self.dirty.counters = True
        return counters.update

    def reserve_ids(self) -> None:
        """Reserve the first block of every market id; commit it before the market starts."""
        self.counters.update_ceiling = self.counters.update + ID_BLOCK
        self.dirty.counters = True
        for market in self.markets.values():
            self._reserve_trade_ids(market)

    # Changes.

    def replace_spec(self, spec: SymbolSpec) -> None:
        """Replace the specification of a symbol."""
        self.markets[spec.symbol].spec = spec
        self.specs[spec.symbol] = spec
        self.replaced_specs.add(spec.symbol)
        self.dirty.specs[spec.symbol] = spec

    def touch_account(self, user: AccountState) -> None:
        """Note that an account's balances, positions or settings changed."""
        user.account.update_time_ms = self.now_ms
        self.dirty.accounts[user.account.account_id] = user.account

    def add_order(self, user: AccountState, order: Order) -> None:
        """Index a new open order."""
        user.orders[order.order_id] = order
        user.open_by_symbol.setdefault(order.symbol, {})[order.order_id] = order
        user.by_client_id[order.client_order_id] = order.order_id
        user.open_client_ids.add(order.client_order_id)
        if order.good_till_date:
            self.gtd_orders[order.order_id] = order
        self.dirty.orders[order.order_id] = order

    def close_order(self, user: AccountState, order: Order) -> None:
        """Move an order that is no longer open into history."""
        user.open_by_symbol.get(order.symbol, {}).pop(order.order_id, None)
        user.open_client_ids.discard(order.client_order_id)
        self.gtd_orders.pop(order.order_id, None)
        self.dirty.orders[order.order_id] = order
        if order.algo_id:
            self.closed_children.append(order)
        user.closed.append(order.order_id)
        while len(user.closed) > MAX_CLOSED_ORDERS:
            self.forget_order(user, user.closed.popleft())

    @staticmethod
    def forget_order(user: AccountState, order_id: int) -> None:
        """Drop a closed order from memory."""
        order = user.orders.pop(order_id, None)
        if order is not None and user.by_client_id.get(order.client_order_id) == order_id:
            del user.by_client_id[order.client_order_id]

    def add_algo(self, user: AccountState, algo: AlgoOrder) -> None:
        """Index a new waiting conditional order."""
        user.algos[algo.algo_id] = algo
        user.algo_by_client_id[algo.client_algo_id] = algo.algo_id
        user.open_algos[algo.algo_id] = algo
        self.markets[algo.symbol].waiting[algo.algo_id] = algo
        self.dirty.algos[algo.algo_id] = algo

    def stop_waiting(self, user: AccountState, algo: AlgoOrder) -> None:
        """Remove a conditional order from the waiting lists (triggered, cancelled, rejected)."""
        user.open_algos.pop(algo.algo_id, None)
        market = self.markets[algo.symbol]
        market.waiting.pop(algo.algo_id, None)
        if not market.waiting:
            market.path.clear()
        self.dirty.algos[algo.algo_id] = algo
        user.closed_algos.append(algo.algo_id)
        while len(user.closed_algos) > MAX_CLOSED_ALGOS:
            self.forget_algo(user, user.closed_algos.popleft())

    @staticmethod
    def forget_algo(user: AccountState, algo_id: int) -> None:
        """Drop a closed conditional order from memory."""
        algo = user.algos.pop(algo_id, None)
        if algo is not None and user.algo_by_client_id.get(algo.client_algo_id) == algo_id:
            del user.algo_by_client_id[algo.client_algo_id]

    def book_income(
        self,
        user: AccountState,
        symbol: str,
        income_type: str,
        amount: Decimal,
        info: str = "",
        trade_id: str = "",
    ) -> None:
        """Change the wallet and record the income row for it. All wallet changes go through here."""
        account = user.account
        account.wallet_balance += amount
        row = IncomeRecord(
            account_id=account.account_id,
            symbol=symbol,
            income_type=income_type,
            income=amount,
            asset=account.asset,
            info=info or income_type,
            time_ms=self.now_ms,
            tran_id=self.next_transaction_id(),
            trade_id=trade_id,
        )
        user.income.append(row)
        self.dirty.income.append(row)
        self.touch_account(user)
