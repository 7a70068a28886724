"""Where TA-Lib has an indicator, values agree with it after warm-up.

What to compare is in the classes: `in_talib` says with TA-Lib what the first of `examples` gives here. TA-Lib
keeps plain running sums and seeds some averages differently, so equality is to 1e-9 of the scale and begins
after warm-up.
"""

import numpy as np
import pytest
import talib

from engine.indicators.catalog import INDICATORS

IN_TALIB = {name: cls for name, cls in INDICATORS.items() if cls.in_talib}
N = 1200
_random = np.random.default_rng(7)
CLOSE = 500 + np.cumsum(_random.normal(size=N))
COLUMNS = {
    "x": CLOSE,
    "high": CLOSE + _random.uniform(0.01, 2, N),
    "low": CLOSE - _random.uniform(0.01, 2, N),
    "close": CLOSE,
    "volume": _random.uniform(1, 100, N),
    "a": CLOSE,
    "b": np.cumsum(_random.normal(size=N)),
}


@pytest.mark.parametrize("name", IN_TALIB)
def test_values_after_warm_up_are_those_of_talib(name: str):
    cls = IN_TALIB[name]
    indicator = cls(*cls.examples[0])
    values = indicator.run(*(COLUMNS[column] for column in indicator.inputs))
    expected = eval(cls.in_talib, {**vars(talib), **COLUMNS})  # text of this project
    warm = indicator.warmup_bars
    assert warm < N // 2
    ours = values if isinstance(values, tuple) else (values,)
    theirs = expected if isinstance(expected, tuple | list) else (expected,)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert not np.isnan(one[warm:]).any()
        np.testing.assert_allclose(one[warm:], other[warm:], rtol=1e-9, atol=1e-7)
