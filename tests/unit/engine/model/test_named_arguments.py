"""An argument by a misspelt name is refused with the name that was perhaps meant."""

import inspect
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.model.exit_rules import ExitRules, PartialExit, RoiStep
from engine.model.sentences import SentenceError
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.param import param
from engine.strategies.rules import Rules


def refused(called: Callable[..., Any], *args: object, **by_name: object) -> str:
    with pytest.raises(SentenceError) as raised:
        called(*args, **by_name)
    return str(raised.value)


def test_the_name_that_was_perhaps_meant_is_suggested() -> None:
    exits = "nb.ExitRules has no stop_los_percent (did you mean stop_loss_percent?)"
    assert refused(ExitRules, stop_los_percent=5) == exits
    assert refused(Rules, enterlong=True) == "nb.Rules has no enterlong (did you mean enter_long?)"
    assert refused(PartialExit, at=1, fraction=0.5) == "nb.PartialExit has no at (did you mean at_r?)"
    assert refused(RoiStep, when=3) == "nb.RoiStep has no when; it takes after_minutes, percent"


@pytest.mark.parametrize(("name", "meant"), [("min", "ge"), ("max", "le"), ("choice", "choices")])
def test_a_bound_of_a_parameter_by_another_name(name: str, meant: str) -> None:
    assert refused(param, 5, **{name: 1}) == f"nb.param has no {name} (did you mean {meant}?)"


@pytest.mark.parametrize("name", ["len", "period", "lenght", "window"])
def test_a_length_of_an_indicator_by_another_name(name: str) -> None:
    said = refused(ta.ema, BarSeries().close, **{name: 20})
    expected = f"ta.ema has no {name} (did you mean length?); it takes x and the settings (length: int)"
    assert said == expected


def test_the_classes_stay_what_they_were() -> None:
    rules = replace(ExitRules(stop_loss_percent=3.0), stop_r=2.0)
    assert pickle.loads(pickle.dumps(rules)) == rules == ExitRules(3.0, stop_r=2.0)
    assert next(iter(inspect.signature(ExitRules).parameters)) == "stop_loss_percent"


def test_local_names_of_series_are_still_those_of_the_code_that_makes_the_rules() -> None:
    average = ta.ema(BarSeries().close, 20)
    assert Rules(enter_long=average > 1).names["average"] is average
