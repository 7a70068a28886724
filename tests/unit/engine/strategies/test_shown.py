"""A strategy is shown as text: its parameters, its bars, its series by name and its rules."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.backtest.data.configuration import ConfigError
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.nodes import DECIDING, Feed, Node, condition_of, on_deciding, series_of
from engine.series.text import Expression
from engine.series.words import expression
from engine.show import app, lines_about
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.rules import Graph, Rules
from engine.strategies.shown import lines_of, names_of
from engine.strategies.toml_form import strategy_of_text

HOME = "engine.strategies.library."
OWN = [name for name in registry.names() if registry.get(name).__module__.startswith(HOME)]
GRAPHS = [name for name in OWN if issubclass(registry.get(name), Strategy)]
TEXT = b"""
[params]
length = { default = 20, ge = 2, le = 500, doc = "bars of the average" }

[series]
average = "ema(close, length)"
lines = "macd(close)"
trend = "on('1h', ema(close, 50))"
unused = "sma(close, 3)"

[rules]
enter_long = 'crossover(close, average) and on("1h", close > trend)'
exit_long = "lines.signal < 0 or volume == 0"
enter_short = 'of("BTCUSDT", close < open)'
exit_short = true
risk_distance = "2 * atr(bar, 14)"
stop_long = "low[1]"
tag = [{ when = "lines.macd > 0", tag = "up" }]
plot = ["average"]

[exits]
stop_loss_percent = 5.0
"""


def test_all_that_it_says_is_in_the_text() -> None:
    strategy = strategy_of_text(TEXT, Path("x.toml"))(length=30)
    own, hour = (strategy.graph.warmup_bars(feed) for feed in (DECIDING, Feed("", "1h")))
    assert list(lines_of(strategy)) == [
        "bars: the deciding ones, 1h, BTCUSDT; volume must be given",
        f"warm-up: {own} bars, 1h {hour} bars, BTCUSDT 1 bar",
        "series:",
        "  average = ema(close, 30)",
        "  lines.macd = macd(close, 12, 26, 9).macd",
        "  lines.signal = macd(close, 12, 26, 9).signal",
        '  trend = on("1h", ema(close, 50))',
        "rules:",
        '  enter_long = crossover(close, average) and on("1h", close > trend)',
        '  enter_short = of("BTCUSDT", close < open)',
        "  exit_long = lines.signal < 0 or volume == 0",
        "  exit_short = true, on each bar",
        "  risk_distance = 2 * atr(high, low, close, 14)",
        "  stop_long = low[1]",
        '  tag = "up" where lines.macd > 0',
        "plotted: average",
        "exits:",
        "  stop_loss_percent = 5.0",
    ]


class Grown(Strategy):
    """A graph that would be longer than any memory, written out."""

    def define(self, bar: BarSeries) -> Rules:
        grown = bar.close
        for _ in range(50):
            grown = grown + grown[1]
        long_sum = bar.open
        for _ in range(3000):
            long_sum = long_sum + 1.5 * bar.low
        return Rules(enter_long=(grown > long_sum) & ta.rising(bar.close, 2))


def read_back(graph: Graph) -> list[Node]:
    """The roots of a graph, its series and rules read again as the texts that are shown."""
    names, by_name = names_of(graph), dict[str, object]()
    for node in graph.nodes:
        if node.number in names:
            by_name[names[node.number]] = Expression(expression(node, names, named=False)).value(by_name)
    made = [Expression(expression(root, names)).value(by_name) for root in graph.roots]
    return [on_deciding(one if isinstance(one, Node) else _constant(one)) for one in made]


def _constant(value: object) -> Node:
    return condition_of(value) if isinstance(value, bool) else series_of(value)


def test_a_huge_graph_is_shown_in_short_lines_that_can_be_read_back() -> None:
    assert max(map(len, lines_of(Grown()))) < 1000
    graph = Grown().graph
    assert [one.number for one in read_back(graph)] == [one.number for one in graph.roots]


@pytest.mark.parametrize("name", GRAPHS)
def test_the_rules_of_every_strategy_of_the_project_can_be_written_as_text(name: str) -> None:
    strategy = registry.get(name).from_params({})
    assert isinstance(strategy, Strategy)
    assert [one.number for one in read_back(strategy.graph)] == [one.number for one in strategy.graph.roots]


@pytest.mark.parametrize("name", OWN)
def test_every_strategy_of_the_project_can_be_shown(name: str) -> None:
    lines = list(lines_about(name))
    assert lines[0].startswith(f"{name}: ")
    assert any(line.startswith(("rules:", "a script, called on each closed bar; verbs: ")) for line in lines)


def test_what_cannot_be_shown_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="grid is no graph of series, so there is no picture of it"):
        list(lines_about("grid", svg=tmp_path / "grid.svg"))
    with pytest.raises(ConfigError, match=r"missing\.svg cannot be written"):
        list(lines_about("rsi", svg=tmp_path / "no" / "missing.svg"))
    done = CliRunner().invoke(app, ["rsi", "--param", "lenght=3"], catch_exceptions=False)
    assert (done.exit_code, len(done.output.splitlines())) == (2, 1)
    done = CliRunner().invoke(app, ["rsi", "--svg", str(tmp_path / "rsi.svg")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "marker-end" in (tmp_path / "rsi.svg").read_text("utf-8")
