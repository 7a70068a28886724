"""Past orders and fills, page by page. Complete, or an error: a part proves nothing."""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import RestError
from gateways.binance.protocol.translate import (
    ZERO,
    Untranslatable,
    algo_row,
    decimal,
    fill_row,
    integer,
    order_row,
)
from gateways.binance.rest.client import RestClient
from gateways.binance.rest.request_budget import Priority
from gateways.wire.messages import OrderUpdate

PAGE = 1000
MAX_PAGES = 40
WEEK_MS = 7 * 24 * 3600 * 1000
REACH_MS = 89 * 24 * 3600 * 1000
"""userTrades reach back three months."""
OVERLAP_MS = 60_000
"""History is read from so long before the moment that is wanted."""
QUIET_TRIES = 3
"""Data read in several requests is read again, up to this many times, while events arrive in between."""
ALL_SYMBOLS_WEIGHT = 40
"""Request weight of a list of open orders without a symbol."""
MAX_SINGLE_QUERIES = 250
"""More than the orders one symbol may have open."""

Row = Mapping[str, Any]


class History:
    """`now_ms` is estimated exchange time."""

    def __init__(self, rest: RestClient, now_ms: Callable[[], int]) -> None:
        self._rest = rest
        self._now_ms = now_ms

    async def open_orders(self, symbol: str) -> list[OrderUpdate]:
        """Ordinary and conditional ones."""
        plain = await self._rest.rows("openOrders", {"symbol": symbol}, 1)
        algo = await self._rest.rows("openAlgoOrders", {"symbol": symbol}, 1)
        return _translated(order_row, plain) + _translated(algo_row, algo)

    async def all_open_orders(self, symbols: Collection[str]) -> list[OrderUpdate]:
        """Ordinary and conditional ones of these symbols; for many, from one answer for all."""
        if 2 * len(symbols) <= ALL_SYMBOLS_WEIGHT:
            return [one for symbol in symbols for one in await self.open_orders(symbol)]
        wanted = set(symbols)
        plain = await self._rest.rows("openOrders", {}, ALL_SYMBOLS_WEIGHT)
        algo = await self._rest.rows("openAlgoOrders", {}, ALL_SYMBOLS_WEIGHT)
        return _translated(order_row, (row for row in plain if row.get("symbol") in wanted)) + _translated(
            algo_row, (row for row in algo if row.get("symbol") in wanted)
        )

    async def orders(
        self, symbol: str, since_ms: int, priority: Priority = Priority.QUERY
    ) -> list[OrderUpdate]:
        """Ordinary orders created since then, whatever became of them."""
        rows = await self._pages("allOrders", symbol, since_ms, "orderId", "orderId", priority)
        return _translated(order_row, rows)

    async def algo_orders(
        self, symbol: str, since_ms: int, priority: Priority = Priority.QUERY
    ) -> list[OrderUpdate]:
        """Conditional orders created since then."""
        rows = await self._pages("allAlgoOrders", symbol, since_ms, "algoId", "algoId", priority)
        return _translated(algo_row, rows)

    async def order(self, symbol: str, order_id: int) -> OrderUpdate:
        """One ordinary order by the exchange's id."""
        row = await self._rest.row("order", {"symbol": symbol, "orderId": order_id}, 1)
        return _translated(order_row, [row])[0]

    async def algo_order(self, symbol: str, algo_id: int) -> OrderUpdate:
        """One conditional order by the exchange's id."""
        row = await self._rest.row("algoOrder", {"symbol": symbol, "algoId": algo_id}, 1)
        return _translated(algo_row, [row])[0]

    async def fills(
        self,
        symbol: str,
        since_ms: int,
        known: Iterable[OrderUpdate] = (),
        *,
        was_told: Callable[[str, int, int], bool] = lambda _symbol, _order_id, _trade_id: False,
    ) -> list[OrderUpdate]:
        """Every fill since then with its order's client id, ascending by trade id.

        Trades do not carry the client id: orders of the same period do, older ones are requested one by one.
        An older order whose fills are all known (`was_told`) is neither requested nor returned.
        """
        trades = await self._pages("userTrades", symbol, since_ms, "id", "fromId")
        if not trades:
            return []
        orders = {one.exchange_order_id: one for one in known if not one.is_conditional}
        # After the trades, so that no order is told with less filled than its trades add up to.
        orders |= {one.exchange_order_id: one for one in await self.orders(symbol, since_ms)}
        ids = [(integer(row.get("orderId")), integer(row.get("id"))) for row in trades]
        untold = {order_id for order_id, trade_id in ids if not was_told(symbol, order_id, trade_id)}
        trades = [row for row in trades if integer(row.get("orderId")) in orders.keys() | untold]
        missing = sorted(untold - orders.keys())
        if len(missing) > MAX_SINGLE_QUERIES:
            raise RestError.refused(f"{len(missing)} orders of {symbol} would have to be asked for")
        for order_id in missing:
            orders[order_id] = await self.order(symbol, order_id)
        try:
            return fills_of(trades, orders)
        except Untranslatable as error:
            raise _not_understood(error) from None

    async def _pages(
        self,
        path: str,
        symbol: str,
        since_ms: int,
        key: str,
        cursor: str,
        priority: Priority = Priority.QUERY,
    ) -> list[Row]:
        """In windows of at most a week, and by id within a window."""
        rows: dict[tuple[int, int], Row] = {}
        now_ms = self._now_ms()
        start_ms = max(since_ms, now_ms - REACH_MS)
        pages = 0
        while start_ms <= now_ms:
            # The last window is open towards the future: our clock may be a little behind.
            end_ms = start_ms + WEEK_MS - 1
            params: dict[str, Any] = {"symbol": symbol, "startTime": start_ms, "limit": PAGE}
            if end_ms < now_ms:
                params["endTime"] = end_ms
            while True:
                pages += 1
                if pages > MAX_PAGES:
                    raise RestError.refused(f"{path} of {symbol} is longer than {MAX_PAGES} pages")
                page = await self._rest.rows(path, params, 5, priority=priority)
                # Both sides of a trade with oneself have one id.
                rows.update(((integer(row.get(key)), integer(row.get("orderId"))), row) for row in page)
                if len(page) < PAGE:
                    break
                following = max(integer(row.get(key)) for row in page) + 1
                params = {"symbol": symbol, cursor: following, "limit": PAGE}
            start_ms = end_ms + 1
        return [rows[number] for number in sorted(rows)]


