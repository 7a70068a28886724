"""What a type checker sees in a person's own strategy."""

import subprocess
import sys
from pathlib import Path

from tests.support.places import ROOT

STRATEGY = '''"""As in the README."""

import nextbar as nb
from nextbar import ta


class Breakaway(nb.Strategy):
    """Long a band above the average, short a band below it, out at the average."""

    length = nb.param(20, ge=1, le=5000, doc="bars of the average")
    band_percent = nb.param(1.0, gt=0, doc="distance from the average that counts")
    exits = nb.ExitRules(stop_loss_percent=5.0)

    def define(self, bar: nb.BarSeries) -> nb.Rules:
        average = ta.ema(bar.close, self.length)
        band = average * self.band_percent / 100
        assert_type(self.length, int)
        assert_type(self.band_percent, float)
        assert_type(band, nb.Series)
        assert_type(bar.close > average + band, nb.BoolSeries)
        assert_type(bar.close == 3, nb.BoolSeries)
        assert_type(~(bar.open > 1) & ta.crossover(bar.close, average), nb.BoolSeries)
        assert_type(ta.atr(bar, 14)[1], nb.Series)
        assert_type(ta.macd(bar.close).signal, nb.Series)
        assert_type(nb.where(bar.close > 1, band, 0.0), nb.Series)
        return nb.Rules(
            enter_long=bar.close > average + band,
            exit_long=bar.close < average,
            enter_short=bar.close < average - band,
            exit_short=bar.close > average,
            plot={"average": average},
        )


@ta.indicator(state=1, warmup=lambda length: 14 * length)
def smoothed(state: list[float], x: float, *, length: int) -> float:
    """An average that forgets by and by."""
    state[0] += (x - state[0]) / length
    return state[0]


@ta.indicator
class Last:
    """The price itself."""

    def update(self, x: float) -> float:
        return x


def slow(bar: nb.BarSeries) -> nb.BoolSeries:
    """Crosses above the other one."""
    return ta.crossover(smoothed(bar.close, length=20), smoothed(bar.open, length=20))


result = nb.backtest(Breakaway(length=40), nb.load("ETHUSDT_1h.parquet"))
assert_type(result, nb.Result)
'''
MISTAKES = {
    "self.lenght": 'has no attribute "lenght"; maybe "length"',
    "bar.clos": '"BarSeries" has no attribute "clos"',
    "bar.close.shift(-1)": '"Series" has no attribute "shift"',
    "ta.emma(bar.close, 3)": 'has no attribute "emma"; maybe "ema"',
    'ta.ema(bar.close, "3")': 'incompatible type "str"; expected "int"',
    "ta.ema(bar.close)": "Missing positional argument",
    "(bar.close > 1) & 1": "Unsupported operand types",
    "nb.Rules(enter_long=bar.close)": 'incompatible type "Series"; expected "BoolSeries | bool"',
}


def _errors(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-pretty", "--no-error-summary", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_mypy_strict_knows_parameters_and_series_and_finds_mistakes(tmp_path: Path) -> None:
    typed = STRATEGY.replace(
        "import nextbar as nb\n", "from typing import assert_type\n\nimport nextbar as nb\n"
    )
    assert _errors(tmp_path / "breakaway.py", typed) == []
    before, after = typed.split("        return nb.Rules(")
    lines = "".join(f"        {mistake}\n" for mistake in MISTAKES)
    found = _errors(tmp_path / "mistakes.py", f"{before}{lines}        return nb.Rules({after}")
    for error, sentence in zip(found, MISTAKES.values(), strict=True):
        assert sentence in error
