"""A strategy of several timeframes and symbols knows live what its history would give, to the last bit,
whatever order the bars come in.
"""

from math import isnan
from pathlib import Path

import numpy as np
import pytest

from engine.core.engine import Engine
from engine.model.audit import CandleClosed
from engine.model.bars import Bar, Bars
from engine.model.events import Timer
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.series import ta
from engine.series.bar import BarSeries
from engine.shell.live import main as check
from engine.strategies.base import Broker, Inputs, ScriptStrategy, registry
from engine.strategies.graph import Strategy
from engine.strategies.rules import Rules
from engine.strategies.slot import SlotState, StrategyRefused
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Rig, config, spec
from tests.support.several_inputs import FIRST_NS, MINUTE_NS, NO_ENTRIES, OTHER, OWN, Several, SeveralInputs

LATE = "the 1m bar of ETHUSDT that closes with it has not come"


def asked(several: SeveralInputs) -> dict[tuple[str, str], int]:
    sent = several.rig.sent(wire.RequestKlines)[:4]
    return {(one.symbol, one.interval): one.limit for one in sent if isinstance(one, wire.RequestKlines)}


def test_each_input_is_warmed_up_over_the_warm_up_of_the_deciding_bars() -> None:
    several = SeveralInputs().begin()
    own, graph = several.slot.warmup_bars, several.slot.strategy.graph  # type: ignore[union-attr]
    assert own == graph.warmup_bars() - 1
    limits = asked(several)
    assert limits[OWN, "1m"] == own + 2
    of_five = max(node.warmup_bars for node in graph.nodes if node.feed == ("", "5m"))
    assert limits[OWN, "5m"] == of_five + -(-own // 5) + 1 + 2
    assert limits[OTHER, "1m"] == own + 1 + 1 + 2
    assert several.slot.state is SlotState.RUNNING


def test_bars_in_their_best_order_give_the_values_of_the_history() -> None:
    several = SeveralInputs().begin()
    for minute in range(12):
        several.all_of(minute)
    assert list(several.signals()) == list(range(12))
    assert {signal.fate for signal in several.signals().values()} == {"vetoed"}
    assert several.differing() == []


def test_a_deciding_bar_waits_for_a_longer_one_and_another_symbol_that_come_after_it() -> None:
    several = SeveralInputs().begin()
    for minute in range(10):
        several.to(minute + 1).stream(OWN, minute)
        assert minute not in several.signals()
        several.to(minute + 1 + 0.2 / 60).stream(OTHER, minute)
        if (minute + 1) % 5 == 0:
            assert minute not in several.signals()
            several.stream(OTHER, minute, "5m").stream(OWN, minute, "5m")
        assert several.signals()[minute].fate == "vetoed"
    assert several.differing() == []


def test_a_bar_of_the_other_symbol_that_comes_before_the_deciding_one_of_an_earlier_close_waits_for_it() -> (
    None
):
    several = SeveralInputs().begin()
    several.all_of(0).to(2)
    several.exchange.now_ns = several.rig.now_ns
    several.silent = {OWN}  # neither by the stream nor as klines
    several.stream(OTHER, 1).to(2.9)
    several.to(3).stream(OTHER, 2)
    several.stream(OWN, 1).stream(OWN, 2)
    assert [minute for minute in several.signals() if minute > 0] == [1, 2]
    assert several.differing() == []


def test_when_the_other_s_bar_never_comes_entries_are_blocked_and_the_bar_is_decided_after_two_seconds() -> (
    None
):
    several = SeveralInputs().begin()
    several.all_of(0)
    several.silent = {OTHER}
    several.to(2).stream(OWN, 1).to(2 + 1.9 / 60)
    assert 1 not in several.signals()
    several.to(2 + 2.1 / 60)
    assert (several.signals()[1].fate, several.signals()[1].detail) == ("suspect", LATE)


def test_what_was_decided_too_early_is_remembered_as_it_was_and_put_right_from_klines() -> None:
    several = SeveralInputs().begin()
    several.all_of(0)
    several.silent = {OTHER}
    several.to(2).stream(OWN, 1).to(2 + 2.5 / 60)
    several.silent = set()
    several.stream(OTHER, 1)
    assert not several.remembers()
    several.answers = False
    several.all_of(2)
    assert several.signals()[2].detail.startswith("a bar came too late")
    several.answers = True
    several.to(3.5)
    assert several.remembers()
    assert "a bar that came late is put in its place from klines" in several.said()[-1]
    several.all_of(3)
    assert several.signals()[3].fate == "vetoed"
    assert several.differing([3]) == []


def test_bars_that_do_not_come_by_the_stream_are_fetched_in_time() -> None:
    several = SeveralInputs().begin()
    several.all_of(0)
    several.to(2).stream(OWN, 1).to(2 + 1.9 / 60)
    assert several.signals()[1].fate != "suspect"
    assert several.differing() == []


def test_the_next_deciding_bar_ends_the_wait_of_the_one_before() -> None:
    several = SeveralInputs().begin()
    several.all_of(0)
    several.silent = {OTHER}
    several.to(2).stream(OWN, 1)
    several.rig.feed(Timer(several.rig.now_ns + 1))
    several.stream(OWN, 2)
    assert several.signals()[1].fate == "suspect"
    assert 2 not in several.signals()


def test_a_position_is_left_although_the_other_s_bar_does_not_come() -> None:
    several = SeveralInputs(RiskLimits(max_order_notional_quote=None)).begin()
    several.all_of(0)
    assert several.exchange.position > 0
    several.silent = {OTHER}
    kline = wire.Kline(
        OWN, "1m", FIRST_NS + MINUTE_NS, FIRST_NS + 2 * MINUTE_NS, *[1e9] * 4, 1.0, 1.0, 1, True, 0
    )
    several.to(2).rig.feed(kline)
    several.to(2 + 2.1 / 60)
    assert several.exchange.position == 0


def test_a_gap_in_the_other_s_bars_is_fetched_and_all_is_fed_in_order() -> None:
    several = SeveralInputs().begin()
    several.all_of(0).to(1.1)
    several.rig.down()
    several.to(7.5)
    several.rig.up().status(fresh=(OWN, OTHER))
    for minute in range(7, 11):
        several.all_of(minute)
    assert several.slot.state is SlotState.RUNNING
    assert set(several.differing([7, 8, 9, 10])) == set()
    opens = several.fed.history((OTHER, MINUTE_NS)).open_time_ns
    assert (opens[1:] - opens[:-1] == MINUTE_NS).all()


def test_a_restart_from_the_journal_goes_on_with_the_values_of_the_history() -> None:
    several = SeveralInputs().begin()
    for minute in range(6):
        several.all_of(minute)
    before = several.signals()
    several.to(6.5)
    several.restart()
    for minute in range(6, 11):
        several.all_of(minute)
    assert {minute: several.signals()[minute] for minute in before} == before
    assert list(several.signals()) == list(range(11))
    assert several.differing([6, 7, 8, 9, 10]) == []


def test_a_clock_set_back_makes_it_anew_without_bars_of_the_future() -> None:
    several = SeveralInputs().begin()
    for minute in range(4):
        several.all_of(minute)
    rig = several.rig
    rig.now_ns = several.exchange.now_ns = FIRST_NS + 2 * MINUTE_NS + MINUTE_NS // 2
    rig.feed(Timer(rig.now_ns))
    rig.status(fresh=(OWN, OTHER), clock_offset_ns=0)
    several.to(3)
    assert max(bar.close_time_ns for bar in several.fed.bars) <= FIRST_NS + 3 * MINUTE_NS
    for minute in range(3, 7):
        several.all_of(minute)
    assert several.slot.state is SlotState.RUNNING
    assert several.remembers()
    assert several.differing([4, 5, 6]) == []


def test_nothing_is_waited_for_once_a_clock_set_back_has_dropped_the_bar_that_waited() -> None:
    several = SeveralInputs().begin()
    several.all_of(0)
    several.silent = {OTHER}
    several.to(2).stream(OWN, 1)
    manager, clock = several.rig.engine.strategies, several.rig.engine.clock
    assert several.slot.held_until_ns != NEVER_NS
    clock.offset_ns -= 30 * SECOND_NS
    manager.begin_anew(clock.exchange_now_ns)
    assert several.slot.waiting == []
    several.to(3)
    assert several.slot.held_until_ns == NEVER_NS
    assert manager.deadline_ns > clock.now_ns


def test_two_ways_to_name_the_same_bars_are_both_fed() -> None:
    class Twice(Strategy):
        def define(self, bar: BarSeries) -> Rules:
            one, two, same = bar.on("60m").close, bar.on("1h").close, bar.of("X").on("1h").close
            return Rules(plot={"one": one, "two": two, "same": same, "own": bar.of("X").close})

    strategy = Twice()
    strategy.bind("X", MINUTE_NS)
    strategy.on_bar(Bar("X", 60 * MINUTE_NS, 0, 1.0, 1.0, 1.0, 7.0))
    said = strategy.on_bar(Bar("X", MINUTE_NS, 59 * MINUTE_NS, 1.0, 1.0, 1.0, 3.0))
    assert said.values == (7.0, 7.0, 7.0, 3.0)


def test_a_symbol_that_is_not_configured_is_refused() -> None:
    chosen = spec(Several.name, timeframe="1m", candles="exchange", params={}, key="strategies[0]")
    with pytest.raises(StrategyRefused) as refused:
        Engine(config(chosen))
    assert str(refused.value) == (
        "strategies[0].name: strategy several_inputs_for_tests on BTCUSDT looks at bars of ETHUSDT; "
        "add it to symbols"
    )


CONFIG = """
symbols = ["BTCUSDT"]
[simulator]
enabled = true
[risk]
max_order_notional_quote = 2000
max_position_notional_quote = 5000
max_leverage = 3
max_daily_loss_quote = 500
[[strategies]]
name = "looks.py:Looks"
symbols = ["BTCUSDT"]
timeframe = "1s"
unprotected = true
"""
LOOKS = """
import nextbar as nb

class Looks(nb.Strategy):
    def define(self, bar):
        return nb.Rules(enter_long=bar.close > bar.of("ETHUSDT").on("{timeframe}").close)
"""


@pytest.mark.parametrize(
    ("timeframe", "wrong"),
    [
        ("5s", "looks at bars of ETHUSDT; add it to symbols"),
        (
            "7m",
            "looks at 7m bars, which the exchange does not have; it has 1m",
        ),
    ],
)
def test_the_check_before_the_start_says_so_in_one_sentence(
    timeframe: str,
    wrong: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "demo.toml").write_text(CONFIG)
    (tmp_path / "looks.py").write_text(LOOKS.format(timeframe=timeframe))
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    assert check(["demo", "--check"]) == 2
    where = "strategy looks.py:Looks on BTCUSDT"
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"{tmp_path / 'configs' / 'demo.toml'}: strategies[0].name: {where} {wrong}")


