"""After a demo has ended: its journal beside the exchange's own lists, fill by fill and order by order."""

import json
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

from engine.account.state import AccountStateStore
from engine.core.saved_state import rebuild
from engine.journal.recovered import read_folder
from engine.model.records import Adjustment, AmendIntent, Fill, Intent
from engine.orders.order_states import UNSETTLED
from engine.orders.order_store import OrderStore
from tests.process.demo_rig import Demo, Exchange
from tests.support.journal_rig import read_records

START_WALLET = Decimal(10_000)
PAGE = 1000


@dataclass
class Truth:
    """Both sides of a demo that has ended, and what is wrong between them."""

    problems: list[str]
    orders: int = 0
    fills: int = 0
    wallet: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    realised_pnl: Decimal = Decimal(0)


def truth_of(
    demo: Demo,
    symbol: str = "BTCUSDT",
    *,
    protected: bool = False,
    by_hand: AbstractSet[str] = frozenset(),
    largest: Decimal = Decimal("1.3"),
) -> Truth:
    """Compare everything that both sides know.

    `protected`: a position has one stop, which rests. `by_hand`: ids of orders that somebody else gave.
    `largest`: so many times the largest fill a position may become.
    """
    exchange = Exchange(demo)
    try:
        orders = pages(exchange, "/fapi/v1/allOrders", "orderId", "orderId", symbol=symbol)
        algos = pages(exchange, "/fapi/v1/allAlgoOrders", "algoId", "algoId", symbol=symbol)
        trades = pages(exchange, "/fapi/v1/userTrades", "id", "fromId", symbol=symbol)
        income = exchange.get("/fapi/v1/income", limit=PAGE)
        account = exchange.get("/fapi/v2/account")
        resting = exchange.get("/fapi/v1/openAlgoOrders", symbol=symbol)
        held = sum(
            Decimal(one["positionAmt"]) for one in exchange.get("/fapi/v2/positionRisk", symbol=symbol)
        )
    finally:
        exchange.close()
    folder = demo.home / "data" / "demo" / "engine" / "journal"
    records = [record for _, record in read_records(folder)]
    intents = [record for record in records if isinstance(record, Intent)]
    fills = [record for record in records if isinstance(record, Fill)]
    found = read_folder(folder, None)
    store, books = OrderStore(f"nb{found.engine_id}-"), AccountStateStore()
    rebuild(found, store, books)

    truth = Truth(
        [],
        len(intents),
        len(fills),
        Decimal(account["totalWalletBalance"]),
        held,
        sum((Decimal(one["commission"]) for one in trades), Decimal(0)),
        sum((Decimal(one["realizedPnl"]) for one in trades), Decimal(0)),
    )
    say = truth.problems.append
    for record in records:
        # What somebody else took away from a strategy is written over to them.
        if isinstance(record, Adjustment) and not by_hand:
            say(f"adjusted: {record}")
    twice(truth, "client ids at the exchange", [one["clientOrderId"] for one in orders])
    twice(truth, "algo client ids at the exchange", [one["clientAlgoId"] for one in algos])
    twice(truth, "intents", [one.client_order_id for one in intents])
    twice(truth, "fills in the journal", [one.trade_id for one in fills])
    ours = [one for one in orders if one["clientOrderId"] not in by_hand]
    compare_orders(truth, ours, algos, intents, amended_quantities(records))
    compare_fills(truth, trades, fills)
    foreign = {one["orderId"] for one in orders if one["clientOrderId"] in by_hand}
    compare_size(truth, [one for one in trades if one["orderId"] not in foreign], largest, len(foreign))
    if protected:
        compare_stops(truth, resting)
    for order in store.open_orders():
        if order.state in UNSETTLED:
            say(f"unsettled to the end: {order.client_order_id} {order.state}")
    equal(truth, "position", books.position(symbol).qty_base, held)
    equal(truth, "position by trades", sum(map(signed, trades), Decimal(0)), held)
    # A balance that a comparison has found is not on record: the engine's last word is asked.
    last_word = json.loads(demo.summary_file.read_text(), parse_float=Decimal)
    equal(truth, "wallet", last_word["wallet_balance"], truth.wallet)
    compare_money(truth, books, income)
    return truth


def amended_quantities(records: Iterable[object]) -> dict[str, set[Decimal]]:
    """The quantities each order was given after it was made."""
    amended: dict[str, set[Decimal]] = {}
    for record in records:
        if isinstance(record, AmendIntent):
            amended.setdefault(record.client_order_id, set()).add(record.qty_base)
    return amended


