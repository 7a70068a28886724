from decimal import Decimal

import msgspec

from engine.account.daily import DAY_NS
from engine.account.state import AccountState, AccountStateStore
from engine.model.records import EXTERNAL, AccountReport
from gateways.wire.messages import Balance, MarkPrice, PositionReport
from tests.support.order_events import SYMBOL, snapshot
from tests.support.record_samples import account_update, fill

D = Decimal


def mark(price: object, *, symbol: str = SYMBOL, time_ns: int = 1) -> MarkPrice:
    return MarkPrice(symbol, D(str(price)), D(str(price)), D(0), 0, time_ns, time_ns)


def held(qty: object, entry: object = 50_000, symbol: str = SYMBOL) -> PositionReport:
    return PositionReport(symbol, "BOTH", D(str(qty)), D(str(entry)), D(0), "cross", D(0))


def test_a_round_trip_by_hand():
    account = AccountStateStore()
    account.on_snapshot(snapshot(balances=(Balance("USDT", D(10_000), D(10_000)),)))
    account.on_mark(mark(50_000))
    account.on_fill(fill(1, qty_base=D(2), price=D(50_000), fee=D(40)))
    account.on_fill(fill(2, qty_base=D(1), price=D(50_300), fee=D("20.12")))
    assert account.position(SYMBOL).entry_price == 50_100
    account.on_mark(mark(50_200))
    assert account.unrealised_pnl == 300
    assert account.equity == 10_300
    realised = account.on_fill(
        fill(3, side="SELL", qty_base=D("1.5"), price=D(50_200), fee=D("30.12"), realised_pnl=D(150))
    )
    assert realised == 150
    assert account.position(SYMBOL).entry_price == 50_100
    account.on_fill(fill(4, side="SELL", qty_base=D(2), price=D(50_000), fee=D(40), realised_pnl=D(-150)))
    position = account.position(SYMBOL)
    assert (position.qty_base, position.entry_price) == (D("-0.5"), D(50_000))
    assert account.realised_pnl == 0
    assert position.venue_realised_pnl == 0
    assert account.fees == D("130.24")
    assert account.total_pnl == -100 - D("130.24")


def test_owners_are_kept_apart_and_their_sum_is_the_symbol():
    account = AccountStateStore()
    account.on_fill(fill(1, strategy="a"))
    account.on_fill(fill(2, strategy="b", side="SELL", qty_base=D("0.25")))
    account.on_fill(fill(3, strategy=EXTERNAL, qty_base=D("0.1")))
    assert account.strategy_position("a", SYMBOL).qty_base == 1
    assert account.strategy_position("b", SYMBOL).qty_base == D("-0.25")
    assert account.position(SYMBOL).qty_base == D("0.85")
    assert [owner for owner, _ in account.strategy_positions()] == [EXTERNAL, "a", "b"]


def test_a_rebate_is_a_gain():
    account = AccountStateStore()
    account.on_fill(fill(1, fee=D("-0.5"), is_maker=True))
    assert (account.fees, account.total_pnl) == (D("-0.5"), D("0.5"))
    account.on_fill(fill(2, fee=D("-0.001"), fee_asset="BNB", is_maker=True))
    assert (account.other_fees, account.estimated_fees) == ({"BNB": D("-0.001")}, 0)


def test_fees_in_another_asset_are_not_mixed_with_money():
    account = AccountStateStore()
    account.on_fill(fill(1, fee=D("0.001"), fee_asset="BNB"))
    assert account.fees == 0
    assert account.other_fees == {"BNB": D("0.001")}


def test_venue_and_fills_are_compared_when_both_have_come_to_rest():
    account = AccountStateStore()
    account.on_account_update(account_update())
    (found,) = account.mismatches()
    assert (found.symbol, found.venue_base, found.ours_base, found.since_ns) == (SYMBOL, 1, 0, 3_000)
    assert account.mismatches(settled_before_ns=2_999) == ()
    account.on_fill(fill(1))
    assert account.mismatches() == ()


def test_an_accepted_adjustment_closes_the_gap_and_earns_nothing():
    account = AccountStateStore()
    account.on_account_update(account_update())
    adjustment = account.mismatches()[0].adjustment(9, "two snapshots")
    assert (adjustment.qty_base, adjustment.strategy, adjustment.entry_price) == (1, EXTERNAL, 50_000)
    account.on_adjustment(adjustment)
    account.on_mark(mark(50_100))
    assert account.mismatches() == ()
    assert account.realised_pnl == 0
    assert account.unrealised_pnl == 100
    assert account.position(SYMBOL).adjusted_base == 1


def test_only_a_complete_snapshot_proves_a_position_absent():
    account = AccountStateStore()
    account.on_account_update(account_update())
    account.on_snapshot(snapshot(complete=False, cursor_sequence=9))
    assert account.venue_base(SYMBOL) == 1
    account.on_snapshot(snapshot(cursor_sequence=9))
    assert account.venue_base(SYMBOL) == 0


def test_a_snapshot_older_than_the_newest_update_does_not_take_it_back():
    account = AccountStateStore()
    account.on_account_update(account_update(sequence=5))
    account.on_snapshot(snapshot(cursor_sequence=4, positions=(held("0.5"),)))
    assert account.venue_base(SYMBOL) == 1
    account.on_snapshot(snapshot(cursor_sequence=5, positions=(held("0.5"),)))
    assert account.venue_base(SYMBOL) == D("0.5")
    account.on_snapshot(snapshot(epoch=2, cursor_sequence=0, positions=(held("0.7"),)))
    assert account.venue_base(SYMBOL) == D("0.7")


def test_the_day_begins_at_midnight_by_event_time():
    account = AccountStateStore()
    account.on_mark(mark(50_000, time_ns=5))
    account.on_fill(fill(1, fee=D(0), time_ns=6))
    account.on_mark(mark(49_900, time_ns=DAY_NS - 1))
    assert account.daily_pnl == -100
    account.on_mark(mark(49_800, time_ns=DAY_NS))
    assert account.total_pnl == -200
    assert account.daily_pnl == 0  # the price of the day's first event is where the day begins
    account.on_mark(mark(49_850, time_ns=DAY_NS + 1))
    account.on_mark(mark(49_850, time_ns=DAY_NS - 5))
    assert account.daily_pnl == 50


def test_a_snapshot_of_the_store_restores_it_exactly():
    account = AccountStateStore()
    account.on_snapshot(snapshot(balances=(Balance("USDT", D("10000.50"), D(10_000)),), positions=(held(1),)))
    account.replay(AccountReport(account_update(sequence=7), 3))
    for number in range(1, 8):
        account.on_fill(fill(number, qty_base=D(number) / 7, strategy=f"s{number % 3}"))
    account.on_mark(mark("50000.123"))
    data = msgspec.msgpack.encode(account.state())
    other = AccountStateStore()
    other.restore(msgspec.msgpack.decode(data, type=AccountState))
    assert msgspec.msgpack.encode(other.state()) == data
    assert other.strategy_positions() == account.strategy_positions()
    assert (other.equity, other.daily_pnl) == (account.equity, account.daily_pnl)