@registry.register
class _TenMinutes(Strategy):
    name = "ten_minutes_for_tests"

    def define(self, bar: BarSeries) -> Rules:
        return Rules(enter_long=bar.close > bar.on("10m").close)


def test_bars_that_the_exchange_has_no_history_of_are_refused() -> None:
    with pytest.raises(
        StrategyRefused, match="looks at 10m bars, which the exchange does not have; it has 1m"
    ):
        Engine(config(spec(_TenMinutes.name, timeframe="1m", params={})))


@registry.register
class _OnFiveSeconds(Strategy):
    name = "on_five_seconds_for_tests"

    def define(self, bar: BarSeries) -> Rules:
        five = bar.on("5s")
        plot = {"average": ta.sma(five.high, 3), "below": bar.close - five.low}
        return Rules(enter_long=True, plot=plot)


def test_bars_of_seconds_have_no_history_so_the_longer_ones_are_waited_for() -> None:
    """It begins inside a longer bar, which its history would leave out."""
    rig = Rig(Engine(config(spec(_OnFiveSeconds.name, params={}), limits=NO_ENTRIES))).up()
    random = np.random.default_rng(3)
    for quarter in range(4 * 60):
        rig.tick(2.25 + quarter / 4, 100.0 + int(random.integers(-20, 21)) / 10)
    closed = [one.bar for one in rig.notices(CandleClosed) if isinstance(one, CandleClosed)]
    seconds = [bar for bar in closed if bar.timeframe_ns == SECOND_NS]
    longer = [bar for bar in closed if bar.timeframe_ns == 5 * SECOND_NS]
    signals = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    traded = [one for one in signals if one.fate == "vetoed"]
    assert sum(bar.close_time_ns <= traded[0].bar_open_time_ns + SECOND_NS for bar in longer[1:]) == 3
    names = ("open", "high", "low", "close", "volume_base")
    times = np.array([bar.open_time_ns for bar in seconds], np.int64)
    columns = [np.array([getattr(bar, name) for bar in seconds]) for name in names]
    values = _OnFiveSeconds().batch(Bars(OWN, SECOND_NS, times, *columns)).values
    for signal in signals:
        row = int(np.searchsorted(times, signal.bar_open_time_ns))
        assert tuple(value for value in values[:, row].tolist() if not isnan(value)) == signal.values


