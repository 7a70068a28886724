"""Much history is fed in slices and in order: a slow strategy must not silence the process."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pytest

from engine.core.engine import Engine
from engine.market_data.aggregator import MAX_FILLED_BARS
from engine.model.audit import StrategyChanged
from engine.model.bars import Bar, Bars
from engine.model.events import Event, Timer
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.signals import SignalArrays, Signals
from engine.model.timeframes import SECOND_NS, timeframe_ns
from engine.strategies.base import Inputs, SignalStrategy, StrategyParams, registry
from engine.strategies.manager import SLICE_BARS
from engine.strategies.slot import Decision, SlotState
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

MINUTE_NS = 60 * SECOND_NS
FIRST_NS = START_NS - START_NS % MINUTE_NS
WARMUP = 4 * SLICE_BARS


class SlowParams(StrategyParams):
    """At which bar it breaks."""

    breaks_at: int = 0


@registry.register
class _Slow(SignalStrategy):
    """Wants in on every minute, and remembers its bars and how many of them each event brought."""

    name = "catching_up_for_tests"
    Params = SlowParams

    def __init__(self, params: SlowParams) -> None:
        self.params = params
        self.fed: list[Bar] = []

    @property
    def inputs(self) -> Inputs:
        return Inputs(("1m", "5m"), candles=("exchange",))

    @property
    def warmup_bars(self) -> int:
        return WARMUP

    def on_bar(self, bar: Bar) -> Signals:
        if len(self.fed) + 1 == self.params.breaks_at:
            raise ValueError("broken")
        self.fed.append(bar)
        return Signals(True, False, False, False)

    def batch(self, bars: Bars) -> SignalArrays:
        raise NotImplementedError

    def reset(self) -> None:
        self.fed.clear()


def bars(interval: str, opens: Sequence[int]) -> tuple[wire.Kline, ...]:
    length = timeframe_ns(interval)
    return tuple(
        wire.Kline("BTCUSDT", interval, at, at + length, *[100.0] * 4, 1.0, 1.0, 1, True, at) for at in opens
    )


class History(Exchange):
    """Has every bar up to now."""

    def __init__(self) -> None:
        super().__init__()
        self.klines = self._answer
        self.holds_back = 0

    def _answer(self, request: wire.RequestKlines) -> list[Event]:
        length = timeframe_ns(request.interval)
        end = self.now_ns // length * length - self.holds_back * length
        found = bars(request.interval, range(end - length * request.limit, end, length))
        return [wire.KlinesReply(request.request_id, "BTCUSDT", request.interval, found, True)]


class Catching:
    """One such strategy on an exchange that has its history; each step is one event."""

    def __init__(self, breaks_at: int = 0) -> None:
        self.exchange = History()
        settings = config(
            spec(_Slow.name, timeframe="1m", candles="exchange", params={"breaks_at": breaks_at}),
            limits=RiskLimits(max_order_notional_quote=Decimal(1)),
        )
        self.rig = Rig(Engine(settings), self.exchange)
        self.slot = self.rig.engine.strategies.slots[0]
        strategy = self.slot.strategy
        assert isinstance(strategy, _Slow)
        self.fed = strategy.fed

    def timer(self) -> int:
        """How many bars one timer feeds. Nothing else may have to happen first."""
        assert self.rig.engine.next_deadline_ns <= self.rig.now_ns
        before = len(self.fed)
        self.rig.feed(Timer(self.rig.now_ns))
        return len(self.fed) - before

    def to_the_end(self) -> "Catching":
        while self.slot.backlog:
            self.timer()
        return self

    def closes(self, minute: int) -> None:
        """The exchange's bar of that minute after the start is over."""
        open_ns = FIRST_NS + minute * MINUTE_NS
        self.rig.now_ns = self.exchange.now_ns = open_ns + MINUTE_NS
        self.rig.feed(Timer(self.rig.now_ns))
        self.rig.feed(bars("1m", [open_ns])[0])

    def is_in_order(self) -> bool:
        keys = [(bar.close_time_ns, -bar.timeframe_ns) for bar in self.fed]
        minutes = [bar.open_time_ns for bar in self.fed if bar.timeframe_ns == MINUTE_NS]
        gaps = {after - before for before, after in pairwise(minutes)}
        return keys == sorted(set(keys)) and gaps == {MINUTE_NS}


