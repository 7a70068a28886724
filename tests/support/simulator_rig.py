"""A small exchange for tests: one symbol with round numbers, a listener that keeps everything."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from gateways.simulator.exchange import account_queries
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.exchange.model.events import (
    AccountEvent,
    AlgoEvent,
    ForcedOrder,
    OrderEvent,
    Trade,
    UserEvent,
)
from gateways.simulator.exchange.model.orders import AlgoOrder, AlgoRequest, Order, OrderRequest
from gateways.simulator.exchange.model.symbols import SymbolSpec, default_symbols

NOW = 1_760_000_400_000
"""2025-10-09 09:00:00 UTC, an hour after a funding."""
SYMBOL = "BTCUSDT"
D = Decimal


class Recorder:
    """A listener that keeps what it is told, in order."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.events: list[tuple[str, UserEvent]] = []
        self.forced: list[ForcedOrder] = []
        self.book_changes = 0

    def on_trade(self, trade: Trade) -> None:
        self.trades.append(trade)

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        self.book_changes += 1

    def on_user(self, account_id: str, event: UserEvent) -> None:
        self.events.append((account_id, event))

    def on_forced_order(self, forced: ForcedOrder) -> None:
        self.forced.append(forced)

    def words(self, account_id: str = "a") -> list[str]:
        """Return the events of an account as short words, and forget all events."""
        said = [word_of(event) for owner, event in self.events if owner == account_id]
        self.events.clear()
        return said

    def order_events(self, account_id: str = "a") -> list[OrderEvent]:
        return [e for owner, e in self.events if owner == account_id and isinstance(e, OrderEvent)]


def word_of(event: UserEvent) -> str:
    """Return `NEW/NEW`, `TRADE/FILLED`, `EXPIRED/EXPIRED er=9`, `account ORDER`, `algo TRIGGERED` …"""
    if isinstance(event, OrderEvent):
        reason = f" er={event.expiry_reason}" if event.expiry_reason else ""
        return f"{event.execution_type}/{event.order.status}{reason}"
    if isinstance(event, AccountEvent):
        return f"account {event.reason}"
    if isinstance(event, AlgoEvent):
        return f"algo {event.order.algo_status}"
    return type(event).__name__


class ExchangeRig:
    """An exchange with BTCUSDT at 50,000: ten levels of one lot-thousand a side, a dollar apart.

    Bids 49,999 … 49,990 and asks 50,001 … 50,010, each 1.000 BTC; index, mark and last are 50,000.
    Accounts "a" and "b" hold 100,000 USDT each, with leverage 20.
    """

    def __init__(
        self, *, mark: str = "50000", wallet: str = "100000", spec: SymbolSpec | None = None
    ) -> None:
        self.heard = Recorder()
        symbols = default_symbols()
        symbols = {SYMBOL: spec or symbols[SYMBOL], "ETHUSDT": symbols["ETHUSDT"]}
        self.ex = Exchange(symbols, self.heard)
        self.state = self.ex.state
        self.now = NOW
        for account_id in ("a", "b"):
            self.ex.create_account(account_id, D(wallet), NOW)
        book = self.ex.book(SYMBOL)
        for step in range(1, 11):
            book.add("BUY", 500_000 - 10 * step, 1000)
            book.add("SELL", 500_000 + 10 * step, 1000)
        self.ex.advance(NOW)
        self.mark(mark)
        self.heard.events.clear()

    def mark(self, price: str) -> None:
        """Pin the mark price; liquidations and mark triggers follow."""
        self.ex.set_mark_price(SYMBOL, D(price), self.now)

    def fund_rate(self, rate: str) -> None:
        self.ex.set_funding_rate(SYMBOL, D(rate), self.now)

    def limit(self, side: str, qty: str, price: str | None, account: str = "a", **more: object) -> Order:
        request = OrderRequest(SYMBOL, side, "LIMIT", quantity=D(qty), price=D(price) if price else None)
        return self.ex.submit(account, replace(request, **({"time_in_force": "GTC"} | more)), self.now)

    def market(self, side: str, qty: str, account: str = "a", **more: object) -> Order:
        request = OrderRequest(SYMBOL, side, "MARKET", quantity=D(qty))
        return self.ex.submit(account, replace(request, **more), self.now)

    def algo(self, side: str, kind: str, account: str = "a", **more: object) -> AlgoOrder:
        numbers = ("quantity", "price", "trigger_price", "activate_price", "callback_rate")
        fields = {k: D(v) if k in numbers and v is not None else v for k, v in more.items()}
        return self.ex.submit_algo(account, AlgoRequest(SYMBOL, side, kind, **fields), self.now)

    def take(self, side: str, lots: int, limit_ticks: int | None = None) -> int:
        """Let an anonymous taker through, then the consequences."""
        left = self.ex.market_take(SYMBOL, side, lots, limit_ticks, self.now)
        self.ex.after_market(SYMBOL, self.now)
        return left

    def advance(self, ms: int) -> None:
        self.now += ms
        self.ex.advance(self.now)

    def empty_book(self) -> None:
        self.ex.book(SYMBOL).clear_anonymous()

    def amount(self, account: str = "a", side: str = "BOTH") -> Decimal:
        rows = account_queries.position_rows(self.state, account, SYMBOL)
        return next(row.position_amt for row in rows if row.position_side == side)

    def wallet(self, account: str = "a") -> Decimal:
        return account_queries.account_summary(self.state, account).total.wallet_balance

    def available(self, account: str = "a") -> Decimal:
        return account_queries.account_summary(self.state, account).total.available_balance


@contextmanager
def refused(code: int) -> Iterator[None]:
    """Expect the block to raise `ApiError` with this code."""
    with pytest.raises(ApiError) as info:
        yield
    assert info.value.code == code, str(info.value)