def _translated(translate: Callable[[Row], OrderUpdate], rows: Iterable[Row]) -> list[OrderUpdate]:
    try:
        return [translate(row) for row in rows]
    except Untranslatable as error:
        raise _not_understood(error) from None


def _not_understood(error: Untranslatable) -> RestError:
    """A part of the answer cannot be understood, so the answer proves nothing."""
    return RestError(Failure("transient", 0, f"cannot understand an answer: {error}"))


def fills_of(trades: Iterable[Row], orders: Mapping[int, OrderUpdate]) -> list[OrderUpdate]:
    """Fill reports with the cumulative quantity of each order, counted back from its filled quantity."""

    def order_of(row: Row) -> int:
        return integer(row.get("orderId"))

    found: list[OrderUpdate] = []
    by_order = sorted(trades, key=lambda row: (order_of(row), integer(row.get("id"))))
    for order_id, group in groupby(by_order, key=order_of):
        rows = list(group)
        order = orders.get(order_id)
        later = sum((decimal(row.get("qty")) for row in rows), ZERO)
        filled: Decimal = max(order.filled_base if order is not None else ZERO, later) - later
        for row in rows:
            filled += decimal(row.get("qty"))
            found.append(fill_row(row, order, filled))
    return sorted(found, key=lambda fill: (fill.transaction_time_ns, fill.trade_id))
