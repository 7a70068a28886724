"""A price that walks out of the snapshot's levels costs no tick: another snapshot is there in time."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, DepthSnapshot
from gateways.binance.streams.book_sync import BookSync
from gateways.binance.streams.symbol_feed import WIDEN_EVERY_NS, SymbolFeed
from gateways.wire.messages import Level, OrderBookTick

DEPTH, LIMIT, ALL = 5, 100, 2_000
"""Levels published, in a snapshot, and at the exchange."""
STEP_NS = 1_000_000_000


class Venue:
    """A book of whole prices around a mid that moves; sizes tell levels apart."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.mid, self.update_id, self.published_id = 50_000, 1, 1
        self.sides = [{p: self.size() for p in self.range(is_bid)} for is_bid in (True, False)]

    def size(self) -> float:
        return float(self.dice.randint(1, 9))

    def range(self, is_bid: bool) -> range:
        return range(self.mid - ALL, self.mid) if is_bid else range(self.mid + 1, self.mid + 1 + ALL)

    def move(self, by: int) -> DepthFrame:
        """The diff of a move: what is crossed goes, what opens behind it comes."""
        self.mid += by
        self.update_id += 1
        changes: list[list[Level]] = []
        for side, is_bid in zip(self.sides, (True, False), strict=True):
            new = {p: side.get(p) or self.size() for p in self.range(is_bid)}
            new[self.dice.choice(self.range(is_bid)[:20])] = self.size()
            gone = [(float(p), 0.0) for p in side.keys() - new.keys()]
            changes.append(gone + [(float(p), size) for p, size in new.items() if side.get(p) != size])
            side.clear()
            side.update(new)
        frame = DepthFrame(
            "X", self.update_id, self.update_id, self.update_id, self.update_id, self.published_id, *changes
        )
        self.published_id = self.update_id
        return frame

    def top(self, levels: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        bids, asks = self.sides
        return (
            tuple((float(p), bids[p]) for p in sorted(bids, reverse=True)[:levels]),
            tuple((float(p), asks[p]) for p in sorted(asks)[:levels]),
        )

    def ticker(self) -> BookTickerFrame:
        (bid, ask) = (side[0] for side in self.top(1))
        return BookTickerFrame("X", self.update_id, self.update_id, self.update_id, *bid, *ask)

    def snapshot(self) -> DepthSnapshot:
        bids, asks = self.top(LIMIT)
        return DepthSnapshot(self.update_id, list(bids), list(asks), self.update_id, self.update_id)


class Rig:
    """A feed whose snapshots are taken when asked for and arrive when told to."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        limited: Callable[..., BookSync] = lambda symbol, depth: BookSync(symbol, depth, LIMIT)  # noqa: E731
        monkeypatch.setattr("gateways.binance.streams.symbol_feed.BookSync", limited)
        self.venue = Venue(seed)
        self.ticks: list[OrderBookTick] = []
        self.waiting: list[tuple[DepthSnapshot, asyncio.Future[DepthSnapshot]]] = []
        self.now_ns = WIDEN_EVERY_NS
        self.feed = SymbolFeed(
            "X",
            DEPTH,
            publish=self.ticks.append,
            fetch_snapshot=self._fetch,
            on_sync=lambda: None,
            random=lambda: 0.0,
            stale_after_ns=10**12,
        )
        self.task = asyncio.ensure_future(self.feed.keep_in_sync(lambda: self.now_ns))

    async def _fetch(self, _symbol: str) -> DepthSnapshot:
        future: asyncio.Future[DepthSnapshot] = asyncio.get_running_loop().create_future()
        self.waiting.append((self.venue.snapshot(), future))
        return await future

    async def turn(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def arrive(self) -> None:
        for snapshot, future in self.waiting:
            future.set_result(snapshot)
        self.waiting.clear()
        await self.turn()

    async def step(self, by: int) -> None:
        self.now_ns += STEP_NS
        self.feed.on_depth(self.venue.move(by), self.now_ns)
        await self.turn()

    async def begin(self) -> "Rig":
        await self.step(0)
        await self.arrive()
        await self.step(0)
        assert self.feed.sync.is_synced
        return self

    def is_true(self) -> bool:
        return bool(self.ticks) and (self.ticks[-1].bids, self.ticks[-1].asks) == self.venue.top(DEPTH)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("direction", [1, -1])
def test_every_step_of_a_long_way_is_a_true_tick(
    seed: int, direction: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        rig = await Rig(seed, monkeypatch).begin()
        late = 0
        for number in range(200):
            before = len(rig.ticks)
            await rig.step(direction * rig.venue.dice.randint(1, 6))
            if number % 3 == 0:
                rig.feed.on_ticker(rig.venue.ticker(), rig.now_ns)
            assert len(rig.ticks) > before
            assert rig.is_true()
            late = late + 1 if rig.waiting else 0
            if late == 4:  # the answer takes four diffs
                await rig.arrive()
                assert rig.is_true()
        assert rig.feed.sync.resyncs == 0
        rig.task.cancel()

    asyncio.run(scenario())


def test_a_calm_price_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        rig = await Rig(1, monkeypatch).begin()
        for number in range(100):
            await rig.step(1 if number % 2 else -1)
        assert not rig.waiting
        rig.task.cancel()

    asyncio.run(scenario())


def test_where_no_snapshot_comes_the_book_is_lost_as_before_and_goes_on_with_the_first_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        rig = await Rig(2, monkeypatch).begin()
        while rig.feed.sync.is_synced:
            await rig.step(5)
        assert rig.feed.sync.resyncs == 1
        assert rig.feed.sync.last_reason == "the price left the range of the snapshot"
        ticks = len(rig.ticks)
        await rig.step(5)
        assert len(rig.ticks) == ticks
        while not rig.feed.sync.is_synced:
            await rig.arrive()
            await rig.step(5)
        assert rig.is_true()
        rig.task.cancel()

    asyncio.run(scenario())


def test_an_interrupted_stream_drops_the_second_book_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        rig = await Rig(3, monkeypatch).begin()
        while not rig.waiting:
            await rig.step(5)
        rig.feed.on_lost("cut")
        await rig.arrive()
        assert not rig.feed.sync.is_synced
        rig.feed.set_depth(3)
        await rig.step(1)
        await rig.arrive()
        await rig.step(1)
        assert rig.feed.sync.is_synced
        assert len(rig.ticks[-1].bids) == 3
        rig.task.cancel()

    asyncio.run(scenario())
