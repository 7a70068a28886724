"""The exchange: one synchronous, deterministic state machine; time comes in as `now_ms`."""

from decimal import Decimal

from gateways.simulator.accounts import AccountSummary, CommissionRate, IncomeRecord, PositionRow
from gateways.simulator.book import Book
from gateways.simulator.events import ForcedOrder, Listener
from gateways.simulator.orders import (
    AlgoOrder,
    AlgoRequest,
    Amendment,
    AmendRequest,
    Order,
    OrderRequest,
    UserTrade,
)
from gateways.simulator.symbols import Bracket, SymbolSpec


class Exchange:
    """Markets, accounts and orders. Every refusal is an `ApiError`.

    Markets call the methods of the first group and `after_market` once per batch of changes; the server
    calls the others, then `Persistence.commit()`, and only then answers.
    """

    def __init__(self, specs: dict[str, SymbolSpec], listener: Listener) -> None:
        raise NotImplementedError

    # Markets.
    specs: dict[str, SymbolSpec]

    def book(self, symbol: str) -> Book:
        """Return the book of a symbol."""
        raise NotImplementedError

    def market_take(self, symbol: str, side: str, lots: int, limit_ticks: int | None, now_ms: int) -> int:
        """Match an anonymous marketable order (side of the taker); return the lots left unfilled.

        Each match is announced through `on_trade`; accounts' resting orders fill on the way.
        """
        raise NotImplementedError

    def market_limit(self, symbol: str, side: str, price_ticks: int, lots: int, now_ms: int) -> int:
        """Match an anonymous limit order and rest what is left; return the lots that rest."""
        raise NotImplementedError

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
        """Let a recorded trade happen: announced with `printed=True`; resting orders fill in their turn."""
        raise NotImplementedError

    def set_index_price(self, symbol: str, price: Decimal, now_ms: int) -> None:
        """Set the index price; mark price, liquidations and MARK_PRICE triggers follow."""
        raise NotImplementedError

    def set_mark_price(self, symbol: str, price: Decimal | None, now_ms: int) -> None:
        """Pin the mark price (None: derive it again by the median rule)."""
        raise NotImplementedError

    def after_market(self, symbol: str, now_ms: int) -> None:
        """Call once per batch of book changes: crossed orders, triggers, mark price, liquidations."""
        raise NotImplementedError

    def advance(self, now_ms: int) -> None:
        """Do what is due: GTD, countdowns, funding, mark price, triggers, liquidations."""
        raise NotImplementedError

    def next_deadline_ms(self) -> int:
        """Return when `advance` has something to do next."""
        raise NotImplementedError

    def next_update_id(self) -> int:
        """Return a fresh market data update id: strictly increasing, across restarts too."""
        raise NotImplementedError

    def mark_price(self, symbol: str) -> Decimal:
        """Return the mark price, 0 before there is any price."""
        raise NotImplementedError

    def index_price(self, symbol: str) -> Decimal:
        """Return the index price (the mid of the book when none was set)."""
        raise NotImplementedError

    def last_price(self, symbol: str) -> Decimal:
        """Return the price of the last trade, 0 before the first."""
        raise NotImplementedError

    def funding_rate(self, symbol: str) -> Decimal:
        """Return the rate the running funding period would settle at."""
        raise NotImplementedError

    def next_funding_ms(self, symbol: str) -> int:
        """Return the time of the next funding."""
        raise NotImplementedError

    def set_funding_rate(self, symbol: str, rate: Decimal | None, now_ms: int) -> None:
        """Pin the funding rate (None: by formula)."""
        raise NotImplementedError

    # Accounts.

    def create_account(self, account_id: str, wallet_balance: Decimal, now_ms: int) -> None:
        """Create an account with a USDT wallet; does nothing when it exists."""
        raise NotImplementedError

    def account_ids(self) -> list[str]:
        """Return the accounts in order of creation."""
        raise NotImplementedError

    def deposit(self, account_id: str, amount: Decimal, now_ms: int) -> None:
        """Add to (negative: take from) the wallet, with income TRANSFER and an ACCOUNT_UPDATE."""
        raise NotImplementedError

    # Orders.

    def submit(self, account_id: str, request: OrderRequest, now_ms: int) -> Order:
        """Place an order; return it as it is after matching (a copy)."""
        raise NotImplementedError

    def test_order(self, account_id: str, request: OrderRequest, now_ms: int) -> Order:
        """Check an order without placing it; return what it would look like when NEW."""
        raise NotImplementedError

    def amend(self, account_id: str, request: AmendRequest, now_ms: int) -> Order:
        """Modify a limit order; it goes to the back of the queue."""
        raise NotImplementedError

    def cancel(
        self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None, now_ms: int
    ) -> Order:
        """Cancel one open order (-2011 if there is none)."""
        raise NotImplementedError

    def cancel_all(self, account_id: str, symbol: str, now_ms: int) -> list[Order]:
        """Cancel all open ordinary orders of a symbol."""
        raise NotImplementedError

    def countdown_cancel_all(self, account_id: str, symbol: str, countdown_ms: int, now_ms: int) -> None:
        """Arm, renew or (0) stop the dead man's switch of a symbol."""
        raise NotImplementedError

    def order(self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None) -> Order:
        """Return an order by id (-2013 if unknown or forgotten)."""
        raise NotImplementedError

    def open_order(
        self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None
    ) -> Order:
        """Return an order that is open (-2013)."""
        raise NotImplementedError

    def open_orders(self, account_id: str, symbol: str | None = None) -> list[Order]:
        """Return open ordinary orders, oldest first."""
        raise NotImplementedError

    def all_orders(
        self,
        account_id: str,
        symbol: str | None,
        now_ms: int,
        *,
        order_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[Order]:
        """Return orders of any status, oldest first (GET allOrders)."""
        raise NotImplementedError

    def user_trades(
        self,
        account_id: str,
        symbol: str,
        now_ms: int,
        *,
        order_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        from_id: int | None = None,
        limit: int = 500,
    ) -> list[UserTrade]:
        """Return fills, oldest first (GET userTrades)."""
        raise NotImplementedError

    def amendments(
        self, account_id: str, symbol: str, order_id: int | None, client_order_id: str | None, limit: int = 50
    ) -> list[Amendment]:
        """Return the modifications of an order, newest first."""
        raise NotImplementedError

    def income(
        self,
        account_id: str,
        now_ms: int,
        *,
        symbol: str | None = None,
        income_type: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 100,
    ) -> list[IncomeRecord]:
        """Return income rows, oldest first (default: the last seven days)."""
        raise NotImplementedError

    def forced_orders(self, account_id: str, symbol: str | None = None, limit: int = 50) -> list[ForcedOrder]:
        """Return the account's liquidation orders."""
        raise NotImplementedError

    # Conditional orders.

    def submit_algo(self, account_id: str, request: AlgoRequest, now_ms: int) -> AlgoOrder:
        """Place a conditional order."""
        raise NotImplementedError

    def cancel_algo(
        self, account_id: str, algo_id: int | None, client_algo_id: str | None, now_ms: int
    ) -> AlgoOrder:
        """Cancel a waiting conditional order (-2011)."""
        raise NotImplementedError

    def cancel_all_algo(self, account_id: str, symbol: str, now_ms: int) -> list[AlgoOrder]:
        """Cancel all waiting conditional orders of a symbol."""
        raise NotImplementedError

    def algo_order(self, account_id: str, algo_id: int | None, client_algo_id: str | None) -> AlgoOrder:
        """Return a conditional order (-2013)."""
        raise NotImplementedError

    def open_algo_orders(
        self, account_id: str, symbol: str | None = None, algo_id: int | None = None
    ) -> list[AlgoOrder]:
        """Return waiting conditional orders, oldest first."""
        raise NotImplementedError

    def all_algo_orders(
        self,
        account_id: str,
        symbol: str,
        now_ms: int,
        *,
        algo_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[AlgoOrder]:
        """Return conditional orders of any status, oldest first."""
        raise NotImplementedError

    # Settings and reports.

    def set_leverage(self, account_id: str, symbol: str, leverage: int, now_ms: int) -> Decimal:
        """Set the leverage of a symbol; return the largest notional it allows."""
        raise NotImplementedError

    def set_margin_type(self, account_id: str, symbol: str, margin_type: str, now_ms: int) -> None:
        """Set ISOLATED or CROSSED."""
        raise NotImplementedError

    def modify_position_margin(
        self, account_id: str, symbol: str, position_side: str | None, amount: Decimal, kind: int, now_ms: int
    ) -> None:
        """Add (kind 1) or take away (kind 2) isolated margin."""
        raise NotImplementedError

    def set_position_mode(self, account_id: str, hedge_mode: bool, now_ms: int) -> None:
        """Switch between one-way and hedge mode."""
        raise NotImplementedError

    def set_multi_assets(self, account_id: str, multi_assets: bool, now_ms: int) -> None:
        """Switch multi-assets mode (a flag only: there is one asset)."""
        raise NotImplementedError

    def account_summary(self, account_id: str) -> AccountSummary:
        """Return everything GET account, balance and accountConfig print."""
        raise NotImplementedError

    def position_risk(self, account_id: str, symbol: str | None = None) -> list[PositionRow]:
        """Return the rows of every symbol (v2); filter by amount or open orders for v3."""
        raise NotImplementedError

    def leverage(self, account_id: str, symbol: str) -> int:
        """Return the leverage in force."""
        raise NotImplementedError

    def is_isolated(self, account_id: str, symbol: str) -> bool:
        """Tell whether the symbol is in isolated margin."""
        raise NotImplementedError

    def brackets(self, symbol: str) -> tuple[Bracket, ...]:
        """Return the leverage brackets in force."""
        raise NotImplementedError

    def set_brackets(self, symbol: str, brackets: tuple[Bracket, ...], now_ms: int) -> None:
        """Replace the leverage brackets (control API); liquidations may follow."""
        raise NotImplementedError

    def commission(self, account_id: str, symbol: str) -> CommissionRate:
        """Return the fees of the account."""
        raise NotImplementedError
