"""Whenever a client subscribes and takes its snapshot, it holds the exact book from then on."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.market_rig import ClientBook, MarketRig

Batches = list[tuple[int, list[tuple[str, int, int]]]]
CADENCES = {"@depth@0ms": 0, "@depth@100ms": 100, "@depth": 250, "@depth@500ms": 500}

change = st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 8), st.integers(0, 3))
batches = st.lists(st.tuples(st.integers(0, 160), st.lists(change, max_size=4)), min_size=1, max_size=40)


def _apply(rig: MarketRig, changes: list[tuple[str, int, int]]) -> None:
    book = rig.exchange.book("BTCUSDT")
    for side, distance, lots in changes:
        price = 640_000 - distance if side == "BUY" else 640_000 + distance
        book.set_level(side, price, lots)
    rig.exchange.after_market("BTCUSDT", rig.now_ms)


@settings(max_examples=150, deadline=None)
@given(
    batches=batches,
    stream=st.sampled_from(sorted(CADENCES)),
    subscribe_at=st.integers(0, 15),
    snapshot_after=st.integers(0, 25),
)
def test_any_subscription_moment_reconstructs_the_exact_book(
    batches: Batches, stream: str, subscribe_at: int, snapshot_after: int
):
    rig = MarketRig()
    rig.data.open_symbol("BTCUSDT", 640_000, rig.now_ms)
    _apply(rig, [("BUY", 1, 5), ("SELL", 1, 5)])
    name = "btcusdt" + stream
    client: ClientBook | None = None
    for index, (pause_ms, changes) in enumerate(batches):
        if index == subscribe_at:
            rig.data.subscribe(name)
        rig.run(pause_ms, step_ms=40)
        _apply(rig, changes)
        if index == subscribe_at + snapshot_after:
            client = ClientBook(rig.rest("depth", symbol="BTCUSDT", limit=1000))
    rig.run(600)
    if client is None:
        return
    for frame in rig.take(name):
        client.apply(frame)
    final = rig.rest("depth", symbol="BTCUSDT", limit=1000)
    assert client.bids == dict(map(tuple, final["bids"]))
    assert client.asks == dict(map(tuple, final["asks"]))


@settings(max_examples=60, deadline=None)
@given(batches=batches)
def test_ids_rise_and_previous_ids_chain_and_no_diff_is_empty(
    batches: Batches,
):
    rig = MarketRig()
    rig.data.open_symbol("BTCUSDT", 640_000, rig.now_ms)
    for stream in CADENCES:
        rig.data.subscribe("btcusdt" + stream)
    for pause_ms, changes in batches:
        rig.run(pause_ms, step_ms=40)
        _apply(rig, changes)
    rig.run(600)
    frames = rig.frames
    for stream in CADENCES:
        mine = [frame for name, frame in frames if name == "btcusdt" + stream]
        for before, after in pairwise(mine):
            assert after["pu"] == before["u"] < after["U"] <= after["u"]
        assert all(frame["b"] or frame["a"] for frame in mine)


@settings(max_examples=40, deadline=None)
@given(batches=batches)
def test_the_book_ticker_is_the_best_of_the_depth(batches: Batches):
    rig = MarketRig()
    rig.data.open_symbol("BTCUSDT", 640_000, rig.now_ms)
    rig.data.subscribe("btcusdt@bookTicker")
    _apply(rig, [("BUY", 1, 5), ("SELL", 1, 5)])
    client = ClientBook(rig.rest("depth", symbol="BTCUSDT", limit=1000))
    rig.data.subscribe("btcusdt@depth@0ms")
    newest = rig.take("btcusdt@bookTicker")[-1]
    for pause_ms, changes in batches:
        rig.run(pause_ms, step_ms=40)
        _apply(rig, [(side, distance, lots) for side, distance, lots in changes if distance > 1 or lots])
        for name, frame in rig.frames:
            if name == "btcusdt@bookTicker":
                newest = frame
            else:
                client.apply(frame)
        rig.frames.clear()
        assert client.top() == (newest["b"], newest["B"], newest["a"], newest["A"])
