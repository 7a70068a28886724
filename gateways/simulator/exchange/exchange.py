"""The exchange: one synchronous, deterministic state machine; time comes in as `now_ms`.

`Exchange` takes the commands of markets and server; the rules are in the modules it calls. After every
call that changes something, `_settle` processes the consequences: conditional orders, liquidations, and
the event that the book changed.
"""

from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b

from gateways.simulator.exchange.accounts import funding, mark_price
from gateways.simulator.exchange.accounts import settings as account_settings
from gateways.simulator.exchange.liquidation import check_account
from gateways.simulator.exchange.model.accounts import Account
from gateways.simulator.exchange.model.book import Book
from gateways.simulator.exchange.model.events import Listener
from gateways.simulator.exchange.model.orders import AlgoOrder, AlgoRequest, AmendRequest, Order, OrderRequest
from gateways.simulator.exchange.model.state import AccountState, Dirty, ExchangeState, MarketState
from gateways.simulator.exchange.model.symbol_changes import ENDED_STATUSES
from gateways.simulator.exchange.model.symbols import Bracket, SymbolSpec
from gateways.simulator.exchange.orders import actions as order_actions
from gateways.simulator.exchange.orders import algo_orders, matching
from gateways.simulator.exchange.orders.checks import admit
from gateways.simulator.exchange.orders.rules import generated_client_id

_PASSES = 100
"""Maximum rounds of conditional orders and liquidations that trigger one another."""


