"""History is read to its last page, fills keep their signs and flags, and a snapshot is of one moment."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from gateways.binance.account.history import PAGE, QUIET_TRIES, WEEK_MS, History
from gateways.binance.account.snapshot import SnapshotTaker

NOW_MS = 1_700_000_000_000
Row = dict[str, Any]


class Rest:
    """Answers as the exchange does: from a start time or an id on, at most `limit` rows."""

    def __init__(self, **lists: list[Row]) -> None:
        self.lists = lists
        self.asked: list[tuple[str, Row]] = []

    async def rows(self, path: str, params: Row, weight: int = 1, **_: object) -> list[Row]:
        self.asked.append((path, params))
        key, cursor = ("orderId", "orderId") if path == "allOrders" else ("id", "fromId")
        kept = [
            row
            for row in self.lists.get(path, [])
            if row[key] >= params.get(cursor, 0)
            and params.get("startTime", 0) <= row["time"] <= params.get("endTime", NOW_MS)
        ]
        return kept[: params["limit"]] if "limit" in params else kept


def trade(number: int, **changes: object) -> Row:
    return {
        "symbol": "BTCUSDT",
        "id": number,
        "orderId": 7,
        "side": "SELL",
        "price": "100",
        "qty": "0.5",
        "realizedPnl": "0",
        "commission": "0.02",
        "commissionAsset": "USDT",
        "time": NOW_MS - 1_000,
        "maker": False,
        **changes,
    }


def order(number: int, **changes: object) -> Row:
    return {
        "symbol": "BTCUSDT",
        "orderId": number,
        "clientOrderId": f"c{number}",
        "side": "SELL",
        "type": "LIMIT",
        "status": "FILLED",
        "origQty": "5000",
        "executedQty": "5000",
        "price": "100",
        "avgPrice": "100",
        "time": NOW_MS - 1_000,
        "updateTime": NOW_MS - 1_000,
        **changes,
    }


def history(**lists: list[Row]) -> tuple[History, Rest]:
    rest = Rest(**lists)
    return History(rest, lambda: NOW_MS), rest  # type: ignore[arg-type]  # stands in for it


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1])
def test_history_goes_on_to_its_last_row(count: int) -> None:
    book, rest = history(userTrades=[trade(number) for number in range(1, count + 1)], allOrders=[order(7)])
    fills = asyncio.run(book.fills("BTCUSDT", NOW_MS - 60_000))
    assert [one.trade_id for one in fills] == list(range(1, count + 1))
    pages = [params for path, params in rest.asked if path == "userTrades"]
    assert len(pages) == count // PAGE + 1


def test_orders_of_several_weeks_and_pages_are_all_found() -> None:
    rows = [order(number, time=NOW_MS - 3 * WEEK_MS + number * 700_000) for number in range(1, 2_501)]
    book, _ = history(allOrders=rows)
    found = asyncio.run(book.orders("BTCUSDT", NOW_MS - 3 * WEEK_MS))
    assert [one.exchange_order_id for one in found] == list(range(1, 2_501))


def test_fills_by_request_keep_who_was_the_maker_and_the_sign_of_the_fee() -> None:
    book, _ = history(
        userTrades=[trade(1, maker=True, commission="-0.01"), trade(2, maker=False, commission="0.02")],
        allOrders=[order(7)],
    )
    fills = asyncio.run(book.fills("BTCUSDT", NOW_MS - 60_000))
    assert [(one.is_maker, one.fee) for one in fills] == [(True, Decimal("-0.01")), (False, Decimal("0.02"))]


class Quiet:
    """The parts of a snapshot; `on_balances` is called when the last of them is read."""

    multi_assets = False
    account_id = "SgsR"

    def __init__(self, on_balances: Callable[[], None]) -> None:
        self._on_balances = on_balances
        self.orders_read = 0

    async def get_all(self, symbols: Sequence[str]) -> tuple[()]:
        return ()

    async def modes(self) -> tuple[bool, bool]:
        return False, False

    async def all_open_orders(self, symbols: Sequence[str]) -> list[object]:
        self.orders_read += 1
        return []

    async def positions(self, symbols: Sequence[str]) -> tuple[()]:
        return ()

    async def balances(self) -> tuple[()]:
        self._on_balances()
        return ()


@pytest.mark.parametrize("events", [0, 1, 2])
def test_a_snapshot_is_taken_again_when_an_order_event_came_in_between(events: int) -> None:
    cursor, left = 10, events

    def on_balances() -> None:
        nonlocal cursor, left
        cursor, left = (cursor + 1, left - 1) if left else (cursor, left)

    parts = Quiet(on_balances)
    taker = SnapshotTaker(parts, parts, parts)  # type: ignore[arg-type]  # stands in for all three
    taken = asyncio.run(taker.take(["BTCUSDT"], 0, 1, lambda: cursor, lambda: 5, lambda: 0))
    assert parts.orders_read == min(1 + events, QUIET_TRIES)
    assert taken.cursor_sequence == 10 + events
    assert taken.complete
    assert taken.account_id == "SgsR"


def test_a_snapshot_in_which_it_never_gets_quiet_says_the_moment_it_began() -> None:
    cursor = 0

    def on_balances() -> None:
        nonlocal cursor
        cursor += 1

    parts = Quiet(on_balances)
    taker = SnapshotTaker(parts, parts, parts)  # type: ignore[arg-type]  # stands in for all three
    taken = asyncio.run(taker.take(["BTCUSDT"], 0, 1, lambda: cursor, lambda: 5, lambda: 0))
    assert parts.orders_read == QUIET_TRIES
    assert taken.cursor_sequence == QUIET_TRIES - 1
