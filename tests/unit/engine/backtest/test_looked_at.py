"""Backtests of strategies that look at longer bars, and at symbols that are not traded."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.backtest import backtest
from engine.backtest.cli import main
from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.loaders import DataError
from engine.backtest.data.sample_files import write_bars
from engine.backtest.data.samples import dataset
from engine.backtest.emulator.pine_settings import pine_settings
from engine.backtest.emulator.script_runner import ScriptPlan, run_scripts
from engine.backtest.parity.cases import prepare
from engine.backtest.parity.config import read_config
from engine.backtest.runs.engines import EngineName
from engine.model.bars import Bar, Bars
from engine.model.signals import SignalArrays, Signals
from engine.model.trades import Trade
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.feeds import longer_bars
from engine.strategies.base import Broker, Inputs, ScriptStrategy, SignalStrategy, StrategyParams
from engine.strategies.graph import Strategy
from engine.strategies.rules import Rules
from tests.support.places import ROOT

HOUR_NS = 3_600_000_000_000
HOURS = dataset("sample-1h")
OTHER = dataset("other-1h").of_symbol("OTHER")
FOUR = longer_bars(HOURS, 4 * HOUR_NS)


class FollowsOther(Strategy):
    """With the other market's average."""

    def define(self, bar: BarSeries) -> Rules:
        other = bar.of("OTHER")
        up = other.close > ta.ema(other.on("4h").close, 10)
        return Rules(enter_long=up, exit_long=~up)


class OnFour(Strategy):
    """With the average of four hours."""

    def define(self, bar: BarSeries) -> Rules:
        up = bar.close > ta.sma(bar.on("4h").close, 5)
        return Rules(enter_long=up, exit_long=~up, plot={"four": bar.on("4h").close})


@pytest.mark.parametrize("engine", ["kernel", "event"])
def test_a_symbol_that_is_only_looked_at_leads_the_trades_and_has_none(engine: EngineName) -> None:
    beside = backtest(FollowsOther(), HOURS, beside=OTHER, engine=engine)
    together = backtest(FollowsOther(), [HOURS, OTHER], engine=engine)
    assert {trade.symbol for trade in beside.trades} == {HOURS.symbol}
    of_own = [trade.entry_time_ns for trade in together.trades if trade.symbol == HOURS.symbol]
    assert len(of_own) > 10
    assert [trade.entry_time_ns for trade in beside.trades] == of_own


