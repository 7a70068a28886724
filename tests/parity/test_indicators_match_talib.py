"""Where TA-Lib defines an indicator as Pine does values agree; where it seeds differently, after warm-up.

TA-Lib keeps plain running sums, so equality is to 1e-9 of the scale, not to the bit.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import talib

from engine.indicators.catalog import INDICATORS

ROOT = Path(__file__).resolve().parents[2]
N = 1200
_random = np.random.default_rng(7)
CLOSE = 500 + np.cumsum(_random.normal(size=N))
HIGH = CLOSE + _random.uniform(0.01, 2, N)
LOW = CLOSE - _random.uniform(0.01, 2, N)
VOLUME = _random.uniform(1, 100, N)
COLUMNS = {"x": CLOSE, "high": HIGH, "low": LOW, "close": CLOSE, "volume": VOLUME}

Reference = Callable[[], np.ndarray | tuple[np.ndarray, ...]]

SAME: dict[str, tuple[tuple[object, ...], Reference]] = {
    "sma": ((10,), lambda: talib.SMA(CLOSE, 10)),
    "ema": ((10,), lambda: talib.EMA(CLOSE, 10)),
    "wma": ((10,), lambda: talib.WMA(CLOSE, 10)),
    "dema": ((10,), lambda: talib.DEMA(CLOSE, 10)),
    "tema": ((10,), lambda: talib.TEMA(CLOSE, 10)),
    "mom": ((10,), lambda: talib.MOM(CLOSE, 10)),
    "roc": ((10,), lambda: talib.ROC(CLOSE, 10)),
    "rsi": ((14,), lambda: talib.RSI(CLOSE, 14)),
    "cci": ((14,), lambda: talib.CCI(CLOSE, CLOSE, CLOSE, 14)),
    "trix": ((6,), lambda: talib.TRIX(CLOSE, 6)),
    "ppo": ((10, 20, "sma"), lambda: talib.PPO(CLOSE, 10, 20, 0)),
    "williams_r": ((14,), lambda: talib.WILLR(HIGH, LOW, CLOSE, 14)),
    "aroon": ((14,), lambda: talib.AROON(HIGH, LOW, 14)[::-1]),
    "highest": ((10,), lambda: talib.MAX(CLOSE, 10)),
    "lowest": ((10,), lambda: talib.MIN(CLOSE, 10)),
    "stdev": ((10,), lambda: talib.STDDEV(CLOSE, 10)),
    "true_range": ((), lambda: talib.TRANGE(HIGH, LOW, CLOSE)),
    "linreg": ((14, 0), lambda: talib.LINEARREG(CLOSE, 14)),
}

SAME_AFTER_WARM_UP: dict[str, tuple[tuple[object, ...], Reference]] = {
    "cmo_wilder": ((14,), lambda: talib.CMO(CLOSE, 14)),
    "macd": ((6, 13, 5), lambda: talib.MACD(CLOSE, 6, 13, 5)),
    "ultosc": ((7, 14, 28), lambda: talib.ULTOSC(HIGH, LOW, CLOSE, 7, 14, 28)),
    "stochastic": ((14, 3, 3), lambda: talib.STOCH(HIGH, LOW, CLOSE, 14, 3, 0, 3, 0)),
    "mfi": ((14,), lambda: talib.MFI(CLOSE, CLOSE, CLOSE, VOLUME, 14)),
    "bollinger": ((20, 2.0), lambda: _middle_first(talib.BBANDS(CLOSE, 20, 2.0, 2.0, 0))),
    "atr": ((14,), lambda: talib.ATR(HIGH, LOW, CLOSE, 14)),
    "dmi": (
        (8, 8),
        lambda: (
            talib.PLUS_DI(HIGH, LOW, CLOSE, 8),
            talib.MINUS_DI(HIGH, LOW, CLOSE, 8),
            talib.ADX(HIGH, LOW, CLOSE, 8),
        ),
    ),
}


def _middle_first(bands: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    upper, middle, lower = bands
    return middle, upper, lower


def _values(name: str, settings: tuple[object, ...]) -> tuple[tuple[np.ndarray, ...], int]:
    indicator = INDICATORS[name](*settings)
    values = indicator.run(*(COLUMNS[column] for column in indicator.inputs))
    return (values if isinstance(values, tuple) else (values,)), indicator.warmup_bars


@pytest.mark.parametrize("name", SAME)
def test_values_are_those_of_talib(name: str):
    settings, reference = SAME[name]
    expected = reference()
    values, _ = _values(name, settings)
    for ours, theirs in zip(values, expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("name", SAME_AFTER_WARM_UP)
def test_values_after_warm_up_are_those_of_talib(name: str):
    settings, reference = SAME_AFTER_WARM_UP[name]
    expected = reference()
    values, warm = _values(name, settings)
    assert warm < N // 2
    for ours, theirs in zip(values, expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(ours[warm:], theirs[warm:], rtol=1e-9, atol=1e-7)


def test_the_table_in_the_documents_claims_talib_exactly_where_it_is_tested():
    text = (ROOT / "docs" / "indicators.md").read_text(encoding="utf-8")
    claimed = {
        line.split("|")[1].strip().strip("`")
        for line in text.splitlines()
        if line.startswith("| `") and "TA-Lib" in line.split("|")[-2]
    }
    assert claimed == set(SAME) | set(SAME_AFTER_WARM_UP)