@registry.register
class _LooksAtFiveSeconds(ScriptStrategy):
    name = "looks_at_five_seconds_for_tests"

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, float]] = []

    @property
    def inputs(self) -> Inputs:
        return Inputs(("1s", "5s"))

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset({"entry", "entry.limit"})

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        self.seen.append((bar.timeframe_ns // SECOND_NS, broker.bar_index, broker.open_profit))
        if bar.timeframe_ns > SECOND_NS:
            broker.entry("informative", "long", limit=90.0)
        elif broker.bar_index == 2:
            broker.entry("deciding", "long")


def test_a_script_reads_on_an_informative_bar_and_orders_nothing() -> None:
    rig = Rig(Engine(config(spec(_LooksAtFiveSeconds.name, params={})))).up()
    for quarter in range(4 * 12):
        rig.tick(quarter / 4, 100.0 + quarter)
    sent = [order for order in rig.sent(wire.SubmitOrder) if isinstance(order, wire.SubmitOrder)]
    assert [order.order_type for order in sent] == ["MARKET"]
    script = rig.engine.strategies.slots[0].strategy
    assert isinstance(script, _LooksAtFiveSeconds)
    at = script.seen.index(next(one for one in script.seen if one[0] == 5 and one[1] > 3))
    assert (
        script.seen[at][1:] == script.seen[at - 1][1:]
    )  # the deciding bar that it stands in front of is new
    assert script.seen[at + 1][1] == script.seen[at][1] + 1


@registry.register
class _BesideOther(Strategy):
    name = "beside_other_for_tests"

    def define(self, bar: BarSeries) -> Rules:
        return Rules(enter_long=True, plot={"other": bar.of(OTHER).close})


def test_a_hole_in_the_other_s_data_blocks_entries_until_its_next_whole_bar() -> None:
    settings = config(spec(_BesideOther.name, params={}), symbols=(OWN, OTHER), limits=NO_ENTRIES)
    rig = Rig(Engine(settings)).up().status(fresh=(OWN, OTHER))
    for quarter in range(4 * 10):
        if quarter == 18:
            rig.status(fresh=(OWN,)).status(fresh=(OWN, OTHER))
        rig.tick(quarter / 4, 100.0)
        at = rig.now_ns
        rig.feed(wire.OrderBookTick(OTHER, at, at, at, at, ((50.0, 1.0),), ((50.25, 1.0),)))
    details = {
        (one.bar_open_time_ns - START_NS) // SECOND_NS: one.detail if one.fate == "suspect" else ""
        for one in rig.records(Signal)
        if isinstance(one, Signal)
    }
    hole = "the newest 1s bar of ETHUSDT has a hole in its data"
    signals = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    assert {one.values for one in signals} == {(50.125,)}
    assert details == {second: hole if second == 4 else "" for second in range(9)}
