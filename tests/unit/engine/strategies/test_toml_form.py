"""A strategy in TOML is the graph of the class that says the same; what is wrong in it is said by name."""

import pickle
from pathlib import Path

import pytest

from engine.backtest.data.samples import dataset
from engine.backtest.run import backtest
from engine.model.exit_rules import ExitRules, PartialExit
from engine.series import functions, ta
from engine.series.bar import BarSeries
from engine.strategies.base import SignalStrategy
from engine.strategies.finding import StrategyNotFound, find_strategy, place_of, strategy_names
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules
from engine.strategies.slot import StrategyRefused, StrategySlot
from engine.strategies.toml_form import TomlStrategyError, strategy_of, strategy_of_text
from runtime.settings.environment import HOME_VARIABLE
from tests.support.engine_rig import spec

TEXT = """
doc = "Long where the fast average crosses the slow one in a rising hour."

[params]
fast = { default = 8, ge = 1, le = 500, doc = "bars of the fast average" }
slow = { default = 21, ge = 1, le = 500 }
kind = { default = "ema", choices = ["ema", "sma"] }
stop = 2.5

[series]
quick = "where(kind == 'ema', ema(close, fast), sma(close, fast))"
lazy = "ema(close, slow)"
lines = "macd(close, fast, slow)"

[rules]
enter_long = 'crossover(quick, lazy) and on("1h", close > ema(close, 5)) and not (volume <= 0)'
exit_long = 'quick < lazy or lines.histogram[1] < 0'
enter_short = 'close < lowest(low, slow)[1] or hour_in("Europe/Berlin") == 3'
exit_short = 'close > lazy'
risk_distance = '2 * atr(bar, max(fast, 14))'
strength = 'abs(close / lazy - 1)'
stop_long = 'min(low, low[1], lazy)'
tag = [{ when = 'close > lazy', tag = "above" }, { when = 'true', tag = "below" }]
plot = ["quick", "lazy", "lines.signal"]

[exits]
stop_loss_percent = "stop"
partial_exits = [{ at_r = 1.0, fraction = 0.5 }]
"""


class Crossing(Strategy):
    """The same as a class."""

    fast = param(8, ge=1, le=500, doc="bars of the fast average")
    slow = param(21, ge=1, le=500)
    kind = param("ema", choices=("ema", "sma"))
    stop = param(2.5)
    exits = ExitRules(stop_loss_percent=stop, partial_exits=(PartialExit(1.0, 0.5),))

    def define(self, bar: BarSeries) -> Rules:
        is_ema = self.kind == "ema"
        quick = functions.where(is_ema, ta.ema(bar.close, self.fast), ta.sma(bar.close, self.fast))
        lazy = ta.ema(bar.close, self.slow)
        lines = ta.macd(bar.close, self.fast, self.slow)
        hour = bar.on("1h")
        return Rules(
            enter_long=ta.crossover(quick, lazy) & (hour.close > ta.ema(hour.close, 5)) & ~(bar.volume <= 0),
            exit_long=(quick < lazy) | (lines.histogram[1] < 0),
            enter_short=(bar.close < ta.lowest(bar.low, self.slow)[1]) | (bar.hour_in("Europe/Berlin") == 3),
            exit_short=bar.close > lazy,
            risk_distance=2 * ta.atr(bar, max(self.fast, 14)),
            strength=functions.absolute(bar.close / lazy - 1),
            stop_long=functions.minimum(bar.low, bar.low[1], lazy),
            tag=[(bar.close > lazy, "above"), (functions.condition_of(True), "below")],
            plot={"quick": quick, "lazy": lazy, "lines.signal": lines.signal},
        )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "strategies").mkdir()
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    (tmp_path / "strategies" / "crossing.toml").write_text(TEXT, "utf-8")
    return tmp_path


