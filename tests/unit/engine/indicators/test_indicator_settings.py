"""What identifies an indicator, and what a caller may copy."""

import pickle

import numpy as np
import pytest

from engine.indicators.catalog import INDICATORS


def test_settings_are_the_arguments_in_order_with_their_defaults():
    assert INDICATORS["macd"]().settings == (12, 26, 9)
    assert INDICATORS["macd"](signal=5, fast=3).settings == (3, 26, 5)
    assert INDICATORS["ppo"](3, kind="sma").settings == (3, 26, "sma")
    assert INDICATORS["crossover"]().settings == ()


def test_a_copy_keeps_settings_and_state():
    one = INDICATORS["ema"](3)
    for price in (1.0, 2.0, 4.0, 3.0):
        one.update(price)
    other = pickle.loads(pickle.dumps(one))
    assert other.settings == (3,)
    assert other.update(7.0) == one.update(7.0)


def test_the_initial_state_cannot_be_changed():
    one = INDICATORS["sma"](2)
    with pytest.raises(ValueError, match="read-only"):
        one.initial_state[0] = 9.0
    one.update(1.0)
    np.testing.assert_array_equal(one.initial_state, INDICATORS["sma"](2).initial_state)


def test_outputs_of_conditions_are_yes_or_no():
    found = {name for name, cls in INDICATORS.items() if cls.conditions}
    assert {"crossover", "crossunder"} <= found
