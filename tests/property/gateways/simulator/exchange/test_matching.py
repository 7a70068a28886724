"""The matching engine against a naive one, over random sequences of everything that can happen.

The naive market keeps, for each price, a plain list of [owner, order id, lots] in time order, anonymous
runs merged, and scans. After every step book, public trades, positions, wallets and order states must be
equal, nothing may be crossed, and every quantity and every cent must be accounted for.
"""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateways.simulator.exchange import account_queries, order_queries
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.exchange.model.events import Trade
from gateways.simulator.exchange.model.orders import AmendRequest, OrderRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.listeners import NullListener

D = Decimal
NOW = 1_760_000_400_000
SYMBOL = "BTCUSDT"
START = D(10**9)
SPEC = replace(
    default_symbols()[SYMBOL],
    tick_size=D(1),
    step_size=D(1),
    price_precision=0,
    quantity_precision=0,
    min_price=D(1),
    min_qty=D(1),
    market_min_qty=D(1),
    min_notional=D(0),
    multiplier_up=D("1.9"),
    multiplier_down=D("0.1"),
    market_take_bound=D("0.9"),
    max_num_orders=10_000,
)
SIDES = st.sampled_from(["BUY", "SELL"])
PRICES = st.integers(95, 105)
LOTS = st.integers(1, 30)
ACCOUNTS = st.sampled_from(["a", "b"])
OTHER = {"BUY": "SELL", "SELL": "BUY"}