def compare_stops(truth: Truth, resting: list[dict[str, Any]]) -> None:
    """A position has one stop, on the side that leaves it; without one nothing rests."""
    right_side = [one for one in resting if one["side"] == ("SELL" if truth.held > 0 else "BUY")]
    if len(resting) != (truth.held != 0) or len(right_side) != len(resting):
        truth.problems.append(f"a position of {truth.held} has these stops: {resting}")


def compare_money(truth: Truth, books: AccountStateStore, income: list[dict[str, Any]]) -> None:
    """Fees and profit are the same on both sides, and the wallet follows from them."""
    equal(truth, "fees", books.fees, truth.fees)
    # An average price has 28 digits, what the exchange says of it eight decimals.
    realised = round(books.realised_pnl, 8)
    equal(truth, "realised", realised, truth.realised_pnl)
    if len(income) < PAGE:
        counted = {"REALIZED_PNL", "COMMISSION", "TRANSFER"}
        others = (Decimal(one["income"]) for one in income if one["incomeType"] not in counted)
        made = realised - books.fees + sum(others, Decimal(0))
        equal(truth, "wallet by fills", START_WALLET + made, truth.wallet)


def pages(
    exchange: Exchange, path: str, key: str, parameter: str, **parameters: object
) -> list[dict[str, Any]]:
    """A whole list, page by page."""
    rows: list[dict[str, Any]] = []
    start = 1
    while True:
        page = exchange.get(path, limit=PAGE, **{parameter: start}, **parameters)
        rows.extend(page)
        if len(page) < PAGE:
            return rows
        start = max(int(row[key]) for row in page) + 1


def compare_orders(
    truth: Truth,
    orders: list[dict[str, Any]],
    algos: list[dict[str, Any]],
    intents: list[Intent],
    amended: dict[str, set[Decimal]],
) -> None:
    """Each order of the exchange was meant, as it is, and nothing was done twice for one cause."""
    meant = {one.client_order_id: one for one in intents}
    from_algos = {str(one.get("actualOrderId", "")) for one in algos}
    done: Counter[tuple[str, ...]] = Counter()
    for row in orders:
        intent = meant.get(row["clientOrderId"])
        if intent is None:
            if str(row["orderId"]) not in from_algos:
                truth.problems.append(f"never meant: {row}")
            continue
        wanted = {intent.qty_base, *amended.get(intent.client_order_id, ())}
        if Decimal(row["origQty"]) not in wanted:
            truth.problems.append(f"quantity of {intent.client_order_id}: {wanted}, {row['origQty']} there")
        if Decimal(row["executedQty"]):
            done[intent.strategy, intent.symbol, intent.cause, intent.leg] += 1
    truth.problems.extend(f"done {times} times: {what}" for what, times in done.items() if times > 1)


def compare_fills(truth: Truth, trades: list[dict[str, Any]], fills: list[Fill]) -> None:
    """The same fills, with the same numbers, on both sides."""
    theirs = {
        int(row["id"]): (
            row["side"],
            *(Decimal(row[key]) for key in ("qty", "price", "commission", "realizedPnl")),
        )
        for row in trades
    }
    ours = {one.trade_id: (one.side, one.qty_base, one.price, one.fee, one.realised_pnl) for one in fills}
    for trade_id in sorted(theirs.keys() | ours.keys()):
        if theirs.get(trade_id) != ours.get(trade_id):
            truth.problems.append(
                f"fill {trade_id}: the exchange has {theirs.get(trade_id)}, we have {ours.get(trade_id)}"
            )


def compare_size(truth: Truth, trades: list[dict[str, Any]], times: Decimal, foreign: int) -> None:
    """Never more than an entry's worth, and what each order by another hand may have moved."""
    path = list(
        accumulate(
            (signed(row) for row in sorted(trades, key=lambda row: int(row["id"]))), initial=Decimal(0)
        )
    )
    largest = max((Decimal(row["qty"]) for row in trades), default=Decimal(0))
    if max(map(abs, path)) > largest * (times + foreign):
        truth.problems.append(f"the position reached {max(map(abs, path))}, an entry buys {largest}")


def signed(row: dict[str, Any]) -> Decimal:
    """Of a user trade."""
    return Decimal(row["qty"]) * (1 if row["side"] == "BUY" else -1)


def twice(truth: Truth, what: str, values: Iterable[object]) -> None:
    """A problem for each that appears more than once."""
    truth.problems.extend(
        f"{what}: {value} {times} times" for value, times in Counter(values).items() if times > 1
    )


def equal(truth: Truth, what: str, ours: Decimal, theirs: Decimal) -> None:
    """A problem unless both are the same number."""
    if ours != theirs:
        truth.problems.append(f"{what}: we say {ours}, the exchange {theirs}")
