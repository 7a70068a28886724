"""docs/writing_strategies.md: its strategies trade, its fragments run, what it calls refused is refused."""

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib

import nextbar as nb
from engine.backtest.parity.config import read_config
from engine.core.engine import Engine
from engine.execution.scripts.verbs import LIVE_VERBS
from engine.model.exit_rules import ExitRules
from engine.series import ta
from engine.series.batch import History
from engine.series.feeds import Feeds
from engine.series.nodes import Node, SeriesError
from engine.series.text import Expression
from engine.strategies.base import SignalStrategy, registry
from engine.strategies.finding import find_strategy
from engine.strategies.slot import build_strategy
from gateways.wire import messages as wire
from nextbar.cli import app
from runtime.settings.environment import HOME_VARIABLE
from runtime.settings.load import parse_settings
from tests.support.engine_rig import Rig, config, spec
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "writing_strategies.md").read_text("utf-8")
PORTING = (ROOT / "docs" / "porting_from_pine.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FIRST, USED = PYTHON[:2]
FILES = {
    "averages.py": FIRST,
    **dict(re.findall(r"`strategies/([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)),
}
EXAMPLES = ("keltner", "dips", "first_hour")
SAMPLE, OTHER = nb.load("sample-1h"), nb.load("other-1h")
ZERO = Decimal(0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder with the page's files; what is loaded from it is forgotten."""
    folder = tmp_path / "Händler Ordner"
    (folder / "strategies").mkdir(parents=True)
    for name, text in FILES.items():
        (folder / "strategies" / name).write_text(text, "utf-8")
    monkeypatch.setenv(HOME_VARIABLE, str(folder))
    monkeypatch.chdir(folder)
    registry.names()  # the project's own stay registered
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    yield folder
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_page_has_a_strategy_of_each_kind():
    assert set(FILES) == {
        *("averages.py", "keltner.py", "dips.py", "first_hour.py"),
        *("trend_averages.toml", "two_averages.py", "drop.py"),
    }


@pytest.mark.parametrize("file", FILES)
def test_each_file_is_found_and_trades(file: str):
    assert len(nb.backtest(Path(file).stem, SAMPLE).trades) > 5


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_short_and_do_not_change_when_more_bars_come(name: str):
    assert FILES[f"{name}.py"].count("\n") < 30
    early = nb.backtest(name, SAMPLE.part(0, 4000)).trades
    assert nb.backtest(name, SAMPLE).trades.head(len(early)).equals(early)
    assert len(early) > 5


def test_the_first_strategy_is_used_as_shown(home: Path):
    names: dict[str, Any] = {"__name__": "page"}
    exec(FIRST + USED, names)
    assert len(names["result"].trades) > 10
    assert (home / "averages.html").is_file()
    stated = re.findall(r"such as\n`(.*?)`", PAGE)
    assert names["Averages"]().reasons_at(SAMPLE, 5000)["enter_long"] == stated[0]


def bar_of(bars: nb.Bars, i: int) -> nb.Bar:
    row = (bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume_base[i])
    return nb.Bar(bars.symbol, bars.timeframe_ns, int(bars.open_time_ns[i]), *map(float, row))


class _Grown:
    """What backtesting.py shows of a column: all up to the bar that is looked at."""

    def __init__(self, values: np.ndarray, bar: list[int]) -> None:
        self.values, self._bar = values, bar

    def __getitem__(self, back: int) -> float:
        return float(self.values[self._bar[0] + 1 + back])


class _BacktestingPy:
    """As much of backtesting.py as the page's block needs: `said` are its entries and exits by bar."""

    def __init__(self, close: np.ndarray) -> None:
        self._bar = [0]
        self.data = self.position = self
        self.Close = _Grown(close, self._bar)
        self.said: dict[int, str] = {}
        self.init()
        for i in range(1, len(close)):
            self._bar[0] = i
            self.next()

    def I(self, function: Callable[..., np.ndarray], column: _Grown, length: int) -> _Grown:  # noqa: E743, N802  # its name
        return _Grown(function(column.values, length), self._bar)

    def buy(self, sl: float) -> None:
        assert sl < self.Close[-1]
        self.said[self._bar[0]] = "long"

    def close(self) -> None:
        self.said[self._bar[0]] = "exit"

    init: Callable[[], None]
    next: Callable[[], None]


def _crossed(a: _Grown, b: _Grown) -> bool:
    return a[-2] < b[-2] and a[-1] > b[-1]


def test_the_columns_of_other_libraries_say_the_same_as_the_strategy():
    freqtrade, backtesting_py = (text for text in PYTHON if "(IStrategy)" in text or "(Strategy)" in text)
    ours: dict[str, Any] = {}
    exec(FIRST, ours)
    said = ours["Averages"]().batch(SAMPLE)
    warm = ours["Averages"]().warmup_bars

    class _QtPyLib:
        @staticmethod
        def crossed_above(a: pd.Series, b: pd.Series) -> pd.Series:
            return (a > b) & (a.shift(1) <= b.shift(1))

        @staticmethod
        def crossed_below(a: pd.Series, b: pd.Series) -> pd.Series:
            return (a < b) & (a.shift(1) >= b.shift(1))

    names: dict[str, Any] = {"IStrategy": object, "ta": talib, "qtpylib": _QtPyLib}
    exec(freqtrade, names)
    frame, theirs = pd.DataFrame({"close": SAMPLE.close}), names["Averages"]()
    for step in (theirs.populate_indicators, theirs.populate_entry_trend, theirs.populate_exit_trend):
        frame = step(frame, {})
    names = {"Strategy": _BacktestingPy, "EMA": talib.EMA, "crossover": _crossed}
    exec(backtesting_py, names)
    bars = names["Averages"](SAMPLE.close).said
    for flag, column, word in (
        (said.enter_long, frame["enter_long"], "long"),
        (said.exit_long, frame["exit_long"], "exit"),
    ):
        expected = np.flatnonzero(flag)
        expected = expected[expected > warm].tolist()
        assert len(expected) > 30
        assert [i for i in np.flatnonzero(column == 1).tolist() if i > warm] == expected
        assert [i for i, kind in bars.items() if kind == word and i > warm] == expected


def _fragments() -> list[str]:
    whole = {FIRST, USED, *FILES.values()}
    return [text for text in PYTHON if text not in whole and not re.search(r"\((I?Strategy)\)", text)]


def test_the_fragments_run_and_their_series_have_values():
    names: dict[str, Any] = {"nb": nb, "ta": ta, "bar": nb.BarSeries(), "__name__": "page"}
    exec(FIRST, names)
    for text in _fragments():
        exec(compile(text, "writing_strategies.md", "exec"), names)
    assert names["Slower"]().length == 100
    assert nb.backtest(names["Choices"](length=50, side="long"), SAMPLE).stats["short_trades"] == 0
    assert names["LongMemory"]().warmup_bars == 500
    assert f"with `ta.atr(bar, 14)` begins after {find_strategy('keltner')().warmup_bars} seconds" in PAGE
    series = {name: one for name, one in names.items() if isinstance(one, Node)}
    values = History(Feeds(SAMPLE, {"OTHERUSDT": OTHER})).values(list(series.values()))
    assert len(series) > 12
    for name, found in zip(series, values, strict=True):
        assert found.any(), name


def test_another_symbol_is_given_beside_and_closes_as_the_page_says():
    class Strong(nb.Strategy):
        def define(self, bar: nb.BarSeries) -> nb.Rules:
            day, other = bar.on("1d"), bar.of("OTHERUSDT")
            seen = ta.crossover(day.close, ta.sma(day.close, 5))
            now = seen & (bar.close > 0)
            stronger = bar.close / bar.close[24] > other.close / other.close[24]
            plot = {"seen": seen, "first": now & ~now[1], "high": day.high}
            return nb.Rules(enter_long=stronger, exit_long=~stronger, plot=plot)

    result = nb.backtest(Strong, SAMPLE, beside="other-1h")
    assert len(result.trades) > 100
    plots = result.plots()
    assert plots["seen"].sum() == 24 * plots["first"].sum() > 24 * 20
    days = pd.Series(SAMPLE.high, plots.index).groupby(plots.index.date).max()
    assert plots["high"].iloc[23 + 24 * 7] == days.iloc[7]
    assert plots["high"].iloc[22 + 24 * 7] == days.iloc[6]


def _refusals() -> Iterator[tuple[str, str]]:
    """Each piece of code that a table of the page calls refused, and the piece to write instead."""
    for section in re.findall(r"\| refused \|.*?\n\n", PAGE, re.DOTALL):
        for row in section.strip().splitlines()[2:]:
            first, *_, last = re.split(r"(?<!\\)\|", row.strip("| "))
            [instead] = re.findall(r"`(.*?)`", last)
            yield from ((code, instead) for code in re.findall(r"`(.*?)`", first))


REFUSALS = list(_refusals())


@pytest.mark.parametrize(("code", "instead"), REFUSALS, ids=[code for code, _ in REFUSALS])
def test_what_the_page_calls_refused_is_and_what_it_says_instead_is_a_series(code: str, instead: str):
    names = {"bar": nb.BarSeries(), "ta": ta, "nb": nb, "np": np, "frame": pd.DataFrame({"x": SAMPLE.close})}
    with pytest.raises((SeriesError, TypeError)):
        eval(code, dict(names))
    assert isinstance(eval(instead.replace("\\|", "|"), names), Node)


def test_a_text_means_what_the_page_says_it_is_in_python():
    [table] = re.findall(r"\| in a text \|.*?\n\n", PAGE, re.DOTALL)
    names = {"bar": nb.BarSeries(), "ta": ta, "nb": nb, "x": nb.BarSeries().low}
    rows = [re.split(r"(?<!\\)\|", row.strip("| ")) for row in table.strip().splitlines()[2:]]
    pairs = [
        pair
        for text, python in rows
        for pair in zip(*(re.findall(r"`(.*?)`", cell) for cell in (text, python)), strict=True)
    ]
    assert len(pairs) > 10
    for text, python in pairs:
        assert Expression(text).value({"x": names["x"]}) is eval(python, dict(names)), text


def test_the_tables_name_rules_that_there_are():
    rules = PAGE.partition("## Leaving a position")[2].partition("## What a signal says")[0]
    rows = [row.strip("| ").rpartition(" | ")[2] for row in rules.splitlines() if row.startswith("|")]
    given = set(re.findall(r"`(\w+)(?: = |=|`)", " ".join(rows)))
    signal = {"risk_distance", "stop_long", "stop_short", "target_long", "limit_long", "limit_short"}
    assert len(given) > 15
    assert given - signal <= set(ExitRules.__dataclass_fields__)
    assert signal <= set(nb.Rules.__dataclass_fields__)


def test_the_commands_of_the_page_exist():
    known = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    used = set(re.findall(r"(?:^|`)nextbar (\w+)", PAGE, re.MULTILINE))
    assert used <= known
    assert {"init", "new", "backtest", "show", "run", "why", "validate"} <= used


def test_an_exit_flag_beats_the_flip_of_the_same_bar_as_the_page_says():
    class Sides(nb.Strategy):
        def define(self, bar: nb.BarSeries) -> nb.Rules:
            average = ta.sma(bar.close, 3)
            up, down = bar.close > average, bar.close < average
            return nb.Rules(enter_long=up, exit_long=down, enter_short=down, exit_short=up)

    assert set(nb.backtest(Sides, SAMPLE).trades["exit_signal"]) == {"Mid Exit"}
    flips = nb.backtest(Sides, SAMPLE, exits={"signal_exits": False}).trades["exit_signal"]
    assert flips.str.startswith("Flip").all()


def test_the_block_for_the_demo_is_a_configuration_the_engine_takes(tmp_path: Path):
    [block] = (text for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[[strategies]]" in text)
    demo, _, rest = (ROOT / "configs" / "demo.toml").read_text("utf-8").partition("[[strategies]]")
    assert "[[strategies]]" not in rest
    (tmp_path / "demo.toml").write_text(demo + block, "utf-8")
    [chosen] = parse_settings(tmp_path / "demo.toml", "demo").strategies
    built = build_strategy(spec(chosen.name, params=dict(chosen.params), timeframe=chosen.timeframe))
    assert isinstance(built, SignalStrategy)
    assert f"after its {built.warmup_bars} bars of warm-up" in PAGE


def test_the_case_against_tradingview_is_one_that_validate_takes(tmp_path: Path):
    [block] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "cases.json").write_text(block, "utf-8")
    [case] = read_config(tmp_path / "cases.json").cases
    assert case.params == json.loads(block)["cases"][0]["params"]
    find_strategy("averages.py:Averages")


def test_rules_and_a_step_by_hand_trade_in_the_live_core():
    for name, params, last in (("averages", {"fast": 1, "slow": 2}, 95), ("drop", {"length": 2}, 89)):
        rig = Rig(Engine(config(spec(name, params=params)))).up()
        rig.prices(*[100.0] * 40, 99, 96, 90, last, last)
        assert rig.exchange.position > ZERO, name


def test_the_script_enters_protects_and_leaves_in_the_live_core():
    rig = Rig(Engine(config(spec("two_averages", params={"fast": 1, "slow": 3})))).up()
    rig.prices(100, 100, 100, 100, 101, 101.1, 101.2)
    assert rig.exchange.position > ZERO
    orders = [(one.order_type, one.side, one.reduce_only) for one in rig.sent(wire.SubmitOrder)]
    assert orders == [("MARKET", "BUY", False), ("STOP_MARKET", "SELL", True)]
    rig.prices(100.6, 100.5, 100.4, start=7)
    assert rig.exchange.position == ZERO


def test_the_step_by_hand_says_the_same_bar_by_bar_and_over_a_history():
    strategy = find_strategy("drop").from_params({"length": 10})
    assert isinstance(strategy, SignalStrategy)
    batch = strategy.batch(SAMPLE)
    for i in range(400):
        assert repr(strategy.on_bar(bar_of(SAMPLE, i))) == repr(batch.at(i))
    assert batch.enter_long[:400].any()


def test_every_block_of_python_is_run_by_one_of_these_tests():
    known = {FIRST, USED, *FILES.values(), *_fragments()}
    others = [text for text in PYTHON if text not in known]
    assert len(others) == 2
    for text in others:
        ast.parse(text)


def test_the_porting_page_lists_what_the_live_engine_can_place():
    [sentence] = re.findall(
        r"`engine/execution/scripts/verbs.py`: (.*?)\. Any other word", PORTING, re.DOTALL
    )
    assert set(re.findall(r"`([\w.]+)`", sentence)) == LIVE_VERBS
