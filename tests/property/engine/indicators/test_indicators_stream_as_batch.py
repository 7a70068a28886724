"""Streaming and batch are one step, equal to the last bit on any input; warm-up means what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.indicators.catalog import INDICATORS
from engine.indicators.stream import Indicator

CASES = [(name, args) for name, cls in INDICATORS.items() for args in cls.examples]
CONDITIONS = {"condition", "set", "reset", "new_period", "new_session"}

_number = st.one_of(
    st.floats(min_value=1e-8, max_value=1e8),
    st.sampled_from([float("nan"), 100.0, 100.01, 0.0]),
)
_condition = st.sampled_from([0.0, 1.0, 1.0, float("nan")])


def _indicator(name: str, args: tuple[object, ...]) -> Indicator:
    return INDICATORS[name](*args)


def _row(indicator: Indicator) -> st.SearchStrategy[tuple[float, ...]]:
    return st.tuples(*(_condition if name in CONDITIONS else _number for name in indicator.inputs))


def _arrays(history: object) -> tuple[np.ndarray, ...]:
    return history if isinstance(history, tuple) else (history,)


@pytest.mark.parametrize(("name", "args"), CASES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_streaming_gives_the_bits_of_batch(name: str, args: tuple[object, ...], data: st.DataObject) -> None:
    indicator = _indicator(name, args)
    constant = data.draw(st.booleans())
    width = len(indicator.inputs)
    n = data.draw(st.integers(0, 30))
    if constant:
        rows = [data.draw(_row(indicator))] * n
    else:
        rows = data.draw(st.lists(_row(indicator), min_size=n, max_size=n))
    columns = np.array(rows, dtype=np.float64).reshape(n, width).T
    arrays = _arrays(indicator.run(*columns))
    streamed = [indicator.update(*row) for row in rows]
    flat = np.array([x if isinstance(x, tuple) else (x,) for x in streamed]).reshape(n, len(arrays))
    for k, array in enumerate(arrays):
        assert flat[:, k].tobytes() == array.tobytes()
    if indicator.conditions:
        assert set(flat.ravel()) <= {0.0, 1.0}
    indicator.reset()
    again = [indicator.update(*row) for row in rows]
    assert repr(again) == repr(streamed)


def _market(n: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(random.normal(size=n)) * 0.01)
    every = (np.arange(n) % 50 == 0).astype(float)
    return {
        "x": close,
        "close": close,
        "open": np.roll(close, 1),
        "high": close * (1 + 0.01 * random.random(n)),
        "low": close * (1 - 0.01 * random.random(n)),
        "volume": random.uniform(1, 100, n),
        "a": close,
        "b": np.roll(close, 1),
        "base": close,
        "exponent": random.normal(size=n),
        "condition": np.ones(n),
        "set": every,
        "reset": np.roll(every, 7),
        "new_session": every,
        "new_period": every,
    }


@pytest.mark.parametrize(("name", "args"), CASES)
def test_the_first_value_comes_when_it_is_announced(name: str, args: tuple[object, ...]):
    indicator = _indicator(name, args)
    market = _market(120)
    values = np.array(_arrays(indicator.run(*(market[column] for column in indicator.inputs))))
    at = np.flatnonzero(~np.isnan(values).all(axis=0))[0]
    assert at >= indicator.first_value - 1
    assert indicator.sparse or at == indicator.first_value - 1


@pytest.mark.parametrize(("name", "args"), [case for case in CASES if not INDICATORS[case[0]].cumulative])
def test_after_warm_up_values_do_not_depend_on_where_history_began(name: str, args: tuple[object, ...]):
    indicator = _indicator(name, args)
    skipped, kept = 300, indicator.warmup_bars + 50
    market = _market(skipped + kept)
    columns = [market[column] for column in indicator.inputs]
    long = _arrays(indicator.run(*columns))
    short = _arrays(indicator.run(*(column[skipped:] for column in columns)))
    for a, b in zip(long, short, strict=True):
        warm = indicator.warmup_bars - 1
        np.testing.assert_allclose(a[skipped + warm :], b[warm:], rtol=1e-9, atol=1e-9)


def test_a_wrong_number_of_inputs_and_an_impossible_length_are_refused_in_one_sentence():
    with pytest.raises(TypeError, match="atr takes high, low, close; it was given 1 values"):
        INDICATORS["atr"](14).update(1.0)
    with pytest.raises(ValueError, match="length must be a whole number of bars from 1 up, not 0"):
        INDICATORS["sma"](0)
    with pytest.raises(ValueError, match="length must be a whole number of bars from 1 up, not 2"):
        INDICATORS["sma"](2.0)
    with pytest.raises(ValueError, match="occurrence must be a whole number from 0 up, not -1"):
        INDICATORS["valuewhen"](-1)
    with pytest.raises(ValueError, match="percentage must be from 0 to 100, not nan"):
        INDICATORS["percentile_nearest_rank"](5, float("nan"))