class NaiveMarket:
    """Price-time priority, written as directly as possible."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[int, list[list]]] = {"BUY": {}, "SELL": {}}
        self.trades: list[tuple[int, int, bool]] = []
        self.fills: list[tuple[str, int, str, int, int, bool]] = []

    def best(self, side: str) -> int | None:
        prices = self.sides[side]
        return (max(prices) if side == "BUY" else min(prices)) if prices else None

    def put(self, side: str, price: int, owner: str | None, order_id: int, lots: int) -> None:
        level = self.sides[side].setdefault(price, [])
        if owner is None and level and level[-1][0] is None:
            level[-1][2] += lots
        else:
            level.append([owner, order_id, lots])

    def tidy(self, side: str, price: int) -> None:
        kept: list[list] = []
        for owner, order_id, lots in self.sides[side].get(price, []):
            if not lots:
                continue
            if owner is None and kept and kept[-1][0] is None:
                kept[-1][2] += lots
            else:
                kept.append([owner, order_id, lots])
        self.sides[side].pop(price, None)
        if kept:
            self.sides[side][price] = kept

    def withdraw(self, side: str, order_id: int) -> None:
        for price in list(self.sides[side]):
            for item in self.sides[side][price]:
                if item[1] == order_id:
                    item[2] = 0
            self.tidy(side, price)

    def cancel(self, side: str, price: int, lots: int) -> None:
        level = self.sides[side].get(price, [])
        runs = [item for item in level if item[0] is None]
        total = sum(item[2] for item in runs)
        lots = min(lots, total)
        if len(level) == len(runs):
            shares = [lots] if runs else []
        else:
            behind = level[-1][0] is None
            front = runs[:-1] if behind else runs
            shares = [item[2] * lots // total for item in front]
            rest = lots - sum(shares)
            if behind:
                last = min(rest, runs[-1][2])
                shares.append(last)
                rest -= last
            for place in range(len(front) - 1, -1, -1):
                more = min(rest, front[place][2] - shares[place])
                shares[place] += more
                rest -= more
        for item, share in zip(runs, shares, strict=True):
            item[2] -= share
        self.tidy(side, price)

    def reach(self, side: str, limit: int | None) -> int | None:
        best = self.best(OTHER[side])
        if best is None or limit is None:
            return best
        return best if (best <= limit if side == "BUY" else best >= limit) else None

    def take(
        self, side: str, lots: int, limit: int | None, owner: str | None, order_id: int, stp: str
    ) -> tuple[int, bool]:
        """Return (lots left, whether self-trade prevention ended the taker)."""
        while lots:
            price = self.reach(side, limit)
            if price is None:
                return lots, False
            item = self.sides[OTHER[side]][price][0]
            if owner is not None and item[0] == owner and stp != "NONE":
                if stp in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
                    item[2] = 0
                    self.tidy(OTHER[side], price)
                if stp in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
                    return lots, True
                continue
            size = min(lots, item[2])
            lots -= size
            item[2] -= size
            self.trades.append((price, size, side == "SELL"))
            if item[0] is not None:
                self.fills.append((item[0], item[1], OTHER[side], price, size, True))
            if owner is not None:
                self.fills.append((owner, order_id, side, price, size, False))
            self.tidy(OTHER[side], price)
        return 0, False

    def available(self, side: str, limit: int) -> int:
        levels = self.sides[OTHER[side]]
        return sum(
            item[2]
            for price, items in levels.items()
            if (price <= limit if side == "BUY" else price >= limit)
            for item in items
        )

    def depth(self, side: str) -> list[tuple[int, int]]:
        rows = [(price, sum(i[2] for i in items)) for price, items in self.sides[side].items()]
        return sorted(rows, reverse=side == "BUY")


class Trades(NullListener):
    def __init__(self) -> None:
        self.seen: list[tuple[int, int, bool]] = []

    def on_trade(self, trade: Trade) -> None:
        self.seen.append((trade.price_ticks, trade.lots, trade.buyer_is_maker))


class Matching(RuleBasedStateMachine):
    """Both markets, driven alike."""

    @initialize()
    def open(self) -> None:
        self.heard = Trades()
        self.ex = Exchange({SYMBOL: SPEC}, self.heard)
        for account in ("a", "b"):
            self.ex.create_account(account, START, NOW)
        self.ex.set_mark_price(SYMBOL, D(100), NOW)
        self.naive = NaiveMarket()
        self.open_ids: dict[str, list[int]] = {"a": [], "b": []}
        self.published: dict[str, dict[int, int]] = {"BUY": {}, "SELL": {}}

    def crosses(self, side: str, price: int) -> bool:
        return self.naive.reach(side, price) is not None

    @rule(side=SIDES, price=PRICES, lots=LOTS)
    def anonymous_limit(self, side: str, price: int, lots: int) -> None:
        self.ex.market_limit(SYMBOL, side, price, lots, NOW)
        left, _ = self.naive.take(side, lots, price, None, 0, "NONE")
        if left:
            self.naive.put(side, price, None, 0, left)

    @rule(side=SIDES, lots=LOTS)
    def anonymous_take(self, side: str, lots: int) -> None:
        left = self.ex.market_take(SYMBOL, side, lots, None, NOW)
        assert left == self.naive.take(side, lots, None, None, 0, "NONE")[0]

    @rule(side=SIDES, price=PRICES, lots=LOTS)
    def anonymous_cancel(self, side: str, price: int, lots: int) -> None:
        self.ex.book(SYMBOL).reduce(side, price, lots)
        self.naive.cancel(side, price, lots)

    @rule(side=SIDES, price=PRICES, lots=st.integers(0, 30))
    def absolute_size(self, side: str, price: int, lots: int) -> None:
        if self.crosses(side, price):
            return
        items = self.naive.sides[side].get(price, [])
        present = sum(item[2] for item in items if item[0] is None)
        self.ex.book(SYMBOL).set_level(side, price, lots)
        if lots > present:
            self.naive.put(side, price, None, 0, lots - present)
        else:
            self.naive.cancel(side, price, present - lots)

    @rule(
        account=ACCOUNTS,
        side=SIDES,
        price=PRICES,
        lots=LOTS,
        tif=st.sampled_from(["GTC", "GTC", "IOC", "FOK", "GTX"]),
        stp=st.sampled_from(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]),
    )
    def user_limit(self, account: str, side: str, price: int, lots: int, tif: str, stp: str) -> None:
        request = OrderRequest(
            SYMBOL, side, "LIMIT", time_in_force=tif, quantity=D(lots), price=D(price), stp_mode=stp
        )
        refused = None
        if tif == "GTX" and self.crosses(side, price):
            refused = -5022
        if tif == "FOK" and self.naive.available(side, price) < lots:
            refused = -5021
        if refused is not None:
            with pytest.raises(ApiError, match=str(refused)):
                self.ex.submit(account, request, NOW)
            return
        order = self.ex.submit(account, request, NOW)
        mode = stp if tif in ("GTC", "IOC") else "NONE"
        left, stopped = self.naive.take(side, lots, price, account, order.order_id, mode)
        assert order.remaining_lots == left
        if left and not stopped and tif in ("GTC", "GTX"):
            self.naive.put(side, price, account, order.order_id, left)
            self.open_ids[account].append(order.order_id)
        else:
            assert not order.is_open

    @rule(account=ACCOUNTS, side=SIDES, lots=LOTS)
    def user_market(self, account: str, side: str, lots: int) -> None:
        request = OrderRequest(SYMBOL, side, "MARKET", quantity=D(lots), stp_mode="NONE")
        order = self.ex.submit(account, request, NOW)
        left, _ = self.naive.take(side, lots, None, account, order.order_id, "NONE")
        assert (order.remaining_lots, order.status) == (left, "EXPIRED" if left else "FILLED")

    @rule(account=ACCOUNTS, place=st.integers(0, 50))
    def user_cancel(self, account: str, place: int) -> None:
        order = self.pick(account, place)
        if order is not None:
            self.ex.cancel(account, SYMBOL, order.order_id, None, NOW)
            self.naive.withdraw(order.side, order.order_id)

    @rule(account=ACCOUNTS, place=st.integers(0, 50), price=PRICES, lots=LOTS)
    def user_amend(self, account: str, place: int, price: int, lots: int) -> None:
        order = self.pick(account, place)
        if order is None or (price, lots) == (order.price_ticks, order.orig_lots):
            return
        request = AmendRequest(SYMBOL, order.side, order_id=order.order_id, quantity=D(lots), price=D(price))
        changed = self.ex.amend(account, request, NOW)
        self.naive.withdraw(order.side, order.order_id)
        crossing = order.time_in_force == "GTX" and self.crosses(order.side, price)
        if lots <= order.executed_lots or crossing:
            assert changed.status == "CANCELED"
            return
        left, _ = self.naive.take(
            order.side, lots - order.executed_lots, price, account, order.order_id, "NONE"
        )
        assert changed.remaining_lots == left
        if left:
            self.naive.put(order.side, price, account, order.order_id, left)

    def pick(self, account: str, place: int):
        orders = order_queries.open_orders(self.ex.state, account)
        return orders[place % len(orders)] if orders else None

    @invariant()
    def books_are_equal_and_not_crossed(self) -> None:
        book = self.ex.book(SYMBOL)
        for side in ("BUY", "SELL"):
            assert list(book.levels(side)) == self.naive.depth(side)
        assert not book.is_crossed()

    @invariant()
    def published_changes_rebuild_the_book(self) -> None:
        book = self.ex.book(SYMBOL)
        for side, rows in zip(("BUY", "SELL"), book.take_changes(), strict=True):
            for price, lots in rows:
                self.published[side][price] = lots
            held = {price: lots for price, lots in self.published[side].items() if lots}
            assert held == dict(book.levels(side))

    @invariant()
    def trades_are_equal(self) -> None:
        assert self.heard.seen == self.naive.trades

    @invariant()
    def every_lot_and_every_cent_is_accounted_for(self) -> None:
        for account in ("a", "b"):
            fills = [fill for fill in self.naive.fills if fill[0] == account]
            lots = sum(size if side == "BUY" else -size for _, _, side, _, size, _ in fills)
            paid = sum(p * s if side == "BUY" else -p * s for _, _, side, p, s, _ in fills)
            fees = sum((p * s * (SPEC.maker_fee if m else SPEC.taker_fee) for *_, p, s, m in fills), D(0))
            position = self.ex.state.user(account).position(SYMBOL, "BOTH")
            wallet = account_queries.account_summary(self.ex.state, account).total.wallet_balance
            assert position.lots == lots
            assert wallet - position.cost == START - paid - fees
            assert position.lots or not position.cost
            rows = self.ex.state.user(account).income
            assert sum(row.income for row in rows) == wallet

    @invariant()
    def open_orders_are_those_in_the_book(self) -> None:
        held = {
            item[1]: item[2]
            for side in self.naive.sides.values()
            for items in side.values()
            for item in items
            if item[0] is not None
        }
        orders = [o for account in ("a", "b") for o in order_queries.open_orders(self.ex.state, account)]
        assert {order.order_id: order.remaining_lots for order in orders} == held


TestMatching = Matching.TestCase
TestMatching.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
