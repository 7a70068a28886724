"""Each indicator that Pine has, or can be scripted in it, equals the independent runtime bit for bit.

What to compare is in the classes: `in_pine` says with PyneCore what the first of `examples` gives here.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.indicators.catalog import INDICATORS

HERE = Path(__file__).resolve().parent
IN_PINE = {name: cls for name, cls in INDICATORS.items() if cls.in_pine}
KINDS = ("random", "on a price grid", "with na", "constant", "shorter than warm-up")

HEAD = '''"""
@pyne
"""
from pynecore.lib import bar_index, close, high, low, math, na, nz, script, ta, volume
from pynecore.lib import open as open_
from pynecore.types import Persistent, Series

'''
INPUTS = {
    "x": ("Series[float]", "na(float) if open_ < 0 else open_"),
    "a": ("Series[float]", "x"),
    "b": ("Series[float]", "ta.ema(x, 9)"),
    "condition": ("bool", "volume > 60"),
    "set": ("bool", "volume > 80"),
    "reset": ("bool", "volume < 30"),
    "new_period": ("bool", "bar_index % 10 == 3"),
    "new_session": ("bool", "bar_index % 10 == 3"),
}
"""What an input is in the scripts, beside the prices of the bar. The open is the one price that may be na."""


def _script() -> str:
    """One function for each indicator, and `main`, which calls them all."""
    parts, calls, plots = [HEAD], [], []
    for name, cls in IN_PINE.items():
        *lines, value = [line.strip() for line in cls.in_pine.strip().splitlines()]
        body = "".join(f"    {line}\n" for line in [*lines, f"return {value}"])
        takes = ", ".join(f"{key}: {kind}" for key, (kind, _) in INPUTS.items())
        parts.append(f"def of_{name}({takes}):\n{body}\n\n")
        calls.append(f"    y_{name} = of_{name}({', '.join(INPUTS)})\n")
        count = len(cls.outputs)
        plots += [f'"{name}.{k}": y_{name}' + (f"[{k}]" if count > 1 else "") for k in range(count)]
    parts.append("@script.indicator(title='indicators')\ndef main():\n")
    parts += [f"    {key}: {kind} = {value}\n" for key, (kind, value) in INPUTS.items()]
    return "".join([*parts, *calls, f"    return {{{', '.join(plots)}}}\n"])


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
    (folder / "indicators.py").write_text(_script(), encoding="utf-8")
    command = [sys.executable, HERE / "pyne" / "run_indicators.py"]
    arguments = [folder / "indicators.py", folder / "in.npy", folder / "out.npz"]
    run = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    with np.load(folder / "out.npz") as out:
        return rows, dict(out)


def _columns(rows: np.ndarray) -> dict[str, np.ndarray]:
    open_, high, low, close, volume = rows.T.copy()
    x = np.where(open_ < 0, np.nan, open_)
    begins = (np.arange(len(rows)) % 10 == 3).astype(float)
    return {
        "x": x,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "a": x,
        "b": INDICATORS["ema"](9).run(x),
        "condition": (volume > 60).astype(float),
        "set": (volume > 80).astype(float),
        "reset": (volume < 30).astype(float),
        "new_period": begins,
        "new_session": begins,
    }


@pytest.mark.parametrize("name", IN_PINE)
def test_values_are_those_of_pynecore_to_the_last_bit(
    market: tuple[np.ndarray, dict[str, np.ndarray]], name: str
):
    rows, expected = market
    cls = IN_PINE[name]
    columns = _columns(rows)
    if not re.search(r"\bx\b", cls.in_pine):
        columns["x"] = columns["close"]  # the script takes the close instead
    indicator = cls(*cls.examples[0])
    values = indicator.run(*(columns[column] for column in indicator.inputs))
    for k, output in enumerate(values if isinstance(values, tuple) else (values,)):
        np.testing.assert_array_equal(output, expected[f"{name}.{k}"], err_msg=indicator.outputs[k])


def test_all_that_pine_has_by_name_is_compared():
    by_name = {name for name, cls in INDICATORS.items() if cls.pine_name}
    assert by_name - set(IN_PINE) == {"exp", "log", "log10", "pow"}  # their last bit is the C library's
