"""A misspelt or foreign name in the class of a strategy is refused, with what was perhaps meant."""

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from engine.backtest.data.sources import bars_of
from engine.model.exit_rules import ExitRules
from engine.model.sentences import SentenceError
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.nodes import SeriesError
from engine.strategies.finding import StrategyNotFound, find_strategy
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules


class Averaged(Strategy):
    length = param(20)

    def define(self, bar: BarSeries) -> Rules:
        return Rules(enter_long=bar.close > ta.ema(bar.close, self.length))


def refused(*bases: type, **body: object) -> str:
    """What is said about a class `M` with this body."""
    with pytest.raises(SentenceError) as raised:
        type("M", bases or (Averaged,), body)
    return str(raised.value)


@pytest.mark.parametrize("name", ["exit", "Exits", "exit_rule", "STOPS"])
def test_exit_rules_under_another_name_are_refused(name: str) -> None:
    said = refused(**{name: ExitRules(stop_loss_percent=1)})
    assert said == f"M.{name}: exit rules are called exits; write exits = nb.ExitRules(...)"


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("lenght", 100, "length"),
        ("lenght", param(100), "length"),
        ("Length", 100, "length"),
        ("memory_bar", 300, "memory_bars"),
        ("exit", {"stop_loss_percent": 5}, "exits"),
        ("nam", "mine", "name"),
    ],
)
def test_a_value_that_nothing_reads_and_that_is_nearly_a_known_name_is_refused(
    name: str, value: object, meant: str
) -> None:
    assert refused(**{name: value}) == f"M.{name}: nothing looks at it (did you mean {meant}?)"


def test_an_annotation_makes_no_difference() -> None:
    with pytest.raises(SentenceError, match=r"^M\.lenght: nothing looks at it \(did you mean length\?\)$"):

        class M(Averaged):
            lenght: int = 100


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("stoploss", -0.005, "exits = nb.ExitRules(stop_loss_percent=0.5)"),
        ("stop_loss_percent", 5.0, "exits = nb.ExitRules(stop_loss_percent=...)"),
        ("minimal_roi", {"0": 0.1}, "exits = nb.ExitRules(minimal_roi=...)"),
        ("trailing_stop", True, "trailing_percent"),
        ("timeframe", "1h", 'bar.on("1h")'),
        ("startup_candle_count", 200, "memory_bars = 200"),
        ("populate_entry_trend", lambda self, frame: frame, "nb.Rules(enter_long=condition)"),
        ("init", lambda self: None, "define(self, bar)"),
        ("next", lambda self: None, "define(self, bar)"),
    ],
)
def test_names_of_other_programs_say_what_to_write_here(name: str, value: object, instead: str) -> None:
    said = refused(**{name: value})
    assert said.startswith(f"M.{name}: nothing looks at it; ")
    assert instead in said


def test_values_that_the_code_reads_and_names_like_nothing_stay() -> None:
    class Own(Averaged):
        """What a person may well write."""

        LENGHT = 3
        _lenght = 3
        lengths = (5, 10)
        slow_length = 30
        timeframe = "4h"
        colour = "blue"

        @property
        def slow(self) -> int:
            return max(self.lengths)

        def define(self, bar: BarSeries) -> Rules:
            slow = ta.ema(bar.on(self.timeframe).close, self.slow)
            return Rules(enter_long=ta.ema(bar.close, self.slow_length) > slow)

    assert Own(length=5).lengths == (5, 10)


def test_a_value_that_exit_rules_or_a_parameter_are_made_with_stays() -> None:
    class Own(Averaged):
        stop_loss_percent = 4.5
        stoploss = 12.5
        length_ = 777
        length = param(length_)
        exits = ExitRules(stop_loss_percent=stop_loss_percent, take_profit_percent=stoploss)

    assert Own().length == 777
    assert Own().exit_rules.stop_loss_percent == 4.5


def test_an_inherited_parameter_takes_a_new_default() -> None:
    class Longer(Averaged):
        length = 100

    assert Longer().length == 100


def test_a_define_without_the_bar_is_refused() -> None:
    said = refused(define=lambda self: Rules())
    assert said == "M: define(self) was found, define(self, bar) was expected"


def test_parameters_are_given_by_name() -> None:
    wrong: Any = 30
    with pytest.raises(SentenceError, match=r"given by name, such as Averaged\(length=30\)$"):
        Averaged(wrong)


def test_an_init_that_leaves_out_that_of_the_strategy_is_named() -> None:
    class Own(Averaged):
        def __init__(self) -> None:
            self.mine = 1

    sentence = r"^Own: an __init__ of your own must call super\(\)\.__init__\(params, \*\*by_name\)"
    for look in (
        lambda it: it.graph,
        lambda it: it.length,
        lambda it: it.warmup_bars,
        lambda it: it.reasons(),
    ):
        with pytest.raises(SentenceError, match=sentence):
            look(Own())


def test_a_misspelt_parameter_in_define_suggests_the_right_one() -> None:
    class M(Averaged):
        def define(self, bar: BarSeries) -> Rules:
            return Rules(enter_long=bar.close > self.lenght)  # type: ignore[attr-defined]  # what is tried

    with pytest.raises(SentenceError, match=r"^M has no lenght \(did you mean length\?\)$"):
        M()
    assert not hasattr(Averaged(), "lenght")


def test_an_object_can_still_be_copied_and_sent() -> None:
    assert pickle.loads(pickle.dumps(Averaged(length=7))).length == 7
    assert copy.deepcopy(Averaged(length=7)).length == 7


@pytest.mark.parametrize("index", [8760, -8761, 999_999])
def test_reasons_of_a_bar_that_there_is_not(index: int) -> None:
    bars = bars_of("sample-1h")
    with pytest.raises(
        SentenceError, match=rf"^reasons_at: there is no bar {index}, the history has bars 0 to"
    ):
        Averaged().reasons_at(bars, index)


def test_a_series_shows_its_expression() -> None:
    average = ta.ema(BarSeries().close, 20)
    assert repr(average) == "<Series ema(close, 20)>"
    assert repr(BarSeries().close > average[1]) == "<BoolSeries close > ema(close, 20)[1]>"
    for _ in range(200):
        average = average + average
    assert len(repr(average)) < 200


def test_nothing_is_added_to_the_bar() -> None:
    bar: Any = BarSeries()
    with pytest.raises(SeriesError, match=re.escape("bar.foo = ... cannot be: nothing is added to the bar")):
        bar.foo = bar.close
    with pytest.raises(SeriesError, match=re.escape("bar['foo'] = ... cannot be: nothing is added to the")):
        bar["foo"] = bar.close


def test_a_strategy_in_a_file_is_refused_with_the_line_of_its_class(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import nextbar as nb\n\nclass Mine(nb.Strategy):\n    exit = nb.ExitRules()\n", "utf-8")
    with pytest.raises(
        StrategyNotFound, match=r"Mine\.exit: exit rules are called exits; .* \(mine\.py line 3\)$"
    ):
        find_strategy(str(file))
