"""The reading half of the exchange: prices, orders, fills, reports. Nothing here changes what it reads."""

from decimal import Decimal
from typing import Unpack

from gateways.simulator.exchange import queries
from gateways.simulator.exchange.accounts import mark_price
from gateways.simulator.exchange.model.accounts import (
    AccountSummary,
    CommissionRate,
    IncomeRecord,
    MarginChange,
    PositionRow,
)
from gateways.simulator.exchange.model.book import Book
from gateways.simulator.exchange.model.errors import refusal
from gateways.simulator.exchange.model.events import ForcedOrder
from gateways.simulator.exchange.model.orders import AlgoOrder, Amendment, Order, UserTrade
from gateways.simulator.exchange.model.state import ExchangeState, FundingRow
from gateways.simulator.exchange.model.symbols import Bracket, SymbolSpec
from gateways.simulator.exchange.orders import algo_orders
from gateways.simulator.exchange.queries import TimeWindow


class ExchangeView:
    """Queries of `Exchange`; each refusal is an `ApiError`.

    Those with a time window take `now_ms`, to which they set the exchange's clock.
    """

    def __init__(self, state: ExchangeState) -> None:
        self.state = state

    @property
    def specs(self) -> dict[str, SymbolSpec]:
        """Return the symbols by name."""
        return self.state.specs

    def book(self, symbol: str) -> Book:
        """Return the book of a symbol."""
        return self.state.market(symbol).book

    def next_deadline_ms(self) -> int:
        """Return when `advance` has something to do next."""
        deadlines = [market.next_mark_ms for market in self.state.markets.values()]
        deadlines.extend(order.good_till_date for order in self.state.gtd_orders.values())
        for user in self.state.accounts.values():
            deadlines.extend(user.account.countdowns.values())
        return min(deadlines)

    def mark_price(self, symbol: str) -> Decimal:
        """Return the mark price, 0 before there is any price."""
        return self.state.market(symbol).mark

    def index_price(self, symbol: str) -> Decimal:
        """Return the index price (the mid of the book when none was set)."""
        return mark_price.index_price(self.state.market(symbol))

    def last_price(self, symbol: str) -> Decimal:
        """Return the price of the last trade, 0 before the first."""
        market = self.state.market(symbol)
        return market.spec.ticks_to_price(market.last_ticks)

    def funding_rate(self, symbol: str) -> Decimal:
        """Return the rate the running funding period would settle at."""
        return mark_price.funding_rate(self.state.market(symbol))

    def next_funding_ms(self, symbol: str) -> int:
        """Return the time of the next funding."""
        return self.state.market(symbol).facts.next_funding_ms

    def account_ids(self) -> list[str]:
        """Return the accounts in order of creation."""
        return list(self.state.accounts)

    def order(self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None) -> Order:
        """Return an order by id (-2013 if unknown or forgotten)."""
        user = self.state.user(account_id)
        return queries.order(self.state, user, symbol, order_id, client_order_id).copy()

    def open_order(
        self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None
    ) -> Order:
        """Return an order that is open (-2013)."""
        found = self.order(account_id, symbol, order_id, client_order_id)
        if not found.is_open:
            raise refusal(-2013)
        return found

    def open_orders(self, account_id: str, symbol: str | None = None) -> list[Order]:
        """Return open ordinary orders, oldest first."""
        user = self.state.user(account_id)
        return [order.copy() for order in queries.open_orders(self.state, user, symbol)]

    def all_orders(
        self,
        account_id: str,
        symbol: str | None,
        now_ms: int,
        *,
        order_id: int | None = None,
        **window: Unpack[TimeWindow],
    ) -> list[Order]:
        """Return orders of any status, oldest first (GET allOrders)."""
        user = self.state.user(account_id)
        found = queries.all_orders(self._at(now_ms), user, symbol, order_id=order_id, **window)
        return [order.copy() for order in found]

    def user_trades(
        self,
        account_id: str,
        symbol: str,
        now_ms: int,
        *,
        order_id: int | None = None,
        from_id: int | None = None,
        **window: Unpack[TimeWindow],
    ) -> list[UserTrade]:
        """Return fills, oldest first (GET userTrades)."""
        user = self.state.user(account_id)
        return queries.user_trades(
            self._at(now_ms), user, symbol, order_id=order_id, from_id=from_id, **window
        )

    def amendments(
        self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None, limit: int = 50
    ) -> list[Amendment]:
        """Return the modifications of an order, newest first."""
        user = self.state.user(account_id)
        order = queries.order(self.state, user, symbol, order_id, client_order_id)
        found = [row for row in user.amendments if row.order_id == order.order_id]
        return found[::-1][:limit]

    def income(
        self,
        account_id: str,
        now_ms: int,
        *,
        symbol: str | None = None,
        income_type: str | None = None,
        **window: Unpack[TimeWindow],
    ) -> list[IncomeRecord]:
        """Return income rows, oldest first (default: the last seven days)."""
        user = self.state.user(account_id)
        return queries.income(self._at(now_ms), user, symbol=symbol, income_type=income_type, **window)

    def margin_changes(
        self, account_id: str, symbol: str, now_ms: int, kind: int | None = None, **window: Unpack[TimeWindow]
    ) -> list[MarginChange]:
        """Return changes of isolated margin, oldest first (default: the last 30 days)."""
        user = self.state.user(account_id)
        return queries.margin_changes(self._at(now_ms), user, symbol, kind=kind, **window)

    def forced_orders(self, account_id: str, symbol: str | None = None, limit: int = 50) -> list[ForcedOrder]:
        """Return the account's liquidation orders."""
        rows = self.state.user(account_id).forced
        found = [row for row in rows if symbol is None or row.order.symbol == symbol]
        return found[-limit:]

    def algo_order(self, account_id: str, algo_id: int | None, client_algo_id: str | None) -> AlgoOrder:
        """Return a conditional order (-2013)."""
        user = self.state.user(account_id)
        found = algo_orders.find(user, algo_id, client_algo_id)
        return queries.algo_order(user, found, self.state.now_ms).copy()

    def open_algo_orders(
        self, account_id: str, symbol: str | None = None, algo_id: int | None = None
    ) -> list[AlgoOrder]:
        """Return waiting conditional orders, oldest first."""
        if symbol is not None:
            self.state.market(symbol)
        return [
            algo.copy()
            for algo in self.state.user(account_id).open_algos.values()
            if symbol in (None, algo.symbol) and algo_id in (None, algo.algo_id)
        ]

    def all_algo_orders(
        self,
        account_id: str,
        symbol: str,
        now_ms: int,
        *,
        algo_id: int | None = None,
        **window: Unpack[TimeWindow],
    ) -> list[AlgoOrder]:
        """Return conditional orders of any status, oldest first."""
        user = self.state.user(account_id)
        found = queries.all_algo_orders(self._at(now_ms), user, symbol, algo_id=algo_id, **window)
        return [algo.copy() for algo in found]

    def account_summary(self, account_id: str) -> AccountSummary:
        """Return everything GET account, balance and accountConfig print."""
        return queries.account_summary(self.state, self.state.user(account_id))

    def position_risk(self, account_id: str, symbol: str | None = None) -> list[PositionRow]:
        """Return the rows of every symbol (v2); filter by amount or open orders for v3."""
        return queries.position_rows(self.state, self.state.user(account_id), symbol)

    def leverage(self, account_id: str, symbol: str) -> int:
        """Return the leverage in force."""
        self.state.market(symbol)
        return self.state.user(account_id).config(symbol).leverage

    def is_isolated(self, account_id: str, symbol: str) -> bool:
        """Tell whether the symbol is in isolated margin."""
        self.state.market(symbol)
        return self.state.user(account_id).config(symbol).isolated

    def brackets(self, symbol: str) -> tuple[Bracket, ...]:
        """Return the leverage brackets in force."""
        return self.state.market(symbol).spec.brackets

    def commission(self, account_id: str, symbol: str) -> CommissionRate:
        """Return the fees of the account."""
        spec = self.state.market(symbol).spec
        self.state.user(account_id)
        return CommissionRate(symbol, spec.maker_fee, spec.taker_fee, Decimal(0))

    def last_funding_rate(self, symbol: str) -> Decimal:
        """Return the rate of the last settlement."""
        return self.state.market(symbol).facts.last_funding_rate

    def funding_history(self, symbol: str) -> list[FundingRow]:
        """Return settled fundings, oldest first."""
        return list(self.state.market(symbol).funding_history)

    def _at(self, now_ms: int) -> ExchangeState:
        self.state.now_ms = now_ms
        return self.state
