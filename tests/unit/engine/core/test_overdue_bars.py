"""Bars are due by the clock: one that does not come is fetched, told, and lets entries wait."""

from decimal import Decimal

import pytest
from msgspec import structs

from engine.core.engine import Engine
from engine.model.audit import CandleClosed, HealthChanged
from engine.model.bars import Bar, BarFlag, Bars
from engine.model.events import Event, LinkDown, LinkUp, Timer
from engine.model.records import Signal
from engine.model.signals import SignalArrays, Signals
from engine.model.timeframes import SECOND_NS, timeframe_ns
from engine.strategies.base import Inputs, SignalStrategy, StrategyParams, registry
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

MINUTE_NS = 60 * SECOND_NS
FIRST_NS = START_NS - START_NS % MINUTE_NS
GRACE_NS = config().grace_ns
LOW, HIGH = 90.0, 110.0
SILENT = "BTCUSDT: no 1m bar has come since 22:14 UTC"


@registry.register
class _Levels(SignalStrategy):
    """In above 105, out below 95."""

    name = "levels_for_tests"
    Params = StrategyParams

    def __init__(self, params: StrategyParams) -> None:
        self.params = params

    @property
    def inputs(self) -> Inputs:
        return Inputs(candles=("exchange", "mid", "trade"))

    @property
    def warmup_bars(self) -> int:
        return 0

    def on_bar(self, bar: Bar) -> Signals:
        return Signals(bar.close > 105.0, False, bar.close < 95.0, False)

    def batch(self, bars: Bars) -> SignalArrays:
        raise NotImplementedError

    def reset(self) -> None:
        pass


