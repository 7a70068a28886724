"""Streaming and batch are one step, equal to the last bit on any input; warm-up means what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.indicators import batch
from engine.indicators.catalog import INDICATORS
from engine.indicators.stream import Indicator

SETTINGS: dict[str, tuple[tuple[object, ...], ...]] = {
    "ppo": ((3, 5, "sma"), (3, 5, "dema"), (4, 2, "tema")),
    "macd": ((3, 5, 2),),
    "ultosc": ((2, 3, 4), (5, 3, 1)),
    "stochastic": ((4, 1, 3), (1, 1, 1)),
    "ichimoku": ((2, 4, 6),),
    "bollinger": ((4, 2.0),),
    "true_range": ((False,), (True,)),
    "keltner": ((4, 1.5),),
    "supertrend": ((1.5, 4),),
    "dmi": ((3, 2), (1, 1)),
    "sar": ((0.02, 0.02, 0.2), (0.3, 0.1, 0.1)),
    "linreg": ((4, 0), (3, 1)),
    "crossover": ((),),
    "crossunder": ((),),
    "obv": ((),),
    "vwap": ((),),
    "volume_profile": ((4, 6, 70.0), (1, 1, 50.0)),
    "hma": ((2,), (9,)),
    "cci": ((2,), (4,)),
}
CASES = [(name, args) for name in INDICATORS for args in SETTINGS.get(name, ((1,), (4,)))]

_number = st.one_of(
    st.floats(min_value=1e-8, max_value=1e8),
    st.sampled_from([float("nan"), 100.0, 100.01, 0.0]),
)


def _indicator(name: str, args: tuple[object, ...]) -> Indicator:
    return INDICATORS[name](*args)


@pytest.mark.parametrize(("name", "args"), CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_streaming_gives_the_bits_of_batch(name: str, args: tuple[object, ...], data: st.DataObject) -> None:
    indicator = _indicator(name, args)
    constant = data.draw(st.booleans())
    width = len(indicator.inputs)
    n = data.draw(st.integers(0, 30))
    if constant:
        rows = [data.draw(st.tuples(*[_number] * width))] * n
    else:
        rows = data.draw(st.lists(st.tuples(*[_number] * width), min_size=n, max_size=n))
    columns = np.array(rows, dtype=np.float64).reshape(n, width).T
    history = indicator.run(*columns)
    arrays = history if isinstance(history, tuple) else (history,)
    streamed = [indicator.update(*row) for row in rows]
    flat = np.array([x if isinstance(x, tuple) else (x,) for x in streamed]).reshape(n, len(arrays))
    for k, array in enumerate(arrays):
        assert flat[:, k].tobytes() == array.tobytes()
    indicator.reset()
    again = [indicator.update(*row) for row in rows]
    assert repr(again) == repr(streamed)
    function = getattr(batch, name)
    by_function = function(*columns, *args)
    for one, other in zip(
        by_function if isinstance(by_function, tuple) else (by_function,), arrays, strict=True
    ):
        assert one.tobytes() == other.tobytes()


def _market(n: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(random.normal(size=n)) * 0.01)
    return {
        "x": close,
        "close": close,
        "high": close * (1 + 0.01 * random.random(n)),
        "low": close * (1 - 0.01 * random.random(n)),
        "volume": random.uniform(1, 100, n),
        "a": close,
        "b": np.roll(close, 1),
        "new_session": (np.arange(n) % 50 == 0).astype(float),
    }


@pytest.mark.parametrize(("name", "args"), CASES)
def test_the_first_value_comes_when_it_is_announced(name: str, args: tuple[object, ...]):
    indicator = _indicator(name, args)
    market = _market(80)
    values = indicator.run(*(market[column] for column in indicator.inputs))
    first = values[0] if isinstance(values, tuple) else values
    assert np.flatnonzero(~np.isnan(first))[0] == indicator.first_value - 1


@pytest.mark.parametrize(("name", "args"), [case for case in CASES if not INDICATORS[case[0]].cumulative])
def test_after_warm_up_values_do_not_depend_on_where_history_began(name: str, args: tuple[object, ...]):
    indicator = _indicator(name, args)
    skipped, kept = 300, indicator.warmup_bars + 50
    market = _market(skipped + kept)
    columns = [market[column] for column in indicator.inputs]
    long = indicator.run(*columns)
    short = indicator.run(*(column[skipped:] for column in columns))
    for a, b in zip(
        long if isinstance(long, tuple) else (long,),
        short if isinstance(short, tuple) else (short,),
        strict=True,
    ):
        warm = indicator.warmup_bars - 1
        np.testing.assert_allclose(a[skipped + warm :], b[warm:], rtol=1e-9, atol=1e-9)


def test_a_wrong_number_of_inputs_and_an_impossible_length_are_refused_in_one_sentence():
    with pytest.raises(TypeError, match="atr takes high, low, close; it was given 1 values"):
        INDICATORS["atr"](14).update(1.0)
    with pytest.raises(ValueError, match="length must be a whole number of bars from 1 up, not 0"):
        INDICATORS["sma"](0)
