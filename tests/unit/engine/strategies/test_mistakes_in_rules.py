"""What is wrong in a person's own strategy is one sentence, with the line of their own file."""

from typing import Any

import pytest

from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.sources import bars_of
from engine.backtest.run import backtest
from engine.execution.exits.protection import rules_of
from engine.model.broker_settings import Sizing
from engine.model.config import StrategySpec
from engine.model.exit_rules import ExitRules
from engine.model.sentences import SentenceError
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules
from engine.strategies.slot import StrategyRefused, StrategySlot

OPEN_BAR = ExitRules(max_holding_bars=1)


def refused(given: object, exits: ExitRules = OPEN_BAR) -> str:
    """What a backtest says about rules made with these arguments."""

    class Mistaken(Strategy):
        def define(self, bar: BarSeries) -> Rules:
            return given(bar)  # type: ignore[no-any-return, operator]  # what is tried

    Mistaken.exits = exits
    with pytest.raises(ConfigError) as raised:
        backtest(Mistaken, "sample-1h")
    return str(raised.value)


def line_of(function: object) -> int:
    return function.__code__.co_firstlineno  # type: ignore[attr-defined, no-any-return]  # a function has it


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (lambda bar: Rules(enter_long=bar.close), "enter_long: a number is no condition; compare it"),
        (lambda bar: Rules(risk_distance=bar.close > 1), "risk_distance: a condition is no number"),
        (lambda bar: Rules(tag=bar.close), "tag: expected a text, or pairs of a condition and a text"),
        (lambda bar: Rules(tag=[(bar.close > 1, 7)]), "tag: 7 is no text of at most 200 characters"),
        (lambda _: Rules(tag="a" * 201), f"tag: '{'a' * 59} is no text of at most 200 characters"),
        (lambda bar: Rules(plot={"what": "close"}), "plot 'what': 'close' is neither a series nor a number"),
        (lambda bar: Rules(plot=[bar.close]), "plot: expected series by name, such as"),  # type: ignore[arg-type]
        (lambda bar: Rules(plot={1: bar.close}), "plot: expected series by name, such as"),  # type: ignore[dict-item]
        (
            lambda _: Rules(plot={str(k): k for k in range(101)}),
            "plot: 101 series, at most 100 can be recorded",
        ),
    ],
)
def test_wrong_rules_name_the_line_that_makes_them(rules: object, sentence: str) -> None:
    said = refused(rules)
    assert said.startswith(f"Mistaken cannot be made: nb.Rules, {sentence}")
    assert said.endswith(f"(test_mistakes_in_rules.py line {line_of(rules)})")


def test_a_define_without_rules_and_none_at_all_say_what_is_expected() -> None:
    assert refused(lambda _: None) == (
        "Mistaken cannot be made: define returned nothing, nb.Rules(...) was expected"
    )
    with pytest.raises(SentenceError, match=r"^Empty has no define\(self, bar\), which returns nb\.Rules"):
        type("Empty", (Strategy,), {})()


def test_a_number_may_be_plotted() -> None:
    class Level(Strategy):
        def define(self, bar: BarSeries) -> Rules:
            return Rules(enter_long=bar.close > 1200, plot={"level": 1200})

    result = backtest(Level, "sample-1h")
    assert set(result.signals["SAMPLEUSDT"].values[0]) == {1200.0}
    assert set(Level().reasons_at(bars_of("sample-1h"), -1)) == {"enter_long"}


def test_exit_rules_of_a_class_are_checked_as_those_of_a_configuration() -> None:
    def rules(bar: BarSeries) -> Rules:
        return Rules(enter_long=bar.close > bar.open, risk_distance=bar.high - bar.low)

    said = refused(rules, ExitRules(stop_loss_percent=-5))
    assert said == "exits.stop_loss_percent: -5.0, expected a number above zero"
    parts: Any = [{"at_r": 1, "fraction": 2}]
    assert refused(rules, ExitRules(partial_exits=parts)).startswith("exits.partial_exits: expected at_r and")
    table: Any = {"0": 4, "40": "x"}
    said = refused(rules, ExitRules(minimal_roi=table))
    assert said == "exits.minimal_roi[1].percent is 'x', it should be a number"


def test_exit_rules_that_are_none_are_refused_with_the_class() -> None:
    with pytest.raises(
        SentenceError, match=r"^Dicted: exits is a dict, nb.ExitRules\(\.\.\.\) was expected$"
    ):
        type("Dicted", (Strategy,), {"exits": {"stop_loss_percent": 5}})


@pytest.mark.parametrize("exits", [ExitRules(stop_r=2), ExitRules(trailing_r=1.0)])
def test_a_stop_in_multiples_of_a_distance_that_the_rules_do_not_give_is_refused(exits: ExitRules) -> None:
    said = refused(lambda bar: Rules(enter_long=bar.close > bar.open), exits)
    assert "is a multiple of risk_distance, which nb.Rules(...) does not give" in said


@pytest.mark.parametrize("name", ["stop_r", "take_profit_r", "trailing_r"])
def test_so_it_is_where_a_configuration_asks_for_it(name: str) -> None:
    sentence = f"exits.{name} is a multiple of risk_distance, which the strategy does not give"
    with pytest.raises(ConfigError, match=f"^{sentence}$"):
        backtest("rsi", "sample-1h", exits={name: 1.0})
    size = Sizing("cash", 100.0)
    spec = StrategySpec("r", "rsi", ("BTCUSDT",), "1m", "mid", size, exits={name: 1.0}, key="one")
    with pytest.raises(StrategyRefused, match=rf"^one\.{sentence}$"):
        rules_of(StrategySlot(spec, "BTCUSDT"), shared=False)


def test_windows_that_would_fill_the_memory_are_refused() -> None:
    with pytest.raises(
        SentenceError, match=r"^ta\.sma: length must be at most 1,000,000, not 1000000000000$"
    ):
        ta.sma(BarSeries().close, 10**12)


@pytest.mark.parametrize(
    "name",
    ["reset", "on_bar", "batch", "warmup_bars", "exits", "params", "Params", "copy", "model_dump", "_n"],
)
def test_a_parameter_takes_no_name_that_a_strategy_needs(name: str) -> None:
    with pytest.raises(SentenceError, match=rf"^Named\.{name}: a parameter cannot have this name$"):
        type("Named", (Strategy,), {name: param(5)})


def test_a_parameter_of_exit_rules_has_a_name() -> None:
    said = refused(lambda _: Rules(enter_long=True), ExitRules(stop_loss_percent=param(5.0)))
    assert "exits: stop_loss_percent is a parameter without a name; write stop = nb.param(...) above" in said


def test_a_time_of_day_is_text() -> None:
    wrong: Any = 1555
    with pytest.raises(ValueError, match="exit_time is 1555, it should be a time of day such as 15:55"):
        ExitRules(exit_time=wrong)