def test_bars_to_look_at_are_given_as_one_as_several_or_by_symbol() -> None:
    found = [
        backtest(FollowsOther(), HOURS, beside=given).metrics
        for given in (OTHER, [OTHER], {"OTHER": dataset("other-1h")})
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        (
            (),
            "it looks at 1h bars of OTHER, of which none are given; give them with beside= or --beside",
        ),
        (
            longer_bars(OTHER, 2 * HOUR_NS),
            (
                "it looks at 1h bars of OTHER, and those given are 2h; "
                "give bars of 1h, or of a part of it, with beside= or --beside"
            ),
        ),
    ],
)
def test_bars_that_are_missing_are_named_in_one_sentence(
    beside: Bars | tuple[Bars, ...], sentence: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        backtest(FollowsOther(), HOURS, beside=beside)
    assert str(refused.value) == f"strategy FollowsOther: {sentence}"


def test_bars_given_twice_are_refused() -> None:
    with pytest.raises(DataError, match=re.escape("beside.OTHER: bars of OTHER of 1h are given twice")):
        backtest(FollowsOther(), HOURS, beside=[OTHER, OTHER])


def test_longer_bars_that_are_given_are_taken_instead_of_those_that_could_be_made() -> None:
    own = replace(FOUR, close=np.minimum(FOUR.high, FOUR.close + 0.01))
    made, given = (OnFour().batch_beside(HOURS, beside).values[0] for beside in ((), (own,)))
    known = ~np.isnan(made)
    row = (
        np.searchsorted(FOUR.open_time_ns, HOURS.open_time_ns[known] - 4 * HOUR_NS + HOUR_NS, side="right")
        - 1
    )
    assert (made[known] == FOUR.close[row]).all()
    assert (given[known] == own.close[row]).all()
    assert backtest(OnFour(), HOURS, beside=FOUR).metrics == backtest(OnFour(), HOURS).metrics


def test_the_command_line_takes_bars_to_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strategy = tmp_path / "follows.py"
    strategy.write_text(
        "import nextbar as nb\n\n\nclass Follows(nb.Strategy):\n    def define(self, bar):\n"
        '        up = bar.of("OTHER").close > bar.of("OTHER").close[24]\n'
        "        return nb.Rules(enter_long=up, exit_long=~up)\n"
    )
    file = tmp_path / "other.parquet"
    write_bars(file, OTHER)
    words = ["--strategy", f"{strategy}:Follows", "--data", "sample-1h"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--beside", f"OTHER={file}"])
    assert not ended.value.code
    assert "Follows" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        (
            "backtest: strategy Follows: it looks at 1h bars of OTHER, of which none are given; "
            "give them with beside= or --beside"
        )
    ]


class Heard(ScriptStrategy):
    """Notes what it is given, and orders something each time."""

    inputs_: Inputs = Inputs(("1h", "4h", "1d"), others=(("OTHER", ""),))

    def __init__(self) -> None:
        self.heard: list[Bar] = []
        self.sizes: list[float] = []

    @property
    def inputs(self) -> Inputs:
        return self.inputs_

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        self.heard.append(bar)
        self.sizes.append(broker.position_size)
        if bar.timeframe_ns == 4 * HOUR_NS:
            broker.entry("on an informative bar", "short")
        elif bar.timeframe_ns == HOUR_NS and bar.symbol == HOURS.symbol:
            broker.entry("on a deciding bar", "long")


def order(bars: Sequence[Bar]) -> list[tuple[int, bool, int, str]]:
    return [
        (
            bar.close_time_ns,
            (bar.symbol, bar.timeframe_ns) == (HOURS.symbol, HOUR_NS),
            -bar.timeframe_ns,
            bar.symbol,
        )
        for bar in bars
    ]


def test_a_script_gets_its_informative_bars_in_front_of_the_deciding_one_the_longest_first() -> None:
    script, bars = Heard(), HOURS.part(0, 200)
    result = backtest(script, bars, beside=OTHER)
    assert order(script.heard) == sorted(order(script.heard))
    by_key = {
        key: [bar for bar in script.heard if (bar.symbol, bar.timeframe_ns) == key]
        for key in ((HOURS.symbol, HOUR_NS), (HOURS.symbol, 4 * HOUR_NS), (HOURS.symbol, 24 * HOUR_NS))
    }
    assert len(by_key[HOURS.symbol, HOUR_NS]) == 200
    assert len(by_key[HOURS.symbol, 4 * HOUR_NS]) in {49, 50}
    assert len(by_key[HOURS.symbol, 24 * HOUR_NS]) in {7, 8}
    assert sum(bar.symbol == "OTHER" for bar in script.heard) > 100
    assert {trade.entry_signal for trade in (*result.trades, *result.open_trades)} == {"on a deciding bar"}


def test_several_scripts_on_one_account_get_theirs_too() -> None:
    other = replace(OTHER, open_time_ns=HOURS.open_time_ns[: len(OTHER)])

    class Both(Heard):
        inputs_ = Inputs(others=(("", "4h"),))

    plans = [ScriptPlan(Both(), bars.part(0, 50), pine_settings(mintick=0.01)) for bars in (HOURS, other)]
    run_scripts(plans)
    for plan in plans:
        heard = plan.strategy.heard  # type: ignore[attr-defined]
        assert sum(bar.timeframe_ns == 4 * HOUR_NS for bar in heard) in {11, 12}
        assert {bar.symbol for bar in heard} == {plan.bars.symbol}


class ByHand(SignalStrategy):
    """In while the last four hours rose; written bar by bar, with a batch that knows of no other bars."""

    Params = StrategyParams
    timeframes: tuple[str, ...] = ("1h", "4h")

    def __init__(self) -> None:
        self.params = StrategyParams()
        self.rose = False

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.timeframes)

    @property
    def warmup_bars(self) -> int:
        return 4

    def on_bar(self, bar: Bar) -> Signals:
        if bar.timeframe_ns == 4 * HOUR_NS:
            self.rose = bar.close > bar.open
        return Signals(
            self.rose, False, not self.rose, False, "rise" if self.rose else "", values=(bar.close,)
        )

    def batch(self, bars: Bars) -> SignalArrays:
        raise NotImplementedError

    def reset(self) -> None:
        self.rose = False


class InSeries(Strategy):
    """The same as a graph."""

    def define(self, bar: BarSeries) -> Rules:
        four = bar.on("4h")
        return Rules(enter_long=four.close > four.open, exit_long=~(four.close > four.open))


def replaced(trade: Trade) -> Trade:
    """Without its name, which the graph does not give."""
    return msgspec.structs.replace(trade, entry_signal="", exit_signal="")


@pytest.mark.parametrize("engine", ["kernel", "event"])
def test_a_hand_written_strategy_of_several_timeframes_trades_as_its_graph(engine: EngineName) -> None:
    strategy = ByHand()
    by_hand, graph = backtest(strategy, HOURS, engine=engine), backtest(InSeries(), HOURS, engine=engine)
    assert len(by_hand.trades) > 20
    assert [replaced(trade) for trade in by_hand.trades] == [replaced(trade) for trade in graph.trades]
    assert not strategy.rose  # the object itself has seen nothing


@pytest.mark.parametrize("cls", [ByHand, Heard])
def test_bars_of_another_length_than_it_decides_on_are_refused(cls: type[ByHand] | type[Heard]) -> None:
    with pytest.raises(ConfigError, match=r"it decides on 1h bars, and those given of .* are 4h"):
        backtest(cls(), FOUR)


def test_what_cannot_be_made_of_the_bars_given_is_refused() -> None:
    class Shorter(ByHand):
        timeframes = ("1h", "15m")

    with pytest.raises(ConfigError, match=r"it looks at 15m bars of .*, and those given are 1h"):
        backtest(Shorter(), HOURS)


class OnFifteen(ByHand):
    """Decides on bars that the sample market does not have."""

    timeframes = ("15m", "1h")


def test_a_validation_case_with_other_bars_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = read_config(ROOT / "engine" / "backtest" / "configs" / "validate_sample.json")
    case = config.cases[0].model_copy(update={"strategy": f"{__name__}:OnFifteen", "params": {}})
    with pytest.raises(ConfigError, match=f"case {case.name}: it decides on 15m bars, and those given of"):
        prepare(config.model_copy(update={"cases": (case,)}), {})
