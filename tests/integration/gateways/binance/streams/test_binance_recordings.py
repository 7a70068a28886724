"""Real frames: the book equals the recorded bookTicker at every depth event, and no event is lost."""

import gzip
import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, DepthSnapshot, decode, snapshot_from
from gateways.binance.streams.book_sync import BookSync
from gateways.binance.streams.symbol_feed import SymbolFeed
from gateways.wire.messages import OrderBookTick
from tests.support.places import ROOT

TICKS = Path(os.environ.get("SHARED", str(ROOT / ".." / "shared"))) / "data" / "ticks"
SYMBOLS = ["BTCUSDT", "ETHUSDT"]

pytestmark = pytest.mark.skipif(not TICKS.is_dir(), reason="the recordings are not there (set SHARED)")


def session(symbol: str) -> Iterator[tuple[int, DepthFrame | BookTickerFrame | DepthSnapshot]]:
    """Frames of both days, with their receive times; trades are left out."""
    for path in sorted(TICKS.glob(f"{symbol}_usdm_ws_*.txt.gz")):
        with gzip.open(path, "rb") as file:
            for line in file:
                time, _, frame = line.partition(b" ")
                if b'"lastUpdateId"' in frame[:40]:
                    yield int(time), snapshot_from(msgspec.json.decode(frame))
                    continue
                envelope = decode(frame)
                assert envelope is not None
                if isinstance(envelope.data, DepthFrame | BookTickerFrame):
                    yield int(time), envelope.data


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_book_of_diffs_alone_equals_the_recorded_bookticker_at_every_depth_event(
    symbol: str,
):
    # The two streams overtake each other on the way, so "the newest" is the one of the same moment by id.
    tickers = {frame.u: frame for _, frame in session(symbol) if isinstance(frame, BookTickerFrame)}
    ids = sorted(tickers)
    sync = BookSync(symbol, 5)
    compared = depth_events = 0
    for _, frame in session(symbol):
        if isinstance(frame, DepthSnapshot):
            assert sync.on_snapshot(frame)
        elif isinstance(frame, DepthFrame):
            sync.on_diff(frame)
            if sync.is_synced:
                depth_events += 1
                newest = tickers[ids[bisect_right(ids, frame.u) - 1]]
                assert sync.book.bids.best() == (newest.b, newest.B)
                assert sync.book.asks.best() == (newest.a, newest.A)
                compared += 1
    assert sync.resyncs == 0
    assert compared == depth_events > 5_000


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_ticks_follow_every_change_of_the_touch_and_never_go_back(symbol: str):
    ticks: list[OrderBookTick] = []

    async def never(_symbol: str) -> DepthSnapshot:
        raise AssertionError

    feed = SymbolFeed(
        symbol,
        5,
        publish=ticks.append,
        on_sync=lambda: None,
        fetch_snapshot=never,
        random=lambda: 0.5,
        stale_after_ns=5_000_000_000,
    )
    touches = 0
    last_touch: tuple[float, ...] = ()
    for time, frame in session(symbol):
        if isinstance(frame, DepthSnapshot):
            assert feed.sync.on_snapshot(frame)
        elif isinstance(frame, DepthFrame):
            feed.on_depth(frame, time)
        else:
            is_newer = frame.u > feed.sync.update_id
            feed.on_ticker(frame, time)
            if feed.sync.is_synced and is_newer:
                touch = (frame.b, frame.B, frame.a, frame.A)
                touches += touch != last_touch
                last_touch = touch
                assert (ticks[-1].bids[0], ticks[-1].asks[0]) == (touch[:2], touch[2:])
    ids = [tick.update_id for tick in ticks]
    times = [tick.transaction_time_ns for tick in ticks]
    assert ids == sorted(ids)
    assert times == sorted(times)
    assert all(tick.bids[0][0] < tick.asks[0][0] for tick in ticks)
    assert all(len(tick.bids) == len(tick.asks) == 5 for tick in ticks)
    assert len(ticks) >= touches > 10_000
    assert feed.sync.resyncs == 0
