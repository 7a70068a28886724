"""The exchange's bars: every close once, also one that the stream did not show."""

import asyncio
from collections.abc import Sequence

import pytest

from gateways.binance import kline_feed
from gateways.binance.classify import Failure
from gateways.binance.errors import RestError
from gateways.binance.frames import KlineBody, KlineFrame
from gateways.binance.kline_feed import KlineFeed
from gateways.wire.messages import Kline

MINUTE = 60_000


def frame(minute: int, *, closed: bool = False, close: float = 1.0) -> KlineFrame:
    start = minute * MINUTE
    body = KlineBody(start, start + MINUTE - 1, "1m", 1.0, close, 1.0, 1.0, 1.0, 1.0, 1, closed)
    return KlineFrame("BTCUSDT", start + 1, body)


def bar(minute: int, *, closed: bool = True) -> Kline:
    start = minute * MINUTE * 1_000_000
    length = MINUTE * 1_000_000
    return Kline("BTCUSDT", "1m", start, start + length, 1, 1, 1, 1, 1, 1, 1, closed, start)


class Rig:
    def __init__(
        self, answers: Sequence[tuple[Kline, ...] | RestError], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kline_feed, "PATIENCE_SECONDS", 0.0)
        self.answers = list(answers)
        self.asked: list[int] = []
        self.told: list[Kline] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.feed = KlineFeed(
            publish=self.told.append,
            fetch=self._fetch,
            spawn=lambda work: self.tasks.append(asyncio.ensure_future(work)),
        )

    async def _fetch(self, _symbol: str, _interval: str, limit: int) -> tuple[Kline, ...]:
        self.asked.append(limit)
        answer = self.answers.pop(0)
        if isinstance(answer, RestError):
            raise answer
        return answer

    async def take(self, *frames: KlineFrame) -> "Rig":
        for one in frames:
            self.feed.on_frame(one)
        await asyncio.gather(*self.tasks)
        return self

    @property
    def closes(self) -> list[int]:
        return [one.open_time_ns // (MINUTE * 1_000_000) for one in self.told if one.is_closed]


def test_a_stream_without_gaps_asks_for_nothing_and_tells_each_close_once(monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> None:
        rig = Rig([], monkeypatch)
        await rig.take(frame(5), frame(5, closed=True), frame(5, closed=True), frame(5), frame(6))
        await rig.take(frame(6, closed=True), frame(7), frame(7, closed=True))
        assert (rig.closes, rig.asked) == ([5, 6, 7], [])
        assert len(rig.told) == 6

    asyncio.run(scenario())


def test_a_close_that_fell_into_a_gap_is_fetched(monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> None:
        failed = RestError(Failure("transient", 0, "no"))
        too_soon = (bar(4), bar(5, closed=False))
        rig = Rig([failed, too_soon, (bar(4), bar(5), bar(6, closed=False))], monkeypatch)
        await rig.take(frame(5), frame(6), frame(6))
        assert rig.closes == [5]
        await rig.take(frame(6, closed=True), frame(7))
        assert rig.closes == [5, 6]
        assert len(rig.asked) == 3

    asyncio.run(scenario())


def test_bars_that_came_and_went_in_a_long_gap_are_fetched_too(monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> None:
        rig = Rig([(bar(5), bar(6), bar(7), bar(8, closed=False))], monkeypatch)
        await rig.take(frame(5, closed=True), frame(8))
        assert rig.closes == [5, 6, 7]
        assert rig.asked == [5]

    asyncio.run(scenario())


def test_a_closing_frame_that_comes_late_is_not_told_twice(monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> None:
        rig = Rig([(bar(5), bar(6, closed=False))], monkeypatch)
        await rig.take(frame(5), frame(6), frame(5, closed=True), frame(6))
        assert rig.closes == [5]
        await rig.take(frame(6, closed=True))
        assert rig.closes == [5, 6]

    asyncio.run(scenario())


def test_an_exchange_that_never_has_the_bar_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> None:
        rig = Rig([()] * 50, monkeypatch)
        await rig.take(frame(5))
        for _ in range(3):
            await rig.take(frame(6))
        assert len(rig.asked) == kline_feed.TRIES
        assert rig.closes == []

    asyncio.run(scenario())
