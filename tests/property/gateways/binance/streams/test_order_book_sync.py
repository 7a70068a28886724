"""Whatever is lost, doubled, reordered or late: a book is either true at its update id, or says it is not."""

from collections import deque
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.binance.protocol.frames import BookTickerFrame, DepthFrame, DepthSnapshot
from gateways.binance.streams.book_sync import BookSync

DEPTH = 3
Levels = dict[float, float]


@dataclass
class Venue:
    """An exchange's book with a history of what was true at each update id."""

    bids: Levels = field(default_factory=lambda: {float(p): 1.0 for p in range(90, 100)})
    asks: Levels = field(default_factory=lambda: {float(p): 1.0 for p in range(101, 111)})
    update_id: int = 100
    published_id: int = 100
    changed_bids: Levels = field(default_factory=dict)
    changed_asks: Levels = field(default_factory=dict)
    truth: dict[int, tuple[Levels, Levels]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.truth[self.update_id] = dict(self.bids), dict(self.asks)

    def change(self, price: int, size: int, is_bid: bool, jump: int) -> None:
        """One order book change; the book is never crossed and never empty."""
        side, changed = (self.bids, self.changed_bids) if is_bid else (self.asks, self.changed_asks)
        if is_bid and self.asks and price >= min(self.asks):
            return
        if not is_bid and self.bids and price <= max(self.bids):
            return
        if not size and len(side) <= DEPTH:
            return
        self.update_id += jump
        if size:
            side[float(price)] = float(size)
        else:
            side.pop(float(price), None)
        changed[float(price)] = float(size)
        self.truth[self.update_id] = dict(self.bids), dict(self.asks)

    def diff(self) -> DepthFrame:
        """Everything since the diff before."""
        frame = DepthFrame(
            s="X",
            E=self.update_id,
            T=self.update_id,
            U=self.published_id + 1,
            u=self.update_id,
            pu=self.published_id,
            b=list(self.changed_bids.items()),
            a=list(self.changed_asks.items()),
        )
        self.published_id = self.update_id
        self.changed_bids, self.changed_asks = {}, {}
        return frame

    def ticker(self) -> BookTickerFrame:
        bid, ask = max(self.bids), min(self.asks)
        return BookTickerFrame(
            s="X",
            u=self.update_id,
            E=self.update_id,
            T=self.update_id,
            b=bid,
            B=self.bids[bid],
            a=ask,
            A=self.asks[ask],
        )

    def snapshot(self) -> DepthSnapshot:
        return DepthSnapshot(
            lastUpdateId=self.update_id,
            bids=sorted(self.bids.items(), reverse=True),
            asks=sorted(self.asks.items()),
            E=self.update_id,
            T=self.update_id,
        )

    def top_at(self, update_id: int) -> tuple[tuple[tuple[float, float], ...], ...]:
        bids, asks = self.truth[update_id]
        return (
            tuple(sorted(bids.items(), reverse=True)[:DEPTH]),
            tuple(sorted(asks.items())[:DEPTH]),
        )


def script_from(seed: int, length: int = 250) -> list[tuple]:
    """Steps with fault rates of the seed's own: some runs are calm, some are mad."""
    dice = Random(seed)
    loss, delay, double = (dice.choice([0.0, 0.02, 0.2]) for _ in range(3))
    rates = {
        "change": 50.0,
        "diff": 20.0,
        "ticker": dice.choice([0.0, 20.0]),
        "take snapshot": 2.0,
        "deliver snapshot": dice.choice([2.0, 10.0]),
        "late": dice.choice([2.0, 20.0]),
        "reconnect": dice.choice([0.0, 1.0]),
    }
    return [
        _step(kind, dice, loss, delay, double)
        for kind in dice.choices(*zip(*rates.items(), strict=True), k=length)
    ]


def _step(kind: str, dice: Random, loss: float, delay: float, double: float) -> tuple:
    if kind == "change":
        return kind, dice.randint(96, 104), dice.randint(0, 2), dice.random() < 0.5, dice.randint(1, 5)
    if kind in ("diff", "ticker"):
        fate = dice.random()
        faults = (("lose", loss), ("delay", loss + delay), ("double", loss + delay + double))
        return kind, next((name for name, limit in faults if fate < limit), "deliver")
    if kind == "late":
        return kind, dice.randint(0, 3)
    return (kind, dice.random() < 0.7) if kind == "deliver snapshot" else (kind,)


class Rig:
    """Drives one BookSync beside the venue and checks every claim it makes."""

    def __init__(self, *, slow_diffs: bool = False) -> None:
        self.slow_diffs = slow_diffs
        self.on_the_way: deque[DepthFrame] = deque()
        self.venue = Venue()
        self.sync = BookSync("X", DEPTH)
        self.snapshot: DepthSnapshot | None = None
        self.delayed: list[DepthFrame | BookTickerFrame] = []
        self.last_published = 0
        self.ticks = 0

    def give(self, frame: DepthFrame | BookTickerFrame) -> None:
        take = self.sync.on_diff if isinstance(frame, DepthFrame) else self.sync.on_ticker
        if take(frame):  # type: ignore[operator]  # matched by the line above
            self.publish()
        self.check()

    def publish(self) -> None:
        sync = self.sync
        assert sync.is_synced
        assert sync.update_id >= self.last_published
        self.last_published = sync.update_id
        self.ticks += 1

    def check(self) -> None:
        """In sync: the touch is true at `update_id`, and all levels are where the diffs reach that far."""
        sync = self.sync
        if not sync.is_synced:
            return
        sync.book.refresh()
        assert not sync.book.is_crossed()
        bids, asks = self.venue.top_at(sync.update_id)
        assert (sync.book.bids.top[0], sync.book.asks.top[0]) == (bids[0], asks[0])
        if sync.diff_id == sync.update_id:
            assert (sync.book.bids.top, sync.book.asks.top) == (bids, asks)

    def step(self, step: tuple) -> None:
        match step:
            case ("change", price, size, is_bid, jump):
                self.venue.change(price, size, is_bid, jump)
            case ("diff", how):
                if self.venue.update_id > self.venue.published_id:
                    self.route(self.venue.diff(), how)
            case ("ticker", how):
                self.route(self.venue.ticker(), how)
            case ("take snapshot",):
                self.snapshot = self.venue.snapshot()
            case ("deliver snapshot", is_fresh):
                self.load(is_fresh=is_fresh)
            case ("late", index):
                self.give_late(index)
            case ("reconnect",):
                self.sync.reset("test")

    def load(self, *, is_fresh: bool) -> None:
        if is_fresh:
            self.snapshot = self.venue.snapshot()
        if self.snapshot is not None and self.sync.wants_snapshot:
            if self.sync.on_snapshot(self.snapshot) and self.sync.is_synced:
                self.sync.book.refresh()
            self.check()

    def give_late(self, index: int) -> None:
        for _ in range(min(index, len(self.on_the_way))):
            self.give(self.on_the_way.popleft())
        if self.delayed:
            self.give(self.delayed.pop(index % len(self.delayed)))

    def route(self, frame: DepthFrame | BookTickerFrame, how: str) -> None:
        if how == "delay":
            self.delayed.append(frame)
        elif how == "deliver" and self.slow_diffs and isinstance(frame, DepthFrame):
            self.on_the_way.append(frame)
        elif how != "lose":
            self.give(frame)
            if how == "double":
                self.give(frame)

    def begin(self) -> None:
        """In sync, before anything goes wrong."""
        self.give(self.venue.diff())
        assert self.sync.on_snapshot(self.venue.snapshot())
        self.venue.change(99, 2, is_bid=True, jump=1)
        self.give(self.venue.diff())
        assert self.sync.is_synced

    def heal(self) -> None:
        """Faults stop: a diff, a fresh snapshot, another diff, and the book must be in sync and true."""
        while self.on_the_way:
            self.give(self.on_the_way.popleft())
        price = 95
        for round_ in range(3):
            self.venue.change(price, round_ + 5, is_bid=True, jump=1)
            self.give(self.venue.diff())
            if self.sync.wants_snapshot:
                self.sync.on_snapshot(self.venue.snapshot())
        self.venue.change(price, 9, is_bid=True, jump=1)
        self.give(self.venue.diff())
        assert self.sync.is_synced
        self.sync.book.refresh()
        assert (self.sync.book.bids.top, self.sync.book.asks.top) == self.venue.top_at(self.sync.update_id)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_a_book_is_true_at_its_update_id_or_not_in_sync(seed: int, from_the_start: bool, slow_diffs: bool):
    rig = Rig(slow_diffs=slow_diffs)
    if not from_the_start:
        rig.begin()
    for step in script_from(seed):
        rig.step(step)
    rig.heal()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_diffs_of_two_overlapping_connections_are_taken_once_each(seed: int):
    dice = Random(seed)
    rig = Rig()
    rig.begin()
    for _ in range(50):
        for step in script_from(dice.randint(0, 2**32), 5):
            if step[0] == "change":
                rig.step(step)
        if rig.venue.update_id > rig.venue.published_id:
            diff = rig.venue.diff()
            for _ in range(dice.randint(1, 3)):
                rig.give(diff)
    assert rig.sync.resyncs == 0
    rig.heal()
