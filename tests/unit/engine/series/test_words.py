"""A graph in words, and the reasons of its conditions with their numbers."""

import numpy as np
import pytest

from engine.model.bars import Bars
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.functions import executed_when, nz, where
from engine.series.nodes import Node
from engine.series.words import expression, number_text, reason
from engine.strategies.graph import Strategy
from engine.strategies.rules import Rules

BAR = BarSeries()


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ((BAR.close + BAR.open) * 2, "(close + open) * 2"),
        (BAR.close - (BAR.open - 1.5), "close - (open - 1.5)"),
        (-(BAR.close + 1), "-(close + 1)"),
        ((BAR.close > 1) & ((BAR.open < 2) | (BAR.low < 3)), "close > 1 and (open < 2 or low < 3)"),
        (~(BAR.close > BAR.close[1]), "not close > close[1]"),
        (ta.macd(BAR.close).signal, "macd(close, 12, 26, 9).signal"),
        (ta.ema(BAR.on("1h").close, 50) < BAR.close, 'on("1h", ema(close, 50)) < close'),
        (BAR.of("BTCUSDT").on("4h").close, 'on("4h", of("BTCUSDT", close))'),
        (where(BAR.close > 1, nz(BAR.open), 0.25), "where(close > 1, nz(open, 0), 0.25)"),
        (BAR.hour_in("America/New_York"), 'hour_in("America/New_York")'),
        (
            BAR.session("09:30-16:00"),
            'minute_of_day_in("UTC") >= 570 and minute_of_day_in("UTC") < 960',
        ),
        (executed_when(BAR.close > 1, ta.mom(BAR.close, 3)), "executed_when(close > 1, mom(close, 3))"),
    ],
)
def test_an_expression_reads_as_a_person_would_write_it(node: Node, text: str) -> None:
    assert expression(node) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3412.1, "3,412.1"),
        (1234567.891, "1,234,568"),
        (0.00001234, "0.000012"),
        (float("nan"), "na"),
        (0.0, "0"),
        (True, "true"),
        (None, "not yet known"),
    ],
)
def test_numbers_have_seven_digits_and_thousands_apart(value: float | None, text: str) -> None:
    assert number_text(value) == text


class Breakaway(Strategy):
    """Long a band above the average of yesterday's trend."""

    def define(self, bar: BarSeries) -> Rules:
        average = ta.sma(bar.close, 2)
        band = average / 100
        rises = bar.close > bar.close[1]
        return Rules(
            enter_long=(bar.close > average + band) & rises,
            exit_long=(bar.close < average) | (bar.close == 0),
            plot={"mean": average},
        )


def test_a_reason_of_a_huge_graph_is_short() -> None:
    grown, condition = BAR.close, BAR.close > 1
    for k in range(60):
        grown = grown + grown[1]
        condition = condition & (condition | (BAR.open > k)) & ~condition
    text = reason((grown > 1) & (BAR.close > 2) & condition, lambda node: False if node.is_condition else 1.0)
    assert text.startswith("... 1 > 1 and close 1 > 2")
    assert len(text) < 5000


def test_a_name_is_explained_where_it_comes_first() -> None:
    rises = ta.rising(BAR.close, 3)
    both = reason(rises | ~rises, lambda node: True if node.is_condition else 3.0, {rises.number: "up"})
    assert both == "up (rising(close 3, 3)) or not (up)"


def test_a_reason_names_what_decided_with_the_numbers_and_the_names_of_the_code() -> None:
    close = np.array([100.0, 110.0, 108.0])
    bars = Bars("X", 60_000_000_000, np.arange(3) * 60_000_000_000, close, close, close, close, close)
    strategy = Breakaway()
    assert strategy.reasons_at(bars, 1) == {
        "enter_long": "true: close 110 > mean + band 106.05 and rises (close 110 > close[1] 100)",
        "exit_long": "false: close 110 < mean 105 or close 110 == 0",
    }
    assert strategy.reasons_at(bars, -1) == {
        "enter_long": "false: close 108 > mean + band 110.09 and rises (close 108 > close[1] 110)",
        "exit_long": "true: close 108 < mean 109",
    }
    assert strategy.reasons() == {}