def test_no_event_feeds_more_than_a_slice_and_the_next_is_due_at_once() -> None:
    catching = Catching()
    catching.rig.up()
    assert len(catching.fed) == SLICE_BARS
    assert catching.slot.state is SlotState.WARMING
    wanted = 2 * (WARMUP + 2)
    assert catching.slot.reason == f"{wanted} bars of history"
    while catching.slot.backlog:
        assert catching.timer() <= SLICE_BARS
    assert len(catching.fed) == wanted
    assert catching.is_in_order()
    assert catching.slot.state is SlotState.RUNNING
    assert catching.rig.engine.next_deadline_ns > catching.rig.now_ns


def test_other_events_feed_nothing_so_that_many_of_them_cannot_take_long() -> None:
    catching = Catching()
    catching.rig.up()
    for _ in range(10):
        catching.rig.tick(0, 100.0)
    assert len(catching.fed) == SLICE_BARS


def test_a_live_bar_waits_behind_the_history_before_it() -> None:
    catching = Catching()
    catching.rig.up()
    catching.closes(0)
    assert len(catching.fed) == 2 * SLICE_BARS
    catching.to_the_end()
    assert catching.fed[-1].open_time_ns == FIRST_NS
    assert catching.is_in_order()
    signals = [one for one in catching.rig.records(Signal) if isinstance(one, Signal)]
    assert [one.bar_open_time_ns for one in signals] == [FIRST_NS]


def test_bars_missing_amid_the_rest_are_fetched_and_none_is_fed_twice() -> None:
    catching = Catching()
    catching.rig.up()
    catching.closes(3)
    catching.to_the_end()
    assert catching.is_in_order()
    assert catching.fed[-1].open_time_ns == FIRST_NS + 3 * MINUTE_NS


def test_a_strategy_that_breaks_amid_its_history_ends_it() -> None:
    catching = Catching(breaks_at=SLICE_BARS + 1)
    catching.rig.up()
    catching.to_the_end()
    assert catching.slot.state is SlotState.FAILED
    assert len(catching.fed) == SLICE_BARS
    told = [one for one in catching.rig.notices(StrategyChanged) if isinstance(one, StrategyChanged)]
    assert [one.state for one in told].count("failed") == 1


@pytest.mark.parametrize("missed", [6_000, 14_000])
def test_more_bars_than_some_thousand_are_caught_up_with_at_once(missed: int) -> None:
    catching = Catching()
    catching.rig.up()
    catching.to_the_end()
    catching.closes(missed)
    catching.to_the_end()
    assert catching.is_in_order()
    assert catching.fed[-1].open_time_ns == FIRST_NS + missed * MINUTE_NS
    asked = [one.limit for one in catching.rig.sent(wire.RequestKlines)]  # type: ignore[attr-defined]
    assert [limit for limit in asked if limit > missed // 5] == [missed + 4, missed // 5 + 3]


def test_a_refused_entry_of_a_slice_ends_the_event_though_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catching = Catching()
    catching.rig.up()
    catching.to_the_end()
    entry = Decision(catching.slot, catching.fed[-1], Signals(True, False, False, False), None)
    monkeypatch.setattr(catching.rig.engine.strategies, "go_on", lambda: [entry])
    before = len(catching.rig.records(Signal))
    for _ in range(2):
        catching.rig.feed(Timer(catching.rig.now_ns))
    assert len(catching.rig.records(Signal)) == before + 2
    assert not catching.rig.sent(wire.SubmitOrder)


@registry.register
class _Eager(_Slow):
    """The same on bars of any length, and nothing to warm up."""

    name = "eager_for_tests"

    @property
    def inputs(self) -> Inputs:
        return Inputs()

    @property
    def warmup_bars(self) -> int:
        return 0


def test_the_first_bar_of_seconds_after_a_long_silence_is_decided_on_too() -> None:
    settings = config(spec(_Eager.name, params={}), limits=RiskLimits(max_order_notional_quote=Decimal(1)))
    rig = Rig(Engine(settings)).up()
    silence = 2 * MAX_FILLED_BARS
    rig.prices(*[100.0] * 3).prices(*[100.0] * 3, start=silence)
    signals = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    opened = [(one.bar_open_time_ns - START_NS) // SECOND_NS for one in signals]
    assert opened == [0, 1, silence, silence + 1]
    assert signals[2].fate == "suspect"
