"""Each indicator that Pine has, or can be scripted in it, equals the independent runtime bit for bit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.indicators.catalog import INDICATORS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

SETTINGS: dict[str, tuple[object, ...]] = {
    "sma": (5,),
    "ema": (5,),
    "rma": (5,),
    "wma": (5,),
    "dema": (5,),
    "tema": (5,),
    "hma": (9,),
    "vwma": (5,),
    "mom": (5,),
    "roc": (5,),
    "rsi": (5,),
    "cci": (5,),
    "cmo": (5,),
    "cmo_wilder": (6,),
    "trix": (5,),
    "ppo": (5, 9, "ema"),
    "macd": (4, 7, 3),
    "ultosc": (3, 5, 9),
    "stochastic": (6, 2, 3),
    "williams_r": (6,),
    "aroon": (6,),
    "mfi": (5,),
    "highest": (5,),
    "lowest": (5,),
    "donchian": (6,),
    "ichimoku": (3, 5, 9),
    "stdev": (5,),
    "bollinger": (6, 1.5),
    "true_range": (),
    "atr": (5,),
    "keltner": (6, 1.5),
    "supertrend": (2.0, 5),
    "dmi": (5, 4),
    "sar": (0.02, 0.02, 0.2),
    "linreg": (6, 1),
    "crossover": (),
    "crossunder": (),
    "obv": (),
    "vwap": (),
}
"""As in pyne/indicators.py."""

OF_THE_CLOSE = {"roc", "cmo", "cmo_wilder", "mfi", "vwap", "keltner"}
"""Fed with the close, which is never na, in pyne/indicators.py."""

KINDS = ("random", "on a price grid", "with na", "constant", "shorter than warm-up")


def _bars(kind: str) -> np.ndarray:
    """Columns open, high, low, close, volume; a negative open means na."""
    random = np.random.default_rng(20261120)
    n = 4 if kind == "shorter than warm-up" else 1500
    volume = random.uniform(1, 100, n)
    if kind == "constant":
        flat = np.full(n, 100.0)
        return np.column_stack([flat, flat + 0.5, flat - 0.5, flat, volume])
    close = 500 + np.cumsum(random.normal(size=n))
    open_ = np.concatenate([close[:1], close[:-1]]) + 0.1 * random.normal(size=n)
    high = np.maximum(open_, close) + random.uniform(0, 1, n)
    low = np.minimum(open_, close) - random.uniform(0, 1, n)
    rows = np.column_stack([open_, high, low, close, volume])
    if kind == "on a price grid":
        return np.round(rows, 1)
    if kind == "with na":
        rows[random.random(n) < 0.15, 0] = -1
        rows[:4, 0] = -1
        rows[100:112, 0] = -1
    return rows


@pytest.fixture(scope="module", params=KINDS)
def market(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Bars, and what pynecore makes of them in a process of its own."""
    folder = tmp_path_factory.mktemp("pyne")
    rows = _bars(request.param)
    np.save(folder / "in.npy", rows)
    command = [sys.executable, HERE / "pyne" / "run_indicators.py", folder / "in.npy", folder / "out.npz"]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(folder / "out.npz") as out:
        return rows, dict(out)


@pytest.mark.parametrize("name", SETTINGS)
def test_values_are_those_of_pynecore_to_the_last_bit(
    market: tuple[np.ndarray, dict[str, np.ndarray]], name: str
):
    rows, expected = market
    open_, high, low, close, volume = rows.T.copy()
    x = np.where(open_ < 0, np.nan, open_)
    columns = {
        "x": close if name in OF_THE_CLOSE else x,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "a": x,
        "b": INDICATORS["ema"](9).run(x),
        "new_session": (np.arange(len(rows)) % 10 == 3).astype(float),
    }
    indicator = INDICATORS[name](*SETTINGS[name])
    values = indicator.run(*(columns[column] for column in indicator.inputs))
    outputs = values if isinstance(values, tuple) else (values,)
    for k, output in enumerate(outputs):
        key = name if k == 0 else f"{name}.{indicator.outputs[k]}"
        np.testing.assert_array_equal(output, expected[key], err_msg=key)


def _documented() -> dict[str, list[str]]:
    lines = (ROOT / "docs" / "indicators.md").read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_the_table_in_the_documents_names_every_indicator_in_order():
    table = _documented()
    assert list(table) == list(INDICATORS)
    for name, cls in INDICATORS.items():
        assert table[name][0] == (f"`{cls.pine_name}`" if cls.pine_name else "")
        assert table[name][1] == f"{', '.join(cls.inputs)} → {', '.join(cls.outputs)}"


def test_the_table_in_the_documents_tells_the_warm_up_of_the_docstring():
    table = _documented()
    for name, cls in INDICATORS.items():
        text = (cls.__doc__ or "").split("Warm-up: ")[1].split("\n")[0].rstrip(".")
        assert table[name][2] == text


def test_the_table_in_the_documents_claims_pynecore_exactly_where_it_is_tested():
    claimed = {name for name, row in _documented().items() if "pynecore, every bit" in row[3]}
    assert claimed == set(SETTINGS)


def test_every_docstring_gives_source_warm_up_and_units():
    for cls in INDICATORS.values():
        for word in ("Source: ", "Warm-up: ", "Units: "):
            assert word in (cls.__doc__ or ""), cls.__name__
