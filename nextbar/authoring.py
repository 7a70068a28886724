"""`nextbar new`: a strategy, its test and a notebook to start from, in the user's folder."""

import json
import keyword
import re
from collections.abc import Mapping
from pathlib import Path

from engine.model.sentences import NextbarError
from runtime.settings.environment import Home
from runtime.suggestions import allowed

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

_SIGNAL = '''"""CLASS: say here what it trades and why it should work."""

import nextbar as nb
from nextbar import ta


class CLASS(nb.Strategy):
    """Long a band above the average, short a band below it, out at the average."""

    length = nb.param(20, ge=1, le=5000, doc="bars of the average")
    band_percent = nb.param(1.0, gt=0, doc="distance from the average that counts")
    exits = nb.ExitRules(stop_loss_percent=5.0)

    def define(self, bar: nb.BarSeries) -> nb.Rules:
        """The rules, as series: every value is one of each bar, `x[1]` is the bar before."""
        average = ta.ema(bar.close, self.length)
        band = average * self.band_percent / 100
        return nb.Rules(
            enter_long=bar.close > average + band,
            exit_long=bar.close < average,
            enter_short=bar.close < average - band,
            exit_short=bar.close > average,
            plot={"average": average},
        )
'''

_SCRIPT = '''"""CLASS: say here what it trades and why it should work."""

import nextbar as nb
from engine.indicators.averages import Sma


class CLASSParams(nb.Params):
    """Windows in bars."""

    fast: int = 5
    slow: int = 15


class CLASS(nb.Script):
    """Long while the fast average is above the slow one, with a stop 1 % below the entry."""

    Params = CLASSParams

    def __init__(self, params: CLASSParams | None = None, /, **by_name: object) -> None:
        given = CLASSParams.model_validate(by_name) if params is None else params
        self.fast, self.slow = Sma(given.fast), Sma(given.slow)
        self.warmup_bars = max(given.fast, given.slow)

    @property
    def verbs(self) -> frozenset[str]:
        """What it calls; the live engine looks at this before it starts."""
        return frozenset({"entry", "close", "exit", "exit.stop"})

    def on_bar(self, bar: nb.Bar, broker: nb.Verbs) -> None:
        """Decide on one closed bar, as the body of a Pine script does."""
        fast, slow = self.fast.update(bar.close), self.slow.update(bar.close)
        if fast > slow and broker.position_size == 0:
            broker.entry("L", "long")
        if fast < slow:
            broker.close("L")
        if broker.position_size > 0:
            broker.exit("LX", "L", stop=broker.position_avg_price * 0.99)
'''

_TOML = """doc = "Say here what it trades and why it should work."

[params]
length = { default = 20, ge = 1, le = 5000, doc = "bars of the average" }
band_percent = { default = 1.0, gt = 0, doc = "distance from the average that counts" }

[series]  # each may use those above it
average = "ema(close, length)"
band = "average * band_percent / 100"

[rules]
enter_long = "close > average + band"
exit_long = "close < average"
enter_short = "close < average - band"
exit_short = "close > average"
plot = ["average"]

[exits]
stop_loss_percent = 5.0
"""

_TEST = '''"""Tests of FILE: python -m pytest strategies"""

from pathlib import Path

import nextbar as nb

STRATEGY = str(Path(__file__).with_name("FILE"))


def test_it_trades_on_the_sample_market() -> None:
    assert len(nb.backtest(STRATEGY, "sample-1h").trades) > 10


def test_what_it_did_does_not_change_when_more_bars_come() -> None:
    bars = nb.load("sample-1h")
    early = nb.backtest(STRATEGY, bars.part(0, 3000)).trades
    assert nb.backtest(STRATEGY, bars).trades.head(len(early)).equals(early)
'''

_LOOK = """import nextbar as nb

bars = nb.load("sample-1h")  # or a file: nb.load("ETHUSDT_1h.parquet")
result = nb.backtest("NAME", bars)
result"""
_CELLS = (
    ("markdown", "# CLASS"),
    ("code", _LOOK),
    ("code", "result.plot()"),
    ("code", "result.trades.tail()"),
)

_SOURCES: Mapping[str, tuple[str, str]] = {
    "signal": (".py", _SIGNAL),
    "script": (".py", _SCRIPT),
    "toml": (".toml", _TOML),
}
"""Suffix and text of the strategy's file, by its kind."""


class AuthoringError(NextbarError):
    """Nothing was written; one sentence."""


def write_new(name: str, kind: str, home: Home | None = None) -> list[Path]:
    """Write `strategies/NAME.py` (or .toml), its test and `notebooks/NAME.ipynb`; returns them.

    `AuthoringError` where the name will not do or one of the files is there.
    """
    home = home or Home.find()
    if kind not in _SOURCES:
        raise AuthoringError(f"there is no kind {kind!r}{allowed(kind, tuple(_SOURCES))}")
    _check(name, home)
    suffix, source = _SOURCES[kind]
    class_name = "".join(part.capitalize() for part in name.split("_"))
    words = {"CLASS": class_name, "NAME": name, "FILE": f"{name}{suffix}"}
    files = {
        home.strategies / f"{name}{suffix}": source,
        home.strategies / f"test_{name}.py": _TEST,
        home.root / "notebooks" / f"{name}.ipynb": _notebook(),
    }
    own = (home.strategies / f"{name}.py", home.strategies / f"{name}.toml")
    there = next((path for path in (*own, *files) if path.exists()), None)
    if there is not None:
        raise AuthoringError(f"{there} exists already; choose another name")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(re.sub(r"CLASS|\bNAME\b|\bFILE\b", lambda found: words[found[0]], text), "utf-8")
    except OSError as error:
        raise AuthoringError(f"{error.filename} cannot be written: {error.strerror}") from None
    return list(files)


def _check(name: str, home: Home) -> None:
    if not home.is_made:
        raise AuthoringError(f"{home.root} is no folder of nextbar: nextbar init makes one")
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise AuthoringError(f"{name!r} cannot be the name of a strategy: a word like two_averages can")
    if name.startswith("test_"):
        raise AuthoringError(f"{name!r} would be taken for a test; choose another name")
    from engine.strategies.base import registry  # noqa: PLC0415  # numba: only for a name that will do

    if name in registry.names():
        raise AuthoringError(f"nextbar has a strategy {name!r} already; choose another name")


def _notebook() -> str:
    cells: list[dict[str, object]] = []
    for kind, text in _CELLS:
        cell = {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
        cells.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}, indent=1)
