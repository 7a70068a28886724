"""Turning points on a few bars: when they are told, which of equals counts, what is broken."""

from math import nan

import numpy as np

from engine.indicators.catalog import INDICATORS


def rows(name: str, *settings: object, columns: list[list[float]]) -> list[list[float]]:
    """One list for each output; na is 0."""
    run = INDICATORS[name](*settings).run(*columns)
    return [np.nan_to_num(one).tolist() for one in (run if isinstance(run, tuple) else (run,))]


def test_a_pivot_is_told_on_the_bar_that_confirms_it():
    x = [1.0, 3.0, 2.0, 5.0, 4.0, 4.0, 6.0]
    assert rows("pivot_high", 1, 1, columns=[x]) == [[0, 0, 3, 0, 5, 0, 0]]
    assert rows("pivot_high", 1, 2, columns=[x]) == [[0, 0, 0, 0, 0, 5, 0]]
    assert rows("pivot_low", 1, 1, columns=[x]) == [[0, 0, 0, 2, 0, 0, 4]]


def test_of_equal_highs_the_last_is_the_pivot_and_none_is_a_fractal():
    x = [1.0, 3.0, 3.0, 2.0, 1.0]
    assert rows("pivot_high", 1, 1, columns=[x]) == [[0, 0, 0, 3, 0]]
    assert rows("fractals", 1, columns=[x, x])[0] == [0, 0, 0, 0, 0]


def test_na_in_the_window_confirms_nothing():
    assert rows("pivot_high", 1, 1, columns=[[nan, 3.0, 2.0, nan, 1.0]]) == [[0, 0, 0, 0, 0]]


def test_fractals_stand_above_and_below_both_sides():
    high, low = [2.0, 3.0, 5.0, 4.0, 3.0, 6.0], [1.0, 2.0, 4.0, 3.0, 2.0, 3.0]
    assert rows("fractals", columns=[high, low]) == [[0, 0, 0, 0, 5, 0], [0] * 6]
    assert rows("fractals", 1, columns=[high, low])[1] == [0, 0, 0, 0, 0, 2]


def test_swings_carry_the_last_pivots():
    x = [1.0, 3.0, 2.0, 5.0, 4.0, 4.5]
    assert rows("swings", 1, 1, columns=[x, x]) == [[0, 0, 3, 3, 5, 5], [0, 0, 0, 2, 2, 4]]


def test_structure_tells_higher_highs_and_each_break_once():
    x = [1.0, 3.0, 2.0, 4.0, 5.0, 4.0, 4.5, 3.0, 1.5, 1.0, 2.0]
    #     pivots: 3 (told at 2), 2 (told at 3), 5 (5), 4 (6), 4.5 (7), 1 (10)
    higher_high, lower_high, higher_low, lower_low, break_up, break_down = rows(
        "market_structure", 1, 1, columns=[x, x, x]
    )
    assert higher_high == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert lower_high == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert higher_low == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert lower_low == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert break_up == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert break_down == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