class Exchange:
    """Markets, accounts and orders. Every refusal is an `ApiError`.

    Markets call the methods of the first group and `after_market` once per batch of changes; the server
    calls the others, then `Persistence.commit()`, and only then answers. Queries are functions over
    `state`: `order_queries`, `history_queries`, `account_queries`.
    """

    def __init__(self, specs: dict[str, SymbolSpec], listener: Listener) -> None:
        self.state = ExchangeState(specs, listener)
        self.is_persistent = False
        """Set by `Persistence`; otherwise the list of changes is discarded after each call."""

    def book(self, symbol: str) -> Book:
        """Return the book of a symbol."""
        return self.state.market(symbol).book

    def next_deadline_ms(self) -> int:
        """Return when `advance` has to be called next."""
        deadlines = [market.next_mark_ms for market in self.state.markets.values()]
        deadlines.extend(order.good_till_date for order in self.state.gtd_orders.values())
        for user in self.state.accounts.values():
            deadlines.extend(user.account.countdowns.values())
        return min(deadlines)

    # Markets.

    def market_take(self, symbol: str, side: str, lots: int, limit_ticks: int | None, now_ms: int) -> int:
        """Match an anonymous marketable order (side of the taker); return the lots left unfilled.

        Each match is published through `on_trade`; resting orders of accounts fill in their turn. Nothing
        is matched while the symbol does not trade.
        """
        self.state.now_ms = now_ms
        market = self.state.markets[symbol]
        if not market.spec.is_trading:
            return lots
        return matching.match_anonymous(self.state, market, side, lots, limit_ticks)

    def market_limit(self, symbol: str, side: str, price_ticks: int, lots: int, now_ms: int) -> int:
        """Match an anonymous limit order and put the rest into the book; return the lots put there."""
        left = self.market_take(symbol, side, lots, price_ticks, now_ms)
        if left:
            self.state.markets[symbol].book.add(side, price_ticks, left)
        return left

    def print_trade(
        self,
        symbol: str,
        price_ticks: int,
        lots: int,
        *,
        buyer_is_maker: bool,
        now_ms: int,
        trade_id: int = 0,
    ) -> None:
        """Apply a recorded trade: publish it with `printed=True` and fill the resting orders it reaches.

        Does nothing while the symbol does not trade.
        """
        self.state.now_ms = now_ms
        market = self.state.markets[symbol]
        if not market.spec.is_trading:
            return
        matching.print_trade(
            self.state, market, price_ticks, lots, buyer_is_maker=buyer_is_maker, trade_id=trade_id
        )

    def set_index_price(self, symbol: str, price: Decimal, now_ms: int) -> None:
        """Set the index price; mark price, liquidations and MARK_PRICE triggers follow."""
        self.state.now_ms = now_ms
        self.state.market(symbol).index = price
        self._update_marks([self.state.market(symbol)])
        self._settle(symbol)

    def set_mark_price(self, symbol: str, price: Decimal | None, now_ms: int) -> None:
        """Pin the mark price (None: calculate it by the median rule)."""
        self.state.now_ms = now_ms
        market = self.state.market(symbol)
        market.facts.pinned_mark = price
        self.state.dirty.markets[symbol] = market.facts
        self._update_marks([market])
        self._settle(symbol)

    def after_market(self, symbol: str, now_ms: int) -> None:
        """Call once per batch of book changes: crossed orders, triggers, mark price, liquidations."""
        self.state.now_ms = now_ms
        market = self.state.markets[symbol]
        if market.returning:
            self._return_orders(market)
        if market.spec.is_trading and market.book.has_entries() and market.book.is_crossed():
            matching.resolve_crossing(self.state, market)
        if not market.mark:
            self._update_marks([market])
        self._settle(symbol)

    def advance(self, now_ms: int) -> None:
        """Process what is due: GTD, countdowns, funding, mark price, triggers, liquidations."""
        state = self.state
        state.now_ms = now_ms
        order_actions.expire_due(state)
        due = [market for market in state.markets.values() if market.next_mark_ms <= now_ms]
        for market in due:
            market.next_mark_ms = (now_ms // mark_price.MARK_INTERVAL_MS + 1) * mark_price.MARK_INTERVAL_MS
            mark_price.sample_premium(market)
        self._update_marks(due)
        for market in state.markets.values():
            if funding.settle_due(state, market):
                self._check_accounts()
        for symbol in state.markets:
            self._settle(symbol)

    def next_update_id(self) -> int:
        """Return a new market data update id; ids increase strictly, across restarts too."""
        return self.state.next_update_id()

    def set_funding_rate(self, symbol: str, rate: Decimal | None, now_ms: int) -> None:
        """Pin the funding rate (None: by formula)."""
        self.state.now_ms = now_ms
        market = self.state.market(symbol)
        market.facts.pinned_rate = rate
        self.state.dirty.markets[symbol] = market.facts
        self._settle(symbol)

    # Accounts.

    def create_account(self, account_id: str, wallet_balance: Decimal, now_ms: int) -> None:
        """Create an account with a USDT wallet; does nothing when it exists."""
        self.state.now_ms = now_ms
        if account_id in self.state.accounts:
            return
        alias = blake2b(f"{account_id} {now_ms}".encode(), digest_size=4).hexdigest()
        user = AccountState(Account(account_id, alias=alias))
        self.state.accounts[account_id] = user
        self.state.book_income(user, "", "TRANSFER", wallet_balance)
        self._forget_changes()

    def deposit(self, account_id: str, amount: Decimal, now_ms: int) -> None:
        """Add to (negative: take from) the wallet, with income TRANSFER and an ACCOUNT_UPDATE."""
        account_settings.deposit(self._at(now_ms), self.state.user(account_id), amount)
        self._settle_account(account_id)

    # Orders.

    def submit(self, account_id: str, request: OrderRequest, now_ms: int) -> Order:
        """Place an order; return it as it is after matching (a copy)."""
        state, user = self._at(now_ms), self.state.user(account_id)
        order = order_actions.submit(state, user, request)
        self._settle(request.symbol)
        return order.copy()

    def test_order(self, account_id: str, request: OrderRequest, now_ms: int) -> Order:
        """Check an order without placing it; return it as it would be when NEW."""
        state, user = self._at(now_ms), self.state.user(account_id)
        order = order_actions.build_order(state, user, request)
        admit(state, user, order)
        order.client_order_id = order.client_order_id or generated_client_id(0)
        return order

    def amend(self, account_id: str, request: AmendRequest, now_ms: int) -> Order:
        """Modify a limit order; it goes to the back of the queue."""
        state, user = self._at(now_ms), self.state.user(account_id)
        order = order_actions.amend(state, user, request)
        self._settle(request.symbol)
        return order.copy()

    def cancel(
        self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None, now_ms: int
    ) -> Order:
        """Cancel one open order (-2011 if there is none)."""
        state, user = self._at(now_ms), self.state.user(account_id)
        order = order_actions.cancel(state, user, symbol, order_id, client_order_id)
        self._settle(symbol)
        return order.copy()

    def cancel_all(self, account_id: str, symbol: str, now_ms: int) -> list[Order]:
        """Cancel all open ordinary orders of a symbol."""
        state, user = self._at(now_ms), self.state.user(account_id)
        orders = order_actions.cancel_all(state, user, symbol)
        self._settle(symbol)
        return [order.copy() for order in orders]

    def countdown_cancel_all(self, account_id: str, symbol: str, countdown_ms: int, now_ms: int) -> None:
        """Arm, renew or (0) stop the dead man's switch of a symbol."""
        state, user = self._at(now_ms), self.state.user(account_id)
        order_actions.countdown(state, user, symbol, countdown_ms)
        self._forget_changes()

    # Conditional orders.

    def submit_algo(self, account_id: str, request: AlgoRequest, now_ms: int) -> AlgoOrder:
        """Place a conditional order."""
        state, user = self._at(now_ms), self.state.user(account_id)
        algo = algo_orders.submit(state, user, request)
        self._settle(request.symbol)
        return algo.copy()

    def cancel_algo(
        self, account_id: str, algo_id: int | None, client_algo_id: str | None, now_ms: int
    ) -> AlgoOrder:
        """Cancel a waiting conditional order (-2011)."""
        state, user = self._at(now_ms), self.state.user(account_id)
        algo = algo_orders.cancel(state, user, algo_id, client_algo_id)
        self._forget_changes()
        return algo.copy()

    def cancel_all_algo(self, account_id: str, symbol: str, now_ms: int) -> list[AlgoOrder]:
        """Cancel all waiting conditional orders of a symbol."""
        state, user = self._at(now_ms), self.state.user(account_id)
        algos = algo_orders.cancel_all(state, user, symbol)
        self._forget_changes()
        return [algo.copy() for algo in algos]

    # Settings and reports.

    def set_leverage(self, account_id: str, symbol: str, leverage: int, now_ms: int) -> Decimal:
        """Set the leverage of a symbol; return the largest notional it allows."""
        state, user = self._at(now_ms), self.state.user(account_id)
        allowed = account_settings.set_leverage(state, user, symbol, leverage)
        self._settle_account(account_id)
        return allowed

    def set_margin_type(self, account_id: str, symbol: str, margin_type: str, now_ms: int) -> None:
        """Set ISOLATED or CROSSED."""
        state, user = self._at(now_ms), self.state.user(account_id)
        account_settings.set_margin_type(state, user, symbol, margin_type)
        self._settle_account(account_id)

    def modify_position_margin(
        self, account_id: str, symbol: str, position_side: str | None, amount: Decimal, kind: int, now_ms: int
    ) -> None:
        """Add (kind 1) or remove (kind 2) isolated margin."""
        state, user = self._at(now_ms), self.state.user(account_id)
        account_settings.modify_position_margin(state, user, symbol, position_side, amount, kind)
        self._settle_account(account_id)

    def set_position_mode(self, account_id: str, hedge_mode: bool, now_ms: int) -> None:
        """Switch between one-way and hedge mode."""
        state, user = self._at(now_ms), self.state.user(account_id)
        account_settings.set_position_mode(state, user, hedge_mode=hedge_mode)
        self._forget_changes()

    def set_multi_assets(self, account_id: str, multi_assets: bool, now_ms: int) -> None:
        """Switch multi-assets mode (a flag only: there is one asset)."""
        state, user = self._at(now_ms), self.state.user(account_id)
        account_settings.set_multi_assets(state, user, multi_assets=multi_assets)
        self._forget_changes()

    def set_fee_burn(self, account_id: str, fee_burn: bool, now_ms: int) -> None:
        """Allow or forbid fees in BNB (a flag only: there is no BNB)."""
        state, user = self._at(now_ms), self.state.user(account_id)
        account_settings.set_fee_burn(state, user, fee_burn=fee_burn)
        self._forget_changes()

    def set_brackets(self, symbol: str, brackets: tuple[Bracket, ...], now_ms: int) -> None:
        """Replace the leverage brackets (control API); liquidations may follow."""
        self.set_spec(replace(self.state.market(symbol).spec, brackets=brackets), now_ms)

    def set_spec(self, spec: SymbolSpec, now_ms: int) -> None:
        """Replace the filters, fees, status or brackets of a symbol (control API).

        The grid of the book stays: `coarse_tick` and `coarse_step` are what new orders must keep. A status of
        `ENDED_STATUSES` expires all open orders of the symbol; positions stay.
        """
        market = self.state.market(spec.symbol)
        self.state.now_ms = now_ms
        if (spec.tick_size, spec.step_size) != (market.spec.tick_size, market.spec.step_size):
            raise ValueError(f"{spec.symbol}: the grid of its book cannot change")
        self.state.replace_spec(spec)
        if spec.status in ENDED_STATUSES:
            order_actions.expire_delisted(self.state, spec.symbol)
            algo_orders.expire_delisted(self.state, market)
        self._check_accounts()
        self._settle(spec.symbol)

    def _at(self, now_ms: int) -> ExchangeState:
        self.state.now_ms = now_ms
        return self.state

    # Consequences of a change.

    def _return_orders(self, market: MarketState) -> None:
        """Put restored orders back into the book, behind the liquidity the market has placed."""
        if market.book.best_bid() is None and market.book.best_ask() is None:
            return
        orders, market.returning = market.returning, []
        for order in sorted(orders, key=lambda o: o.priority):
            matching.rest_order(self.state, order)

    def _update_marks(self, markets: list[MarketState]) -> None:
        moved = [mark_price.update_mark(self.state, market) for market in markets]
        if any(moved):
            self._check_accounts()

    def _check_accounts(self) -> None:
        for user in self.state.accounts.values():
            check_account(self.state, user)

    def _settle_account(self, account_id: str) -> None:
        check_account(self.state, self.state.user(account_id))
        self._forget_changes()

    def _settle(self, symbol: str) -> None:
        """Process the consequences of trades and price moves: triggers, liquidations after fills."""
        market = self.state.markets[symbol]
        for _ in range(_PASSES):
            if market.waiting and market.spec.is_trading:
                algo_orders.run_triggers(self.state, market)
            for account_id in tuple(self.state.dirty.accounts):
                check_account(self.state, self.state.accounts[account_id])
            if not market.path:
                break
        if self.state.closed_children:
            algo_orders.finish_closed_children(self.state)
        if market.book.has_changes():
            self.state.listener.on_book_changed(symbol, self.state.now_ms)
        self._forget_changes()

    def _forget_changes(self) -> None:
        if not self.is_persistent and self.state.dirty.any():
            self.state.dirty = Dirty()