@pytest.mark.parametrize("params", [{}, {"fast": 5, "slow": 13, "kind": "sma", "stop": 1.0}])
def test_the_graph_is_node_for_node_that_of_the_class(params: dict[str, object], home: Path) -> None:
    made, written = strategy_of(home / "strategies" / "crossing.toml")(**params), Crossing(**params)
    assert [node.number for node in made.graph.roots] == [node.number for node in written.graph.roots]
    assert made.graph.tags == written.graph.tags
    assert made.exit_rules == written.exit_rules
    assert made.params.model_dump() == written.params.model_dump()
    assert made.value_names == written.value_names
    assert made.graph.rules.names["lines.signal"] is made.graph.plots["lines.signal"]


def test_it_is_found_by_name_and_trades_as_the_class_does(home: Path) -> None:
    cls = find_strategy("crossing")
    assert "crossing" in strategy_names()
    assert cls is find_strategy("strategies/crossing.toml") is find_strategy(place_of(cls))
    assert place_of(cls) == f"{home / 'strategies' / 'crossing.toml'}:Crossing"
    assert cls.__doc__ == "Long where the fast average crosses the slow one in a rising hour."
    bars = dataset("sample-15m")
    ours, theirs = backtest("crossing", bars), backtest(Crossing, bars)
    assert ours.closed
    assert repr(ours.closed) == repr(theirs.closed)


def test_the_live_engine_takes_it_by_its_place(home: Path) -> None:
    slot = StrategySlot(
        spec(name="strategies/crossing.toml", timeframe="15m", candles="trade", params={"fast": 5}), "BTCUSDT"
    )
    assert slot.inputs == (("BTCUSDT", 900 * 10**9), ("BTCUSDT", 3600 * 10**9))
    assert slot.strategy.params.fast == 5  # type: ignore[union-attr]  # of the file
    with pytest.raises(StrategyRefused, match="has no parameter lenght; allowed: fast, slow, kind, stop"):
        StrategySlot(spec(name="strategies/crossing.toml", candles="trade", params={"lenght": 5}), "BTCUSDT")


def test_it_is_read_anew_when_it_is_edited_and_travels_to_another_process(home: Path) -> None:
    file = home / "strategies" / "crossing.toml"
    before = find_strategy("crossing")
    file.write_text(TEXT.replace("default = 8", "default = 9"), "utf-8")
    after = find_strategy("crossing")
    assert (before.from_params({}).params.fast, after.from_params({}).params.fast) == (8, 9)  # type: ignore[union-attr]
    strategy = after.from_params({"slow": 30})
    assert isinstance(strategy, SignalStrategy)
    assert pickle.loads(pickle.dumps(strategy)).params == strategy.params