class Feed:
    """Minutes whose closes are known to the exchange; ticks come by themselves, klines only when told to."""

    def __init__(self, candles: str = "exchange", timeframe: str = "1m") -> None:
        self.exchange = Exchange()
        self.exchange.klines = self._klines
        self.closes: dict[int, float] = {}
        self.complete = True
        self.trades = 1
        self.traded = 0
        settings = config(spec(_Levels.name, timeframe=timeframe, candles=candles, params={}))
        self.rig = Rig(Engine(settings), self.exchange).up()
        self.tick()

    def _klines(self, request: wire.RequestKlines) -> list[Event]:
        length = timeframe_ns(request.interval)
        running = self.exchange.now_ns // length * length
        opens = range(running - (request.limit - 1) * length, running + 1, length)
        bars = tuple(self.kline((at - FIRST_NS) // MINUTE_NS, at < running) for at in opens)
        text = request.interval
        bars = tuple(structs.replace(bar, interval=text, trades=self.trades) for bar in bars)
        return [wire.KlinesReply(request.request_id, "BTCUSDT", text, bars, self.complete)]

    def kline(self, minute: int, closed: bool = True) -> wire.Kline:
        at, close = FIRST_NS + minute * MINUTE_NS, self.closes.get(minute, 100.0)
        return wire.Kline("BTCUSDT", "1m", at, at + MINUTE_NS, *[close] * 4, 1.0, 1.0, 1, closed, at)

    def tick(self) -> None:
        self.rig.tick((self.rig.now_ns - START_NS) / SECOND_NS, 100.0)

    def trade(self, price: float = 100.0) -> "Feed":
        now_ns = self.rig.now_ns
        self.traded += 1
        self.rig.feed(wire.TradeTick("BTCUSDT", self.traded, price, 1.0, False, now_ns, now_ns))
        return self

    def to(self, minute: float, *, with_ticks: bool = True) -> "Feed":
        """Time goes on to so many minutes after the first, with a book tick a second."""
        end = FIRST_NS + round(minute * MINUTE_NS)
        while self.rig.now_ns < end:
            self.rig.wait(min(SECOND_NS, end - self.rig.now_ns) / SECOND_NS)
            if with_ticks and self.rig.now_ns % SECOND_NS == 0:
                self.tick()
        return self

    def stream(self, minute: int, *, closed: bool = True) -> "Feed":
        self.rig.feed(self.kline(minute, closed))
        return self

    def delivered(self) -> list[int]:
        bars = [one.bar for one in self.rig.notices(CandleClosed) if isinstance(one, CandleClosed)]
        return [(bar.open_time_ns - FIRST_NS) // MINUTE_NS for bar in bars]

    def blockers(self) -> tuple[str, ...]:
        told = [one for one in self.rig.notices(HealthChanged) if isinstance(one, HealthChanged)]
        return told[-1].blockers

    def fates(self) -> dict[int, str]:
        found = [one for one in self.rig.records(Signal) if isinstance(one, Signal)]
        return {(one.bar_open_time_ns - FIRST_NS) // MINUTE_NS: one.fate for one in found}


def test_a_bar_that_comes_in_time_is_not_asked_for() -> None:
    feed = Feed().to(1).stream(0).to(1.5)
    asked = len(feed.rig.sent(wire.RequestKlines))
    feed.to(1.99).stream(1, closed=False).to(2).stream(1).to(2.5)
    assert feed.delivered() == [0, 1]
    assert len(feed.rig.sent(wire.RequestKlines)) == asked
    assert feed.blockers() == ()


def test_an_overdue_bar_is_told_within_two_grace_times_and_entries_wait() -> None:
    feed = Feed().to(1)
    assert feed.blockers() == ()
    feed.rig.wait(2 * GRACE_NS / SECOND_NS)
    assert feed.blockers() == (SILENT,)


def test_exits_are_decided_on_the_fetched_bar_and_entries_are_not() -> None:
    feed = Feed().to(1)
    feed.closes[0] = HIGH
    feed.stream(0).to(1.9)
    assert feed.exchange.position > 0
    feed.closes.update({1: LOW, 2: HIGH})
    feed.to(2.1)
    assert feed.delivered() == [0, 1]
    assert feed.exchange.position == 0
    feed.to(3.1)
    assert feed.delivered() == [0, 1, 2]
    assert feed.exchange.position == 0
    assert feed.fates() == {0: "traded", 1: "traded", 2: "vetoed"}
    assert feed.blockers() == (SILENT.replace("22:14", "22:15"),)


def test_entries_go_on_when_the_stream_speaks_again() -> None:
    feed = Feed().to(1.9)
    assert feed.blockers() == (SILENT,)
    feed.stream(1, closed=False)
    assert feed.blockers() == ()
    feed.closes[1] = HIGH
    feed.to(2).stream(1)
    assert feed.exchange.position > 0


def test_a_frame_of_a_bar_that_was_fetched_already_says_nothing() -> None:
    feed = Feed().to(1.9).stream(0)
    assert feed.delivered() == [0]
    assert feed.blockers() == (SILENT,)


def test_a_close_that_fell_into_a_gap_of_a_stream_that_goes_on_is_entered_on() -> None:
    feed = Feed().to(1)
    feed.closes[0] = HIGH
    feed.rig.wait(0.3)
    feed.stream(1, closed=False).to(1.1)
    assert feed.delivered() == [0]
    assert feed.exchange.position > 0


def test_a_bar_the_exchange_does_not_have_yet_is_asked_for_again() -> None:
    feed = Feed().to(1)
    feed.complete = False
    before = len(feed.rig.sent(wire.RequestKlines))
    feed.to(1.2)
    assert len(feed.rig.sent(wire.RequestKlines)) > before + 2
    assert feed.delivered() == []
    feed.complete = True
    assert feed.to(1.3).delivered() == [0]


def test_bars_that_closed_while_the_link_was_down_are_fetched_when_it_is_back() -> None:
    feed = Feed().to(1).stream(0)
    feed.rig.feed(LinkDown(feed.rig.now_ns, "cut"))
    asked = len(feed.rig.sent(wire.RequestKlines))
    feed.to(3.5, with_ticks=False)
    assert len(feed.rig.sent(wire.RequestKlines)) == asked
    feed.rig.feed(LinkUp(feed.rig.now_ns, "test", 1))
    feed.rig.status()
    feed.to(3.6)
    assert feed.delivered() == [0, 1, 2]


def test_no_clock_closes_a_bar_of_ticks_while_data_are_missing_and_it_is_fetched() -> None:
    feed = Feed("mid").to(1.5)
    assert feed.delivered() == [0]
    feed.rig.status(fresh=())
    feed.closes[1] = LOW
    feed.to(2, with_ticks=False)
    feed.rig.wait(2 * GRACE_NS / SECOND_NS)
    assert feed.delivered() == [0]
    assert SILENT.replace("22:14", "22:15") in feed.blockers()
    feed.to(2.1, with_ticks=False)
    (_, bar) = [one.bar for one in feed.rig.notices(CandleClosed) if isinstance(one, CandleClosed)]
    assert (bar.kind, bar.close) == ("mid", LOW)
    feed.rig.status()
    feed.tick()
    assert feed.to(3.1).delivered() == [0, 1, 2]


def test_a_minute_without_trades_is_looked_up_and_believed_when_nobody_traded() -> None:
    feed = Feed("trade").trade().to(1.5).trade()
    feed.trades = 0
    feed.to(3.1)
    bars = [one.bar for one in feed.rig.notices(CandleClosed) if isinstance(one, CandleClosed)]
    assert [bar.flags & BarFlag.EMPTY for bar in bars] == [0, 0, BarFlag.EMPTY]
    assert feed.delivered() == [0, 1, 2]
    assert feed.blockers() == ()


def test_trades_that_are_silent_alone_are_told_fetched_and_left_on() -> None:
    feed = Feed("trade").trade(HIGH).to(0.5).trade(HIGH).to(1.9).trade(HIGH).to(2.1)
    assert feed.exchange.position > 0
    feed.closes[2] = LOW
    feed.to(3.1)
    assert feed.blockers() == ("BTCUSDT: no trade has come since 22:15 UTC",)
    assert feed.delivered() == [0, 1, 2]
    assert feed.exchange.position == 0
    feed.trade(LOW).to(3.2)
    assert feed.blockers() == ()


@pytest.mark.parametrize("timeframe", ["1h", "10s"])
def test_a_minute_without_trades_is_noticed_whatever_the_bars(timeframe: str) -> None:
    feed = Feed("trade", timeframe).trade().to(1.5).trade().to(3.1)
    assert feed.blockers() == ("BTCUSDT: no trade has come since 22:15 UTC",)
    bars = [one.bar for one in feed.rig.notices(CandleClosed) if isinstance(one, CandleClosed)]
    assert {bar.timeframe_ns for bar in bars} <= {10 * SECOND_NS}


def test_bars_of_seconds_are_not_made_up_while_data_are_missing() -> None:
    rig = Rig().up().prices(100, 99, 98)
    rig.status(fresh=())
    rig.wait(30)
    made = len(rig.notices(CandleClosed))
    assert made == 2
    rig.status().tick(40, 97)
    assert len(rig.notices(CandleClosed)) == 40


@pytest.mark.parametrize("back_s", [3600])
def test_a_clock_that_is_set_back_does_not_put_it_off(back_s: int) -> None:
    feed = Feed().to(1).stream(0)
    feed.rig.feed(Timer(feed.rig.now_ns + back_s * SECOND_NS))
    feed.rig.feed(Timer(feed.rig.now_ns))
    feed.rig.status()
    before = len(feed.rig.sent(wire.RequestKlines))
    feed.to(2.1)
    assert len(feed.rig.sent(wire.RequestKlines)) > before
    assert feed.exchange.position == Decimal(0)
