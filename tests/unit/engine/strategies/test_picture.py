"""The picture of a strategy's graph: what is in it, and where."""

from itertools import combinations
from xml.etree import ElementTree as Xml

import pytest

import nextbar as nb
from engine.strategies.base import registry
from engine.strategies.graph import Strategy
from engine.strategies.picture import boxes_of, picture_of
from nextbar import ta

GRAPHS = [
    name
    for name in registry.names()
    if issubclass(registry.get(name), Strategy)  # those made of series
]


class Away(nb.Strategy):
    """Away from the average."""

    def define(self, bar: nb.BarSeries) -> nb.Rules:
        """Two rules, one of them on a longer timeframe."""
        average = ta.ema(bar.close, 20)
        hour = ta.ema(bar.on("4h").close, 5)
        return nb.Rules(enter_long=(bar.close > average) & (bar.close > hour), exit_long=bar.close < average)


def test_each_field_named_series_and_rule_has_a_box_behind_what_it_is_made_of():
    boxes = {box.text: box for box in boxes_of(Away().graph)}
    rule = boxes["enter_long: close > average and close > hour"]
    average = boxes["average = ema(close, 20)"]
    assert [one.text for one in average.below] == ["close"]
    assert average in rule.below
    assert any(one.text.startswith("hour = ") for one in rule.below)
    assert [one.column for one in (boxes["close"], average, rule)] == [0, 1, 2]
    assert not any("enter_short" in text for text in boxes), "a rule that is never true is left out"


@pytest.mark.parametrize("name", GRAPHS)
def test_every_strategy_of_the_project_can_be_drawn(name: str):
    strategy = registry.get(name).from_params({})
    assert isinstance(strategy, Strategy)
    boxes = boxes_of(strategy.graph)
    assert all(one.x + one.width < box.x for box in boxes for one in box.below)
    for one, other in combinations(boxes, 2):
        assert one.column != other.column or abs(one.y - other.y) >= 26
    page = Xml.fromstring(picture_of(strategy.graph))
    shown = [text.text for text in page.iter("{http://www.w3.org/2000/svg}text")]
    assert shown == [box.shown for box in boxes]
