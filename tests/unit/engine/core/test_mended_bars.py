"""The hole in a longer bar is filled from the exchange's klines, and blocks entries for one bar only."""

from decimal import Decimal

import pytest

from engine.core.engine import Engine
from engine.model.audit import Notice
from engine.model.bars import Bar, Bars
from engine.model.events import Event, Timer
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.signals import SignalArrays, Signals
from engine.model.timeframes import SECOND_NS, timeframe_ns
from engine.strategies.base import Inputs, SignalStrategy, StrategyParams, registry
from engine.strategies.slot import SlotState
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

MINUTE_NS = 60 * SECOND_NS
LONG_NS = 5 * MINUTE_NS
BEGIN_NS = START_NS - START_NS % LONG_NS
FILLED = "mending_for_tests:s1 on BTCUSDT: the hole in its 5m bar is filled from klines"


@registry.register
class _Mending(SignalStrategy):
    """Wants in on every minute, and remembers the bars it was fed."""

    name = "mending_for_tests"
    Params = StrategyParams

    def __init__(self, params: StrategyParams) -> None:
        self.params = params
        self.fed: list[Bar] = []

    @property
    def inputs(self) -> Inputs:
        return Inputs(("1m", "5m"))

    @property
    def warmup_bars(self) -> int:
        return 3

    def on_bar(self, bar: Bar) -> Signals:
        if bar.high == 666.0:
            raise ValueError("broken")
        self.fed.append(bar)
        return Signals(True, False, False, False)

    def batch(self, bars: Bars) -> SignalArrays:
        raise NotImplementedError

    def reset(self) -> None:
        self.fed.clear()


SETTINGS = config(
    spec(_Mending.name, timeframe="1m", params={}), limits=RiskLimits(max_order_notional_quote=Decimal(1))
)
"""No entry is small enough, so that each is wanted again."""


class Mends:
    """A strategy on minutes and five minutes; a tick a second; the exchange's klines close at 50."""

    def __init__(self) -> None:
        exchange = Exchange()
        exchange.klines = self._klines
        self.close, self.complete, self.behind = 50.0, True, 0
        self.rig = Rig(Engine(SETTINGS), exchange).up()
        self.slot = self.rig.engine.strategies.slots[0]
        strategy = self.slot.strategy
        assert isinstance(strategy, _Mending)
        self.fed = strategy.fed

    def _klines(self, request: wire.RequestKlines) -> list[Event]:
        length = timeframe_ns(request.interval)
        newest = self.rig.now_ns // length * length if hasattr(self, "rig") else START_NS // length * length
        last = newest - length * self.behind
        opens = range(last - length * (request.limit - 1), last + 1, length)
        bars = tuple(
            wire.Kline(
                "BTCUSDT", request.interval, at, at + length, *[self.close] * 4, 1.0, 1.0, 1, at < newest, at
            )
            for at in opens
        )
        return [wire.KlinesReply(request.request_id, "BTCUSDT", request.interval, bars, self.complete)]

    def until(self, minutes: float) -> "Mends":
        """Ticks up to so many minutes behind the last full five before the start."""
        at = max(START_NS, self.rig.now_ns // SECOND_NS * SECOND_NS)
        while at < BEGIN_NS + int(minutes * MINUTE_NS):
            at += SECOND_NS
            self.rig.tick((at - START_NS) / SECOND_NS, 100.0)
        return self

    def fates(self) -> dict[int, str]:
        """By the minute in which the bar opened."""
        found = [one for one in self.rig.records(Signal) if isinstance(one, Signal)]
        return {(one.bar_open_time_ns - BEGIN_NS) // MINUTE_NS: one.fate for one in found}

    def said(self) -> list[str]:
        texts = [one.text for one in self.rig.notices(Notice) if isinstance(one, Notice)]
        return [text for text in texts if "hole" in text]


def test_the_part_of_a_bar_in_which_the_engine_started_blocks_one_decision_and_not_five() -> None:
    mends = Mends().until(9.5)
    assert mends.slot.state is SlotState.RUNNING
    fates = mends.fates()
    assert fates[4] == "suspect"
    assert {fates[minute] for minute in range(5, 9)} == {"vetoed"}
    assert mends.said() == [FILLED]


def test_a_hole_is_filled_with_the_bars_that_were_fed_and_nothing_is_decided_twice() -> None:
    mends = Mends().until(7.5)
    mends.rig.status(fresh=()).status()
    mends.until(10.0)
    assert mends.fates()[9] == "suspect"
    seen = dict(mends.slot.fed_open_ns)
    mends.until(10.2)
    assert mends.slot.fed_open_ns == seen
    assert mends.slot.suspects == set()
    assert {(bar.timeframe_ns, bar.close) for bar in mends.fed} == {(MINUTE_NS, 50.0), (LONG_NS, 50.0)}
    assert max(bar.open_time_ns for bar in mends.fed) == BEGIN_NS + 9 * MINUTE_NS
    assert mends.until(11.1).fates()[10] == "vetoed"
    assert list(mends.fates()) == sorted(set(mends.fates()))


@pytest.mark.parametrize("trouble", ["incomplete", "behind"])
def test_history_that_is_not_whole_is_asked_for_again_while_the_strategy_goes_on(trouble: str) -> None:
    mends = Mends().until(4.9)
    mends.complete, mends.behind = trouble != "incomplete", 2 if trouble == "behind" else 0
    mends.until(6.1)
    assert (mends.slot.state, mends.fates()[5], mends.said()) == (SlotState.RUNNING, "suspect", [])
    mends.complete, mends.behind = True, 0
    mends.until(7.1)
    assert (mends.fates()[6], mends.said()) == ("vetoed", [FILLED])


def test_it_is_not_asked_for_any_more_when_a_whole_bar_has_closed() -> None:
    mends = Mends().until(4.9)
    mends.complete = False
    mends.until(10.3)
    asked = len(mends.rig.sent(wire.RequestKlines))
    assert mends.slot.suspects == set()
    assert len(mends.until(11.0).rig.sent(wire.RequestKlines)) == asked


def test_a_strategy_that_breaks_over_the_klines_fails_alone() -> None:
    mends = Mends().until(4.9)
    mends.close = 666.0
    mends.until(5.3)
    assert mends.slot.state is SlotState.FAILED


def test_a_clock_that_is_set_back_does_not_put_it_off() -> None:
    mends = Mends().until(4.9)
    mends.complete = False
    mends.until(5.0)
    asked = len(mends.rig.sent(wire.RequestKlines))
    mends.rig.feed(Timer(mends.rig.now_ns))
    mends.rig.feed(Timer(mends.rig.now_ns - 3600 * SECOND_NS))
    mends.rig.feed(Timer(mends.rig.now_ns - 3580 * SECOND_NS))
    assert len(mends.rig.sent(wire.RequestKlines)) > asked
