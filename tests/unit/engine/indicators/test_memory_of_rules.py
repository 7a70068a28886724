"""What rules remember, on a few bars each."""

from math import inf, nan

import numpy as np
import pytest

from engine.indicators.catalog import INDICATORS

YES, NO = 1.0, 0.0


def values(name: str, *settings: object, columns: list[list[float]]) -> list[float]:
    """Of an indicator with one output; na is None."""
    run = INDICATORS[name](*settings).run(*columns)
    assert isinstance(run, np.ndarray)
    return [None if np.isnan(value) else value for value in run]


def test_bars_since_counts_from_the_last_yes_and_is_na_before_the_first():
    assert values("barssince", columns=[[NO, nan, YES, NO, NO, YES]]) == [None, None, 0, 1, 2, 0]


def test_value_when_gives_the_value_of_the_last_yes_or_of_one_before():
    condition, x = [NO, YES, NO, YES, NO], [1.0, 2.0, 3.0, 4.0, 5.0]
    assert values("valuewhen", columns=[condition, x]) == [None, 2, 2, 4, 4]
    assert values("valuewhen", 1, columns=[condition, x]) == [None, None, None, 2, 2]


def test_rising_and_falling_need_every_step():
    x = [1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 4.0, 3.0]
    assert values("rising", 2, columns=[x]) == [0, 0, 1, 0, 0, 1, 0, 0]
    assert values("falling", 2, columns=[x]) == [0, 0, 0, 0, 0, 0, 0, 1]
    assert values("rising", 1, columns=[[1.0, 1.0 + 1e-11, nan, 2.0, 3.0]]) == [0, 0, 0, 0, 1]


def test_change_is_since_the_bar_before_unless_told_otherwise():
    assert values("change", columns=[[1.0, 3.0, 2.0]]) == [None, 2, -1]
    assert values("change", 2, columns=[[1.0, 3.0, 2.0]]) == [None, None, 1]


def test_cum_leaves_na_out():
    assert values("cum", columns=[[1.0, nan, 2.0]]) == [1, None, 3]


def test_cross_is_either_way_and_remembers_the_side_over_equality():
    a = [1.0, 2.0, 2.0, 3.0, 1.0]
    assert values("cross", columns=[a, [2.0] * 5]) == [0, 0, 0, 1, 1]
    assert values("cross", columns=[[2.0, 2.0, 3.0], [2.0] * 3]) == [0, 0, 0]  # from no side
    assert values("crossover", columns=[[2.0, 2.0, 3.0], [2.0] * 3]) == [0, 0, 1]


@pytest.mark.parametrize(("name", "after"), [("crossover", 3.0), ("crossunder", 1.0), ("cross", 3.0)])
def test_a_crossing_over_an_na_counts_from_the_last_bar_where_both_were_defined(name: str, after: float):
    before = 4.0 - after
    assert values(name, columns=[[before, nan, after], [2.0] * 3]) == [0, 0, 1]
    assert values(name, columns=[[before, after, after], [2.0, nan, 2.0]]) == [0, 0, 1]


def test_a_latch_holds_until_reset_and_reset_is_stronger():
    begin, end = [NO, YES, NO, NO, YES, nan], [NO, NO, nan, YES, YES, NO]
    assert values("latch", columns=[begin, end]) == [0, 1, 1, 0, 0, 0]


def test_once_per_fires_on_the_first_yes_of_each_period_and_not_before_one_began():
    condition = [YES, NO, YES, YES, YES, NO]
    new_period = [NO, YES, NO, NO, YES, YES]
    assert values("once_per", columns=[condition, new_period]) == [0, 0, 1, 0, 1, 0]


def test_the_prior_period_is_the_last_one_that_was_seen_whole():
    high, low, close = [9.0, 5, 7, nan, 4, 6], [1.0, 3, 2, nan, 3, 1], [2.0, 4, 3, nan, 4, 5]
    new_period = [NO, YES, NO, NO, YES, YES]
    prior = np.array(INDICATORS["prior_period"]().run(high, low, close, new_period))
    assert np.isnan(prior[:, :4]).all()  # the first bar belonged to a period that had begun before
    assert prior[:, 4:].T.tolist() == [[7, 2, 3], [4, 3, 4]]


def test_percentiles_and_ranks_of_a_window():
    x = [4.0, 1.0, 3.0, 2.0, 5.0]
    assert values("percentile_nearest_rank", 5, 50.0, columns=[x])[-1] == 3
    assert values("percentile_nearest_rank", 5, 81.0, columns=[x])[-1] == 5
    assert values("percentile_linear_interpolation", 5, 40.0, columns=[x])[-1] == 2.5
    assert values("percentrank", 4, columns=[x]) == [None, None, None, None, 100]
    assert values("percentrank", 2, columns=[x]) == [None, None, 50, 50, 100]
    assert values("median", 3, columns=[x]) == [None, None, 3, 2, 3]
    assert values("median", 4, columns=[x]) == [None, None, None, 2.5, 2.5]


def test_an_average_bar_opens_in_the_middle_of_the_one_before():
    opens, highs, lows, closes = INDICATORS["heikin_ashi"]().run([1.0, 4], [4.0, 5], [0.0, 3], [3.0, 4])
    assert (opens.tolist(), closes.tolist()) == ([2, 2], [2, 4])
    assert (highs.tolist(), lows.tolist()) == ([4, 5], [0, 2])


def test_statistics_of_a_window():
    x = [1.0, 2.0, 4.0]
    assert values("sum", 2, columns=[x]) == [None, 3, 6]
    assert values("zscore", 2, columns=[x]) == [None, 1, 1]
    assert values("zscore", 2, columns=[[1.0, 1.0]]) == [None, None]
    assert values("linreg_slope", 3, columns=[x]) == [None, None, 1.5]
    assert values("correlation", 3, columns=[x, [2.0, 4.0, 8.0]])[-1] == pytest.approx(1.0)
    assert values("correlation", 3, columns=[x, [5.0] * 3])[-1] == 0
    assert values("highestbars", 3, columns=[[1.0, 3.0, 2.0, 3.0]]) == [None, None, -1, -2]
    assert values("lowestbars", 2, columns=[[1.0, 3.0, 2.0]]) == [None, -1, 0]


def test_rounding_is_half_away_from_zero():
    assert values("round", columns=[[0.5, 1.5, 2.5, -0.5, -2.5, 2.4999999999999996, inf]]) == [
        *(1, 2, 3, -1, -3, 2, inf)
    ]
    assert values("round", 1, columns=[[0.25, -0.25, 0.35, 1e16]]) == [0.3, -0.3, 0.4, 1e16]
    assert values("round", 2, columns=[[1.005, 2.675]]) == [1.01, 2.68]  # a tie from 1e-10 below
    assert np.copysign(1.0, INDICATORS["round"](1).update(-0.01)) == 1.0


def test_functions_of_one_bar_are_those_of_the_library_and_na_stays_na():
    x = np.array([0.3, 2.0, 17.5])
    for name, function in (("exp", np.exp), ("log", np.log), ("log10", np.log10)):
        np.testing.assert_allclose(INDICATORS[name]().run(x), function(x), rtol=1e-15)
        assert values(name, columns=[[nan]]) == [None]
    assert values("log", columns=[[0.0, -1.0]]) == [-inf, None]
    assert values("pow", columns=[[3.0, 2.0, -8.0, nan, 1.0], [2.0, 0.5, 1 / 3, 0.0, nan]]) == [
        *(9, 2**0.5, None, None, None)
    ]