def test_rules_may_stand_at_the_top_of_the_file() -> None:
    text = b"enter_long = 'close > open'\nexit_long = true\ntag = 'up'\nstrength = 2\n"
    graph = strategy_of_text(text, Path("up.toml"))().graph
    assert graph.flags["enter_long"] is (BarSeries().close > BarSeries().open)
    assert graph.tags == ("", "up")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("doc = 'x'\n\nenter_long = 'close > opne'", 3),
        ("[series]\na = 'close'\n[rules]\nenter_long = 'a > b'", 4),
        ("[series]\nenter = 'close'\nslow = 'nothing'\n[rules]\nenter_long = 'close > slow'", 3),
        ("enter_long = true\n[params]\nbatch = 1", 3),
        ("enter_long = true\n[params.a]\ndefault = 'x'\nge = 1", 2),
        ("enter_long = true\n[params]\na = {default = 1, doc = 3}", 3),
        ("enter_long = true\nplot = {a = 'b'}", 2),
        ("enter_long = true\n[plot]\na = 'b'", 2),
        ("'enter_long' = 'close'", 1),
    ],
)
def test_an_error_ends_with_the_line_of_its_key(text: str, line: int) -> None:
    with pytest.raises(TomlStrategyError) as raised:
        strategy_of_text(text.encode(), Path("x.toml"))
    assert str(raised.value).endswith(f" (line {line})")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "enter_long = 'close > opne'",
            "x.toml, enter_long: column 9: there is no opne (did you mean open?)",
        ),
        ("enter_long = 'close'", "x.toml, enter_long: a number is no condition; compare it, such as x > 0"),
        ("enter_long = 'close >'", "x.toml, enter_long: column 7: invalid syntax"),
        ("enter_long = ''", "x.toml, enter_long: it is empty, an expression in quotes was expected"),
        ("enter_long = []", "x.toml, enter_long: [] is no text"),
        ("enter_lnog = true", "x.toml, enter_lnog: no such key (did you mean enter_long?)"),
        ("[rules]\nenter = true", "x.toml, rules.enter: no such rule"),
        ("[params]\nlength = 3", "x.toml has no rule: expected one of enter_long"),
        ("enter_long = true\n[rules]\nenter_long = true", "x.toml, enter_long: it is also under [rules]"),
        ("[series]\nenter_long = 'close > 1'", "x.toml, series.enter_long: this is a rule"),
        ("[series]\nclose = 'open'", "x.toml, series.close: close is what every strategy has already"),
        (
            "[series]\na = 'b'\nb = 'close'\n[rules]\nenter_long='a > b'",
            "x.toml, series.a: column 1: there is no b; b is below, move it up",
        ),
        ("[params]\nclose = 1", "x.toml, params.close: a parameter cannot have this name"),
        ("[params]\nbatch = 1", "x.toml, params.batch: a parameter cannot have this name"),
        ("[params]\nparams = 1", "x.toml, params.params: a parameter cannot have this name"),
        ("[params]\nclass = 1", "x.toml, params.class: a parameter cannot have this name"),
        ("[params]\ncopy = 1", "x.toml, params.copy: a parameter cannot have this name"),
        (
            "[params]\na = {default = 'x', ge = 1}",
            "x.toml, params.a: ge bound a number, and its default is 'x'",
        ),
        ("[params]\na = {default = 1, ge = nan}", "x.toml, params.a: ge is nan, expected a number"),
        (
            "[params]\na = {default = 1, choices = [[1]]}",
            "x.toml, params.a: choices should be a list of values",
        ),
        (
            "enter_long = 'close[9999999] > 1'",
            "x.toml, enter_long: column 1: x[9999999] looks back further than",
        ),
        (
            "enter_long = 'sma(close, 100000000000) > 1'",
            "x.toml, enter_long: column 1: sma: 100000000000 is too large",
        ),
        ("[params]\na = {ge = 1}", "x.toml, params.a: default is missing"),
        ("[params]\na = {default = 1, gee = 1}", "x.toml, params.a: gee is no part of a parameter"),
        (
            "enter_long = true\n[params]\na = {default = 1, ge = 5}",
            "x.toml, X: parameter a is 1, it should be at least 5",
        ),
        ("enter_long = true\n[exits]\nstop_los = 1", "x.toml, exits.stop_los: no such rule"),
        ("enter_long = true\n[exits]\nstop_loss_percent = -1", "x.toml, exits.stop_loss_percent: -1"),
        ("enter_long = true\ntag = [1]", "x.toml, tag: expected a text, or a list of {when"),
        ("enter_long = true\nplot = 3", "x.toml, plot: expected names in a list"),
        ("enter_long = true\nplot = ['averge']", "x.toml, plot, averge: column 1: there is no averge"),
        ("enter_long = true\nparams = 3", "x.toml, params: expected a table, [params]"),
        ("enter_long == true", "x.toml is not TOML: "),
        ("doc = 3", "x.toml, doc: 3 is no text"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(text: str, sentence: str) -> None:
    with pytest.raises(TomlStrategyError) as refused:
        strategy_of_text(text.encode(), Path("x.toml"))
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


def test_a_wrong_file_is_one_sentence_where_a_strategy_is_looked_for(home: Path) -> None:
    (home / "strategies" / "wrong.toml").write_text("enter_long = 'close > 1 > 2'", "utf-8")
    with pytest.raises(StrategyNotFound) as refused:
        find_strategy("wrong")
    assert str(refused.value) == (
        "strategy wrong: wrong.toml, enter_long: column 1: two comparisons in one: write a < b and b < c"
        " (line 1)"
    )
    (home / "strategies" / "crossing.py").write_text("", "utf-8")
    with pytest.raises(StrategyNotFound, match="rename one of them"):
        find_strategy("crossing")
