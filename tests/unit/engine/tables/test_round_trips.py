"""Trades from flat to flat, as the journal has them: nothing earned is lost, nothing is counted twice."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.effects import Append
from engine.model.records import EXTERNAL, AccountReport, Adjustment, OrderReport, Start
from engine.shell.results import as_data, profit_data, profit_lines
from engine.tables.round_trips import Results
from gateways.binance.protocol.translate import change_of
from gateways.wire.messages import AccountUpdate, Balance
from tests.support.engine_rig import Rig
from tests.support.order_events import ENGINE_ID, intent, report

ZERO = Decimal(0)
ONE = Decimal(1)


class Book:
    """Results of made fills, one order each."""

    def __init__(self) -> None:
        self.results = Results()
        self.results.apply(Start(ENGINE_ID, 1, "", 3, 0))
        self._count = 0

    def fill(
        self, side: str, qty: str, price: str, *, fee: str = "0", asset: str = "USDT", our: bool = True
    ) -> None:
        self._count = number = self._count + 1
        if our:
            self.results.apply(intent(number, side=side, qty_base=Decimal(qty)))
        update = report(
            "FILLED",
            number=number,
            side=side,
            qty_base=Decimal(qty),
            filled_base=Decimal(qty),
            last_qty_base=Decimal(qty),
            last_price=Decimal(price),
            average_price=Decimal(price),
            trade_id=number,
            fee=Decimal(fee),
            fee_asset=asset,
            transaction_time_ns=number * 10**9,
            **({} if our else {"client_order_id": f"web-{number}"}),
        )
        self.results.apply(OrderReport(update, number))


def test_a_trade_has_its_averages_its_fees_and_its_largest_size() -> None:
    book = Book()
    book.fill("BUY", "1", "100", fee="0.1")
    book.fill("BUY", "1", "110", fee="0.1")
    book.fill("SELL", "0.5", "120", fee="0.05")
    (open_,) = book.results.still_open
    assert (open_.qty_base, open_.entry_price, open_.profit) == (Decimal(2), Decimal(105), Decimal("7.5"))
    book.fill("SELL", "1.5", "100", fee="0.15")
    (one,) = book.results.closed
    assert (one.side, one.qty_base, one.entry_price, one.exit_price) == ("long", 2, 105, 105)
    assert (one.profit, one.fees, one.net) == (ZERO, Decimal("0.4"), Decimal("-0.4"))
    assert (one.opened_ns, one.closed_ns) == (10**9, 4 * 10**9)
    assert book.results.still_open == []


def test_one_order_that_turns_a_position_ends_one_trade_and_begins_the_next() -> None:
    book = Book()
    book.fill("BUY", "1", "100")
    book.fill("SELL", "3", "90", fee="0.3")
    (closed,), (open_,) = book.results.closed, book.results.still_open
    assert (closed.profit, closed.fees) == (Decimal(-10), Decimal("0.1"))
    assert (open_.side, open_.qty_base, open_.entry_price, open_.fees) == ("short", 2, 90, Decimal("0.2"))


def test_a_position_that_somebody_else_closed_ends_at_their_price_with_their_fee() -> None:
    book = Book()
    book.fill("BUY", "1", "100", fee="0.1")
    book.fill("SELL", "1", "95", fee="0.2", our=False)
    for owner, qty, entry in (("sma:s1", -ONE, Decimal(100)), (EXTERNAL, ONE, Decimal(95))):
        reason = "somebody else reduced the position"
        book.results.apply(Adjustment("BTCUSDT", owner, qty, entry, reason, "", 3, between_owners=True))
    (one,) = book.results.closed
    assert (one.strategy, one.exit_price, one.profit, one.fees) == ("sma:s1", 95, -5, Decimal("0.3"))
    assert book.results.still_open == []


def test_a_position_of_which_only_the_end_is_known_has_no_exit_price_but_its_value() -> None:
    book = Book()
    book.fill("BUY", "1", "100")
    book.results.apply(Adjustment("BTCUSDT", "sma:s1", -ONE, ZERO, "gone", "", 3, realised_pnl=Decimal(-7)))
    (one,) = book.results.closed
    assert (one.exit_price, one.profit) == (None, -7)


def test_funding_and_other_changes_are_in_the_sum_transfers_and_foreign_fees_are_not() -> None:
    book = Book()
    book.fill("BUY", "1", "100", fee="0.01", asset="BNB")
    book.fill("SELL", "1", "101")
    for reason, change in (
        ("FUNDING_FEE", "-0.2"),
        ("DEPOSIT", "500"),
        ("INSURANCE_CLEAR", "-1"),
        ("ORDER", "0"),
    ):
        balance = Balance("USDT", ONE, ONE, None, Decimal(change))
        book.results.apply(
            AccountReport(AccountUpdate(1, 1, reason, (balance,), (), 1, 1, change_of(reason)), 1)
        )
    trips = book.results.closed
    assert profit_lines(book.results, trips, is_all=True) == [
        "1 closed trade, net 1.00 with what open trades have realised so far",
        "funding -0.20",
        "insurance clear -1.00",
        "together -0.20",
        "fees of 0.01 BNB are not in these numbers",
    ]
    assert (
        profit_lines(book.results, trips, is_all=False) == profit_lines(book.results, trips, is_all=True)[:1]
    )
    assert profit_data(book.results, trips)["funding"] == "-0.2"
    assert as_data(trips)[0]["exit_price"] == "101"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(95, 105), min_size=8, max_size=40))
def test_trades_of_a_run_sum_up_to_what_the_account_says(bids: list[int]) -> None:
    rig = Rig().up().prices(*bids)
    results = Results()
    results.apply(Start("aaaaaa", 1, "", 3, 0))
    for effect in rig.effects:
        if isinstance(effect, Append):
            results.apply(effect.record)
    trips = [*results.closed, *results.still_open]
    account = rig.engine.account
    assert sum((one.profit for one in trips), ZERO) == account.realised_pnl
    assert sum((one.fees for one in trips), ZERO) == account.fees
    held = sum((one.qty_base if one.side == "long" else -one.qty_base for one in results.still_open), ZERO)
    assert held == account.position("BTCUSDT").qty_base
