"""A person's own indicators: a compiled function over a state, or a class with `update`."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest

from engine.compiled.functions import State
from engine.indicators.averages import ema, ema_init, ema_size
from engine.indicators.own import indicator
from engine.indicators.stream import Indicator
from tests.support.places import ROOT

X = np.array([1.0, 2.0, 4.0, 8.0, nan, 3.0])


@indicator(state=1, warmup=lambda length: 14 * length)
def smoothed(state: State, x: float, *, length: float):
    """An average that forgets by and by."""
    state[0] += (x - state[0]) / length
    return state[0]


@indicator(
    state=lambda length: length, initial=nan, outputs=("oldest", "is_new"), warmup=lambda length: length
)
def oldest(state: State, x: float, y: float, *, length: int = 2, scale: float = 1.0, is_signed: bool = False):
    """The value of some bars ago, times the other input."""
    first = state[0]
    for k in range(length - 1):
        state[k] = state[k + 1]
    state[length - 1] = x
    return first * y * scale * (-1 if is_signed else 1), not isnan(first)


@indicator(conditions=True, state=1)
def climbs(state: State, x: float):
    """Whether x is more than on the bar before."""
    was = state[0]
    state[0] = x
    return x > was


@indicator(warmup=lambda length: length)
class Middle:
    """The median, as Python has it."""

    def __init__(self, length: int = 3) -> None:
        self.length = length
        self.seen = []

    def update(self, x: float):
        self.seen = [*self.seen, x][-self.length :]
        return sorted(self.seen)[len(self.seen) // 2] if len(self.seen) == self.length else nan


@indicator(conditions=True)
class Odd:
    def update(self, x: float):
        return x % 2 == 1


def streamed(one: Indicator, *columns: np.ndarray) -> np.ndarray:
    return np.array([one.update(*row) for row in np.column_stack(columns)])


def test_a_function_is_an_indicator_like_any_other():
    one = smoothed(length=2)
    assert isinstance(one, Indicator)
    assert (one.name, one.inputs, one.outputs, one.settings) == ("smoothed", ("x",), ("value",), (2,))
    assert (one.warmup_bars, one.conditions, one.cumulative) == (28, False, False)
    assert smoothed.__doc__ == "An average that forgets by and by."
    assert streamed(one, X[:4]).tolist() == [0.5, 1.25, 2.625, 5.3125]
    assert one.run(X).tobytes() == streamed(smoothed(length=2), X).tobytes()
    assert repr(smoothed) == "<indicator smoothed(x, *, length), compiled>"


def test_settings_keep_their_kinds_and_several_outputs_come_as_a_tuple():
    values, is_new = oldest(length=2, scale=0.5, is_signed=True).run(X, X)
    assert values.tolist()[2:4] == [-2.0, -8.0]
    assert is_new.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    assert oldest().settings == (2, 1.0, False)
    assert oldest(scale=3).settings == (2, 3, False)
    assert smoothed(length=2.5).run(X)[0] == 0.4


def test_conditions_are_one_or_zero():
    assert climbs().run(X).tolist() == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert Odd().run(np.array([1.0, 2.0, nan])).tolist() == [1.0, 0.0, 0.0]


def test_compiled_functions_of_the_program_can_be_used():
    @indicator(state=ema_size, warmup=lambda length: length)
    def seeded(state: State, x: float, *, length: int) -> float:
        if state[0] == 0.0:
            ema_init(state, 0, length)
        return ema(state, 0, x)

    assert seeded(length=2).run(X[:3]).tolist()[1:] == [1.5, 1.5 + 2.0 / 3.0 * 2.5]


def test_a_class_with_update_is_taken_too_and_says_that_it_is_slower():
    one = Middle(length=3)
    assert streamed(one, X[:4]).tolist()[2:] == [2.0, 4.0]
    one.reset()
    assert streamed(one, X).tobytes() == one.run(X).tobytes()
    assert (one.settings, one.warmup_bars, Middle.step) == ((3,), 3, None)
    assert "slower" in repr(Middle)
    assert "slower" in Middle.__doc__


@pytest.mark.parametrize("one", [smoothed(length=3), Middle(length=3), oldest()])
def test_a_copy_goes_on_where_it_was(one: Indicator):
    columns = [X] * len(one.inputs)
    streamed(one, *columns)
    other = pickle.loads(pickle.dumps(one))
    assert repr(streamed(other, *columns)) == repr(streamed(one, *columns))


def as_it_is(state: State, x: float):
    return x


def test_the_version_changes_with_what_it_computes():
    def doubled(factor: float) -> str:
        def scaled(state: State, x: float) -> float:
            return factor * x

        return indicator(scaled).version

    def widened(step: float) -> str:
        class Wide:
            def update(self, x: float) -> float:
                return self.further(x)

            def further(self, x: float) -> float:
                return x + step

        return indicator(Wide).version

    for version in (doubled, widened):
        assert version(2.0) == version(2.0) != version(2.5)


def test_the_version_changes_with_defaults_and_constants_that_it_uses():
    def helped(factor: float) -> str:
        def helper(x: float, by: float = factor) -> float:
            return by * x

        def through(state: State, x: float) -> float:
            return helper(x)

        return indicator(through).version

    def of_constants(factor: float) -> str:
        weights = {"first": [factor, 1.0]}

        class Weighted:
            def update(self, x: float) -> float:
                return x * weights["first"][0]

        return indicator(Weighted).version

    def of_its_own(number: float) -> str:
        class Scaled:
            factor = number

            def update(self, x: float) -> float:
                return x * self.factor

        return indicator(Scaled).version

    for version in (helped, of_constants, of_its_own):
        assert version(2.0) == version(2.0) != version(2.5)


def no_inputs(state: State):
    return 0.0


def many(state: State, *xs: float):
    return 0.0


def text(state: State, x: float):
    return "up"


def sometimes(state: State, x: float):
    if x > 1.0:
        return x
    return None


def a_pair(state: State, x: float):
    return x, x


def beyond(state: State, x: float):
    state[1] = x
    return x


def makes_a_list(state: State, x: float):
    return [x, 1.0][0]


def sorts(state: State, x: float):
    return sorted((x, 1.0))[1]


def plain_helper(x: float):
    return x


def calls_python(state: State, x: float):
    return plain_helper(x)


class WithoutUpdate:
    pass


class Speechless:
    def update(self, x: float):
        return None


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: indicator(no_inputs), "must take state and at least one input"),
        (lambda: indicator(many), "must take state, then its inputs, then \\* and its settings"),
        (lambda: indicator(WithoutUpdate), "has no method update"),
        (lambda: indicator("f", state=1), "must stand above a function or a class"),
        (lambda: indicator(lambda state, x: x), "an indicator needs a name, <lambda> has none"),
        (lambda: indicator(outputs=("a b",))(text), "outputs of text must be names"),
        (indicator(text), r"test_own_indicators.py line \d+: text returns text, expected a number"),
        (indicator(sometimes), "returns nothing on some bars, expected a number"),
        (indicator(a_pair), "returns several values, expected a number"),
        (indicator(outputs=("a", "b"))(as_it_is), "expected a tuple of 2 numbers"),
        (indicator(makes_a_list), "it makes an array, a list or a text"),
        (indicator(sorts), "sorted cannot be used there"),
        (indicator(calls_python), "plain_helper is not compiled, put @compiled above its def"),
        (lambda: indicator(state=1)(beyond)().update(1.0), "beyond goes beyond the 1 numbers of its state"),
        (lambda: indicator(state=1)(beyond)().run(X), "beyond goes beyond the 1 numbers of its state"),
        (lambda: indicator(Speechless)().update(1.0), "Speechless.update returned None, expected a number"),
        (indicator(state=2, initial=(1.0, 2.0, 3.0))(beyond), "initial of beyond must be one number"),
        (indicator(warmup=lambda n: n)(beyond), "warmup of beyond asks for n, which is no setting"),
        (indicator(state=10**9)(beyond), "state of beyond is 1000000000 numbers, at most 10000000"),
        (indicator(warmup=0)(beyond), "warmup of beyond is 0, expected a whole number from 1 up"),
        (lambda: oldest(length=2.5), "length must be a whole number, not 2.5"),
        (lambda: smoothed(length="a"), "length must be a number, for the function is compiled"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(make: Callable[[], object], sentence: str):
    with pytest.raises(ValueError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_an_unknown_setting_is_named_with_those_there_are():
    with pytest.raises(TypeError, match="smoothed: missing a required argument: 'length'"):
        smoothed()
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'; its settings are length"):
        smoothed(length=3, size=3)


SCRIPT = """
import sys
sys.path[:0] = [{root!r}, {folder!r}]
from engine.compiled import functions
compiled = []
functions.before_compiling(lambda: compiled.append(1))
from mine import doubled
print(doubled().update(3.0), len(compiled))
"""
MINE = """
from engine.compiled.functions import compiled
from engine.indicators.own import indicator
from helper import twice

@indicator
def doubled(state, x):
    return twice(x)
"""
HELPER = """
from engine.compiled.functions import compiled

@compiled
def twice(x):
    return {factor} * x
"""


def test_a_compiled_function_is_loaded_from_disk_until_it_or_a_helper_changes(tmp_path: Path):
    def run(factor: str) -> list[str]:
        (tmp_path / "mine.py").write_text(MINE)
        (tmp_path / "helper.py").write_text(HELPER.format(factor=factor))
        script = SCRIPT.format(root=str(ROOT), folder=str(tmp_path))
        env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    first, again, edited = run("2.0"), run("2.0"), run("2.25")
    assert (first[0], again[0], edited[0]) == ("6.0", "6.0", "6.75")
    assert (int(first[1]) > 0, int(again[1]), int(edited[1]) > 0) == (True, 0, True)
