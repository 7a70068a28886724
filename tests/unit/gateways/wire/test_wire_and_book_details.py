"""Single rules: what a slow reader gets, replay, the request budget, how the book is kept."""

from decimal import Decimal

import pytest

from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, DepthSnapshot
from gateways.binance.rest.request_budget import Priority, RequestBudget
from gateways.binance.streams.book_sync import MAX_DISAGREEMENTS, BookSync
from gateways.wire.framing import engine_decoder
from gateways.wire.limits import WireLimits
from gateways.wire.messages import Gap, Kline, MarkPrice, Message, OrderBookTick, TradeTick
from gateways.wire.outgoing import MOST_TOGETHER, Outgoing
from gateways.wire.replay import ReplayLog
from tests.support.record_samples import account_update
from tests.support.wire_rig import book

MINUTE_NS = 60_000_000_000


class Reader:
    """Takes what is written; `outgoing` believes it behind until `resume`."""

    def __init__(self, **limits: int) -> None:
        self.frames: list[bytes] = []
        self.outgoing = Outgoing(self.frames.append, WireLimits(**limits))
        self.outgoing.pause()

    def catch_up(self) -> list[Message]:
        self.outgoing.resume()
        return list(engine_decoder().feed(b"".join(self.frames)))


def kline(minute: int, close: float, symbol: str = "AUSDT") -> Kline:
    return Kline(symbol, "1m", minute, minute + 1, 1.0, 1.0, 1.0, close, 1.0, 1.0, 1, False, 0)


def test_market_data_that_came_in_one_piece_leave_a_few_at_a_time_and_nothing_else_waits():
    reader = Reader()
    reader.catch_up()
    outgoing = reader.outgoing
    outgoing.gather()
    for number in range(1, MOST_TOGETHER + 3):
        outgoing.market(book(number))
    assert len(reader.frames) == 1
    outgoing.urgent(Gap(1, 2, "urgent"))
    outgoing.release()
    outgoing.market(book(99))
    assert len(reader.frames) == 4
    told = list(engine_decoder().feed(b"".join(reader.frames)))
    ids = [one.update_id for one in told if isinstance(one, OrderBookTick)]
    assert ids == [*range(1, MOST_TOGETHER + 3), 99]


def test_of_each_bar_a_slow_reader_gets_the_newest_state_once():
    reader = Reader()
    for one in (kline(0, 1.0), kline(0, 2.0), kline(1, 3.0), kline(0, 4.0)):
        reader.outgoing.market(one)
    assert reader.outgoing.waiting == 2
    assert reader.catch_up() == [kline(0, 4.0), kline(1, 3.0)]
    assert (reader.outgoing.waiting, reader.outgoing.dropped_market_events) == (0, 0)


def test_of_too_many_bars_the_one_that_waits_longest_goes_and_is_counted():
    reader = Reader(waiting_klines=2)
    for minute in (0, 1, 1, 2):
        reader.outgoing.market(kline(minute, 1.0))
    assert [one.open_time_ns for one in reader.catch_up()] == [1, 2]
    assert reader.outgoing.dropped_market_events == 1


def test_what_waits_is_counted_over_all_kinds():
    reader = Reader()
    for one in (book(1, "AUSDT"), book(2, "BUSDT"), kline(0, 1.0)):
        reader.outgoing.market(one)
    for number in (1, 2):
        reader.outgoing.market(TradeTick("AUSDT", number, 1.0, 1.0, False, 1, 1))
    reader.outgoing.urgent(account_update())
    assert reader.outgoing.waiting == 6
    assert len(reader.catch_up()) == 6


def test_only_books_that_nobody_saw_count_as_conflated():
    reader = Reader()
    one = Decimal(1)
    mark = MarkPrice("AUSDT", one, one, one, 0, 1, 1)
    for _ in range(3):
        reader.outgoing.market(mark)
        reader.outgoing.market(book(1, "AUSDT"))
    assert reader.outgoing.conflated_ticks == 2


def test_a_reader_that_is_up_to_date_is_told_nothing():
    log = ReplayLog(epoch=5, keep=2)
    assert log.since(5, 0) == []
    frames = [log.append(account_update()) for _ in range(3)]
    assert log.since(5, 3) == []
    assert log.since(5, 2) == frames[2:]
    assert log.since(5, 1) == frames[1:]
    for epoch, sequence in ((5, 0), (5, 4), (4, 3), (0, 0)):
        (gap,) = engine_decoder().feed(b"".join(log.since(epoch, sequence)))
        assert isinstance(gap, Gap)
        assert (gap.epoch, gap.next_sequence) == (5, 4)


def test_limits_of_other_windows_and_without_sense_change_nothing():
    now = 1_000 * MINUTE_NS
    budget = RequestBudget(lambda: now, 100)
    rows = [
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 4},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 2},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 1},
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 0},
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": "50"},
    ]
    budget.set_limits(rows)
    assert budget.weight_limit == 100
    assert [budget.wait_for(0, 1, Priority.CANCEL) for _ in range(3)] == [0.0, 0.0, 10.0]
    now += 10_000_000_000
    assert [budget.wait_for(0, 1, Priority.CANCEL) for _ in range(3)] == [0.0, 0.0, 50.0]


def test_the_weight_of_the_minute_before_is_gone_with_it():
    now = 1_000 * MINUTE_NS
    budget = RequestBudget(lambda: now, 100)
    budget.wait_for(7, 0, Priority.QUERY)
    assert budget.used_weight == 7
    now += MINUTE_NS
    assert budget.used_weight == 0


def diff(pu: int, u: int, b: list | None = None, a: list | None = None) -> DepthFrame:
    return DepthFrame(s="X", E=u, T=u, U=pu + 1, u=u, pu=pu, b=b or [], a=a or [])


def ticker(u: int, bid: float, ask: float, size: float = 1.0) -> BookTickerFrame:
    return BookTickerFrame(s="X", u=u, E=u, T=u, b=bid, B=size, a=ask, A=size)


def synced(last: int = 10) -> BookSync:
    sync = BookSync("X", 2)
    load(sync, last)
    return sync


def load(sync: BookSync, last: int) -> None:
    sync.on_diff(diff(last - 1, last))
    assert sync.on_snapshot(
        DepthSnapshot(last, [(9.0, 1.0), (8.0, 1.0)], [(11.0, 1.0), (12.0, 1.0)], last, last)
    )
    assert sync.is_synced
    sync.book.refresh()


@pytest.mark.parametrize(("bid", "ask"), [(9.5, 11.0), (9.0, 10.5)])
def test_a_touch_that_differs_on_one_side_alone_is_a_disagreement_and_the_touch_is_believed(
    bid: float, ask: float
):
    sync = synced()
    for u in range(11, 11 + MAX_DISAGREEMENTS - 1):
        sync.on_ticker(ticker(u, bid, ask))
        sync.on_diff(diff(u - 1, u, b=[(9.0, 1.0)], a=[(11.0, 1.0)]))
        assert sync.is_synced
        assert (sync.book.bids.best()[0], sync.book.asks.best()[0]) == (bid, ask)


def test_what_a_touch_tells_is_published_unless_something_newer_was_before_a_resync():
    sync = synced(20)
    assert sync.on_ticker(ticker(25, 9.5, 11.0))
    sync.reset("the connection was lost")
    load(sync, 21)
    assert not sync.on_ticker(ticker(24, 9.4, 11.0))
    assert sync.on_ticker(ticker(25, 9.6, 11.0))
    assert not sync.on_ticker(ticker(25, 9.7, 11.0))
