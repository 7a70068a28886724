"""Single rules of the book's synchronisation; the property test covers their interplay."""

import pytest

from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, DepthSnapshot, decode
from gateways.binance.streams.book_sync import MAX_BUFFERED, MAX_IGNORED, BookState, BookSync
from gateways.binance.streams.order_book import MAX_LEVELS, BookSide


def diff(pu: int, u: int, b: list | None = None, a: list | None = None) -> DepthFrame:
    return DepthFrame(s="X", E=u, T=u, U=pu + 1, u=u, pu=pu, b=b or [], a=a or [])


def ticker(u: int, bid: float, ask: float, size: float = 1.0) -> BookTickerFrame:
    return BookTickerFrame(s="X", u=u, E=u, T=u, b=bid, B=size, a=ask, A=size)


def snapshot(
    last: int, *, bids: list | None = None, asks: list | None = None, time: int | None = None
) -> DepthSnapshot:
    stamp = last if time is None else time
    return DepthSnapshot(
        last, bids or [(9.0, 1.0), (8.0, 1.0)], asks or [(11.0, 1.0), (12.0, 1.0)], stamp, stamp
    )


def synced(last: int = 10) -> BookSync:
    sync = BookSync("X", 2)
    sync.on_diff(diff(last - 1, last))
    assert sync.on_snapshot(snapshot(last))
    assert sync.is_synced
    sync.book.refresh()
    return sync


@pytest.mark.parametrize(
    ("pu", "u", "fits"),
    [(8, 9, False), (8, 10, True), (9, 12, True), (10, 12, True), (11, 12, False)],
)
def test_the_first_diff_must_reach_over_the_snapshot(pu: int, u: int, fits: bool):
    sync = BookSync("X", 2)
    sync.on_diff(diff(1, 2))
    assert sync.on_snapshot(snapshot(10))
    assert sync.state is BookState.BRIDGING
    sync.on_diff(diff(pu, u))
    assert sync.is_synced is fits


def test_a_snapshot_older_than_the_buffer_is_refused_and_the_buffer_kept():
    sync = BookSync("X", 2)
    sync.on_diff(diff(20, 21, b=[(9.5, 3.0)]))
    assert not sync.on_snapshot(snapshot(10))
    assert sync.wants_snapshot
    assert sync.on_snapshot(snapshot(20))
    assert sync.is_synced
    assert sync.book.bids.best() == (9.5, 3.0)


def test_a_missing_diff_ends_the_synchronisation():
    sync = synced()
    assert not sync.on_diff(diff(11, 12))
    assert sync.wants_snapshot
    assert sync.resyncs == 1
    assert "10 to 11" in sync.last_reason


def test_a_crossed_book_is_never_published():
    sync = synced()
    assert not sync.on_diff(diff(10, 11, b=[(11.0, 5.0)]))
    assert not sync.is_synced
    assert "crossed" in sync.last_reason


def test_a_newer_touch_survives_an_older_diff():
    sync = synced()
    assert sync.on_ticker(ticker(15, 8.5, 11.0))
    assert sync.book.bids.top == ((8.5, 1.0), (8.0, 1.0))
    sync.on_diff(diff(10, 12, b=[(9.2, 4.0)]))
    assert sync.book.bids.best() == (8.5, 1.0)
    assert sync.update_id == 15


def test_an_older_touch_is_forgotten():
    sync = synced()
    sync.on_ticker(ticker(15, 8.5, 11.0))
    assert not sync.on_ticker(ticker(13, 9.5, 11.0))
    sync.on_diff(diff(10, 12, b=[(9.2, 4.0)]))
    assert sync.book.bids.best() == (8.5, 1.0)


def test_a_book_that_disagrees_three_times_with_bookticker_is_built_anew():
    sync = synced()
    for number in (11, 12, 13):
        assert sync.is_synced
        sync.on_ticker(ticker(number, 9.0, 11.0, size=7.0))
        sync.on_diff(diff(number - 1, number, b=[(9.0, 1.0)]))
    assert not sync.is_synced


def test_what_is_published_never_goes_back_over_a_resync():
    sync = synced()
    sync.on_ticker(ticker(30, 9.0, 11.0, size=5.0))
    sync.reset("test")
    sync.on_diff(diff(11, 12))
    assert sync.on_snapshot(snapshot(12, time=10))
    assert sync.is_synced
    assert not sync.on_diff(diff(12, 14, b=[(9.0, 3.0)]))
    assert sync.on_diff(diff(14, 31, b=[(9.0, 4.0)]))


def test_an_exchange_that_counts_anew_is_followed():
    sync = synced(1000)
    for _ in range(MAX_IGNORED + 1):
        sync.on_diff(diff(4, 5))
    assert sync.wants_snapshot
    assert sync.on_snapshot(snapshot(5, time=2000))
    sync.on_diff(diff(5, 6, b=[(9.1, 1.0)]))
    assert sync.is_synced
    assert sync.on_diff(diff(6, 7, b=[(9.2, 1.0)]))


def test_a_snapshot_later_in_time_with_lower_ids_is_followed_too():
    sync = synced(1000)
    sync.reset("the exchange was restarted")
    sync.on_diff(diff(4, 5))
    assert sync.on_snapshot(snapshot(5, time=2000))
    assert sync.on_diff(diff(5, 6, b=[(9.1, 1.0)]))


def test_a_price_beyond_the_snapshot_asks_for_a_new_one():
    sync = BookSync("X", 2, snapshot_limit=2)
    sync.on_diff(diff(9, 10))
    assert sync.on_snapshot(snapshot(10))
    sync.book.refresh()
    assert not sync.on_diff(diff(10, 11, b=[(9.0, 0.0), (7.0, 1.0)]))
    assert not sync.is_synced
    assert "range" in sync.last_reason


def test_the_buffer_is_bounded():
    sync = BookSync("X", 2)
    for number in range(MAX_BUFFERED + 10):
        sync.on_diff(diff(number, number + 1))
    assert sync.on_snapshot(snapshot(MAX_BUFFERED + 10))
    assert sync.is_synced


def test_a_side_keeps_its_best_levels_within_the_bound():
    side = BookSide(is_bid=True, depth=2)
    side.apply([(float(price), 1.0) for price in range(1, MAX_LEVELS + 11)])
    assert len(side) == MAX_LEVELS
    side.refresh()
    assert side.top[0] == (float(MAX_LEVELS + 10), 1.0)


def test_frames_of_unknown_kind_or_shape_are_not_understood_and_harmless():
    assert decode(b'{"stream":"x","data":{"e":"somethingNew","s":"X"}}') is None
    assert decode(b'{"stream":"x","data":{"e":"trade","s":"X"}}') is None
    assert decode(b"not json") is None
    acknowledged = decode(b'{"result":null,"id":1}')
    assert acknowledged is not None
    assert acknowledged.data is None


def test_unknown_fields_of_a_known_frame_are_skipped():
    frame = decode(
        b'{"stream":"x@bookTicker","data":{"e":"bookTicker","u":1,"s":"X","ps":"X","b":"1.5","B":"2","a":"1.6",'
        b'"A":"3","T":5,"E":6,"st":2,"brandNew":[1]}}'
    )
    assert frame is not None
    assert isinstance(frame.data, BookTickerFrame)
    assert (frame.data.b, frame.data.st) == (1.5, 2)
